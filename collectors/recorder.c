#include "collectors/recorder.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "collectors/collector.h"
#include "collectors/diary.h"
#include "collectors/source.h"
#include "collectors/tap_properties.h"
#include "collectors/tap_url.h"
#include "index/indexer.h"
#include "index/live.h"
#include "index/tape_writer.h"

/* The first answers may take this long; then the start says what is known. */
#define START_NS (4500 * NS_PER_MS)
#define LOOK_NS  (10 * NS_PER_MS)

/* For the last notes, when the queue is full at the end. */
#define NOTES_MS 1000

struct tap {
    char *name;
    const struct source_ops *ops;
    struct tap_url url;
    char *group;
    struct source_config config;
    struct tap_properties properties;
    struct collector *collector;
};

/* Taps are complete before the indexer's thread starts, and their collectors before it first
 * describes them: `described` says how many it may look at. */
struct recorder {
    struct recorder_options options;
    struct tape_writer *writer;
    struct indexer *indexer;
    struct diary *diary;
    struct live *live;
    struct tap *taps;
    size_t tap_count;
    atomic_size_t described;
    atomic_uint_fast64_t budget;
    int ended_fd; /* an event descriptor: readable when a tap has ended since recorder_wait() */
};

static bool
read_from(const char *text, struct source_config *config, struct error *err)
{
    if (text == NULL || strcmp(text, "resume") == 0) {
        config->from = FROM_RESUME;
        return true;
    }
    if (strcmp(text, "beginning") == 0) {
        config->from = FROM_BEGINNING;
        return true;
    }
    if (strcmp(text, "end") == 0) {
        config->from = FROM_END;
        return true;
    }
    if (start_offsets_is(text)) {
        config->from = FROM_OFFSETS;
        return start_offsets_parse(&config->offsets, text, err);
    }
    config->from = FROM_TIME;
    if (!clock_parse(text, strlen(text), clock_now_ns(), &config->from_ns, err)) {
        error_wrap(err, "from '%.60s' is neither resume, beginning, end, a time nor offsets", text);
        return false;
    }
    return true;
}

static bool
name_is_taken(const struct recorder *recorder, const char *name)
{
    for (size_t i = 0; i < recorder->tap_count; i++)
        if (strcmp(recorder->taps[i].name, name) == 0)
            return true;
    return false;
}

/* The given name when it can be one, or one made from the transport: "kafka", "kafka-2". */
static bool
choose_name(const struct recorder *recorder, const char *given, const char *scheme, char **name,
    struct error *err)
{
    if (given == NULL) {
        *name = alloc_text(scheme);
        for (int number = 2; name_is_taken(recorder, *name); number++) {
            free(*name);
            *name = alloc_format("%s-%d", scheme, number);
        }
        return true;
    }

    size_t length = strlen(given);
    if (length == 0 || length > 63 || given[0] == '@')
        return error_set(err, ERROR_ARGUMENT,
            "a tap's name has 1 to 63 characters and does not begin with '@', not '%.80s'", given);
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)given[i] <= ' ' || given[i] == '/' || given[i] == 0x7f)
            return error_set(
                err, ERROR_ARGUMENT, "a tap's name has no blanks, slashes or control characters");
    if (name_is_taken(recorder, given))
        return error_set(err, ERROR_ARGUMENT, "two taps are called '%s'", given);
    *name = alloc_text(given);
    return true;
}

/* On the tap's thread, the only one that looks at its properties once it runs. */
static bool
renew_properties(void *self, struct error *err)
{
    struct tap *tap = self;
    return tap_properties_renew(&tap->properties, err);
}

static void
tap_done(struct tap *tap)
{
    collector_free(tap->collector);
    tap_properties_done(&tap->properties);
    start_offsets_done(&tap->config.offsets);
    tap_url_done(&tap->url);
    free(tap->group);
    free(tap->name);
    *tap = (struct tap){0};
}

/* Where to begin, if the transport can do that. */
static bool
check_from(const struct tap *tap, const char *from, struct error *err)
{
    if (tap->config.from == FROM_OFFSETS && tap->group != NULL)
        return error_set(err, ERROR_ARGUMENT,
            "from '%.80s': a member of a consumer group begins where the group is; give "
            "beginning, end or a time for partitions that the group has not begun",
            from);
    return tap->config.from != FROM_OFFSETS || tap->ops->has_offsets ||
           error_set(err, ERROR_ARGUMENT, "from '%.80s': '%s' has no offsets to begin at", from,
               tap->url.text);
}

