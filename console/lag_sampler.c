#include "console/lag_sampler.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/thread.h"
#include "collectors/diary.h"
#include "collectors/groups_sample.h"
#include "collectors/recorder.h"
#include "collectors/tap_properties.h"
#include "console/lag_book.h"
#include "console/lag_json.h"
#include "console/lag_look.h"
#include "console/lag_recorded.h"
#include "index/event.h"
#include "index/live.h"

#define PAUSE_MAX_NS (LAG_SAMPLER_PAUSE_S * NS_PER_S)
#define NOT_WATCHED  "consumer groups are not watched, and it is tried again"

/* Samples of the last LAG_RECORDED_BACK_NS, one in a second at most. */
#define RECENT_MAX ((size_t)(LAG_RECORDED_BACK_NS / NS_PER_S))

/* How many groups a sample asked about. */
struct asked {
    int64_t at_ns;
    size_t groups;
};

/* All that is not mentioned here belongs to the thread, once that runs. `lock` guards the rows, what is unseen, and the waking. */
struct lag_sampler {
    struct lag_sampler_options options;
    struct tap_properties properties;
    struct recorder_tap tap; /* the caller's, with our properties */
    struct lag_look *look;   /* NULL: it could not be opened yet */
    bool is_troubled;        /* the last sample was not whole */
    int64_t pause_ns;        /* from one attempt to put it right to the next; 0: none was made */
    int64_t mend_ns;         /* when the next one is due; monotonic */
    struct error why;        /* what the last one did not put right; ERROR_NONE: nothing */
    struct lag_book *book;
    struct buffer text;
    char told[256];
    atomic_bool is_cancelled;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct live_group *rows;
    uint32_t row_count;
    uint32_t unseen;
    struct asked recent[RECENT_MAX]; /* the oldest first */
    size_t recent_count;
};

/* --- one sample --------------------------------------------------------------------------------- */

static void
see_flow(void *self, const struct lag_flow *flow)
{
    struct lag_sampler *sampler = self;
    const struct stream *stream = lag_look_stream(sampler->look, flow->lanes[0].topic);
    lag_book_see(sampler->book, flow, stream == NULL ? UINT32_MAX : stream->id);
}

static void
write_flow(void *self, const struct lag_flow *flow)
{
    struct lag_sampler *sampler = self;
    if (!lag_book_is_chosen(sampler->book, flow))
        return;
    struct buffer *text = &sampler->text;
    text->length = 0;
    lag_json_append(text, flow);
    char *key = alloc_format("%s %s", flow->group->name, flow->lanes[0].topic);
    struct diary_entry entry = {.tap = sampler->options.tap->name,
        .stream = LAG_SAMPLER_STREAM,
        .key = bytes_of(key),
        .payload = bytes_make(text->data, text->length),
        .when_ns = flow->sampled_ns};
    if (sampler->options.note(sampler->options.note_self, &entry))
        lag_book_written(sampler->book, flow, text->length + entry.key.length);
    free(key);
}

/* An event without a payload: readers have to forget what they know of the flow. */
static bool
write_gone(void *self, const char *group, const char *stream)
{
    struct lag_sampler *sampler = self;
    char *key = alloc_format("%s %s", group, stream);
    struct diary_entry entry = {.tap = sampler->options.tap->name,
        .stream = LAG_SAMPLER_STREAM,
        .key = bytes_of(key),
        .payload = BYTES_NULL,
        .when_ns = lag_look_sample(sampler->look)->sampled_ns};
    bool is_written = sampler->options.note(sampler->options.note_self, &entry);
    free(key);
    return is_written;
}

/* Groups are asked in turn, so that different ones are in samples that follow each other. */
static uint32_t
count_unseen(struct lag_sampler *sampler, const struct groups_sample *sample)
{
    size_t old = sampler->recent_count == RECENT_MAX;
    while (old < sampler->recent_count &&
           sampler->recent[old].at_ns < sample->sampled_ns - LAG_RECORDED_BACK_NS)
        old++;
    sampler->recent_count -= old;
    memmove(
        sampler->recent, sampler->recent + old, sampler->recent_count * sizeof(sampler->recent[0]));
    sampler->recent[sampler->recent_count++] =
        (struct asked){sample->sampled_ns, sample->group_count};

    size_t there = sample->group_count + sample->passed;
    size_t asked = 0;
    for (size_t i = 0; i < sampler->recent_count; i++)
        asked += sampler->recent[i].groups;
    return there > asked ? (uint32_t)(there - asked) : 0;
}

