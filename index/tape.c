#include "index/tape.h"

#include <assert.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "index/block.h"
#include "index/block_pool.h"
#include "index/catalogue.h"
#include "index/deletions.h"
#include "index/journal.h"
#include "index/lane_sums.h"
#include "index/part.h"
#include "index/places.h"
#include "index/segment_file.h"
#include "index/stream_table.h"
#include "index/tape_fit.h"
#include "index/tape_internal.h"

/* Kinds of parts, the best first: when a number has both files, the segment is whole. */
static const struct part_ops *const part_kinds[] = {&segment_part, &journal_part};

#define KIND_COUNT (sizeof(part_kinds) / sizeof(part_kinds[0]))

/* So many files that are not open yet are worth reading the catalogue for. */
#define CATALOGUE_WORTH 4u

/* Files that are asked which tape they belong to. */
#define FIT_SAMPLES 7u

/* A file that so many listings do not have is not there. */
#define LISTINGS_MAX 3

/* Damage beyond this is only counted in the last entry. */
#define DAMAGE_MAX 1000u

/* parts[] is sorted by id; first_seq and end_seq rise with it. A part stays alive while a walk uses
 * it, also when its file is gone. */
struct tape {
    char *directory;
    int notify_fd; /* -1: no notification, look each time */
    bool must_list;
    struct part **parts;
    size_t part_count;
    size_t part_capacity;
    struct stream_table streams;
    struct stream **known; /* those that a part defined, in the order of their ids */
    size_t known_count;
    size_t known_capacity;
    struct lane_sums sums;
    struct tape_damage *damage;
    size_t damage_count;
    size_t damage_capacity;
    struct segment_pool segments;
    struct block_pool *blocks;
    struct places places;
    struct stat places_file; /* that they were read from; zeros: none */
    struct deletions deletions;
    struct stat deletions_file;  /* the same */
    char catalogue_problem[256]; /* as of the last time that it was read; "": none */
    unsigned char uuid[TAPE_UUID_BYTES];
    bool has_uuid;
    struct unread_file *unread; /* as of the last listing */
    size_t unread_count;
    size_t unread_capacity;
    bool must_fit; /* the parts are others than when it was seen whether they fit together */
};

void
part_release(struct part *part)
{
    if (part != NULL && --part->references == 0)
        part->ops->close(part);
}

/* ---- streams and damage, as parts tell them ---- */

static bool
is_placeholder(const struct stream *stream)
{
    return strcmp(stream->tap, "?") == 0;
}

/* Put it where its id belongs; ids rise, so that is nearly always the end. */
static void
add_known(struct tape *tape, struct stream *stream)
{
    tape->known =
        alloc_grow(tape->known, tape->known_count, &tape->known_capacity, sizeof(struct stream *));
    size_t at = tape->known_count++;
    for (; at > 0 && tape->known[at - 1]->id > stream->id; at--)
        tape->known[at] = tape->known[at - 1];
    tape->known[at] = stream;
}

void
tape_define_stream(struct tape *tape, uint32_t id, struct bytes tap, struct bytes name)
{
    if (id >= STREAM_ID_LIMIT) {
        tape_note_damage(tape, 0, 0, "a stream is defined with the impossible number %u", id);
        return;
    }
    struct stream *stream = stream_table_at(&tape->streams, id);
    if (stream == NULL) {
        stream = stream_table_add(&tape->streams, id, tap, name);
        stream->places = places_of(&tape->places, stream);
        add_known(tape, stream);
    } else if (is_placeholder(stream)) {
        /* Others hold the pointer: the name arrives in place. */
        free(stream->tap);
        free(stream->name);
        free(stream->label);
        stream->tap = alloc_text_of(tap.data, tap.length);
        stream->name = alloc_text_of(name.data, name.length);
        stream->label = alloc_format("%s/%s", stream->tap, stream->name);
        stream->places = places_of(&tape->places, stream);
    } else if (!bytes_equal_text(tap, stream->tap) || !bytes_equal_text(name, stream->name)) {
        tape_note_damage(tape, 0, 0, "stream number %u is defined twice, as %s and otherwise", id,
            stream->label);
    }
}

const struct stream *
tape_stream_by_id(struct tape *tape, uint32_t id)
{
    if (id >= STREAM_ID_LIMIT)
        id = STREAM_ID_LIMIT - 1;
    struct stream *stream = stream_table_at(&tape->streams, id);
    if (stream == NULL) {
        char *name = alloc_format("stream-%u", id);
        stream = stream_table_add(&tape->streams, id, bytes_of("?"), bytes_of(name));
        free(name);
        add_known(tape, stream);
    }
    return stream;
}

