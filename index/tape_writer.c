#include "index/tape_writer.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "index/batch.h"
#include "index/catalogue.h"
#include "index/event.h"
#include "index/hole_record.h"
#include "index/journal.h"
#include "index/journal_sync.h"
#include "index/lanes.h"
#include "index/part_file.h"
#include "index/places.h"
#include "index/sealer.h"
#include "index/segment.h"
#include "index/stream_table.h"
#include "index/tape.h"
#include "index/tape_internal.h"
#include "index/tape_lock.h"

#define JOURNAL_BYTES    (UINT64_C(64) * 1024 * 1024)
#define JOURNAL_AGE_NS   (INT64_C(900) * NS_PER_S)
#define SYNC_INTERVAL_NS (200 * NS_PER_MS)
#define FREE_CHECK_NS    NS_PER_S
#define PLACE_CHECK_NS   NS_PER_S
#define MIN_FREE         0.02

/* Numbers of the files in the directory, each list in rising order. */
struct listed_files {
    uint64_t *journals;
    size_t journal_count;
    size_t journal_capacity;
    uint64_t *segments;
    size_t segment_count;
    size_t segment_capacity;
};

/* The journal that is written is journal (path NULL: none yet; the next append makes one). Streams
 * below `defined` have their definition in it. Everything but the stream table belongs to the thread
 * that appends; the table to whoever holds stream_lock. */
struct tape_writer {
    char *directory;
    int lock_fd;
    struct tape_writer_options options;
    unsigned char uuid[TAPE_UUID_BYTES];
    struct journal_file journal;
    uint64_t next_id;
    uint64_t end_seq;
    size_t defined;
    bool dirty;
    int64_t synced_ns; /* monotonic, like the three below */
    int64_t journal_made_ns;
    int64_t free_checked_ns;
    int64_t place_checked_ns;
    bool is_full;
    pthread_mutex_t stream_lock;
    struct stream_table streams;
    struct places places;      /* as they stand beside the tape; set before any stream */
    struct lanes *checkpoints; /* as found when opening; never changes afterwards */
    int32_t *last_partitions;  /* the same: the highest with a checkpoint, or -1, by stream id */
    size_t last_count;
    struct journal_sync *sync;
    struct sealer *sealer;     /* NULL: finished journals stay journals */
    struct listed_files found; /* while opening */
    char *repairs;
    struct buffer control; /* for building control frames */
};

/* ---- opening ---- */

static bool
take_lock(struct tape_writer *writer, struct error *err)
{
    pid_t holder;
    writer->lock_fd = tape_lock_take(writer->directory, &holder, err);
    if (writer->lock_fd >= 0)
        return tape_lock_sign(writer->lock_fd, writer->directory, err);
    if (err->code != ERROR_REFUSED)
        return false;
    char process[32] = "";
    if (holder > 0)
        (void)snprintf(process, sizeof(process), ", process %d,", (int)holder);
    return error_set(err, ERROR_REFUSED,
        "another recorder%s writes the tape %s; stop it first, or record to another --tape",
        process, writer->directory);
}

static void
add_repair(struct tape_writer *writer, char *text)
{
    if (writer->repairs != NULL) {
        char *both = alloc_format("%s; %s", writer->repairs, text);
        free(writer->repairs);
        free(text);
        text = both;
    }
    writer->repairs = text;
}

static void
ignore_control(void *self, const struct record *record)
{
    (void)self;
    (void)record;
}

