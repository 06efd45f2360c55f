#include "index/retention.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "index/catalogue.h"
#include "index/deletions.h"
#include "index/part_file.h"
#include "index/segment.h"
#include "index/tape_fit.h"

#define PIN_MAX_BYTES 256u

/* Segments that are asked which tape they belong to. */
#define UUID_SAMPLES 7u

struct candidate {
    uint64_t id;
    char *path;
    uint64_t file_bytes;
    uint64_t event_count;
    uint64_t first_seq;
    uint64_t end_seq;
    int64_t newest_ns; /* received */
    bool goes;
};

struct pin {
    uint64_t first_seq;
    uint64_t end_seq;
};

/* What a pass over `directory` found: segments by number, pins, bytes of everything, and of the journals among it. */
struct findings {
    const char *directory;
    struct candidate *candidates;
    size_t count;
    size_t capacity;
    struct pin *pins;
    size_t pin_count;
    size_t pin_capacity;
    uint64_t bytes;
    uint64_t journal_bytes;
    uint64_t
        segment_bytes; /* of segments that can be opened, and what their events take as records */
    uint64_t record_bytes;
    uint64_t newest_id;          /* of journals and segments */
    struct catalogue *catalogue; /* or NULL */
};

static void
findings_done(struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++)
        free(findings->candidates[i].path);
    free(findings->candidates);
    free(findings->pins);
    catalogue_free(findings->catalogue);
}

static void
add_candidate(struct findings *findings, uint64_t id, char *path, const struct segment_info *info)
{
    findings->candidates = alloc_grow(
        findings->candidates, findings->count, &findings->capacity, sizeof(*findings->candidates));
    findings->candidates[findings->count++] = (struct candidate){
        .id = id,
        .path = path,
        .file_bytes = info->file_bytes,
        .event_count = info->event_count,
        .first_seq = info->first_seq,
        .end_seq = info->end_seq,
        .newest_ns = info->max_received_ns,
    };
    findings->segment_bytes += info->file_bytes;
    findings->record_bytes += info->record_bytes;
}

/* A segment that cannot be opened is never deleted: what it holds is not known. */
static void
add_segment(struct findings *findings, uint64_t id, char *path, const struct stat *status)
{
    const struct catalogue_row *row =
        findings->catalogue == NULL ? NULL : catalogue_find(findings->catalogue, id, status);
    if (row != NULL) {
        add_candidate(findings, id, path, &row->info);
        return;
    }
    struct error ignored;
    struct segment *segment = segment_open(path, &ignored);
    if (segment == NULL) {
        free(path);
        return;
    }
    add_candidate(findings, id, path, segment_info(segment));
    segment_close(segment);
}

/* Of part_file_each(). */
static void
look_at(void *self, const struct part_file *file)
{
    struct findings *findings = self;
    bool is_segment = strcmp(file->suffix, "seg") == 0;
    if ((!is_segment && strcmp(file->suffix, "jnl") != 0) || !file->is_file)
        return;
    char *path = alloc_format("%s/%s", findings->directory, file->name);
    struct stat status = {0};
    if (stat(path, &status) == 0)
        findings->bytes += (uint64_t)status.st_size;
    if (!is_segment)
        findings->journal_bytes += (uint64_t)status.st_size;
    if (file->id > findings->newest_id)
        findings->newest_id = file->id;
    if (is_segment)
        add_segment(findings, file->id, path, &status);
    else
        free(path);
}

static int
compare_candidates(const void *a, const void *b)
{
    const struct candidate *left = a;
    const struct candidate *right = b;
    return (left->id > right->id) - (left->id < right->id);
}

static bool
look_through(struct findings *findings, struct error *err)
{
    if (!part_file_each(findings->directory, look_at, findings, err))
        return false;
    if (findings->count > 1)
        qsort(findings->candidates, findings->count, sizeof(*findings->candidates),
            compare_candidates);
    return true;
}

static bool
read_pin(struct findings *findings, const char *path, struct error *err)
{
    struct buffer text = {0};
    struct pin pin;
    bool good = file_read_whole(path, PIN_MAX_BYTES, &text, err);
    if (good && sscanf(buffer_text(&text), "%" SCNu64 " %" SCNu64, &pin.first_seq, /* NOLINT */
                    &pin.end_seq) != 2)
        good = error_set(err, ERROR_FORMAT,
            "%s is not a pin (two numbers); nothing is deleted until it is mended or removed",
            path);
    if (good) {
        findings->pins = alloc_grow(
            findings->pins, findings->pin_count, &findings->pin_capacity, sizeof(*findings->pins));
        findings->pins[findings->pin_count++] = pin;
    }
    buffer_done(&text);
    return good;
}

