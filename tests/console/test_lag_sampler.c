/* The recorder's watcher of groups, with samples that a test hands out. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "collectors/diary.h"
#include "collectors/groups_sample.h"
#include "collectors/recorder.h"
#include "console/lag_book.h"
#include "console/lag_look.h"
#include "console/lag_sampler.h"
#include "index/live.h"
#include "tests/support/unit.h"

/* --- what is written ---------------------------------------------------------------------------- */

/* A flow that a test changes between samples. */
struct made_flow {
    char name[96];
    char topic[16];
    struct group_lane lane;
    struct group_state group;
    struct lag_verdict verdict;
    struct lag_flow flow;
};

static void
make_flow(struct made_flow *made, const char *name, enum lag_state state, int64_t committed,
    int64_t second)
{
    *made = (struct made_flow){.verdict = {.state = state, .lag = 100 - committed, .seconds = 1.5}};
    (void)snprintf(made->name, sizeof(made->name), "%s", name);
    (void)snprintf(made->topic, sizeof(made->topic), "orders");
    made->lane = (struct group_lane){.topic = made->topic, .committed = committed, .end = 100};
    made->group = (struct group_state){
        .name = made->name, .member_count = 1, .lanes = &made->lane, .lane_count = 1};
    made->flow = (struct lag_flow){.tap = "shop",
        .group = &made->group,
        .lanes = &made->lane,
        .count = 1,
        .lane_verdicts = &made->verdict,
        .verdict = made->verdict,
        .sampled_ns = second * NS_PER_S};
}

/* See a flow and say whether it is to be written; it is then written. */
static bool
see(struct lag_book *book, const struct made_flow *made)
{
    lag_book_see(book, &made->flow, 7);
    lag_book_choose(book, made->flow.sampled_ns, 100000);
    if (!lag_book_is_chosen(book, &made->flow))
        return false;
    lag_book_written(book, &made->flow, 1000);
    return true;
}

static bool
is_written(struct lag_book *book, const char *name, enum lag_state state, int64_t committed,
    int64_t second)
{
    struct made_flow made;
    make_flow(&made, name, state, committed, second);
    return see(book, &made);
}

static void
writes_what_changed_and_each_flow_once_a_minute(void **state)
{
    (void)state;
    struct lag_book *book = lag_book_new();
    assert_true(is_written(book, "a", LAG_OK, 10, 100));
    assert_false(is_written(book, "a", LAG_OK, 10, 105));
    assert_true(is_written(book, "a", LAG_OK, 11, 110));
    assert_true(is_written(book, "a", LAG_STALL, 11, 115));
    assert_false(is_written(book, "a", LAG_STALL, 11, 170));
    assert_true(is_written(book, "a", LAG_STALL, 11, 175));
    lag_book_free(book);
}

static bool
see_aged(struct lag_book *book, double seconds, int64_t second)
{
    struct made_flow made;
    make_flow(&made, "a", LAG_STALL, 10, second);
    made.flow.verdict.seconds = seconds;
    return see(book, &made);
}

static void
writes_what_stands_when_it_is_a_tenth_older(void **state)
{
    (void)state;
    struct lag_book *book = lag_book_new();
    assert_true(see_aged(book, 100, 200));
    assert_false(see_aged(book, 105, 205));
    assert_false(see_aged(book, 110, 210));
    assert_true(see_aged(book, 115, 215));
    assert_false(see_aged(book, 120, 220));
    lag_book_free(book);
}

/* Who is said to be gone, and whether that could be written. */
struct missed {
    char names[64];
    bool is_lost;
};

static bool
take_missed(void *self, const char *group, const char *stream)
{
    struct missed *missed = self;
    size_t length = strlen(missed->names);
    (void)snprintf(missed->names + length, sizeof(missed->names) - length, "%s %s;", group, stream);
    return !missed->is_lost;
}

static const char *
miss(struct lag_book *book, const struct groups_sample *sample, struct missed *missed)
{
    missed->names[0] = '\0';
    lag_book_miss(book, sample, take_missed, missed);
    return missed->names;
}