/* Cut what a crash left half written behind the last whole frame of the newest journal. */
static bool
cut_torn_tail(struct tape_writer *writer, const char *path, struct error *err)
{
    struct stat status;
    if (stat(path, &status) == 0 && status.st_size < (off_t)JOURNAL_HEADER_BYTES) {
        add_repair(writer, alloc_format("removed %s, which ended inside its header", path));
        return unlink(path) == 0 || error_set_system(err, "cannot remove %s", path);
    }

    struct journal journal;
    if (!journal_open(&journal, path, err))
        return err->code == ERROR_DAMAGED && strstr(err->text, "newer") == NULL;
    bool good = journal_scan(&journal, true, true, ignore_control, NULL, err);
    if (good && journal.damage_count > 0) {
        const struct journal_damage *last = &journal.damage[journal.damage_count - 1];
        if (last->at + last->bytes == (uint64_t)status.st_size) {
            good = truncate(path, (off_t)last->at) == 0 ||
                   error_set_system(err, "cannot cut the torn end of %s", path);
            add_repair(writer, alloc_format("cut %llu torn bytes behind the last whole frame of %s",
                                   (unsigned long long)last->bytes, path));
        }
    }
    journal_close(&journal);
    return good;
}

static int
compare_ids(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static bool
has_id(const uint64_t *ids, size_t count, uint64_t id)
{
    return count > 0 && bsearch(&id, ids, count, sizeof(id), compare_ids) != NULL;
}

static void
remove_file(const struct tape_writer *writer, uint64_t id, const char *suffix)
{
    char *path = part_file_path(writer->directory, id, suffix);
    (void)unlink(path);
    free(path);
}

static void
take_name(struct tape_writer *writer, const char *name)
{
    struct listed_files *found = &writer->found;
    char *end;
    uint64_t id = strtoull(name, &end, 10);
    if (end - name < 8)
        return;
    if (strcmp(end, ".tmp") == 0) {
        remove_file(writer, id, "tmp"); /* a segment that was never finished */
    } else if (strcmp(end, ".new") == 0) {
        remove_file(writer, id, "new"); /* a journal that never began */
    } else if (strcmp(end, ".jnl") == 0) {
        found->journals =
            alloc_grow(found->journals, found->journal_count, &found->journal_capacity, sizeof(id));
        found->journals[found->journal_count++] = id;
    } else if (strcmp(end, ".seg") == 0) {
        found->segments =
            alloc_grow(found->segments, found->segment_count, &found->segment_capacity, sizeof(id));
        found->segments[found->segment_count++] = id;
    }
}

/* Is the journal only left over from a crash, because all of it is in a segment? While the segment cannot
 * be opened it is all that there is, and is sealed once more. */
static bool
is_left_over(const struct tape_writer *writer, uint64_t id)
{
    if (!has_id(writer->found.segments, writer->found.segment_count, id))
        return false;
    struct error ignored;
    char *path = part_file_path(writer->directory, id, "seg");
    struct segment *segment = segment_open(path, &ignored);
    bool is_whole = segment != NULL && segment_info(segment)->id == id;
    segment_close(segment);
    free(path);
    return is_whole;
}

/* List the files. A journal whose segment is there is left over from a crash and goes. */
static bool
look_through(struct tape_writer *writer, struct error *err)
{
    DIR *directory = opendir(writer->directory);
    if (directory == NULL)
        return error_set_system(err, "cannot read the tape's directory %s", writer->directory);
    struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) /* NOLINT(concurrency-mt-unsafe) */
        take_name(writer, entry->d_name);
    (void)closedir(directory);

    struct listed_files *found = &writer->found;
    if (found->journal_count > 1)
        qsort(found->journals, found->journal_count, sizeof(uint64_t), compare_ids);
    if (found->segment_count > 1)
        qsort(found->segments, found->segment_count, sizeof(uint64_t), compare_ids);
    size_t kept = 0;
    for (size_t i = 0; i < found->journal_count; i++) {
        if (is_left_over(writer, found->journals[i]))
            remove_file(writer, found->journals[i], "jnl");
        else
            found->journals[kept++] = found->journals[i];
    }
    found->journal_count = kept;
    return true;
}

