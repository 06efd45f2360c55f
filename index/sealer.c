#include "index/sealer.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/thread.h"
#include "index/journal_spare.h"
#include "index/part_file.h"
#include "index/seal_finisher.h"
#include "index/seal_journal.h"
#include "index/seal_pack.h"

#define RETRY_NS    (5 * NS_PER_S)
#define QUIET_NS    (2 * NS_PER_S)
#define SEALER_NICE 5
#define NO_JOURNAL  SIZE_MAX

/* A finished journal. */
struct waiting {
    uint64_t id;
    off_t bytes;
};

/* waiting[] is in the order of the numbers; everything in here is under the lock but the room, which is the
 * thread's own. A journal that is being sealed or finished is not in waiting[]. */
struct sealer {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char *directory;
    enum block_codec codec;
    struct seal_finisher *finisher;
    struct seal_help *help;
    struct journal_spare *spare;
    unsigned sealing; /* journals that are being sealed */
    uint64_t sealing_bytes;
    bool is_short; /* the last try failed for want of room */
    struct waiting *waiting;
    size_t waiting_count;
    size_t waiting_capacity;
    int64_t retry_ns; /* monotonic: a try failed, none is sealed before; 0: go on */
    bool stopping;
    bool drain;
    struct seal_room *room; /* NULL until needed */
    char problem[256];      /* why the last try failed; empty when it did not */
};

bool
sealer_seal_journal(const char *directory, uint64_t id, enum block_codec codec, struct error *err)
{
    struct seal_options options = {.codec = codec};
    struct seal_file file;
    return seal_journal(directory, id, &options, &file, err) &&
           seal_journal_commit(directory, id, &file, NULL, err);
}

/* ---- what waits ---- */

/* With the lock held. */
static void
put_waiting(struct sealer *sealer, uint64_t id, off_t bytes)
{
    sealer->waiting = alloc_grow(sealer->waiting, sealer->waiting_count, &sealer->waiting_capacity,
        sizeof(*sealer->waiting));
    size_t at = sealer->waiting_count++;
    for (; at > 0 && sealer->waiting[at - 1].id > id; at--)
        sealer->waiting[at] = sealer->waiting[at - 1];
    sealer->waiting[at] = (struct waiting){id, bytes};
    (void)pthread_cond_signal(&sealer->changed);
}

void
sealer_add(struct sealer *sealer, uint64_t id)
{
    struct stat status = {0};
    char *path = part_file_path(sealer->directory, id, "jnl");
    (void)stat(path, &status); /* the size says only which one is sealed first */
    free(path);
    (void)pthread_mutex_lock(&sealer->lock);
    put_waiting(sealer, id, status.st_size);
    (void)pthread_mutex_unlock(&sealer->lock);
}

static struct waiting
take_waiting(struct sealer *sealer, size_t index)
{
    struct waiting taken = sealer->waiting[index];
    sealer->waiting_count--;
    memmove(sealer->waiting + index, sealer->waiting + index + 1,
        (sealer->waiting_count - index) * sizeof(*sealer->waiting));
    return taken;
}

/* The segment of journal `id` could not be brought to the disk. */
static void
take_back(void *self, uint64_t id)
{
    struct sealer *sealer = self;
    sealer_add(sealer, id);
    (void)pthread_mutex_lock(&sealer->lock);
    sealer->retry_ns = clock_monotonic_ns() + RETRY_NS;
    (void)pthread_mutex_unlock(&sealer->lock);
}

/* Seal the one at waiting[index]. What fails waits again, unless no try can help. Called and returns with the lock
 * held, which is given up meanwhile. */