static void
tells_once_what_is_gone_when_the_sample_is_whole(void **state)
{
    (void)state;
    struct lag_book *book = lag_book_new();
    assert_true(is_written(book, "a", LAG_OK, 10, 100));
    assert_true(is_written(book, "b", LAG_OK, 10, 100));
    struct made_flow made;
    make_flow(&made, "never-written", LAG_OK, 10, 100);
    lag_book_see(book, &made.flow, 7);
    assert_false(is_written(book, "a", LAG_OK, 10, 105));

    struct group_state unread = {.name = (char[]){"b"}, .problem = "no answer"};
    char *problem = (char[]){"list of groups: no answer"};
    struct groups_sample sample = {.sampled_ns = 105 * NS_PER_S, .passed = 1};
    struct missed missed = {.is_lost = true};
    assert_string_equal(miss(book, &sample, &missed), "");
    sample = (struct groups_sample){
        .sampled_ns = 105 * NS_PER_S, .problems = &problem, .problem_count = 1};
    assert_string_equal(miss(book, &sample, &missed), "");
    sample =
        (struct groups_sample){.sampled_ns = 105 * NS_PER_S, .groups = &unread, .group_count = 1};
    assert_string_equal(miss(book, &sample, &missed), "");
    sample = (struct groups_sample){.sampled_ns = 105 * NS_PER_S};
    assert_string_equal(miss(book, &sample, &missed), "b orders;"); /* and is kept */
    missed.is_lost = false;
    assert_string_equal(miss(book, &sample, &missed), "b orders;");
    assert_string_equal(miss(book, &sample, &missed), "");
    struct live_group rows[4];
    assert_int_equal(lag_book_rows(book, 105 * NS_PER_S, rows, 4), 1);
    assert_true(is_written(book, "b", LAG_OK, 10, 110)); /* it came back */
    lag_book_free(book);
}

static void
spends_its_bytes_on_trouble_first_then_on_what_waits_longest(void **state)
{
    (void)state;
    struct lag_book *book = lag_book_new();
    static const char *const names[] = {"a", "b", "c", "d"};
    for (int i = 0; i < 4; i++)
        assert_true(is_written(book, names[i], LAG_OK, 1, 100 + i));

    struct made_flow made[4];
    for (int i = 0; i < 4; i++) {
        make_flow(&made[i], names[i], i == 3 ? LAG_STOP : i == 2 ? LAG_STALL : LAG_OK, 2, 110);
        lag_book_see(book, &made[i].flow, 7);
    }
    lag_book_choose(book, 110 * NS_PER_S, 3000);          /* each has 1000 */
    assert_true(lag_book_is_chosen(book, &made[0].flow)); /* written before b was */
    assert_false(lag_book_is_chosen(book, &made[1].flow));
    assert_true(lag_book_is_chosen(book, &made[2].flow));
    assert_true(lag_book_is_chosen(book, &made[3].flow));
    lag_book_choose(book, 110 * NS_PER_S, 10); /* one at least */
    assert_true(lag_book_is_chosen(book, &made[3].flow));
    assert_false(lag_book_is_chosen(book, &made[2].flow));
    lag_book_free(book);
}

/* How long a flow is is known when it was written. */
static void
what_was_written_too_much_is_saved_later(void **state)
{
    (void)state;
    enum { FLOWS = 40, ROUNDS = 12, BUDGET = 2000, LENGTH = 900 };
    struct lag_book *book = lag_book_new();
    int64_t bytes = 0;
    int written = 0;
    for (int round = 1; round <= ROUNDS; round++) {
        struct made_flow made[FLOWS];
        for (int i = 0; i < FLOWS; i++) {
            char name[16];
            (void)snprintf(name, sizeof(name), "g%02d", i);
            make_flow(&made[i], name, LAG_OK, round, round);
            lag_book_see(book, &made[i].flow, 7);
        }
        lag_book_choose(book, round * NS_PER_S, BUDGET);
        for (int i = 0; i < FLOWS; i++) {
            if (!lag_book_is_chosen(book, &made[i].flow))
                continue;
            lag_book_written(book, &made[i].flow, LENGTH);
            bytes += LENGTH;
            written++;
        }
        assert_true(bytes <= round * BUDGET + 2 * LENGTH);
    }
    assert_in_range(written, ROUNDS * BUDGET / LENGTH - 2, ROUNDS * BUDGET / LENGTH + 2);
    lag_book_free(book);
}

static void
one_that_is_larger_than_what_may_be_written_is_written_less_often(void **state)
{
    (void)state;
    struct lag_book *book = lag_book_new();
    int written = 0;
    for (int second = 1; second <= 20; second++) {
        struct made_flow made;
        make_flow(&made, "wide", LAG_OK, second, second);
        lag_book_see(book, &made.flow, 7);
        lag_book_choose(book, second * NS_PER_S, 250);
        if (!lag_book_is_chosen(book, &made.flow))
            continue;
        lag_book_written(book, &made.flow, 1000);
        written++;
    }
    assert_int_equal(written, 5);
    lag_book_free(book);
}