/* Keep it, unless the place is known. */
static void
add_damage(struct tape *tape, const struct tape_damage *damage)
{
    for (size_t i = 0; i < tape->damage_count; i++) {
        if (strcmp(tape->damage[i].text, damage->text) != 0)
            continue;
        if (damage->end_seq > damage->first_seq) /* more may be known than the first time */
            tape->damage[i] = *damage;
        return;
    }
    if (tape->damage_count >= DAMAGE_MAX)
        return;
    tape->damage =
        alloc_grow(tape->damage, tape->damage_count, &tape->damage_capacity, sizeof(*tape->damage));
    tape->damage[tape->damage_count++] = *damage;
}

void
tape_note_damage(struct tape *tape, uint64_t first_seq, uint64_t end_seq, const char *format, ...)
{
    struct tape_damage damage = {.first_seq = first_seq, .end_seq = end_seq};
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(damage.text, sizeof(damage.text), format, arguments);
    va_end(arguments);
    add_damage(tape, &damage);
}

void
tape_note_lost(struct tape *tape, uint64_t first_seq, uint64_t end_seq, uint64_t events,
    const char *format, ...)
{
    struct tape_damage damage = {.first_seq = first_seq, .end_seq = end_seq, .events = events};
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(damage.text, sizeof(damage.text), format, arguments);
    va_end(arguments);
    add_damage(tape, &damage);
}

static struct tape_place
place_of(struct tape *tape, uint32_t stream_id, int32_t partition, int64_t offset)
{
    return (struct tape_place){tape_stream_by_id(tape, stream_id), stream_id, partition, offset};
}

void
tape_take_damage(struct tape *tape, const struct tape_damage *damage)
{
    struct tape_damage own = *damage;
    if (own.first.stream != NULL) {
        own.first.stream = tape_stream_by_id(tape, own.first.stream_id);
        own.last.stream = tape_stream_by_id(tape, own.last.stream_id);
    }
    add_damage(tape, &own);
}

void
tape_note_block(struct tape *tape, const struct block_info *block, const char *text)
{
    struct tape_damage damage = {
        .first_seq = block->min_seq,
        .end_seq = block->max_seq + 1,
        .events = block->event_count,
        .first = place_of(tape, block->first_stream, block->first_partition, block->first_offset),
        .last = place_of(tape, block->last_stream, block->last_partition, block->last_offset),
    };
    (void)snprintf(damage.text, sizeof(damage.text), "%.255s", text);
    add_damage(tape, &damage);
}

const char *
tape_catalogue_problem(const struct tape *tape)
{
    return tape->catalogue_problem[0] == '\0' ? NULL : tape->catalogue_problem;
}

size_t
tape_damage(const struct tape *tape, const struct tape_damage **damage)
{
    *damage = tape->damage;
    return tape->damage_count;
}

/* ---- places ---- */

const struct places *
tape_places(const struct tape *tape)
{
    return &tape->places;
}

static bool
is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Is DIRECTORY/NAME another file than the one that was read? Then it is remembered. */
static bool
has_changed(const struct tape *tape, const char *name, struct stat *known)
{
    struct stat now = {0};
    char *path = alloc_format("%s/%s", tape->directory, name);
    if (stat(path, &now) != 0)
        now = (struct stat){0};
    free(path);
    if (is_same_file(&now, known))
        return false;
    *known = now;
    return true;
}

/* A recorder with another configuration may have written them since. */
static void
load_places(struct tape *tape)
{
    if (!has_changed(tape, "places", &tape->places_file))
        return;
    struct error err;
    struct places fresh;
    if (!places_read(tape->directory, &fresh, &err))
        tape_note_damage(tape, 0, 0, "%s", err.text);
    for (size_t i = 0; i < tape->known_count; i++)
        tape->known[i]->places = places_of(&fresh, tape->known[i]);
    places_done(&tape->places);
    tape->places = fresh;
}

/* ---- what retention deleted ---- */

const struct deletions *
tape_deletions(const struct tape *tape)
{
    return &tape->deletions;
}

