#include "index/tape.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "index/block_pool.h"
#include "index/deletions.h"
#include "index/part.h"
#include "index/tape_fit.h"
#include "index/tape_state.h"

/* A file that so many listings do not have is not there. */
#define LISTINGS_MAX 3

/* Who looks more often, tape_open() included, is told what changes. */
#define LOOKS_MAX 2

void
part_release(struct part *part)
{
    if (part != NULL && --part->references == 0)
        part->ops->close(part);
}

/* Take the pending notifications; true when a file of the tape came or went, or some were missed. */
static bool
take_notifications(struct tape *tape)
{
    bool names_changed = false;
    _Alignas(struct inotify_event) char buffer[4096];
    ssize_t length;
    while (tape->notify_fd >= 0 && (length = read(tape->notify_fd, buffer, sizeof(buffer))) > 0) {
        for (ssize_t at = 0; at < length;) {
            struct inotify_event event;
            memcpy(&event, buffer + at, sizeof(event));
            const char *name = event.len > 0 ? buffer + at + sizeof(event) : NULL;
            if ((event.mask & ~(uint32_t)IN_MODIFY) && (name == NULL || tape_is_file_name(name)))
                names_changed = true;
            at += (ssize_t)(sizeof(event) + event.len);
        }
    }
    return names_changed;
}

/* Until they are those of one moment, or nearly. */
static bool
list_parts(struct tape *tape, struct error *err)
{
    int tries = 0;
    do {
        if (!tape_list_parts(tape, err))
            return false;
    } while (tape->is_outdated && ++tries < LISTINGS_MAX);
    if (tape->is_outdated)
        tape->must_list = true;
    return true;
}

/* List the parts when it is time, and see what was appended to them. */
static bool
look_at_parts(struct tape *tape, struct error *err)
{
    if (tape->must_list && !list_parts(tape, err))
        return false;
    for (size_t i = 0; i < tape->part_count; i++) {
        struct part *part = tape->parts[i];
        bool is_final = i + 1 < tape->part_count;
        if (!part->is_final && !part->ops->refresh(part, tape, is_final, err))
            return false;
    }
    return true;
}

void
tape_watch(struct tape *tape)
{
    if (tape->is_watched)
        return;
    tape->is_watched = true;
    tape->must_list = true;
    tape->notify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (tape->notify_fd >= 0 && inotify_add_watch(tape->notify_fd, tape->directory,
                                    IN_CREATE | IN_MODIFY | IN_MOVED_TO | IN_DELETE) < 0) {
        (void)close(tape->notify_fd);
        tape->notify_fd = -1;
    }
}

bool
tape_refresh(struct tape *tape, struct error *err)
{
    block_pool_rest(tape->blocks);
    if (!tape->is_watched && ++tape->refreshes > LOOKS_MAX)
        tape_watch(tape);
    if (take_notifications(tape))
        tape->must_list = true;
    if (!look_at_parts(tape, err))
        return false;
    bool is_open = true;
    for (int tries = 1; tape->must_fit && is_open; tries++) {
        tape->part_count = tape_fit(tape, tape->parts, tape->part_count, tape->unread,
            tape->unread_count, tries == LISTINGS_MAX, &is_open);
        if (!is_open || tries == LISTINGS_MAX)
            break;
        tape->must_list = true;
        if (!look_at_parts(tape, err))
            return false;
    }
    tape->must_fit = false;
    return true;
}

static struct tape *
open_directory(const char *directory, bool is_ours, struct error *err)
{
    struct tape *tape = alloc_zeroed(sizeof(*tape));
    tape->directory = alloc_text(directory);
    tape->is_ours = is_ours;
    tape->blocks = block_pool_new();
    tape->must_list = true;
    tape->notify_fd = -1;
    if (!tape_refresh(tape, err)) {
        tape_close(tape);
        return NULL;
    }
    return tape;
}

struct tape *
tape_open(const char *directory, struct error *err)
{
    return open_directory(directory, false, err);
}

struct tape *
tape_open_locked(const char *directory, struct error *err)
{
    return open_directory(directory, true, err);
}

void
tape_close(struct tape *tape)
{
    if (tape == NULL)
        return;
    tape_drop_parts(tape);
    block_pool_free(tape->blocks);
    if (tape->notify_fd >= 0)
        (void)close(tape->notify_fd);
    stream_table_done(&tape->streams);
    places_done(&tape->places);
    deletions_done(&tape->deletions);
    tape_gone_done(&tape->gone);
    free(tape->known);
    lane_sums_done(&tape->sums);
    lane_sums_done(&tape->holes);
    free(tape->damage);
    free(tape->unread);
    free(tape->directory);
    free(tape);
}