static void
copy_streams(struct tape_writer *writer, const struct tape *tape)
{
    for (size_t i = 0; i < tape_stream_count(tape); i++) {
        const struct stream *stream = tape_stream(tape, i);
        struct stream *own = stream_table_add(
            &writer->streams, stream->id, bytes_of(stream->tap), bytes_of(stream->name));
        own->places = places_of(&writer->places, own);
    }
    writer->last_count = writer->streams.count;
    writer->last_partitions = alloc_array(writer->last_count + 1, sizeof(int32_t));
    for (size_t i = 0; i < writer->last_count; i++)
        writer->last_partitions[i] = -1;
}

static void
note_partition(struct tape_writer *writer, uint32_t stream_id, int32_t partition)
{
    assert(stream_id < writer->last_count);
    if (partition > writer->last_partitions[stream_id])
        writer->last_partitions[stream_id] = partition;
}

static void
copy_checkpoints(struct tape_writer *writer, const struct lane_summary *lanes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct lane *lane = lanes_get(writer->checkpoints, lanes[i].stream->id, lanes[i].partition);
        note_partition(writer, lanes[i].stream->id, lanes[i].partition);
        lane->events = lanes[i].events;
        lane->last_offset = lanes[i].last_offset;
        /* Offsets that are known to hold nothing need not be asked for again. */
        for (size_t k = 0; k < lanes[i].hole_count; k++) {
            if (lanes[i].holes[k].to > lane->last_offset || lane->events == 0) {
                lane->last_offset = lanes[i].holes[k].to;
                lane->events++;
            }
        }
    }
}

/* The tape's own number: that of its files, else a new one. */
static void
choose_uuid(struct tape_writer *writer, const struct tape *tape)
{
    if (tape_uuid(tape, writer->uuid) ||
        getrandom(writer->uuid, sizeof(writer->uuid), 0) == (ssize_t)sizeof(writer->uuid))
        return;
    int64_t now_ns = clock_now_ns();
    memcpy(writer->uuid, &now_ns, sizeof(now_ns));
}

/* Learn streams, checkpoints and the end from what is on the tape. */
static bool
read_tape(struct tape_writer *writer, struct error *err)
{
    struct tape *tape = tape_open(writer->directory, err);
    if (tape == NULL)
        return false;
    size_t count;
    const struct lane_summary *lanes = tape_lanes(tape, &count, err);
    if (lanes != NULL) {
        copy_streams(writer, tape);
        copy_checkpoints(writer, lanes, count);
        writer->end_seq = tape_end_seq(tape);
        choose_uuid(writer, tape);
    }
    const struct tape_damage *damage;
    size_t damage_count = tape_damage(tape, &damage);
    if (damage_count > 0)
        add_repair(writer, alloc_format("the tape is damaged in %zu place%s (%s); what is readable "
                                        "was kept, tapedeck tape verify lists it",
                               damage_count, damage_count == 1 ? "" : "s", damage[0].text));
    tape_close(tape);
    return lanes != NULL;
}

/* A crash, or somebody who copied files, may have left the catalogue behind. It is only a cache: that it
 * cannot be written is said and nothing more. */
static void
update_catalogue(struct tape_writer *writer)
{
    struct catalogue_counts counts;
    struct error err;
    if (!catalogue_update(writer->directory, &counts, &err))
        add_repair(writer,
            alloc_format(
                "the catalogue cannot be brought up to date (%s); readers open the segments "
                "instead",
                err.text));
}

/* What the configuration says, or else what a recorder before us wrote. */
static bool
settle_places(struct tape_writer *writer, struct error *err)
{
    const struct places *given = writer->options.places;
    if (given != NULL && given->count > 0 && !places_write(writer->directory, given, err))
        return false;
    struct error broken;
    if (!places_read(writer->directory, &writer->places, &broken))
        add_repair(writer, alloc_text(broken.text));
    writer->options.places = NULL; /* the caller's */
    return true;
}