static void
shows_the_worst_first_and_forgets_what_is_gone(void **state)
{
    (void)state;
    struct lag_book *book = lag_book_new();
    (void)is_written(book, "old", LAG_REWIND, 1, 1);
    (void)is_written(book, "fine", LAG_OK, 1, 700);
    (void)is_written(book, "far", LAG_STALL, 1, 700);
    (void)is_written(book, "near", LAG_STALL, 90, 700);
    struct live_group rows[8];
    assert_int_equal(lag_book_rows(book, 700 * NS_PER_S, rows, 2), 2);
    assert_string_equal(rows[0].name, "far");
    assert_string_equal(rows[1].name, "near");
    assert_int_equal(rows[1].lag, 10);
    assert_int_equal(rows[1].stream_id, 7);
    assert_int_equal(rows[1].waits_ns, 1500 * NS_PER_MS);
    assert_int_equal(rows[1].last_advance_ns, 700 * NS_PER_S);
    assert_int_equal(lag_book_rows(book, 700 * NS_PER_S, rows, 8), 3);
    lag_book_free(book);
}

/* Prometheus refuses a page that has a series twice, or bytes that are not UTF-8. */
static void
keeps_long_names_apart_and_whole_characters(void **state)
{
    (void)state;
    char one[80] = {0};
    char other[80] = {0};
    char umlauts[81] = {0};
    memset(one, 'n', sizeof(one) - 2);
    memcpy(other, one, sizeof(one));
    other[sizeof(other) - 2] = '2';
    for (size_t i = 0; i < 80; i++)
        umlauts[i] = i % 2 == 0 ? '\xc3' : '\xa4';
    struct lag_book *book = lag_book_new();
    (void)is_written(book, one, LAG_STALL, 3, 700);
    (void)is_written(book, other, LAG_STALL, 2, 700);
    (void)is_written(book, umlauts, LAG_STALL, 1, 700);
    struct live_group rows[4];
    assert_int_equal(lag_book_rows(book, 700 * NS_PER_S, rows, 4), 3);
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(rows[i].name, rows[k].name);
    for (size_t i = 0; i < 3; i++) {
        if ((unsigned char)rows[i].name[0] != 0xc3)
            continue;
        const char *end = strchr(rows[i].name, '~');
        assert_non_null(end);
        assert_int_equal((end - rows[i].name) % 2, 0);
        assert_int_equal(strlen(end), 9);
    }
    lag_book_free(book);
}

/* --- the thread --------------------------------------------------------------------------------- */

struct world {
    atomic_int samples;
    atomic_int notes;
    atomic_int flushes;
    atomic_int told;
    atomic_bool is_down;
    size_t passed; /* groups that no sample asks */
    char last[64]; /* key of the last note; read after the stop */
};

static bool
hand_out_sample(void *self, struct groups_sample *sample, struct error *err)
{
    struct world *world = self;
    int number = atomic_fetch_add(&world->samples, 1);
    if (atomic_load(&world->is_down))
        return error_set(err, ERROR_REMOTE, "nobody is there");
    *sample = (struct groups_sample){
        .sampled_ns = clock_now_ns(), .group_count = 1, .passed = world->passed};
    sample->groups = alloc_zeroed(sizeof(struct group_state));
    sample->groups[0].name = alloc_text("ship ping");
    sample->groups[0].phase = GROUP_PHASE_STABLE;
    sample->groups[0].member_count = 1;
    size_t capacity = 0;
    struct group_lane *lane = group_state_add(&sample->groups[0], "orders", 0, &capacity);
    lane->committed = number;
    lane->end = 1000;
    lane->log_start = 0;
    return true;
}

static bool
take_note(void *self, const struct diary_entry *entry)
{
    struct world *world = self;
    assert_string_equal(entry->tap, "shop");
    assert_string_equal(entry->stream, "@lag");
    assert_true(entry->payload.length > 0 && entry->payload.data[0] == '{');
    (void)snprintf(
        world->last, sizeof(world->last), "%.*s", (int)entry->key.length, entry->key.data);
    (void)atomic_fetch_add(&world->notes, 1);
    return true;
}

static void
count_flush(void *self)
{
    (void)atomic_fetch_add(&((struct world *)self)->flushes, 1);
}

static void
count_told(void *self, const char *tap, const char *text)
{
    (void)tap;
    assert_true(strlen(text) > 0);
    (void)atomic_fetch_add(&((struct world *)self)->told, 1);
}