void
tape_keep_blocks(struct tape *tape, uint64_t bytes)
{
    block_pool_set_limit(tape->blocks, bytes);
}

const char *
tape_directory(const struct tape *tape)
{
    return tape->directory;
}

void
tape_wait(struct tape *tape, int timeout_ms)
{
    if (!tape->is_watched) {
        tape_watch(tape);
        return; /* what changed before is not known */
    }
    struct pollfd descriptor = {.fd = tape->notify_fd, .events = POLLIN};
    if (tape->notify_fd < 0) {
        (void)poll(NULL, 0, timeout_ms < 10 ? timeout_ms : 10);
        return;
    }
    (void)poll(&descriptor, 1, timeout_ms);
    if (take_notifications(tape))
        tape->must_list = true;
}

int
tape_wait_fd(struct tape *tape)
{
    tape_watch(tape);
    return tape->notify_fd;
}

bool
tape_is_followed(const struct tape *tape)
{
    return tape->is_watched;
}

uint64_t
tape_first_seq(const struct tape *tape)
{
    return tape->part_count == 0 ? tape_end_seq(tape) : tape->parts[0]->first_seq;
}

uint64_t
tape_end_seq(const struct tape *tape)
{
    uint64_t deleted = deletions_end_seq(&tape->deletions);
    uint64_t end = tape->part_count == 0 ? 0 : tape->parts[tape->part_count - 1]->end_seq;
    return end > deleted ? end : deleted;
}

struct block_pool *
tape_block_pool(struct tape *tape)
{
    return tape->blocks;
}

struct segment_pool *
tape_segment_pool(struct tape *tape)
{
    return &tape->segments;
}

size_t
tape_part_count(const struct tape *tape)
{
    return tape->part_count;
}

struct part *
tape_part(const struct tape *tape, size_t index)
{
    return tape->parts[index];
}

struct part *
tape_part_at(struct tape *tape, uint64_t seq)
{
    size_t low = 0;
    size_t high = tape->part_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (tape->parts[middle]->end_seq > seq)
            high = middle;
        else
            low = middle + 1;
    }
    return low < tape->part_count ? tape->parts[low] : NULL;
}

struct part *
tape_part_below(struct tape *tape, uint64_t end_seq)
{
    for (size_t i = tape->part_count; i-- > 0;) {
        if (tape->parts[i]->first_seq < end_seq &&
            tape->parts[i]->end_seq > tape->parts[i]->first_seq)
            return tape->parts[i];
    }
    return NULL;
}

/* ---- what is there ---- */

const struct lane_summary *
tape_lanes(struct tape *tape, size_t *count, struct error *err)
{
    return lane_sums_make(&tape->sums, tape, count, err);
}

const struct lane_summary *
tape_holes(struct tape *tape, struct tape_stretch *stretch, size_t *count, struct error *err)
{
    return lane_sums_make_holes(&tape->holes, tape, stretch, count, err);
}

bool
tape_verify(struct tape *tape, struct error *err)
{
    for (size_t i = 0; i < tape->part_count; i++) {
        if (!tape->parts[i]->ops->verify(tape->parts[i], tape, err))
            return false;
    }
    if (tape->damage_count == 0)
        return true;
    return error_set(err, ERROR_DAMAGED, "tape %s: %zu damaged place%s; the first: %s",
        tape->directory, tape->damage_count, tape->damage_count == 1 ? "" : "s",
        tape->damage[0].text);
}

char *
tape_default_directory(const char *option, const char *configured)
{
    const char *chosen = option;
    if (chosen == NULL || *chosen == '\0')
        chosen = getenv("TAPEDECK_TAPE"); /* NOLINT(concurrency-mt-unsafe) */
    if (chosen == NULL || *chosen == '\0')
        chosen = configured;
    if (chosen != NULL && *chosen != '\0')
        return alloc_text(chosen);

    const char *data = getenv("XDG_DATA_HOME"); /* NOLINT(concurrency-mt-unsafe) */
    if (data != NULL && *data == '/')
        return alloc_format("%s/tapedeck/default", data);
    const char *home = getenv("HOME"); /* NOLINT(concurrency-mt-unsafe) */
    return alloc_format("%s/.local/share/tapedeck/default", home != NULL ? home : "");
}