static void
seal_waiting(struct sealer *sealer, size_t index, struct seal_room *room)
{
    struct waiting journal = take_waiting(sealer, index);
    struct seal_options options = {.codec = sealer->codec, .room = room, .help = sealer->help};
    struct seal_file file;
    struct error err = {0};
    sealer->sealing++;
    sealer->sealing_bytes += (uint64_t)journal.bytes;
    (void)pthread_mutex_unlock(&sealer->lock);
    bool good = seal_journal(sealer->directory, journal.id, &options, &file, &err);
    if (good)
        seal_finisher_add(sealer->finisher, journal.id, &file);
    else if (err.code == ERROR_DISK_FULL && sealer->spare != NULL)
        journal_spare_drop(sealer->spare);
    (void)pthread_mutex_lock(&sealer->lock);
    sealer->sealing--;
    sealer->sealing_bytes -= (uint64_t)journal.bytes;
    sealer->is_short = !good && err.code == ERROR_DISK_FULL;
    seal_help_wake(sealer->help);
    (void)snprintf(sealer->problem, sizeof(sealer->problem), "%.*s",
        (int)sizeof(sealer->problem) - 1, good ? "" : err.text);
    if (!good && err.code != ERROR_DAMAGED && err.code != ERROR_FORMAT && err.code != ERROR_NEWER) {
        put_waiting(sealer, journal.id, journal.bytes);
        sealer->retry_ns = clock_monotonic_ns() + RETRY_NS;
    }
}

/* The first one, but on a full disk the smallest. With the lock held; one waits. */
static size_t
next_waiting(const struct sealer *sealer)
{
    size_t smallest = 0;
    for (size_t i = 1; i < sealer->waiting_count && sealer->is_short; i++) {
        if (sealer->waiting[i].bytes < sealer->waiting[smallest].bytes)
            smallest = i;
    }
    return smallest;
}

/* The largest journal that waits, but on a full disk the smallest; NO_JOURNAL: there is none, or they may not be tried
 * now. With the lock held. */
static size_t
largest_waiting(const struct sealer *sealer)
{
    size_t largest = NO_JOURNAL;
    if (sealer->is_short && sealer->waiting_count > 0 && sealer->retry_ns == 0)
        return next_waiting(sealer);
    for (size_t i = 0; i < sealer->waiting_count && sealer->retry_ns == 0; i++) {
        if (largest == NO_JOURNAL || sealer->waiting[i].bytes > sealer->waiting[largest].bytes)
            largest = i;
    }
    return largest;
}

/* Nothing else is left to do when the recorder ends: seal on both threads. The largest first, so that the last one of
 * all is a small one; who finds none helps the other. Called and returns with the lock held, which is given up
 * meanwhile. */
static void
seal_all(struct sealer *sealer, struct seal_room *room)
{
    for (;;) {
        size_t next = largest_waiting(sealer);
        if (next != NO_JOURNAL) {
            seal_waiting(sealer, next, room);
        } else if (sealer->sealing > 0) {
            uint64_t wakes = seal_help_wakes(sealer->help);
            (void)pthread_mutex_unlock(&sealer->lock);
            seal_help_join(sealer->help, wakes);
            (void)pthread_mutex_lock(&sealer->lock);
        } else {
            break;
        }
    }
}

/* ---- the thread ---- */

static void
wait_for_work(struct sealer *sealer, int64_t at_ns)
{
    if (at_ns == 0)
        (void)pthread_cond_wait(&sealer->changed, &sealer->lock);
    else
        (void)thread_condition_wait(&sealer->changed, &sealer->lock, at_ns);
}

/* May the first that waits be sealed now? */
static bool
has_work(const struct sealer *sealer)
{
    return sealer->waiting_count > 0 &&
           (sealer->retry_ns == 0 || clock_monotonic_ns() >= sealer->retry_ns);
}

/* Wait for a journal, for the time of another try, or until nothing came for so long that the memory is given back. */
static void
rest(struct sealer *sealer)
{
    bool holds_memory = sealer->room != NULL;
    if (sealer->waiting_count > 0) {
        wait_for_work(sealer, sealer->retry_ns);
        return;
    }
    wait_for_work(sealer, holds_memory ? clock_monotonic_ns() + QUIET_NS : 0);
    if (holds_memory && sealer->waiting_count == 0) {
        seal_room_free(sealer->room); /* a quiet recorder is small */
        sealer->room = NULL;
    }
}

static struct seal_room *
need_room(struct sealer *sealer)
{
    if (sealer->room == NULL)
        sealer->room = seal_room_new();
    return sealer->room;
}

static void *
run(void *self)
{
    struct sealer *sealer = self;
    /* What is received, and who follows it, go first when there is too little time for all. */
    thread_let_others_first(SEALER_NICE);
    (void)pthread_mutex_lock(&sealer->lock);
    while (!sealer->stopping) {
        if (has_work(sealer)) {
            sealer->retry_ns = 0;
            seal_waiting(sealer, next_waiting(sealer), need_room(sealer));
        } else {
            rest(sealer);
        }
    }
    if (sealer->drain)
        seal_all(sealer, need_room(sealer));
    (void)pthread_mutex_unlock(&sealer->lock);
    return NULL;
}