static const struct recorder_tap tap = {.name = "shop", .url = "kafka://127.0.0.1:1/orders"};

static struct lag_sampler *
start(struct world *world, int64_t interval_ns)
{
    struct error err;
    struct lag_sampler *sampler = lag_sampler_start(&(struct lag_sampler_options){.tap = &tap,
                                                        .interval_ns = interval_ns,
                                                        .note = take_note,
                                                        .flush = count_flush,
                                                        .note_self = world,
                                                        .tell = count_told,
                                                        .tell_self = world,
                                                        .sample = hand_out_sample,
                                                        .sample_self = world},
        &err);
    assert_ok(sampler != NULL);
    return sampler;
}

static void
wait_for(atomic_int *count, int least)
{
    int64_t deadline_ns = clock_monotonic_ns() + 20 * NS_PER_S;
    while (atomic_load(count) < least && clock_monotonic_ns() < deadline_ns)
        clock_sleep_until_ns(clock_monotonic_ns() + NS_PER_MS);
    if (atomic_load(count) < least)
        fail_msg("%d, wanted %d", atomic_load(count), least);
}

static void
samples_judges_and_writes(void **state)
{
    (void)state;
    struct world world = {.samples = 0};
    struct lag_sampler *sampler = start(&world, 10 * NS_PER_MS);
    wait_for(&world.notes, 3);
    atomic_store(&world.is_down, true);
    wait_for(&world.told, 1);
    atomic_store(&world.is_down, false);
    wait_for(&world.told, 2); /* they are seen again */
    lag_sampler_stop(sampler);
    int notes = atomic_load(&world.notes);
    assert_string_equal(world.last, "ship ping orders");
    assert_true(atomic_load(&world.flushes) > 0);
    struct live_group rows[4];
    assert_int_equal(lag_sampler_rows(sampler, rows, 4), 0); /* the tape has no such stream */
    lag_sampler_free(sampler);
    assert_int_equal(atomic_load(&world.notes), notes);
}

/* Each sample asks one group. */
static void
counts_the_groups_that_were_not_asked_yet(void **state)
{
    (void)state;
    struct world world = {.passed = 1000};
    struct lag_sampler *sampler = start(&world, 10 * NS_PER_MS);
    wait_for(&world.samples, 3);
    lag_sampler_stop(sampler);
    int unseen = (int)lag_sampler_unseen(sampler);
    int samples = atomic_load(&world.samples); /* the last one may have been cancelled */
    assert_in_range(unseen, 1001 - samples, 1001 - samples + 1);
    lag_sampler_free(sampler);

    struct world small = {.passed = 1};
    sampler = start(&small, 10 * NS_PER_MS);
    wait_for(&small.samples, 3);
    assert_int_equal(lag_sampler_unseen(sampler), 0);
    lag_sampler_stop(sampler);
    lag_sampler_free(sampler);
}

static void
takes_no_sample_before_an_interval_and_stops_at_once(void **state)
{
    (void)state;
    struct world world = {.samples = 0};
    int64_t began_ns = clock_monotonic_ns();
    struct lag_sampler *sampler = start(&world, 3600 * NS_PER_S);
    lag_sampler_stop(sampler);
    lag_sampler_free(sampler);
    assert_int_equal(atomic_load(&world.samples), 0);
    assert_true(clock_monotonic_ns() - began_ns < 5 * NS_PER_S);
}

/* Nobody answers at port 1; the library's own waits are seconds. */
static void
stops_while_a_broker_does_not_answer(void **state)
{
    (void)state;
    struct world world = {.samples = 0};
    struct error err;
    struct lag_sampler *sampler = lag_sampler_start(&(struct lag_sampler_options){.tap = &tap,
                                                        .interval_ns = NS_PER_MS,
                                                        .note = take_note,
                                                        .flush = count_flush,
                                                        .note_self = &world,
                                                        .tell = count_told,
                                                        .tell_self = &world},
        &err);
    assert_ok(sampler != NULL);
    wait_for(&world.told, 1);
    int64_t began_ns = clock_monotonic_ns();
    lag_sampler_stop(sampler);
    assert_true(clock_monotonic_ns() - began_ns < 5 * NS_PER_S);
    lag_sampler_free(sampler);
}

/* --- what is wrong, and may be put right -------------------------------------------------------- */

/* A property that can be fetched, and what was told of the tap that has it. */
struct secret_world {
    atomic_int fetches;
    atomic_int refused;  /* told that the client library does not take it */
    atomic_int nonsense; /* told of a client that was there, and could not be made again */
    atomic_int alone;    /* told that nobody answers: the client is there */
};
static struct secret_world secret_world; /* what fetches knows nothing but the origin */