/* The caller's text may end before the recorder does; a wrong one stays as it is, to be refused. */
static const char *
isolation_word(const char *given)
{
    static const char *const words[] = {"read_committed", "read_uncommitted"};
    for (size_t i = 0; given != NULL && i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(given, words[i]) == 0)
            return words[i];
    return given;
}

/* Everything about the tap that can be known without connecting. */
static bool
prepare_tap(struct recorder *recorder, const struct recorder_tap *given, struct error *err)
{
    struct tap *tap = &recorder->taps[recorder->tap_count];
    tap->ops = source_for(given->url, given->group, err);
    if (tap->ops == NULL || !tap_url_parse(given->url, tap->ops->default_port, &tap->url, err))
        return false;

    tap_properties_copy(&tap->properties, given);
    tap->group = given->group == NULL ? NULL : alloc_text(given->group);
    tap->config = (struct source_config){
        .url = &tap->url,
        .until = recorder->options.until,
        .until_ns = recorder->options.until_ns,
        .properties = tap->properties.list,
        .property_count = tap->properties.count,
        .max_bytes_per_second = given->max_bytes_per_second,
        .isolation = isolation_word(given->isolation),
        .tape = recorder->options.directory,
        .group = tap->group,
        .renew = given->fetch == NULL ? NULL : renew_properties,
        .renew_self = tap,
        .is_one_of_many = recorder->options.tap_count > 1,
    };
    if (!read_from(given->from, &tap->config, err) || !check_from(tap, given->from, err) ||
        !tap->ops->check(&tap->config, err) ||
        !choose_name(recorder, given->name, tap->ops->scheme, &tap->name, err)) {
        tap_done(tap);
        return false;
    }
    recorder->tap_count++;
    return true;
}

/* Put the tap's name in front, where there are several. */
static bool
fail_of_tap(const struct recorder *recorder, const char *name, struct error *err)
{
    if (recorder->options.tap_count > 1 && name != NULL)
        (void)error_wrap(err, "tap '%s'", name);
    return false;
}

static bool
prepare_taps(struct recorder *recorder, const struct recorder_options *options, struct error *err)
{
    if (options->tap_count == 0)
        return error_set(err, ERROR_ARGUMENT, "there is nothing to record: no tap");
    if (options->tap_count > LIVE_TAPS)
        return error_set(err, ERROR_ARGUMENT, "%zu taps are more than one recorder takes (%u)",
            options->tap_count, LIVE_TAPS);
    recorder->taps = alloc_zeroed(options->tap_count * sizeof(recorder->taps[0]));
    for (size_t i = 0; i < options->tap_count; i++)
        if (!prepare_tap(recorder, &options->taps[i], err))
            return fail_of_tap(recorder, options->taps[i].name, err);
    return true;
}

static void
describe_taps(struct recorder *recorder, struct live_status *status)
{
    size_t count = atomic_load_explicit(&recorder->described, memory_order_acquire);
    status->dropped = 0;
    status->refused_events = 0;
    for (size_t i = 0; i < count; i++) {
        struct collector *collector = recorder->taps[i].collector;
        collector_describe(collector, &status->taps[i]);
        status->dropped += status->taps[i].dropped;
        status->refused_events += collector_refused(collector);
    }
    status->tap_count = (uint32_t)count;
}

/* The indexer's thread asks for what it does not know. */
static void
describe(void *self, struct live_status *status)
{
    struct recorder *recorder = self;
    describe_taps(recorder, status);
    if (atomic_load_explicit(&recorder->described, memory_order_acquire) > 0)
        status->lost_notes = diary_lost(recorder->diary);
    if (recorder->options.groups != NULL)
        status->group_count =
            recorder->options.groups(recorder->options.groups_self, status->groups, LIVE_GROUPS);
    if (recorder->options.groups_unseen != NULL)
        status->groups_unseen = recorder->options.groups_unseen(recorder->options.groups_self);
}

static bool
push(void *self, struct batch **batch, int timeout_ms)
{
    return indexer_push(self, batch, timeout_ms);
}

