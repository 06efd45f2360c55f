#include "index/sealer.h"

#include <assert.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/thread.h"
#include "index/catalogue.h"
#include "index/hole.h"
#include "index/hole_record.h"
#include "index/journal.h"
#include "index/places.h"
#include "index/seal.h"
#include "index/stream_table.h"
#include "index/tape_internal.h"

#define RETRY_S     5
#define RETENTION_S 30
#define QUIET_S     2
#define SEALER_NICE 5
#define NO_JOURNAL  SIZE_MAX
#define KEPT_BYTES  ((size_t)96 * 1024 * 1024) /* a journal of the usual size, and its last frame */

/* Memory that outlives a journal: the next one needs as much, and fresh memory of this size costs more in page
 * faults than reading the file does. */
struct memory {
    struct buffer records;
    struct seal_room *room; /* NULL until needed */
};

/* A finished journal. */
struct waiting {
    uint64_t id;
    off_t bytes;
};

/* waiting[] is in the order of the numbers; everything in here is under the lock except while one
 * journal is being sealed, which nobody else touches. */
struct sealer {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char *directory;
    struct sealer_options options;
    struct waiting *waiting;
    size_t waiting_count;
    size_t waiting_capacity;
    uint64_t sealing; /* which the thread is at; 0: none */
    bool stopping;
    bool drain;
    bool was_helped;      /* segments were made that the catalogue does not know */
    int64_t retained_ns;  /* monotonic: when retention was applied last */
    struct memory memory; /* the thread's own, for one journal */
    struct catalogue_writer
        *catalogue;    /* the thread's own; NULL until needed, or after a failure */
    char problem[256]; /* why the last try failed; empty when it did not */
};

/* ---- one journal ---- */

static void
memory_done(struct memory *memory)
{
    buffer_done(&memory->records);
    seal_room_free(memory->room);
    memory->room = NULL;
}

/* A journal on its way into a segment. Frame i becomes regions[i]; fetch() reads them one behind the other into
 * the memory's records. */
struct content {
    struct journal *journal;
    struct memory *memory;
    struct seal_region *regions;
    struct stream_table streams;
    struct hole *holes;
    size_t hole_count;
    size_t hole_capacity;
};

static void
content_done(struct content *content)
{
    struct memory *memory = content->memory;
    if (memory->records.capacity > KEPT_BYTES) /* a large event was in it */
        memory_done(memory);
    free(content->regions);
    free(content->holes);
    stream_table_done(&content->streams);
}

static void
take_control(void *self, const struct record *record)
{
    struct content *content = self;
    struct hole hole;
    if (record->type == RECORD_STREAM && record->stream_id < STREAM_ID_LIMIT) {
        if (stream_table_at(&content->streams, record->stream_id) == NULL)
            (void)stream_table_add(
                &content->streams, record->stream_id, record->key, record->payload);
    } else if (record->type == RECORD_HOLE && hole_record_read(record, &hole)) {
        content->holes = alloc_grow(
            content->holes, content->hole_count, &content->hole_capacity, sizeof(*content->holes));
        content->holes[content->hole_count++] = hole;
    }
}

/* Say where each frame will be. */
static void
lay_out_frames(struct content *content)
{
    const struct journal *journal = content->journal;
    struct buffer *records = &content->memory->records;
    size_t total = 0;
    for (size_t i = 0; i < journal->frame_count; i++)
        total += FRAME_HEADER_BYTES + (size_t)journal->frames[i].body_bytes;
    records->length = 0;
    buffer_reserve_total(records, total); /* doubled it would be too large to be kept */
    content->regions = alloc_array(journal->frame_count, sizeof(*content->regions));

    size_t at = 0;
    for (size_t i = 0; i < journal->frame_count; i++) {
        const struct frame *frame = &journal->frames[i];
        at += FRAME_HEADER_BYTES;
        content->regions[i] = (struct seal_region){
            .records = bytes_make(records->data + at, frame->body_bytes),
            .first_seq = frame->first_seq,
            .event_count = frame->event_count,
        };
        at += frame->body_bytes;
    }
}