/* Read them after the directory was listed: what was gone by then is recorded by now. */
static void
load_deletions(struct tape *tape)
{
    struct error err;
    struct deletions fresh;
    if (!has_changed(tape, "deletions", &tape->deletions_file))
        return;
    if (!deletions_read(tape->directory, &fresh, &err)) {
        tape_note_damage(tape, 0, 0, "%s", err.text);
    } else if (tape->has_uuid && fresh.count > 0 &&
               memcmp(fresh.uuid, tape->uuid, TAPE_UUID_BYTES) != 0) {
        tape_note_damage(tape, 0, 0,
            "%s/deletions belongs to another tape; it is not used: move it to where it was",
            tape->directory);
        deletions_done(&fresh);
    }
    deletions_done(&tape->deletions);
    tape->deletions = fresh;
    for (size_t i = 0; i < fresh.streams.count; i++) {
        const struct stream *stream = fresh.streams.streams[i];
        if (stream != NULL)
            tape_define_stream(tape, stream->id, bytes_of(stream->tap), bytes_of(stream->name));
    }
}

/* ---- the directory ---- */

/* "00000042.jnl": the number and the kind; false for other names. */
static bool
parse_name(const char *name, uint64_t *id, size_t *kind)
{
    char *end;
    if (!isdigit((unsigned char)name[0]))
        return false;
    errno = 0;
    *id = strtoull(name, &end, 10);
    if (errno != 0 || end - name < 8 || *end != '.')
        return false;
    for (*kind = 0; *kind < KIND_COUNT; (*kind)++) {
        if (strcmp(end + 1, part_kinds[*kind]->suffix) == 0)
            return true;
    }
    return false;
}

struct listed {
    uint64_t id;
    size_t kind;
    char *name;
};

struct listing {
    struct listed *rows;
    size_t count;
    size_t capacity;
    bool is_tape; /* something of ours was there */
};

static int
compare_listed(const void *a, const void *b)
{
    const struct listed *left = a;
    const struct listed *right = b;
    if (left->id != right->id)
        return left->id < right->id ? -1 : 1;
    return (left->kind > right->kind) - (left->kind < right->kind);
}

static void
listing_done(struct listing *listing)
{
    for (size_t i = 0; i < listing->count; i++)
        free(listing->rows[i].name);
    free(listing->rows);
}

/* By number; of two kinds with the same one, the better first. */
static bool
list_directory(const char *path, struct listing *listing, struct error *err)
{
    DIR *directory = opendir(path);
    if (directory == NULL) {
        if (errno == ENOENT)
            return error_set(err, ERROR_ARGUMENT,
                "there is no tape at %s (tapedeck record --tape %s URL makes one)", path, path);
        if (errno == ENOTDIR)
            return error_set(err, ERROR_ARGUMENT, "%s is a file, not a tape", path);
        return error_set_system(err, "cannot read the tape's directory %s", path);
    }
    struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) { /* NOLINT(concurrency-mt-unsafe) */
        struct listed row;
        if (strcmp(entry->d_name, "LOCK") == 0)
            listing->is_tape = true;
        if (!parse_name(entry->d_name, &row.id, &row.kind))
            continue;
        row.name = alloc_text(entry->d_name);
        listing->rows =
            alloc_grow(listing->rows, listing->count, &listing->capacity, sizeof(*listing->rows));
        listing->rows[listing->count++] = row;
    }
    (void)closedir(directory);
    if (listing->count > 1)
        qsort(listing->rows, listing->count, sizeof(*listing->rows), compare_listed);
    if (listing->count > 0)
        listing->is_tape = true;
    return true;
}

/* ---- whose files they are ---- */

bool
tape_uuid(const struct tape *tape, unsigned char uuid[TAPE_UUID_BYTES])
{
    if (tape->has_uuid)
        memcpy(uuid, tape->uuid, TAPE_UUID_BYTES);
    return tape->has_uuid;
}

bool
tape_is_own(const struct tape *tape, const char *path, const unsigned char uuid[TAPE_UUID_BYTES],
    struct error *err)
{
    return !tape->has_uuid || memcmp(tape->uuid, uuid, TAPE_UUID_BYTES) == 0 ||
           error_set(err, ERROR_DAMAGED,
               "%s belongs to another tape; its events are left out: move it to where it was",
               path);
}

/* The tape is what most of its files say, of some that lie apart. */
static void
learn_uuid(struct tape *tape, const struct listing *listing)
{
    char *paths[FIT_SAMPLES];
    size_t count = listing->count < FIT_SAMPLES ? listing->count : FIT_SAMPLES;
    if (tape->has_uuid || count == 0)
        return;
    for (size_t i = 0; i < count; i++) {
        size_t row = count == 1 ? 0 : i * (listing->count - 1) / (count - 1);
        paths[i] = alloc_format("%s/%s", tape->directory, listing->rows[row].name);
    }
    tape->has_uuid = tape_fit_uuid(paths, count, tape->uuid);
    for (size_t i = 0; i < count; i++)
        free(paths[i]);
}

/* ---- parts ---- */

