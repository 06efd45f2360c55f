#include "collectors/collector.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"

#define FIRST_PAUSE_MS 250
#define LAST_PAUSE_MS  10000
#define FINISH_MS      5000

/* `code` is what the last failure was; the text that belongs to it is the outlet's. */
struct collector {
    const struct source_ops *ops;
    const struct source_config *config;
    struct outlet *outlet;
    int ended_fd;
    pthread_t thread;
    atomic_int code;
    bool was_live;
    bool is_whole; /* nothing was lost at the end; written by the thread before it ends */
};

/* Poll until there is a reason to stop. */
static enum source_state
run(struct collector *collector, void *source, struct error *err)
{
    struct outlet *outlet = collector->outlet;
    while (!outlet_is_stopping(outlet) && !outlet_is_done(outlet)) {
        enum source_state state = collector->ops->poll(source, outlet_wait_ms(outlet), err);
        outlet_tick(outlet);
        if (state != SOURCE_LIVE)
            return state;
    }
    return SOURCE_ENDED;
}

/* What is wrong with a tap that worked before, or with one of many, may be put right while the recorder runs:
 * a login, a topic, a file of keys. Only what the user wrote stays wrong. */
static bool
may_be_put_right(const struct collector *collector, const struct error *err)
{
    const struct source_config *config = collector->config;
    return config->until == UNTIL_STOPPED &&
           (collector->was_live || (config->is_one_of_many && err->code != ERROR_ARGUMENT));
}

/* One connection, from open to close. */
static enum source_state
connect_and_run(struct collector *collector, bool is_first, struct error *err)
{
    const struct source_config *config = collector->config;
    if (!is_first && config->renew != NULL && !config->renew(config->renew_self, err))
        return SOURCE_LOST;
    void *source = NULL;
    enum source_state state = collector->ops->open(config, collector->outlet, &source, err);
    if (state == SOURCE_LIVE) {
        collector->was_live = true;
        state = run(collector, source, err);
        collector->ops->close(source);
    } else if (state == SOURCE_FAILED && may_be_put_right(collector, err)) {
        state = SOURCE_LOST;
    }
    return state;
}

/* Wait before the next attempt, but no longer than until the recorder stops. */
static void
pause_for(const struct collector *collector, int milliseconds)
{
    struct pollfd stop = {.fd = outlet_stop_fd(collector->outlet), .events = POLLIN};
    (void)poll(&stop, 1, milliseconds);
}

static void
collect(struct collector *collector)
{
    struct outlet *outlet = collector->outlet;
    int pause_ms = FIRST_PAUSE_MS;
    for (bool is_first = true; !outlet_is_stopping(outlet); is_first = false) {
        struct error err = {.code = ERROR_NONE};
        int64_t began_ns = clock_monotonic_ns();
        enum source_state state = connect_and_run(collector, is_first, &err);
        if (state == SOURCE_ENDED)
            return;
        atomic_store(&collector->code, (int)err.code);
        if (state == SOURCE_FAILED) {
            outlet_set_state(outlet, TAP_FAILED, "%s", err.text);
            return;
        }
        if (clock_monotonic_ns() - began_ns > LAST_PAUSE_MS * NS_PER_MS)
            pause_ms = FIRST_PAUSE_MS; /* it held for a while */
        outlet_set_state(outlet, TAP_RETRYING, "%s", err.text);
        outlet_count_retry(outlet);
        pause_for(collector, pause_ms);
        pause_ms = pause_ms * 2 > LAST_PAUSE_MS ? LAST_PAUSE_MS : pause_ms * 2;
    }
}

static void *
collector_main(void *argument)
{
    struct collector *collector = argument;
    struct error why;
    collect(collector);
    collector->is_whole = outlet_finish(collector->outlet, FINISH_MS);
    if (outlet_state(collector->outlet, &why) != TAP_FAILED)
        outlet_set_state(collector->outlet,
            outlet_is_stopping(collector->outlet) ? TAP_STOPPED : TAP_ENDED, NULL);
    uint64_t one = 1;
    ssize_t written = write(collector->ended_fd, &one, sizeof(one));
    (void)written; /* full is readable */
    return NULL;
}

struct collector *
collector_start(const struct source_ops *ops, const struct source_config *config,
    const struct outlet_options *options, int ended_fd, struct error *err)
{
    struct collector *collector = alloc_zeroed(sizeof(*collector));
    collector->ops = ops;
    collector->config = config;
    collector->ended_fd = ended_fd;
    collector->outlet = outlet_new(options);

    /* Threads inherit the mask, those of the client library too: signals are for the main thread. */
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&collector->thread, NULL, collector_main, collector);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        errno = failed;
        error_set_system(err, "cannot start a thread for tap '%s'", options->tap);
        collector_free(collector);
        return NULL;
    }
    return collector;
}

enum tap_state
collector_state(struct collector *collector, struct error *why)
{
    enum tap_state state = outlet_state(collector->outlet, why);
    if (why->code == ERROR_NONE)
        why->code = (enum error_code)atomic_load(&collector->code);
    return state;
}

bool
collector_has_answer(const struct collector *collector)
{
    return outlet_has_answer(collector->outlet);
}

void
collector_describe(struct collector *collector, struct live_tap *tap)
{
    outlet_describe(collector->outlet, tap);
}

uint64_t
collector_refused(const struct collector *collector)
{
    return outlet_refused(collector->outlet);
}

void
collector_stop(struct collector *collector)
{
    outlet_stop(collector->outlet);
}

bool
collector_join(struct collector *collector)
{
    (void)pthread_join(collector->thread, NULL);
    return collector->is_whole || collector->ops->can_wait;
}

void
collector_free(struct collector *collector)
{
    if (collector == NULL)
        return;
    outlet_free(collector->outlet);
    free(collector);
}