static bool
takes_no_more(void *self)
{
    struct error ignored;
    return !indexer_is_well(self, &ignored);
}

static bool
start_collectors(struct recorder *recorder, struct error *err)
{
    for (size_t i = 0; i < recorder->tap_count; i++) {
        struct tap *tap = &recorder->taps[i];
        struct outlet_options outlet = {
            .writer = recorder->writer,
            .push = push,
            .push_self = recorder->indexer,
            .is_over = takes_no_more,
            .tap = tap->name,
            .url = tap->url.text,
            .can_wait = tap->ops->can_wait,
            .until = recorder->options.until,
            .until_ns = recorder->options.until_ns,
            .max_bytes_per_second = tap->config.max_bytes_per_second,
            .diary = recorder->diary,
            .budget = recorder->options.until == UNTIL_EVENTS ? &recorder->budget : NULL,
        };
        tap->collector = collector_start(tap->ops, &tap->config, &outlet, recorder->ended_fd, err);
        if (tap->collector == NULL)
            return false;
        atomic_store_explicit(&recorder->described, i + 1, memory_order_release);
    }
    return true;
}

/* True when the tap has said something: it is there, or why not. */
static bool
has_answered(enum tap_state state)
{
    return state != TAP_CONNECTING;
}

/* True when recording may begin without an answer: who publishes may come later. */
static bool
may_begin_alone(const struct recorder *recorder)
{
    struct error why;
    enum tap_state state = collector_state(recorder->taps[0].collector, &why);
    return recorder->tap_count == 1 && recorder->taps[0].ops->may_be_first &&
           state == TAP_RETRYING && why.code == ERROR_REMOTE;
}

/* The only tap is not up in time, but its peer answers: thousands of partitions take a while to begin, and what
 * cannot be read yet is waited for beside the rest. A run that is to end by itself would wait for ever. */
static bool
may_begin_late(const struct recorder *recorder)
{
    struct collector *only = recorder->taps[0].collector;
    struct error why;
    enum tap_state state = collector_state(only, &why);
    bool may_wait = state == TAP_RETRYING && why.code == ERROR_REMOTE &&
                    recorder->options.until == UNTIL_STOPPED;
    return collector_has_answer(only) && (state == TAP_CONNECTING || may_wait);
}

/* See whether the taps came up. False when one failed for good, or the only one cannot be used. */
static bool
wait_for_taps(struct recorder *recorder, struct error *err)
{
    int64_t deadline = clock_monotonic_ns() + START_NS;
    for (;;) {
        size_t answered = 0;
        size_t up = 0;
        for (size_t i = 0; i < recorder->tap_count; i++) {
            struct error why;
            enum tap_state state = collector_state(recorder->taps[i].collector, &why);
            if (state == TAP_FAILED) {
                *err = why;
                return fail_of_tap(recorder, recorder->taps[i].name, err);
            }
            answered += has_answered(state);
            up += state == TAP_LIVE || state == TAP_ENDED;
        }
        if (up == recorder->tap_count || may_begin_alone(recorder) ||
            (answered == recorder->tap_count && answered > 1))
            return true;
        int64_t now = clock_monotonic_ns();
        if (now >= deadline)
            break;
        clock_sleep_until_ns(now + LOOK_NS);
    }

    struct tap *only = &recorder->taps[0];
    struct error why;
    if (recorder->tap_count > 1 || may_begin_late(recorder))
        return true;
    (void)collector_state(only->collector, &why);
    if (why.text[0] == '\0')
        return error_set(err, ERROR_REMOTE, "cannot reach %s at %s: no answer within 5 seconds",
            only->ops->scheme, only->url.address);
    return error_set(err, why.code == ERROR_NONE ? ERROR_REMOTE : why.code, "%s", why.text);
}