static struct part *
find_open_part(const struct tape *tape, uint64_t id, const struct part_ops *kind)
{
    for (size_t i = 0; i < tape->part_count; i++) {
        if (tape->parts[i]->name_id == id && tape->parts[i]->ops == kind)
            return tape->parts[i];
    }
    return NULL;
}

/* The catalogue, when there are enough files to open for it to be worth it. NULL: do without. */
static struct catalogue *
read_catalogue(struct tape *tape, const struct listing *listing)
{
    size_t new_count = 0;
    for (size_t i = 0; i < listing->count; i++) {
        const struct listed *row = &listing->rows[i];
        if (part_kinds[row->kind]->open_known != NULL &&
            find_open_part(tape, row->id, part_kinds[row->kind]) == NULL)
            new_count++;
    }
    if (new_count < CATALOGUE_WORTH)
        return NULL;

    struct error err = {0};
    struct catalogue *catalogue = catalogue_read(tape->directory, &err);
    tape->catalogue_problem[0] = '\0';
    if (catalogue == NULL && (err.code == ERROR_DAMAGED || err.code == ERROR_FORMAT))
        (void)snprintf(
            tape->catalogue_problem, sizeof(tape->catalogue_problem), "%.255s", err.text);
    if (catalogue != NULL && catalogue_bad_rows(catalogue) > 0)
        (void)snprintf(tape->catalogue_problem, sizeof(tape->catalogue_problem),
            "%zu of its rows are damaged", catalogue_bad_rows(catalogue));
    return catalogue;
}

/* The part as the catalogue knows it; NULL: open the file. */
static struct part *
open_known(
    struct tape *tape, struct catalogue *catalogue, const struct listed *row, const char *path)
{
    struct stat status;
    if (catalogue == NULL || part_kinds[row->kind]->open_known == NULL || stat(path, &status) != 0)
        return NULL;
    struct catalogue_row *known = catalogue_find(catalogue, row->id, &status);
    if (known == NULL || !catalogue_define_streams(catalogue, known, tape))
        return NULL;
    return part_kinds[row->kind]->open_known(tape, path, known);
}

static void
add_unread(struct tape *tape, const struct listed *row, const char *text)
{
    tape->unread =
        alloc_grow(tape->unread, tape->unread_count, &tape->unread_capacity, sizeof(*tape->unread));
    struct unread_file *unread = &tape->unread[tape->unread_count++];
    unread->id = row->id;
    unread->kind = row->kind;
    (void)snprintf(unread->text, sizeof(unread->text), "%.255s", text);
}

/* Open a file of the listing. NULL without an error: it is gone again, or damaged and named. */
static struct part *
open_part(struct tape *tape, struct catalogue *catalogue, const struct listed *row, bool *failed,
    struct error *err)
{
    char *path = alloc_format("%s/%s", tape->directory, row->name);
    struct part *part = open_known(tape, catalogue, row, path);
    errno = 0;
    if (part == NULL)
        part = part_kinds[row->kind]->open(tape, path, err);
    *failed = false;
    if (part != NULL) {
        if (part->id != row->id)
            tape_note_damage(tape, 0, 0,
                "%s is number %08llu of the tape by its own header: rename it", path,
                (unsigned long long)part->id);
        part->name_id = row->id;
        part->references = 1;
    } else if (access(path, F_OK) != 0) {
        tape->must_list = true; /* sealed or deleted between listing and opening */
    } else if (err->code == ERROR_DAMAGED && strstr(err->text, "newer") == NULL) {
        add_unread(tape, row, err->text);
    } else {
        *failed = true;
    }
    free(path);
    return part;
}

static bool
has_number(struct part *const *parts, size_t count, uint64_t id)
{
    for (size_t i = 0; i < count; i++) {
        if (parts[i]->name_id == id)
            return true;
    }
    return false;
}

/* Of the files that cannot be opened take what is whole in them, unless the same events are in another file
 * of that number. Those are no longer unread. Returns how many parts there are then; `parts` has room. */
static size_t
salvage_unread(struct tape *tape, struct part **parts, size_t count)
{
    size_t unread_count = 0;
    for (size_t i = 0; i < tape->unread_count; i++) {
        const struct unread_file *unread = &tape->unread[i];
        const struct part_ops *kind = part_kinds[unread->kind];
        struct error ignored; /* why it cannot be opened says more */
        struct part *part = NULL;
        if (!has_number(parts, count, unread->id)) {
            char *path = journal_path(tape->directory, unread->id, kind->suffix);
            part = kind->salvage(tape, path, unread->id, unread->text, &ignored);
            free(path);
        }
        if (part == NULL) {
            tape->unread[unread_count++] = *unread;
            continue;
        }
        part->is_salvaged = true;
        part->name_id = unread->id;
        part->references = 1;
        parts[count++] = part;
    }
    tape->unread_count = unread_count;
    return count;
}