/* ---- from start to end ---- */

static void
free_sealer(struct sealer *sealer)
{
    seal_finisher_stop(sealer->finisher);
    seal_help_free(sealer->help);
    (void)pthread_cond_destroy(&sealer->changed);
    (void)pthread_mutex_destroy(&sealer->lock);
    seal_room_free(sealer->room);
    free(sealer->waiting);
    free(sealer->directory);
    free(sealer);
}

static bool
start_threads(struct sealer *sealer, const struct sealer_options *wanted, struct error *err)
{
    struct seal_finisher_options options = {
        .directory = sealer->directory,
        .retention = wanted->retention,
        .spare = wanted->spare,
        .failed = take_back,
        .self = sealer,
    };
    options.retention.keep_newest = true; /* the next recorder goes on behind it */
    sealer->finisher = seal_finisher_start(&options, err);
    return sealer->finisher != NULL &&
           (thread_start(&sealer->thread, "sealer", run, sealer) ||
               error_set(err, ERROR_SYSTEM, "cannot start the sealer's thread"));
}

struct sealer *
sealer_start(const struct sealer_options *options, struct error *err)
{
    struct sealer *sealer = alloc_zeroed(sizeof(*sealer));
    sealer->directory = alloc_text(options->directory);
    sealer->codec = options->codec;
    sealer->spare = options->spare;
    sealer->help = seal_help_new();
    (void)pthread_mutex_init(&sealer->lock, NULL);
    thread_condition_init(&sealer->changed);
    if (!start_threads(sealer, options, err)) {
        free_sealer(sealer);
        return NULL;
    }
    return sealer;
}

void
sealer_load(struct sealer *sealer, uint64_t *largest, uint64_t *all)
{
    (void)pthread_mutex_lock(&sealer->lock);
    *largest = sealer->sealing_bytes;
    *all = sealer->sealing_bytes;
    for (size_t i = 0; i < sealer->waiting_count; i++) {
        uint64_t bytes = (uint64_t)sealer->waiting[i].bytes;
        *all += bytes;
        if (bytes > *largest)
            *largest = bytes;
    }
    (void)pthread_mutex_unlock(&sealer->lock);
}

bool
sealer_is_busy(struct sealer *sealer)
{
    (void)pthread_mutex_lock(&sealer->lock);
    bool is_busy = sealer->sealing > 0 || (sealer->waiting_count > 0 && sealer->retry_ns == 0);
    (void)pthread_mutex_unlock(&sealer->lock);
    return is_busy || seal_finisher_is_busy(sealer->finisher);
}

void
sealer_stop(struct sealer *sealer, bool drain)
{
    if (sealer == NULL)
        return;
    (void)pthread_mutex_lock(&sealer->lock);
    sealer->stopping = true;
    sealer->drain = drain;
    sealer->retry_ns = 0; /* one more try for what failed lately */
    (void)pthread_cond_signal(&sealer->changed);
    if (drain && sealer->waiting_count + sealer->sealing > 0) {
        struct seal_room *room = seal_room_new();
        seal_all(sealer, room);
        seal_room_free(room);
    }
    (void)pthread_mutex_unlock(&sealer->lock);
    (void)pthread_join(sealer->thread, NULL);
    free_sealer(sealer);
}

bool
sealer_trouble(struct sealer *sealer, char *text, size_t size)
{
    char why[256] = "";
    (void)pthread_mutex_lock(&sealer->lock);
    /* One that is tried again waits all the same: what is told must not change with each try. */
    size_t count = sealer->waiting_count + sealer->sealing;
    bool has_trouble = sealer->problem[0] != '\0';
    if (has_trouble)
        (void)snprintf(why, sizeof(why), "%s", sealer->problem);
    (void)pthread_mutex_unlock(&sealer->lock);
    has_trouble = has_trouble || seal_finisher_trouble(sealer->finisher, why, sizeof(why));
    if (has_trouble)
        (void)snprintf(text, size, "%s (%zu journal%s to be sealed)", why, count,
            count == 1 ? " waits" : "s wait");
    return has_trouble;
}