static void
publish_rows(struct lag_sampler *sampler)
{
    uint32_t unseen = count_unseen(sampler, lag_look_sample(sampler->look));
    struct live_group *rows = alloc_array(LIVE_GROUPS, sizeof(*rows));
    uint32_t count = lag_book_rows(sampler->book, clock_now_ns(), rows, LIVE_GROUPS);
    (void)pthread_mutex_lock(&sampler->lock);
    struct live_group *old = sampler->rows;
    sampler->rows = rows;
    sampler->row_count = count;
    sampler->unseen = unseen;
    (void)pthread_mutex_unlock(&sampler->lock);
    free(old);
}

/* Tell what keeps groups from being seen when it comes up, and when it is over. */
static void
tell(struct lag_sampler *sampler, const char *text)
{
    if (strncmp(sampler->told, text, sizeof(sampler->told) - 1) == 0)
        return;
    (void)snprintf(sampler->told, sizeof(sampler->told), "%s", text);
    if (sampler->options.tell != NULL)
        sampler->options.tell(sampler->options.tell_self, sampler->options.tap->name,
            text[0] != '\0' ? text : "all consumer groups are seen again");
}

/* --- what is wrong, and may be put right -------------------------------------------------------- */

static bool
open_look(struct lag_sampler *sampler, struct error *err)
{
    const struct lag_sampler_options *options = &sampler->options;
    sampler->look =
        lag_look_open(&(struct lag_look_options){.tap = &sampler->tap,
                          .directory = options->directory,
                          .rules = options->rules != NULL ? *options->rules : lag_rules_default,
                          .pattern = options->pattern,
                          .groups_at_a_time = LAG_SAMPLER_GROUPS,
                          .wait_ms = options->wait_ms,
                          .is_cancelled = &sampler->is_cancelled,
                          .sample = options->sample,
                          .sample_self = options->sample_self},
            err);
    return sampler->look != NULL || error_wrap(err, NOT_WATCHED);
}

/* A command that gives a password may cost something, and a client that cannot be made does. Samples are an interval
 * apart, more or less: half of it makes no difference to which one it is. */
static bool
may_mend(struct lag_sampler *sampler)
{
    int64_t now_ns = clock_monotonic_ns();
    if (now_ns < sampler->mend_ns)
        return false;
    sampler->pause_ns =
        sampler->pause_ns == 0 ? sampler->options.interval_ns : 2 * sampler->pause_ns;
    if (sampler->pause_ns > PAUSE_MAX_NS)
        sampler->pause_ns = PAUSE_MAX_NS;
    sampler->mend_ns = now_ns + sampler->pause_ns - sampler->options.interval_ns / 2;
    return true;
}

/* Put right what may be wrong. What cannot be fetched stays as it was. */
static void
mend(struct lag_sampler *sampler)
{
    struct error err;
    sampler->why.code = ERROR_NONE;
    if (!tap_properties_renew(&sampler->properties, &sampler->why))
        (void)error_wrap(&sampler->why, NOT_WATCHED);
    if (sampler->look == NULL && !open_look(sampler, &err) && sampler->why.code == ERROR_NONE)
        sampler->why = err;
    else if (sampler->look != NULL && tap_properties_may_change(&sampler->properties))
        lag_look_renew(sampler->look);
}

static void
set_troubled(struct lag_sampler *sampler, bool is_troubled)
{
    sampler->is_troubled = is_troubled;
    if (is_troubled)
        return;
    sampler->pause_ns = 0;
    sampler->mend_ns = 0;
    sampler->why.code = ERROR_NONE;
}

static bool
look_again(struct lag_sampler *sampler, struct error *err)
{
    if (sampler->is_troubled && may_mend(sampler))
        mend(sampler);
    if (sampler->look != NULL && lag_look_again(sampler->look, err))
        return true;
    if (sampler->why.code != ERROR_NONE)
        *err = sampler->why; /* that nobody is let in with an old password follows from it */
    return false;
}