static void
drop_parts(struct tape *tape)
{
    for (size_t i = 0; i < tape->part_count; i++) {
        tape->parts[i]->is_detached = true;
        part_release(tape->parts[i]);
    }
    free(tape->parts);
}

/* Make parts[] agree with the directory; see whether they fit once they know their ends. */
static bool
list_parts(struct tape *tape, struct error *err)
{
    struct listing listing = {0};
    tape->must_list = tape->notify_fd < 0;
    if (!list_directory(tape->directory, &listing, err)) {
        listing_done(&listing);
        return false;
    }
    if (!listing.is_tape) {
        listing_done(&listing);
        return error_set(err, ERROR_ARGUMENT,
            "there is no tape in %s (tapedeck record --tape %s URL makes one)", tape->directory,
            tape->directory);
    }

    load_places(tape);
    learn_uuid(tape, &listing);
    load_deletions(tape);
    struct catalogue *catalogue = read_catalogue(tape, &listing);
    struct part **parts = alloc_array(listing.count, sizeof(struct part *));
    size_t count = 0;
    bool failed = false;
    tape->unread_count = 0;
    for (size_t i = 0; i < listing.count && !failed; i++) {
        if (count > 0 && parts[count - 1]->name_id == listing.rows[i].id)
            continue; /* the journal of a segment that can be read: left over from a crash */
        struct part *part =
            find_open_part(tape, listing.rows[i].id, part_kinds[listing.rows[i].kind]);
        if (part != NULL)
            part->references++;
        else
            part = open_part(tape, catalogue, &listing.rows[i], &failed, err);
        if (part != NULL)
            parts[count++] = part;
    }
    catalogue_free(catalogue);
    listing_done(&listing);
    if (failed) {
        for (size_t i = 0; i < count; i++)
            part_release(parts[i]);
        free(parts);
        return false;
    }
    count = salvage_unread(tape, parts, count);
    drop_parts(tape);
    for (size_t i = 0; i < count; i++)
        parts[i]->is_detached = false;
    tape->parts = parts;
    tape->part_count = count;
    tape_fit_order(tape->parts, tape->part_count);
    tape->must_fit = true;
    return true;
}

/* SQLite's files beside the catalogue come and go with every reader that looks at it. */
static bool
is_our_name(const char *name)
{
    uint64_t id;
    size_t kind;
    return parse_name(name, &id, &kind);
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
            if ((event.mask & ~(uint32_t)IN_MODIFY) && (name == NULL || is_our_name(name)))
                names_changed = true;
            at += (ssize_t)(sizeof(event) + event.len);
        }
    }
    return names_changed;
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

bool
tape_refresh(struct tape *tape, struct error *err)
{
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

struct tape *
tape_open(const char *directory, struct error *err)
{
    struct tape *tape = alloc_zeroed(sizeof(*tape));
    tape->directory = alloc_text(directory);
    tape->blocks = block_pool_new();
    tape->must_list = true;
    tape->notify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (tape->notify_fd >= 0 && inotify_add_watch(tape->notify_fd, directory,
                                    IN_CREATE | IN_MODIFY | IN_MOVED_TO | IN_DELETE) < 0) {
        (void)close(tape->notify_fd);
        tape->notify_fd = -1;
    }
    if (!tape_refresh(tape, err)) {
        tape_close(tape);
        return NULL;
    }
    return tape;
}

void
tape_close(struct tape *tape)
{
    if (tape == NULL)
        return;
    drop_parts(tape);
    block_pool_free(tape->blocks);
    if (tape->notify_fd >= 0)
        (void)close(tape->notify_fd);
    stream_table_done(&tape->streams);
    places_done(&tape->places);
    deletions_done(&tape->deletions);
    free(tape->known);
    lane_sums_done(&tape->sums);
    free(tape->damage);
    free(tape->unread);
    free(tape->directory);
    free(tape);
}

const char *
tape_directory(const struct tape *tape)
{
    return tape->directory;
}

void
tape_wait(struct tape *tape, int timeout_ms)
{
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
tape_wait_fd(const struct tape *tape)
{
    return tape->notify_fd;
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

size_t
tape_stream_count(const struct tape *tape)
{
    return tape->known_count;
}

const struct stream *
tape_stream(const struct tape *tape, size_t index)
{
    assert(index < tape->known_count);
    return tape->known[index];
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
