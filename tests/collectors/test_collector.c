#include <poll.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "collectors/collector.h"
#include "collectors/tap_url.h"
#include "index/batch.h"
#include "index/event.h"
#include "index/tape_writer.h"
#include "tests/support/unit.h"

#define PATIENCE_NS (10 * NS_PER_S)

struct receiver {
    atomic_int events;
};

static bool
push(void *self, struct batch **batch, int timeout_ms)
{
    struct receiver *receiver = self;
    (void)timeout_ms;
    (void)atomic_fetch_add(&receiver->events, (int)batch_event_count(*batch));
    batch_release(*batch);
    *batch = NULL;
    return true;
}

/* A source that does what its script says. */
struct script {
    atomic_int opens;
    atomic_int closes;
    int fail_opens;           /* so many attempts to connect fail before one is good */
    enum source_state failed; /* how */
    int lose_after;           /* events after which the connection is lost; 0: never */
    int events;               /* what it has; then it is quiet */
    enum error_code code;     /* why an attempt fails; ERROR_NONE: nobody is there */
    bool is_one_of_many;
    int *renewals; /* NULL: nothing changes */
    bool is_gone;  /* after the first loss */
    int64_t sent;
};

static struct script script;

struct fake {
    struct outlet *outlet;
    struct tap_lane *lane;
};

static bool
fake_check(const struct source_config *config, struct error *err)
{
    (void)config;
    (void)err;
    return true;
}

static enum source_state
fake_open(const struct source_config *config, struct outlet *outlet, void **self, struct error *err)
{
    static struct fake fake;
    (void)config;
    if (atomic_fetch_add(&script.opens, 1) < script.fail_opens) {
        error_set(err, script.code == ERROR_NONE ? ERROR_REMOTE : script.code, "nobody is there");
        return script.failed;
    }
    fake = (struct fake){.outlet = outlet, .lane = outlet_lane(outlet, "s", 0)};
    outlet_set_state(outlet, TAP_LIVE, NULL);
    *self = &fake;
    return SOURCE_LIVE;
}

static enum source_state
fake_poll(void *self, int timeout_ms, struct error *err)
{
    struct fake *fake = self;
    if (script.sent >= script.events) {
        struct pollfd stop = {.fd = outlet_stop_fd(fake->outlet), .events = POLLIN};
        (void)poll(&stop, 1, timeout_ms);
        return SOURCE_LIVE;
    }
    if (script.lose_after > 0 && script.sent == script.lose_after && !script.is_gone) {
        script.is_gone = true;
        script.sent -= 2; /* the next connection begins a little earlier, as brokers may */
        error_set(err, ERROR_REMOTE, "it hung up");
        return SOURCE_LOST;
    }
    struct event event = {.offset = script.sent++, .time_ns = CLOCK_NONE};
    return outlet_event(fake->outlet, fake->lane, &event) == OUTLET_DONE ? SOURCE_ENDED
                                                                         : SOURCE_LIVE;
}

static void
fake_close(void *self)
{
    (void)self;
    (void)atomic_fetch_add(&script.closes, 1);
}

static const struct source_ops source_fake = {
    .scheme = "fake",
    .can_wait = true,
    .check = fake_check,
    .open = fake_open,
    .poll = fake_poll,
    .close = fake_close,
};

struct setting {
    char *directory;
    struct tape_writer *writer;
    struct receiver receiver;
    atomic_uint_fast64_t budget;
    struct source_config config;
    struct collector *collector;
    int ended_fd;
};

static bool
renew(void *self, struct error *err)
{
    int *renewals = self;
    (*renewals)++;
    return *renewals > 1 || error_set(err, ERROR_CONFIG, "the file is not there");
}