static bool
fetch(void *self, size_t region, struct error *err)
{
    const struct content *content = self;
    struct journal *journal = content->journal;
    return journal_append_frame(journal, &journal->frames[region], &content->memory->records, err);
}

static bool
seal_content(
    const char *directory, struct content *content, enum block_codec codec, struct error *err)
{
    const struct journal *journal = content->journal;
    struct seal_input input = {
        .id = journal->header.id,
        .first_seq = journal->header.base_seq,
        .end_seq = journal->end_seq,
        .created_ns = clock_now_ns(),
        .regions = content->regions,
        .region_count = journal->frame_count,
        .fetch = fetch,
        .fetch_self = content,
        .streams = content->streams.streams,
        .stream_count = content->streams.count,
        .holes = content->holes,
        .hole_count = content->hole_count,
    };
    struct places places;
    const char *headers[PLACES_HEADERS_MAX];
    /* Without them nothing is lost: what is not in a filter is looked for in the blocks. */
    struct error ignored;
    (void)places_read(directory, &places, &ignored);
    static_assert(sizeof(input.uuid) == sizeof(journal->header.uuid), "both are the tape's");
    memcpy(input.uuid, journal->header.uuid, sizeof(input.uuid));
    struct seal_options options = {
        .codec = codec,
        .token_headers = headers,
        .token_header_count = places_headers(&places, PLACE_COUNT, headers, PLACES_HEADERS_MAX),
        .room = content->memory->room,
    };
    struct seal_result result;
    bool good = seal_segment(directory, &input, &options, &result, err);
    places_done(&places);
    return good;
}

static bool
seal_journal(const char *directory, uint64_t id, enum block_codec codec, struct memory *memory,
    struct error *err)
{
    char *path = journal_path(directory, id, "jnl");
    struct journal journal;
    struct content content = {.journal = &journal, .memory = memory};
    if (memory->room == NULL)
        memory->room = seal_room_new();
    bool good = journal_open(&journal, path, err);
    if (good) {
        /* Under another number it could take the place of a segment that is right. */
        good = journal.header.id == id ||
               error_set(err, ERROR_DAMAGED, "journal %s has another number in its header", path);
        good = good && journal_scan(&journal, false, true, take_control, &content, err);
        if (good && journal.damage_count > 0)
            good =
                error_set(err, ERROR_DAMAGED, "journal %s is damaged and is kept as it is", path);
        if (good) {
            lay_out_frames(&content);
            good = seal_content(directory, &content, codec, err);
        }
        journal_close(&journal);
    }
    if (good && unlink(path) != 0)
        good = error_set_system(err, "cannot remove the sealed journal %s", path);
    content_done(&content);
    free(path);
    return good;
}

bool
sealer_seal_journal(const char *directory, uint64_t id, enum block_codec codec, struct error *err)
{
    struct memory memory = {0};
    bool good = seal_journal(directory, id, codec, &memory, err);
    memory_done(&memory);
    return good;
}

/* ---- the thread ---- */

static void
wait_for_work(struct sealer *sealer, int seconds)
{
    int64_t at_ns = clock_monotonic_ns() + seconds * NS_PER_S;
    struct timespec deadline = {
        .tv_sec = (time_t)(at_ns / NS_PER_S), .tv_nsec = (long)(at_ns % NS_PER_S)};
    (void)pthread_cond_timedwait(&sealer->changed, &sealer->lock, &deadline);
}

static void
note(struct sealer *sealer, const struct error *err)
{
    (void)snprintf(sealer->problem, sizeof(sealer->problem), "%.*s",
        (int)sizeof(sealer->problem) - 1, err == NULL ? "" : err->text);
}

/* Let the catalogue follow: segment `id` is new, or (0) some are gone. It is only a cache: when that
 * fails, readers open the files, and the next change or the next recorder tries again. Without the lock. */