/* Start sealing, first what earlier recorders left. */
static bool
start_sealer(struct tape_writer *writer, struct error *err)
{
    if (writer->options.keep_journals)
        return true;
    struct sealer_options options = {
        .directory = writer->directory,
        .codec = writer->options.codec == BLOCK_RAW ? BLOCK_ZSTD : writer->options.codec,
        .retention = writer->options.retention,
    };
    writer->sealer = sealer_start(&options, err);
    if (writer->sealer == NULL)
        return false;
    for (size_t i = 0; i < writer->found.journal_count; i++)
        sealer_add(writer->sealer, writer->found.journals[i]);
    return true;
}

static bool
open_writer(struct tape_writer *writer, struct error *err)
{
    if (!file_make_directory(writer->directory, err) || !take_lock(writer, err) ||
        !settle_places(writer, err) || !look_through(writer, err))
        return false;

    const struct listed_files *found = &writer->found;
    uint64_t journal = found->journal_count > 0 ? found->journals[found->journal_count - 1] : 0;
    uint64_t segment = found->segment_count > 0 ? found->segments[found->segment_count - 1] : 0;
    writer->next_id = (journal > segment ? journal : segment) + 1;
    if (journal > segment) {
        char *path = part_file_path(writer->directory, journal, "jnl");
        bool good = cut_torn_tail(writer, path, err);
        free(path);
        if (!good)
            return false;
    }
    update_catalogue(writer);
    writer->sync = journal_sync_start(err);
    return writer->sync != NULL && read_tape(writer, err) && start_sealer(writer, err);
}

struct tape_writer *
tape_writer_open(
    const char *directory, const struct tape_writer_options *options, struct error *err)
{
    struct tape_writer *writer = alloc_zeroed(sizeof(*writer));
    writer->directory = alloc_text(directory);
    writer->lock_fd = -1;
    writer->journal.fd = -1;
    writer->checkpoints = lanes_new();
    (void)pthread_mutex_init(&writer->stream_lock, NULL);
    if (options != NULL)
        writer->options = *options;
    else
        writer->options.durability = DURABILITY_INTERVAL;
    if (writer->options.journal_bytes == 0)
        writer->options.journal_bytes = JOURNAL_BYTES;
    if (writer->options.min_free == 0)
        writer->options.min_free = MIN_FREE;
    if (!open_writer(writer, err)) {
        tape_writer_close(writer);
        return NULL;
    }
    return writer;
}

/* Finish the journal; the next append begins a new one. It may be sealed before it is on the disk: it is removed
 * when the segment is there. */
static void
roll(struct tape_writer *writer)
{
    if (writer->journal.path == NULL)
        return;
    uint64_t id = writer->journal.header.id;
    journal_sync_finish(writer->sync, &writer->journal);
    writer->dirty = false;
    if (writer->sealer != NULL)
        sealer_add(writer->sealer, id);
}

void
tape_writer_close(struct tape_writer *writer)
{
    if (writer == NULL)
        return;
    roll(writer);
    sealer_stop(writer->sealer, true);
    journal_sync_stop(writer->sync);
    free(writer->found.journals);
    free(writer->found.segments);
    if (writer->lock_fd >= 0)
        (void)close(writer->lock_fd);
    stream_table_done(&writer->streams);
    places_done(&writer->places);
    (void)pthread_mutex_destroy(&writer->stream_lock);
    lanes_free(writer->checkpoints);
    free(writer->last_partitions);
    buffer_done(&writer->control);
    free(writer->repairs);
    free(writer->directory);
    free(writer);
}

/* ---- streams and checkpoints ---- */

const struct stream *
tape_writer_stream(struct tape_writer *writer, const char *tap, const char *name)
{
    (void)pthread_mutex_lock(&writer->stream_lock);
    struct stream *stream = stream_table_find(&writer->streams, tap, name);
    if (stream == NULL) {
        stream = stream_table_add(
            &writer->streams, (uint32_t)writer->streams.count, bytes_of(tap), bytes_of(name));
        stream->places = places_of(&writer->places, stream);
    }
    (void)pthread_mutex_unlock(&writer->stream_lock);
    return stream;
}