static void
start(struct setting *setting, const struct script *wanted, enum recorder_until until)
{
    struct error err;
    atomic_store(&script.opens, 0);
    atomic_store(&script.closes, 0);
    script.fail_opens = wanted->fail_opens;
    script.failed = wanted->failed;
    script.code = wanted->code;
    script.lose_after = wanted->lose_after;
    script.events = wanted->events;
    script.is_gone = false;
    script.sent = 0;
    *setting = (struct setting){.directory = temp_directory_new(), .config.until = until};
    setting->config.is_one_of_many = wanted->is_one_of_many;
    setting->config.renew = wanted->renewals == NULL ? NULL : renew;
    setting->config.renew_self = wanted->renewals;
    atomic_store(&setting->budget, 7);
    setting->writer = tape_writer_open(setting->directory, NULL, &err);
    assert_ok(setting->writer != NULL);
    struct outlet_options options = {
        .writer = setting->writer,
        .push = push,
        .push_self = &setting->receiver,
        .tap = "fake",
        .url = "fake://",
        .can_wait = true,
        .until = until,
        .budget = until == UNTIL_EVENTS ? &setting->budget : NULL,
    };
    setting->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_true(setting->ended_fd >= 0);
    setting->collector =
        collector_start(&source_fake, &setting->config, &options, setting->ended_fd, &err);
    assert_ok(setting->collector != NULL);
}

static void
end(struct setting *setting)
{
    collector_stop(setting->collector);
    assert_true(collector_join(setting->collector));
    collector_free(setting->collector);
    (void)close(setting->ended_fd);
    tape_writer_close(setting->writer);
    temp_directory_remove(setting->directory);
}

static void
wait_for_state(struct setting *setting, enum tap_state state)
{
    struct error why;
    int64_t deadline = clock_monotonic_ns() + PATIENCE_NS;
    enum tap_state now;
    while ((now = collector_state(setting->collector, &why)) != state) {
        if (clock_monotonic_ns() > deadline)
            fail_msg("waited for %s, saw %s", tap_state_text(state), tap_state_text(now));
        clock_sleep_until_ns(clock_monotonic_ns() + NS_PER_MS);
    }
}

/* It ended by itself, and said so. */
static void
wait_for_end(struct setting *setting, enum tap_state state)
{
    struct pollfd ended = {.fd = setting->ended_fd, .events = POLLIN};
    assert_int_equal(poll(&ended, 1, PATIENCE_NS / NS_PER_MS), 1);
    struct error why;
    assert_int_equal(collector_state(setting->collector, &why), state);
}

static void
wait_for(struct setting *setting, int events)
{
    int64_t deadline = clock_monotonic_ns() + PATIENCE_NS;
    while (atomic_load(&setting->receiver.events) < events) {
        if (clock_monotonic_ns() > deadline)
            fail_msg(
                "waited for %d events, saw %d", events, atomic_load(&setting->receiver.events));
        clock_sleep_until_ns(clock_monotonic_ns() + NS_PER_MS);
    }
}

static void
hands_over_what_the_source_has(void **state)
{
    (void)state;
    struct setting setting;
    start(&setting, &(struct script){.events = 1000}, UNTIL_STOPPED);
    wait_for(&setting, 1000);
    end(&setting);
    assert_int_equal(atomic_load(&script.closes), 1);
}

static void
tries_again_until_somebody_is_there(void **state)
{
    (void)state;
    struct setting setting;
    start(&setting, &(struct script){.fail_opens = 2, .failed = SOURCE_LOST, .events = 5},
        UNTIL_STOPPED);
    wait_for(&setting, 5);
    struct live_tap tap;
    collector_describe(setting.collector, &tap);
    assert_int_equal(tap.retries, 2);
    assert_int_equal(tap.state, TAP_LIVE);
    assert_string_equal(tap.error, "");
    end(&setting);
    assert_int_equal(atomic_load(&script.opens), 3);
}

static void
says_why_it_tries_again(void **state)
{
    (void)state;
    struct setting setting;
    struct error why;
    start(&setting, &(struct script){.fail_opens = 1000, .failed = SOURCE_LOST}, UNTIL_STOPPED);
    wait_for_state(&setting, TAP_RETRYING);
    (void)collector_state(setting.collector, &why);
    assert_string_equal(why.text, "nobody is there");
    assert_int_equal(why.code, ERROR_REMOTE);
    end(&setting);
}