static bool
follow(struct sealer *sealer, uint64_t id, struct error *err)
{
    struct catalogue_counts counts;
    if (sealer->catalogue == NULL)
        sealer->catalogue = catalogue_writer_open(sealer->directory, err);
    bool good = sealer->catalogue != NULL &&
                (id != 0 ? catalogue_writer_add(sealer->catalogue, id, err)
                         : catalogue_writer_update(sealer->catalogue, &counts, err));
    if (good)
        return true;
    catalogue_writer_close(sealer->catalogue);
    sealer->catalogue = NULL;
    return err->code == ERROR_DAMAGED && catalogue_rebuild(sealer->directory, &counts, err);
}

/* Delete what is too old, now and then. Called and returns with the lock held. */
static void
retain(struct sealer *sealer)
{
    const struct retention *rules = &sealer->options.retention;
    int64_t now_ns = clock_monotonic_ns();
    if ((rules->keep_bytes == 0 && rules->keep_age_ns == 0) ||
        (sealer->retained_ns != 0 && now_ns - sealer->retained_ns < RETENTION_S * NS_PER_S))
        return;
    sealer->retained_ns = now_ns;
    (void)pthread_mutex_unlock(&sealer->lock);
    struct retention_result result = {0};
    struct error err;
    bool good = retention_apply(sealer->directory, rules, clock_now_ns(), false, &result, &err);
    if (result.deleted_files > 0) {
        struct error second;
        bool followed = follow(sealer, 0, &second);
        if (good && !followed)
            err = second;
        good = good && followed;
    }
    (void)pthread_mutex_lock(&sealer->lock);
    if (!good)
        note(sealer, &err);
}

static uint64_t
take_waiting(struct sealer *sealer, size_t index)
{
    uint64_t id = sealer->waiting[index].id;
    sealer->waiting_count--;
    memmove(sealer->waiting + index, sealer->waiting + index + 1,
        (sealer->waiting_count - index) * sizeof(*sealer->waiting));
    return id;
}

/* Seal the first that waits. False: it must be tried again later. With the lock held. */
static bool
seal_first(struct sealer *sealer)
{
    uint64_t id = sealer->waiting[0].id;
    struct error err = {0};
    sealer->sealing = id;
    (void)pthread_mutex_unlock(&sealer->lock);
    bool good = seal_journal(sealer->directory, id, sealer->options.codec, &sealer->memory, &err);
    struct error second = {0};
    bool followed = !good || follow(sealer, id, &second);
    (void)pthread_mutex_lock(&sealer->lock);
    sealer->sealing = 0;
    note(sealer, !good ? &err : (followed ? NULL : &second));
    if (!good && err.code != ERROR_DAMAGED && err.code != ERROR_FORMAT)
        return false;
    (void)take_waiting(sealer, 0);
    sealer->retained_ns = 0;
    return true;
}

static void *
run(void *self)
{
    struct sealer *sealer = self;
    /* Sealing can wait: what is received, and who follows it, go first when there is too little time
     * for all. On Linux the nice value is the thread's own. */
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), SEALER_NICE);
    (void)pthread_mutex_lock(&sealer->lock);
    for (;;) {
        if (sealer->stopping && (!sealer->drain || sealer->waiting_count == 0))
            break;
        if (sealer->waiting_count > 0) {
            if (!seal_first(sealer)) {
                if (sealer->stopping)
                    break; /* the next recorder will find the journal */
                wait_for_work(sealer, RETRY_S);
            }
        } else {
            bool holds_memory = sealer->memory.room != NULL;
            wait_for_work(sealer, holds_memory ? QUIET_S : RETENTION_S);
            if (holds_memory && sealer->waiting_count == 0)
                memory_done(&sealer->memory); /* a quiet recorder is small */
        }
        retain(sealer);
    }
    (void)pthread_mutex_unlock(&sealer->lock);
    catalogue_writer_close(sealer->catalogue);
    sealer->catalogue = NULL;
    return NULL;
}

static void
free_sealer(struct sealer *sealer)
{
    (void)pthread_cond_destroy(&sealer->changed);
    (void)pthread_mutex_destroy(&sealer->lock);
    memory_done(&sealer->memory);
    free(sealer->waiting);
    free(sealer->directory);
    free(sealer);
}