static bool
read_pins(struct findings *findings, const char *directory, struct error *err)
{
    char *path = alloc_format("%s/pins", directory);
    DIR *pins = opendir(path);
    bool good = true;
    struct dirent *entry;
    while (pins != NULL && good &&
           (entry = readdir(pins)) != NULL) { /* NOLINT(concurrency-mt-unsafe) */
        if (entry->d_name[0] == '.')
            continue;
        char *pin = alloc_format("%s/%s", path, entry->d_name);
        good = read_pin(findings, pin, err);
        free(pin);
    }
    if (pins != NULL)
        (void)closedir(pins);
    free(path);
    return good;
}

static bool
is_pinned(const struct findings *findings, const struct candidate *candidate)
{
    for (size_t i = 0; i < findings->pin_count; i++) {
        if (findings->pins[i].first_seq < candidate->end_seq &&
            findings->pins[i].end_seq > candidate->first_seq)
            return true;
    }
    return false;
}

/* What the tape takes once its journals are sealed, as far as the segments tell. Journals that wait for a slow or full
 * disk would else delete much more than was asked for: what they take now is not what they take then. */
static uint64_t
bytes_when_sealed(const struct findings *findings)
{
    double part = findings->record_bytes > findings->segment_bytes
                      ? (double)findings->segment_bytes / (double)findings->record_bytes
                      : 1.0;
    return findings->bytes - findings->journal_bytes +
           (uint64_t)(part * (double)findings->journal_bytes);
}

/* Which segments go: the oldest first, also where a clock went backwards. */
static void
choose(struct findings *findings, const struct retention *retention, int64_t now_ns,
    struct retention_result *result)
{
    uint64_t bytes = bytes_when_sealed(findings);
    for (size_t i = 0; i < findings->count; i++) {
        struct candidate *candidate = &findings->candidates[i];
        bool too_much = retention->keep_bytes > 0 && bytes > retention->keep_bytes;
        bool too_old = retention->keep_age_ns > 0 && candidate->event_count > 0 &&
                       candidate->newest_ns < now_ns - retention->keep_age_ns;
        if (!too_much && !too_old)
            break;
        if (retention->keep_newest && candidate->id == findings->newest_id)
            continue;
        candidate->goes = !is_pinned(findings, candidate);
        result->pinned_files += !candidate->goes;
        bytes -= candidate->goes ? candidate->file_bytes : 0;
    }
}

/* ---- what is recorded of it ---- */

/* Which tape it is, most of the segments say. */
static bool
learn_uuid(const struct findings *findings, unsigned char uuid[TAPE_UUID_BYTES])
{
    char *paths[UUID_SAMPLES];
    size_t count = findings->count < UUID_SAMPLES ? findings->count : UUID_SAMPLES;
    for (size_t i = 0; i < count; i++)
        paths[i] = findings->candidates[i * findings->count / count].path;
    return tape_fit_uuid(paths, count, uuid);
}

/* A broken record is begun anew. One of a newer version, or of another tape, says what we must not lose. */
static bool
read_record(const char *directory, const struct findings *findings, struct deletions *record,
    struct error *err)
{
    unsigned char uuid[TAPE_UUID_BYTES];
    if (!deletions_read(directory, record, err) && err->code != ERROR_DAMAGED)
        return error_wrap(err, "nothing is deleted");
    if (!learn_uuid(findings, uuid))
        return true; /* nothing that can be opened goes */
    if (record->count > 0 && memcmp(record->uuid, uuid, sizeof(uuid)) != 0)
        return error_set(err, ERROR_DAMAGED,
            "nothing is deleted: %s/deletions belongs to another tape; move it to where it was",
            directory);
    memcpy(record->uuid, uuid, sizeof(uuid));
    return true;
}

/* What cannot be opened any more, or is of another tape, stays. */
static void
record_segments(struct findings *findings, struct deletions *record, int64_t now_ns)
{
    struct error ignored;
    bool is_front = true;
    for (size_t i = 0; i < findings->count; i++) {
        struct candidate *candidate = &findings->candidates[i];
        struct segment *segment = candidate->goes ? segment_open(candidate->path, &ignored) : NULL;
        candidate->goes = segment != NULL && memcmp(segment_info(segment)->uuid, record->uuid,
                                                 sizeof(record->uuid)) == 0;
        is_front = is_front && candidate->goes;
        if (candidate->goes)
            deletions_add(record, segment, now_ns);
        if (is_front)
            deletions_close_front(record, candidate->end_seq);
        segment_close(segment);
    }
}

/* ---- deleting ---- */