static void
does_not_try_again_what_cannot_be_mended(void **state)
{
    (void)state;
    struct setting setting;
    start(&setting, &(struct script){.fail_opens = 1, .failed = SOURCE_FAILED}, UNTIL_STOPPED);
    wait_for_end(&setting, TAP_FAILED);
    end(&setting);
    assert_int_equal(atomic_load(&script.opens), 1);
    assert_int_equal(atomic_load(&script.closes), 0);
}

static void
tries_one_of_many_again_when_its_file_of_keys_is_not_there(void **state)
{
    (void)state;
    struct setting setting;
    struct script wanted = {.fail_opens = 1,
        .failed = SOURCE_FAILED,
        .code = ERROR_CONFIG,
        .is_one_of_many = true,
        .events = 1};
    start(&setting, &wanted, UNTIL_STOPPED);
    wait_for(&setting, 1);
    end(&setting);
}

static void
renews_what_it_logs_in_with_before_it_tries_again(void **state)
{
    (void)state;
    struct setting setting;
    int renewals = 0;
    struct script wanted = {.fail_opens = 1,
        .failed = SOURCE_LOST,
        .code = ERROR_REFUSED,
        .renewals = &renewals,
        .events = 1};
    start(&setting, &wanted, UNTIL_STOPPED);
    wait_for(&setting, 1);
    end(&setting);
    assert_int_equal(renewals, 2);
    assert_int_equal(atomic_load(&script.opens), 2);
}

static void
does_not_try_one_of_many_again_when_what_was_asked_is_impossible(void **state)
{
    (void)state;
    struct setting setting;
    struct script wanted = {
        .fail_opens = 1, .failed = SOURCE_FAILED, .code = ERROR_ARGUMENT, .is_one_of_many = true};
    start(&setting, &wanted, UNTIL_STOPPED);
    wait_for_end(&setting, TAP_FAILED);
    end(&setting);
}

static void
records_nothing_twice_after_a_lost_connection(void **state)
{
    (void)state;
    struct setting setting;
    start(&setting, &(struct script){.events = 20, .lose_after = 10}, UNTIL_STOPPED);
    wait_for(&setting, 20);
    end(&setting);
    assert_int_equal(atomic_load(&setting.receiver.events), 20);
    assert_int_equal(atomic_load(&script.opens), 2);
}

static void
ends_after_exactly_so_many_events(void **state)
{
    (void)state;
    struct setting setting;
    start(&setting, &(struct script){.events = 1000}, UNTIL_EVENTS);
    wait_for_end(&setting, TAP_ENDED);
    assert_int_equal(atomic_load(&setting.receiver.events), 7);
    end(&setting);
}

static void
stops_at_once_while_it_waits_to_try_again(void **state)
{
    (void)state;
    struct setting setting;
    start(&setting, &(struct script){.fail_opens = 1000, .failed = SOURCE_LOST}, UNTIL_STOPPED);
    int64_t deadline = clock_monotonic_ns() + PATIENCE_NS;
    while (atomic_load(&script.opens) < 4 && clock_monotonic_ns() < deadline)
        clock_sleep_until_ns(clock_monotonic_ns() + NS_PER_MS); /* the next pause is two seconds */
    int64_t began = clock_monotonic_ns();
    end(&setting);
    assert_true(clock_monotonic_ns() - began < NS_PER_S);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hands_over_what_the_source_has),
        cmocka_unit_test(tries_again_until_somebody_is_there),
        cmocka_unit_test(says_why_it_tries_again),
        cmocka_unit_test(does_not_try_again_what_cannot_be_mended),
        cmocka_unit_test(tries_one_of_many_again_when_its_file_of_keys_is_not_there),
        cmocka_unit_test(renews_what_it_logs_in_with_before_it_tries_again),
        cmocka_unit_test(does_not_try_one_of_many_again_when_what_was_asked_is_impossible),
        cmocka_unit_test(records_nothing_twice_after_a_lost_connection),
        cmocka_unit_test(ends_after_exactly_so_many_events),
        cmocka_unit_test(stops_at_once_while_it_waits_to_try_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