static void
take_sample(struct lag_sampler *sampler)
{
    struct error err;
    if (!look_again(sampler, &err)) {
        set_troubled(sampler, true);
        if (!atomic_load(&sampler->is_cancelled))
            tell(sampler, err.text);
        return;
    }
    if (atomic_load(&sampler->is_cancelled))
        return; /* it is not whole */
    const struct groups_sample *sample = lag_look_sample(sampler->look);
    lag_look_flows(sampler->look, see_flow, sampler);
    lag_book_miss(sampler->book, sample, write_gone, sampler);
    lag_book_choose(sampler->book, sample->sampled_ns,
        (size_t)(LAG_SAMPLER_BYTES_PER_S * sampler->options.interval_ns / NS_PER_S));
    lag_look_flows(sampler->look, write_flow, sampler);
    sampler->options.flush(sampler->options.note_self);
    publish_rows(sampler);
    set_troubled(sampler, sample->problem_count > 0);
    tell(sampler, sample->problem_count > 0 ? sample->problems[0] : "");
}

/* --- the thread --------------------------------------------------------------------------------- */

/* Wait until the monotonic time, or until it is cancelled. */
static void
wait_until(struct lag_sampler *sampler, int64_t due_ns)
{
    struct timespec due = {.tv_sec = due_ns / NS_PER_S, .tv_nsec = due_ns % NS_PER_S};
    (void)pthread_mutex_lock(&sampler->lock);
    while (!atomic_load(&sampler->is_cancelled) && clock_monotonic_ns() < due_ns)
        (void)pthread_cond_timedwait(&sampler->wake, &sampler->lock, &due);
    (void)pthread_mutex_unlock(&sampler->lock);
}

static void *
run(void *self)
{
    struct lag_sampler *sampler = self;
    int64_t due_ns = clock_monotonic_ns() + sampler->options.interval_ns;
    for (;;) {
        wait_until(sampler, due_ns);
        if (atomic_load(&sampler->is_cancelled))
            return NULL;
        take_sample(sampler);
        /* A broker that is slow is not asked at once again. */
        int64_t now_ns = clock_monotonic_ns();
        due_ns += sampler->options.interval_ns;
        if (due_ns < now_ns)
            due_ns = now_ns + sampler->options.interval_ns;
    }
}

struct lag_sampler *
lag_sampler_start(const struct lag_sampler_options *options, struct error *err)
{
    struct lag_sampler *sampler = alloc_zeroed(sizeof(*sampler));
    sampler->options = *options;
    sampler->book = lag_book_new();
    atomic_init(&sampler->is_cancelled, false);
    (void)pthread_mutex_init(&sampler->lock, NULL);
    thread_condition_init(&sampler->wake);

    tap_properties_copy(&sampler->properties, options->tap);
    sampler->tap = *options->tap;
    sampler->tap.properties = sampler->properties.list;

    if (!open_look(sampler, &sampler->why)) {
        set_troubled(sampler, true);
        tell(sampler, sampler->why.text);
    }
    char name[16];
    (void)snprintf(name, sizeof(name), "lag-%s", options->tap->name);
    if (thread_start(&sampler->thread, name, run, sampler))
        return sampler;
    (void)error_set(err, ERROR_SYSTEM, "cannot start the thread that watches groups");
    lag_sampler_free(sampler);
    return NULL;
}

uint32_t
lag_sampler_rows(struct lag_sampler *sampler, struct live_group *rows, uint32_t limit)
{
    (void)pthread_mutex_lock(&sampler->lock);
    uint32_t count = sampler->row_count < limit ? sampler->row_count : limit;
    if (count > 0)
        memcpy(rows, sampler->rows, count * sizeof(*rows));
    (void)pthread_mutex_unlock(&sampler->lock);
    return count;
}

uint32_t
lag_sampler_unseen(struct lag_sampler *sampler)
{
    (void)pthread_mutex_lock(&sampler->lock);
    uint32_t unseen = sampler->unseen;
    (void)pthread_mutex_unlock(&sampler->lock);
    return unseen;
}

void
lag_sampler_cancel(struct lag_sampler *sampler)
{
    (void)pthread_mutex_lock(&sampler->lock);
    atomic_store(&sampler->is_cancelled, true);
    (void)pthread_cond_signal(&sampler->wake);
    (void)pthread_mutex_unlock(&sampler->lock);
}

void
lag_sampler_stop(struct lag_sampler *sampler)
{
    lag_sampler_cancel(sampler);
    (void)pthread_join(sampler->thread, NULL);
}

void
lag_sampler_free(struct lag_sampler *sampler)
{
    if (sampler == NULL)
        return;
    lag_look_close(sampler->look);
    tap_properties_done(&sampler->properties);
    lag_book_free(sampler->book);
    buffer_done(&sampler->text);
    free(sampler->rows);
    (void)pthread_cond_destroy(&sampler->wake);
    (void)pthread_mutex_destroy(&sampler->lock);
    free(sampler);
}