static bool
fetch_secret(const char *origin, char **value, struct error *err)
{
    (void)atomic_fetch_add(&secret_world.fetches, 1);
    if (strcmp(origin, "file:missing") == 0)
        return error_set(err, ERROR_CONFIG, "file:missing is not there");
    *value = alloc_text(origin + strlen("file:"));
    return true;
}

static void
hear(void *self, const char *name, const char *text)
{
    (void)name;
    struct secret_world *world = self;
    if (strstr(text, "tried again: ") != NULL)
        (void)atomic_fetch_add(&world->refused, 1);
    else if (strstr(text, "nonsense") != NULL)
        (void)atomic_fetch_add(&world->nonsense, 1);
    if (strstr(text, "127.0.0.1:1") != NULL)
        (void)atomic_fetch_add(&world->alone, 1);
}

static struct lag_sampler *
start_with_protocol(const char *value, const char *origin)
{
    secret_world = (struct secret_world){.fetches = 0};
    const struct recorder_property property = {"security.protocol", value};
    const struct recorder_tap wrong = {.name = "shop",
        .url = "kafka://127.0.0.1:1/orders",
        .properties = &property,
        .property_count = 1,
        .origins = &origin,
        .fetch = fetch_secret};
    static struct world world;
    struct error err;
    struct lag_sampler *sampler = lag_sampler_start(&(struct lag_sampler_options){.tap = &wrong,
                                                        .interval_ns = NS_PER_MS,
                                                        .wait_ms = 100,
                                                        .note = take_note,
                                                        .flush = count_flush,
                                                        .note_self = &world,
                                                        .tell = hear,
                                                        .tell_self = &secret_world},
        &err);
    assert_ok(sampler != NULL);
    return sampler;
}

static void
stop(struct lag_sampler *sampler)
{
    lag_sampler_stop(sampler);
    lag_sampler_free(sampler);
}

static void
tries_again_what_the_client_library_does_not_take(void **state)
{
    (void)state;
    struct lag_sampler *sampler = start_with_protocol("nonsense", "file:PLAINTEXT");
    assert_int_equal(atomic_load(&secret_world.refused), 1); /* it is said at once */
    wait_for(&secret_world.alone, 1);
    stop(sampler);
    assert_int_equal(atomic_load(&secret_world.refused), 1);
}

static void
goes_on_with_what_was_fetched_while_nobody_answers(void **state)
{
    (void)state;
    struct lag_sampler *sampler = start_with_protocol("PLAINTEXT", "file:nonsense");
    assert_int_equal(atomic_load(&secret_world.refused), 0);
    wait_for(&secret_world.alone, 1);
    wait_for(&secret_world.nonsense, 1); /* the next client was made with it */
    stop(sampler);
    assert_true(atomic_load(&secret_world.fetches) > 0);
}

static void
says_what_cannot_be_fetched_and_keeps_what_it_has(void **state)
{
    (void)state;
    struct lag_sampler *sampler = start_with_protocol("PLAINTEXT", "file:missing");
    wait_for(&secret_world.refused, 1);
    stop(sampler);
    assert_true(atomic_load(&secret_world.alone) > 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_what_changed_and_each_flow_once_a_minute),
        cmocka_unit_test(writes_what_stands_when_it_is_a_tenth_older),
        cmocka_unit_test(tells_once_what_is_gone_when_the_sample_is_whole),
        cmocka_unit_test(spends_its_bytes_on_trouble_first_then_on_what_waits_longest),
        cmocka_unit_test(what_was_written_too_much_is_saved_later),
        cmocka_unit_test(one_that_is_larger_than_what_may_be_written_is_written_less_often),
        cmocka_unit_test(shows_the_worst_first_and_forgets_what_is_gone),
        cmocka_unit_test(keeps_long_names_apart_and_whole_characters),
        cmocka_unit_test(samples_judges_and_writes),
        cmocka_unit_test(counts_the_groups_that_were_not_asked_yet),
        cmocka_unit_test(takes_no_sample_before_an_interval_and_stops_at_once),
        cmocka_unit_test(stops_while_a_broker_does_not_answer),
        cmocka_unit_test(tries_again_what_the_client_library_does_not_take),
        cmocka_unit_test(goes_on_with_what_was_fetched_while_nobody_answers),
        cmocka_unit_test(says_what_cannot_be_fetched_and_keeps_what_it_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