const struct stream *
tape_writer_find_stream(struct tape_writer *writer, const char *tap, const char *name)
{
    (void)pthread_mutex_lock(&writer->stream_lock);
    const struct stream *stream = stream_table_find(&writer->streams, tap, name);
    (void)pthread_mutex_unlock(&writer->stream_lock);
    return stream;
}

int64_t
tape_writer_checkpoint(struct tape_writer *writer, const struct stream *stream, int32_t partition)
{
    const struct lane *lane = lanes_find(writer->checkpoints, stream->id, partition);
    return lane == NULL || lane->events == 0 ? -1 : lane->last_offset;
}

int32_t
tape_writer_last_partition(struct tape_writer *writer, const struct stream *stream)
{
    return stream->id < writer->last_count ? writer->last_partitions[stream->id] : -1;
}

/* ---- appending ---- */

/* False with ERROR_DISK_FULL while less than min_free of the file system is free. */
static bool
check_free(struct tape_writer *writer, struct error *err)
{
    int64_t now_ns = clock_monotonic_ns();
    if (writer->options.min_free < 0)
        return true;
    if (writer->free_checked_ns == 0 || now_ns - writer->free_checked_ns > FREE_CHECK_NS) {
        struct statvfs status;
        writer->free_checked_ns = now_ns;
        if (statvfs(writer->directory, &status) == 0 && status.f_blocks > 0)
            writer->is_full =
                (double)status.f_bavail < writer->options.min_free * (double)status.f_blocks;
    }
    if (!writer->is_full)
        return true;
    return error_set(err, ERROR_DISK_FULL,
        "less than %.1f %% of the disk of %s is free: nothing more is recorded until there is room",
        writer->options.min_free * 100, writer->directory);
}

static bool
need_journal(struct tape_writer *writer, struct error *err)
{
    if (writer->journal.path != NULL)
        return true;
    struct journal_header header = {
        .id = writer->next_id,
        .base_seq = writer->end_seq,
        .created_ns = clock_now_ns(),
    };
    memcpy(header.uuid, writer->uuid, sizeof(header.uuid));
    if (!journal_create(&writer->journal, writer->directory, &header, err))
        return false;
    writer->next_id++;
    writer->defined = 0;
    writer->journal_made_ns = clock_monotonic_ns();
    return true;
}

/* Streams that this journal has not defined yet: one control frame. */
static bool
define_streams(struct tape_writer *writer, struct error *err)
{
    (void)pthread_mutex_lock(&writer->stream_lock);
    size_t count = writer->streams.count;
    writer->control.length = 0;
    for (size_t id = writer->defined; id < count; id++) {
        const struct stream *stream = stream_table_at(&writer->streams, (uint32_t)id);
        if (stream != NULL)
            stream_record_append(&writer->control, stream);
    }
    (void)pthread_mutex_unlock(&writer->stream_lock);

    if (writer->control.length > 0 &&
        !journal_append(&writer->journal, 0, writer->end_seq,
            bytes_make(writer->control.data, writer->control.length), err))
        return false;
    writer->defined = count;
    return true;
}

/* On this thread, at once. */
static bool
sync_here(struct tape_writer *writer, struct error *err)
{
    return fdatasync(writer->journal.fd) == 0 ||
           error_set_system(err, "cannot sync journal %s", writer->journal.path);
}

/* Did all syncs so far go well? Waits where they are late. */
static bool
check_sync(struct tape_writer *writer, int64_t now_monotonic_ns, struct error *err)
{
    if (journal_sync_check(writer->sync, now_monotonic_ns, err))
        return true;
    writer->dirty = true; /* the next tick tries again */
    return false;
}

