#include "index/seal_finisher.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/thread.h"
#include "index/catalogue.h"
#include "index/seal_journal.h"

#define RETENTION_S 30

struct added {
    uint64_t id;
    struct seal_file file;
};

/* Everything is under the lock but what is the thread's own. */
struct seal_finisher {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct seal_finisher_options options;
    struct added added[SEAL_FINISHER_FILES];
    size_t count;
    bool stopping;
    char problem[256];                  /* why the last try failed; empty when it did not */
    int64_t retained_ns;                /* the thread's, like the next; monotonic; 0: due */
    struct catalogue_writer *catalogue; /* NULL until needed, or after a failure */
};

static void
note(struct seal_finisher *finisher, const struct error *err)
{
    (void)pthread_mutex_lock(&finisher->lock);
    (void)snprintf(finisher->problem, sizeof(finisher->problem), "%.*s",
        (int)sizeof(finisher->problem) - 1, err == NULL ? "" : err->text);
    (void)pthread_mutex_unlock(&finisher->lock);
}

/* Let the catalogue follow: segment `id` is new, or (0) some are gone. It is only a cache: when that
 * fails, readers open the files, and the next change or the next recorder tries again. */
static bool
follow(struct seal_finisher *finisher, uint64_t id, struct error *err)
{
    const char *directory = finisher->options.directory;
    struct catalogue_counts counts;
    if (finisher->catalogue == NULL)
        finisher->catalogue = catalogue_writer_open(directory, err);
    bool good = finisher->catalogue != NULL &&
                (id != 0 ? catalogue_writer_add(finisher->catalogue, id, err)
                         : catalogue_writer_update(finisher->catalogue, &counts, err));
    if (good)
        return true;
    catalogue_writer_close(finisher->catalogue);
    finisher->catalogue = NULL;
    return err->code == ERROR_DAMAGED && catalogue_rebuild(directory, &counts, err);
}

static void
finish(struct seal_finisher *finisher, uint64_t id, struct seal_file *file)
{
    struct error err;
    bool is_sealed =
        seal_journal_commit(finisher->options.directory, id, file, finisher->options.spare, &err);
    bool good = is_sealed && follow(finisher, id, &err);
    note(finisher, good ? NULL : &err);
    if (is_sealed)
        finisher->retained_ns = 0;
    else
        finisher->options.failed(finisher->options.self, id);
}

/* Delete what is too old, now and then. */
static void
retain(struct seal_finisher *finisher)
{
    const struct retention *rules = &finisher->options.retention;
    int64_t now_ns = clock_monotonic_ns();
    if ((rules->keep_bytes == 0 && rules->keep_age_ns == 0) ||
        (finisher->retained_ns != 0 && now_ns - finisher->retained_ns < RETENTION_S * NS_PER_S))
        return;
    finisher->retained_ns = now_ns;
    struct retention_result result = {0};
    struct error err;
    struct error second;
    bool good =
        retention_apply(finisher->options.directory, rules, clock_now_ns(), false, &result, &err);
    if (result.deleted_files > 0 && !follow(finisher, 0, &second) && good) {
        good = false;
        err = second;
    }
    if (!good)
        note(finisher, &err);
}

/* Wait for a segment; false: none came. With the lock held. */
static bool
wait_for_segment(struct seal_finisher *finisher)
{
    int64_t at_ns = clock_monotonic_ns() + RETENTION_S * NS_PER_S;
    if (finisher->count == 0 && !finisher->stopping)
        (void)thread_condition_wait(&finisher->changed, &finisher->lock, at_ns);
    return finisher->count > 0;
}

static void *
run(void *self)
{
    struct seal_finisher *finisher = self;
    (void)pthread_mutex_lock(&finisher->lock);
    for (;;) {
        bool has_segment = wait_for_segment(finisher);
        if (!has_segment && finisher->stopping)
            break;
        struct added *first = &finisher->added[0];
        uint64_t id = first->id;
        (void)pthread_mutex_unlock(&finisher->lock);
        if (has_segment)
            finish(finisher, id, &first->file);
        retain(finisher);
        (void)pthread_mutex_lock(&finisher->lock);
        if (has_segment) {
            finisher->count--;
            memmove(first, first + 1, finisher->count * sizeof(*first));
            (void)pthread_cond_broadcast(&finisher->changed);
        }
    }
    (void)pthread_mutex_unlock(&finisher->lock);
    catalogue_writer_close(finisher->catalogue);
    return NULL;
}

void
seal_finisher_add(struct seal_finisher *finisher, uint64_t id, struct seal_file *file)
{
    (void)pthread_mutex_lock(&finisher->lock);
    while (finisher->count == SEAL_FINISHER_FILES)
        (void)pthread_cond_wait(&finisher->changed, &finisher->lock);
    finisher->added[finisher->count++] = (struct added){id, *file};
    (void)pthread_cond_broadcast(&finisher->changed);
    (void)pthread_mutex_unlock(&finisher->lock);
}

bool
seal_finisher_is_busy(struct seal_finisher *finisher)
{
    (void)pthread_mutex_lock(&finisher->lock);
    bool is_busy = finisher->count > 0;
    (void)pthread_mutex_unlock(&finisher->lock);
    return is_busy;
}

bool
seal_finisher_trouble(struct seal_finisher *finisher, char *text, size_t size)
{
    (void)pthread_mutex_lock(&finisher->lock);
    bool has_trouble = finisher->problem[0] != '\0';
    if (has_trouble)
        (void)snprintf(text, size, "%s", finisher->problem);
    (void)pthread_mutex_unlock(&finisher->lock);
    return has_trouble;
}

static void
free_finisher(struct seal_finisher *finisher)
{
    (void)pthread_cond_destroy(&finisher->changed);
    (void)pthread_mutex_destroy(&finisher->lock);
    free(finisher);
}

struct seal_finisher *
seal_finisher_start(const struct seal_finisher_options *options, struct error *err)
{
    struct seal_finisher *finisher = alloc_zeroed(sizeof(*finisher));
    finisher->options = *options;
    (void)pthread_mutex_init(&finisher->lock, NULL);
    thread_condition_init(&finisher->changed);
    if (!thread_start(&finisher->thread, "seal-finisher", run, finisher)) {
        (void)error_set(err, ERROR_SYSTEM, "cannot start the thread that finishes segments");
        free_finisher(finisher);
        return NULL;
    }
    return finisher;
}

void
seal_finisher_stop(struct seal_finisher *finisher)
{
    if (finisher == NULL)
        return;
    (void)pthread_mutex_lock(&finisher->lock);
    finisher->stopping = true;
    (void)pthread_cond_broadcast(&finisher->changed);
    (void)pthread_mutex_unlock(&finisher->lock);
    (void)pthread_join(finisher->thread, NULL);
    free_finisher(finisher);
}