static bool
delete_one(struct findings *findings, struct candidate *candidate, bool dry_run,
    struct retention_result *result, struct error *err)
{
    if (!dry_run && unlink(candidate->path) != 0 && errno != ENOENT)
        return error_set_system(err, "cannot delete %s", candidate->path);
    candidate->goes = false;
    findings->bytes -= candidate->file_bytes;
    result->deleted_files++;
    result->deleted_bytes += candidate->file_bytes;
    result->deleted_events += candidate->event_count;
    return true;
}

static bool
delete_chosen(struct findings *findings, size_t limit, bool dry_run,
    struct retention_result *result, struct error *err)
{
    for (size_t i = 0; i < findings->count && limit > 0; i++) {
        if (!findings->candidates[i].goes)
            continue;
        if (!delete_one(findings, &findings->candidates[i], dry_run, result, err))
            return false;
        limit--;
    }
    return true;
}

/* First it is recorded, then it goes: after a crash between the two a file is there that is recorded, and
 * readers believe the file. Only a full disk turns it round, since deleting is what makes room. */
static bool
record_and_delete(const char *directory, struct findings *findings, int64_t now_ns,
    struct retention_result *result, struct error *err)
{
    struct deletions record;
    bool good = read_record(directory, findings, &record, err);
    if (good) {
        record_segments(findings, &record, now_ns);
        good = deletions_write(directory, &record, err);
        if (!good && err->code == ERROR_DISK_FULL)
            good = delete_chosen(findings, 1, false, result, err) &&
                   deletions_write(directory, &record, err);
        good = good && delete_chosen(findings, SIZE_MAX, false, result, err);
    }
    deletions_done(&record);
    return good;
}

static bool
has_chosen(const struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        if (findings->candidates[i].goes)
            return true;
    }
    return false;
}

/* A recorder and `tape prune` may be at it at once. Returns the descriptor that holds the lock, or -1. */
static int
lock(const char *directory, struct error *err)
{
    char *path = alloc_format("%s/deletions.lock", directory);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    bool held = fd >= 0;
    while (held && flock(fd, LOCK_EX) != 0)
        held = errno == EINTR;
    if (!held) {
        (void)error_set_system(err, "cannot lock %s", path);
        if (fd >= 0)
            (void)close(fd);
        fd = -1;
    }
    free(path);
    return fd;
}

static bool
look_and_delete(const char *directory, const struct retention *retention, int64_t now_ns,
    bool dry_run, struct retention_result *result, struct error *err)
{
    struct findings findings = {.directory = directory};
    struct error ignored;
    *result = (struct retention_result){0};
    findings.catalogue = catalogue_read(directory, &ignored);
    bool good = read_pins(&findings, directory, err) && look_through(&findings, err);
    if (good) {
        choose(&findings, retention, now_ns, result);
        if (dry_run)
            good = delete_chosen(&findings, SIZE_MAX, true, result, err);
        else if (has_chosen(&findings))
            good = record_and_delete(directory, &findings, now_ns, result, err);
    }
    result->kept_bytes = findings.bytes;
    findings_done(&findings);
    return good;
}

bool
retention_apply(const char *directory, const struct retention *retention, int64_t now_ns,
    bool dry_run, struct retention_result *result, struct error *err)
{
    if (dry_run)
        return look_and_delete(directory, retention, now_ns, true, result, err);
    *result = (struct retention_result){0};
    int fd = lock(directory, err);
    if (fd < 0)
        return false;
    bool good = look_and_delete(directory, retention, now_ns, false, result, err);
    (void)close(fd);
    return good;
}

bool
retention_pin(const char *directory, const char *name, uint64_t first_seq, uint64_t end_seq,
    struct error *err)
{
    assert(strchr(name, '/') == NULL && name[0] != '.' && name[0] != '\0');

    char *pins = alloc_format("%s/pins", directory);
    char *path = alloc_format("%s/%s", pins, name);
    char *text = alloc_format("%" PRIu64 " %" PRIu64 "\n", first_seq, end_seq);
    bool good = file_make_directory(pins, err) && file_replace(path, text, strlen(text), err);
    free(text);
    free(path);
    free(pins);
    return good;
}

bool
retention_unpin(const char *directory, const char *name, struct error *err)
{
    char *path = alloc_format("%s/pins/%s", directory, name);
    bool good =
        unlink(path) == 0 || errno == ENOENT || error_set_system(err, "cannot remove %s", path);
    free(path);
    return good;
}

bool
retention_has_pin(const char *directory, const char *name)
{
    char *path = alloc_format("%s/pins/%s", directory, name);
    bool is_there = access(path, F_OK) == 0;
    free(path);
    return is_there;
}