/* Stop in flow order; false when something received was lost. */
static bool
end(struct recorder *recorder, struct error *err)
{
    bool is_whole = true;
    /* On a full disk each of those below would wait in vain for as long as it may: 15 s with one tap of Kafka. */
    if (recorder->indexer != NULL)
        indexer_hurry(recorder->indexer);
    for (size_t i = 0; i < recorder->tap_count; i++)
        if (recorder->taps[i].collector != NULL)
            collector_stop(recorder->taps[i].collector);
    for (size_t i = 0; i < recorder->tap_count; i++)
        if (recorder->taps[i].collector != NULL && !collector_join(recorder->taps[i].collector))
            is_whole = error_set(err, ERROR_SYSTEM,
                "tap '%s': events were received that the tape could not take",
                recorder->taps[i].name);
    if (recorder->diary != NULL)
        (void)diary_flush(recorder->diary, NOTES_MS);
    if (recorder->indexer != NULL && !indexer_stop(recorder->indexer, err))
        is_whole = false;
    for (size_t i = 0; i < recorder->tap_count; i++)
        tap_done(&recorder->taps[i]);
    diary_free(recorder->diary);
    live_close(recorder->live);
    tape_writer_close(recorder->writer);
    if (recorder->ended_fd >= 0)
        (void)close(recorder->ended_fd);
    free(recorder->taps);
    free(recorder);
    return is_whole;
}

static bool
start(struct recorder *recorder, struct error *err)
{
    const struct recorder_options *options = &recorder->options;
    recorder->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (recorder->ended_fd < 0)
        return error_set_system(err, "cannot make an event descriptor");
    recorder->writer = tape_writer_open(options->directory, &options->tape, err);
    if (recorder->writer == NULL)
        return false;
    struct indexer_options indexer = {.describe = describe, .describe_self = recorder};
    recorder->indexer = indexer_start(recorder->writer, options->directory, &indexer, err);
    if (recorder->indexer == NULL)
        return false;
    recorder->diary = diary_new(&(struct diary_options){
        .writer = recorder->writer, .push = push, .push_self = recorder->indexer});
    recorder->live = live_open(options->directory, err);
    return recorder->live != NULL && start_collectors(recorder, err) &&
           wait_for_taps(recorder, err);
}

struct recorder *
recorder_start(const struct recorder_options *options, struct error *err)
{
    alloc_return_large();
    struct recorder *recorder = alloc_zeroed(sizeof(*recorder));
    recorder->options = *options;
    recorder->ended_fd = -1;
    atomic_init(&recorder->budget, options->until_events);
    if (prepare_taps(recorder, options, err) && start(recorder, err))
        return recorder;

    struct error ignored; /* the reason for the failed start is what counts */
    (void)end(recorder, &ignored);
    return NULL;
}

bool
recorder_is_finished(struct recorder *recorder)
{
    for (size_t i = 0; i < recorder->tap_count; i++) {
        struct error why;
        enum tap_state state = collector_state(recorder->taps[i].collector, &why);
        if (state != TAP_ENDED && state != TAP_FAILED)
            return false;
    }
    return true;
}

void
recorder_wait(struct recorder *recorder, int stop_fd, int timeout_ms)
{
    struct pollfd fds[] = {
        {.fd = stop_fd, .events = POLLIN},
        {.fd = recorder->ended_fd, .events = POLLIN},
    };
    (void)poll(fds, 2, timeout_ms);
    uint64_t ignored;
    ssize_t got = read(recorder->ended_fd, &ignored, sizeof(ignored));
    (void)got; /* nothing there is fine */
}

bool
recorder_has_failed(struct recorder *recorder, struct error *err)
{
    if (!indexer_is_well(recorder->indexer, err))
        return true;
    struct error first;
    for (size_t i = recorder->tap_count; i-- > 0;)
        if (collector_state(recorder->taps[i].collector, &first) != TAP_FAILED)
            return false;
    *err = first;
    return true;
}

void
recorder_status(struct recorder *recorder, struct live_status *status)
{
    bool recording;
    if (!live_read(recorder->live, status, &recording))
        memset(status, 0, sizeof(*status));
    describe_taps(recorder, status); /* newer than the page, and in one piece with the question */
}

bool
recorder_note(struct recorder *recorder, const struct diary_entry *entry)
{
    return diary_write(recorder->diary, entry);
}

void
recorder_flush_notes(struct recorder *recorder)
{
    (void)diary_flush(recorder->diary, 0);
}

const char *
recorder_repairs(const struct recorder *recorder)
{
    return tape_writer_repairs(recorder->writer);
}

bool
recorder_trouble(const struct recorder *recorder, char *text, size_t size)
{
    return tape_writer_trouble(recorder->writer, text, size);
}

bool
recorder_stop(struct recorder *recorder, struct error *err)
{
    return end(recorder, err);
}