struct sealer *
sealer_start(const struct sealer_options *options, struct error *err)
{
    struct sealer *sealer = alloc_zeroed(sizeof(*sealer));
    sealer->directory = alloc_text(options->directory);
    sealer->options = *options;
    sealer->options.retention.keep_newest = true; /* the next recorder goes on behind it */
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&sealer->lock, NULL);
    (void)pthread_cond_init(&sealer->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);

    if (!thread_start(&sealer->thread, "sealer", run, sealer)) {
        (void)error_set(err, ERROR_SYSTEM, "cannot start the sealer's thread");
        free_sealer(sealer);
        return NULL;
    }
    return sealer;
}

void
sealer_add(struct sealer *sealer, uint64_t id)
{
    struct stat status = {0};
    char *path = journal_path(sealer->directory, id, "jnl");
    (void)stat(path, &status); /* the size says only which one is sealed first */
    free(path);
    (void)pthread_mutex_lock(&sealer->lock);
    sealer->waiting = alloc_grow(sealer->waiting, sealer->waiting_count, &sealer->waiting_capacity,
        sizeof(*sealer->waiting));
    sealer->waiting[sealer->waiting_count++] = (struct waiting){id, status.st_size};
    (void)pthread_cond_signal(&sealer->changed);
    (void)pthread_mutex_unlock(&sealer->lock);
}

/* The largest journal that waits and that the thread is not at; NO_JOURNAL: there is none. With the lock held. */
static size_t
largest_waiting(const struct sealer *sealer)
{
    size_t largest = NO_JOURNAL;
    for (size_t i = 0; i < sealer->waiting_count; i++) {
        if (sealer->waiting[i].id != sealer->sealing &&
            (largest == NO_JOURNAL || sealer->waiting[i].bytes > sealer->waiting[largest].bytes))
            largest = i;
    }
    return largest;
}

/* Nothing else is left to do when the recorder ends: seal too. The largest first, so that the last one of
 * all, which one of the two does while the other has nothing to do, is a small one. The catalogue learns of
 * these when the thread, or the next recorder, brings it up to date. With the lock held. */
static void
help_out(struct sealer *sealer)
{
    /* The collectors are gone: what their queues held makes room for a second journal in memory. */
    (void)malloc_trim(0);
    struct memory memory = {0};
    size_t next;
    while (sealer->waiting_count > 1 && (next = largest_waiting(sealer)) != NO_JOURNAL) {
        uint64_t id = take_waiting(sealer, next);
        (void)pthread_mutex_unlock(&sealer->lock);
        struct error err;
        bool good = seal_journal(sealer->directory, id, sealer->options.codec, &memory, &err);
        (void)pthread_mutex_lock(&sealer->lock);
        sealer->was_helped = true;
        if (!good)
            break; /* it stays a journal; the next recorder tries again */
    }
    memory_done(&memory);
}

void
sealer_stop(struct sealer *sealer, bool drain)
{
    if (sealer == NULL)
        return;
    (void)pthread_mutex_lock(&sealer->lock);
    sealer->stopping = true;
    sealer->drain = drain;
    (void)pthread_cond_signal(&sealer->changed);
    if (drain)
        help_out(sealer);
    (void)pthread_mutex_unlock(&sealer->lock);
    (void)pthread_join(sealer->thread, NULL);
    if (sealer->was_helped) {
        struct error ignored;
        (void)follow(sealer, 0, &ignored);
        catalogue_writer_close(sealer->catalogue);
    }
    free_sealer(sealer);
}

bool
sealer_trouble(struct sealer *sealer, char *text, size_t size)
{
    (void)pthread_mutex_lock(&sealer->lock);
    bool has_trouble = sealer->problem[0] != '\0';
    if (has_trouble)
        (void)snprintf(text, size, "%s (%zu journal%s to be sealed)", sealer->problem,
            sealer->waiting_count, sealer->waiting_count == 1 ? " waits" : "s wait");
    (void)pthread_mutex_unlock(&sealer->lock);
    return has_trouble;
}