/* The events of a batch as one frame; with DURABILITY_EACH on the disk, or not there at all. */
static bool
append_events(
    struct tape_writer *writer, const struct batch *batch, struct bytes records, struct error *err)
{
    uint32_t count = batch_event_count(batch);
    uint64_t size = writer->journal.size;
    if (!journal_append(&writer->journal, count, writer->end_seq, records, err))
        return false;
    if (writer->options.durability == DURABILITY_EACH && !sync_here(writer, err)) {
        /* It is not acknowledged and will be tried again: once must be enough. */
        journal_take_back(&writer->journal, size);
        return false;
    }
    writer->end_seq += count;
    return true;
}

bool
tape_writer_append(struct tape_writer *writer, struct batch *batch, struct error *err)
{
    struct bytes records = batch_records(batch);
    struct bytes holes = batch_holes(batch);
    if (!check_sync(writer, clock_monotonic_ns(), err))
        return false;
    if (writer->journal.path != NULL && writer->journal.size >= writer->options.journal_bytes)
        roll(writer);
    if (!check_free(writer, err) || !need_journal(writer, err) || !define_streams(writer, err))
        return false;

    /* Holes first: an append that fails and is tried again may repeat them, but no event. */
    writer->dirty = true;
    if (holes.length > 0 && !journal_append(&writer->journal, 0, writer->end_seq, holes, err))
        return false;
    if (records.length > 0)
        return append_events(writer, batch, records, err);
    return writer->options.durability != DURABILITY_EACH || sync_here(writer, err);
}

/* Begin to sync what was appended since the last time. */
static void
begin_sync(struct tape_writer *writer)
{
    writer->synced_ns = clock_monotonic_ns();
    if (writer->dirty && writer->journal.path != NULL)
        journal_sync_ask(writer->sync, &writer->journal);
    writer->dirty = false;
}

bool
tape_writer_sync(struct tape_writer *writer, struct error *err)
{
    begin_sync(writer);
    return journal_sync_wait(writer->sync, err);
}

/* What is written into a file that has no name any more is lost when it is closed. */
static bool
check_place(struct tape_writer *writer, int64_t now_ns, struct error *err)
{
    struct stat open_one;
    struct stat named_one;
    const struct journal_file *journal = &writer->journal;
    if (journal->path == NULL || now_ns - writer->place_checked_ns < PLACE_CHECK_NS)
        return true;
    writer->place_checked_ns = now_ns;
    if (fstat(journal->fd, &open_one) != 0)
        return error_set_system(err, "cannot look at journal %s", journal->path);
    if (stat(journal->path, &named_one) == 0
            ? named_one.st_ino == open_one.st_ino && named_one.st_dev == open_one.st_dev
            : errno != ENOENT && errno != ENOTDIR)
        return true;
    return error_set(err, ERROR_SYSTEM,
        "journal %s is not there any more: it or its directory was removed or renamed beneath the "
        "recorder; put it back, or start again",
        journal->path);
}

bool
tape_writer_tick(struct tape_writer *writer, int64_t now_monotonic_ns, struct error *err)
{
    if (!check_place(writer, now_monotonic_ns, err))
        return false;
    if (writer->journal.path != NULL && now_monotonic_ns - writer->journal_made_ns > JOURNAL_AGE_NS)
        roll(writer);
    if (writer->options.durability == DURABILITY_INTERVAL &&
        now_monotonic_ns - writer->synced_ns >= SYNC_INTERVAL_NS)
        begin_sync(writer);
    return check_sync(writer, now_monotonic_ns, err);
}

uint64_t
tape_writer_end_seq(const struct tape_writer *writer)
{
    return writer->end_seq;
}

bool
tape_writer_trouble(const struct tape_writer *writer, char *text, size_t size)
{
    return writer->sealer != NULL && sealer_trouble(writer->sealer, text, size);
}

const char *
tape_writer_repairs(const struct tape_writer *writer)
{
    return writer->repairs;
}
