/* `streams`, `events` and `search`, the program as it is. */

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "index/live.h"
#include "index/tape_writer.h"
#include "tests/support/console_home.h"
#include "tests/support/console_program.h"
#include "tests/support/console_tape.h"
#include "tests/support/unit.h"

static void
says_that_a_tape_is_empty(void **state)
{
    const struct program_home *fixture = *state;
    struct program program;
    sample_tape_write(fixture->tape, NULL, 0);
    program_home_run(fixture, &program, WORDS("streams", "--tape", fixture->tape), 0);
    assert_int_equal(program.out.length, 0);
    expect_text(&program.err, "nothing is on the tape yet");
    program_done(&program);
    program_home_run(fixture, &program, WORDS("events", "--json", "--tape", fixture->tape), 0);
    assert_int_equal(line_count(&program), 1);
    expect_text(&program.out,
        "{\"v\":1,\"done\":true,\"matched\":\"0\",\"complete\":true,\"coverage\":[],");
    program_done(&program);
}

static void
lists_streams(void **state)
{
    const struct program_home *fixture = *state;
    struct program program;
    sample_shop_write(fixture->tape);
    sample_tape_write_hole(fixture->tape, "orders", 12, 14);
    program_home_run(fixture, &program, WORDS("streams", "--json", "--tape", fixture->tape), 0);
    assert_int_equal(line_count(&program), 2);
    expect_text(&program.out, "{\"v\":1,\"tap\":\"shop\",\"stream\":\"orders\",\"partitions\":2,"
                              "\"events\":\"3\",\"bytes\":\"");
    expect_text(&program.out, "\",\"first\":\"2026-11-23T14:29:31.000000000Z\",\"last\":\"2026-11-"
                              "23T14:29:31.002000000Z\","
                              "\"rate\":null,\"coverage\":[{\"partition\":0,\"from\":\"10\",\"to\":"
                              "\"11\",\"events\":\"2\","
                              "\"holes\":[");
    expect_text(&program.out,
        "{\"from\":\"12\",\"to\":\"14\",\"reason\":\"DROPPED\",\"noticed\":\"2026-11-23T14:29:31."
        "000000000Z\",\"after\":\"2026-11-23T14:29:31.002000000Z\",\"before\":null,\"deleted\":"
        "null}");
    program_done(&program);

    program_home_run(fixture, &program, WORDS("streams", "--tape", fixture->tape), 0);
    assert_int_equal(line_count(&program), 3);
    expect_text(&program.out, "STREAM");
    expect_text(&program.out, "(3)\n");
    program_done(&program);

    sample_tape_write_hole(fixture->tape, "orders", 17, -1); /* nobody knows how many */
    program_home_run(fixture, &program, WORDS("streams", "--tape", fixture->tape), 0);
    expect_text(&program.out, "2 (>3)\n");
    program_done(&program);
}

/* In text as in JSON: what was looked at, what is not there, since when. */
static void
an_answer_ends_with_its_coverage(void **state)
{
    const struct program_home *fixture = *state;
    struct program program;
    static const struct sample later = {
        .stream = "orders", .offset = 15, .time_ns = SAMPLE_TIME_NS + 9 * NS_PER_S};
    sample_shop_write(fixture->tape);
    program_home_run(fixture, &program, WORDS("search", "key=o-1", "--tape", fixture->tape), 0);
    expect_text(&program.err,
        "looked where matches could be: 4 events in 3 partitions of 2 streams, "
        "2026-11-23T14:29:31Z to 2026-11-23T14:29:31Z; no known holes\n");
    program_done(&program);

    sample_tape_write_hole(fixture->tape, "orders", 12, 14);
    sample_tape_write(fixture->tape, &later, 1);
    program_home_run(fixture, &program, WORDS("search", "key=o-1", "--tape", fixture->tape), 0);
    expect_text(&program.err, "1 range of offsets is not on the tape:\n"
                              "  shop/orders[0]@12..14  DROPPED, between 2026-11-23T14:29:31Z and "
                              "2026-11-23T14:29:40Z, noticed 2026-11-23T14:29:31Z\n");
    program_done(&program);
    program_home_run(
        fixture, &program, WORDS("search", "stream=order", "--tape", fixture->tape), 0);
    expect_text(&program.err,
        "0 events in 0 partitions of 0 streams (tapedeck streams lists what is "
        "on the tape); no known holes\n");
    program_done(&program);
    program_home_run(
        fixture, &program, WORDS("search", "key=o-1", "--tape", fixture->tape, "--quiet"), 0);
    assert_int_equal(program.err.length, 0);
    program_done(&program);
    program_home_run(
        fixture, &program, WORDS("events", "--limit", "1", "--tape", fixture->tape), 0);
    expect_text(&program.err, "not all was looked at; there are 5 events in 3 partitions");
    program_done(&program);

    sample_tape_write_hole(fixture->tape, "orders", 16, INT64_MAX);
    sample_tape_write_hole(
        fixture->tape, "payments", INT64_MIN, INT64_MAX - 1); /* no recorder writes it */
    program_home_run(fixture, &program, WORDS("search", "key=o-1", "--tape", fixture->tape), 0);
    expect_text(&program.err,
        "shop/orders[0]@16..9223372036854775807  DROPPED, behind 2026-11-23T14:29:40Z");
    program_done(&program);
}

/* An import may bring events of any time, one behind the other. */
static void
a_tape_may_have_all_times_there_are(void **state)
{
    const struct program_home *fixture = *state;
    struct program program;
    static const struct sample samples[] = {
        {.stream = "orders", .time_ns = INT64_MIN + 1},
        {.stream = "orders", .offset = 1, .time_ns = INT64_MAX - NS_PER_S},
    };
    sample_tape_write(fixture->tape, samples, 2);
    program_home_run(fixture, &program, WORDS("screen", "flows", "--tape", fixture->tape), 0);
    expect_text(&program.out, "orders");
    program_done(&program);
    program_home_run(fixture, &program, WORDS("screen", "events", "--tape", fixture->tape), 0);
    program_done(&program);
    program_home_run(fixture, &program, WORDS("streams", "--tape", fixture->tape), 0);
    program_done(&program);
}

static void
knows_the_rate_while_a_recorder_runs(void **state)
{
    const struct program_home *fixture = *state;
    struct program program;
    struct error err;
    size_t count = 0;
    const struct sample *samples = sample_shop(&count);
    struct tape_writer *writer = program_home_writer(fixture);
    sample_tape_append(writer, samples, count, 0);
    struct live *live = live_create(fixture->tape, &err);
    assert_non_null(live);
    struct live_status *status = alloc_zeroed(sizeof(*status));
    status->pid = getpid();
    status->started_ns = clock_now_ns() - 3600 * NS_PER_S;
    status->published_ns = clock_now_ns();
    status->stream_count = 2;
    status->streams[0].rate[0] = 120;
    status->streams[0].rate[LIVE_RATE_SLOTS - 1] = 30;
    live_publish(live, status);

    program_home_run(fixture, &program, WORDS("streams", "--json", "--tape", fixture->tape), 0);
    json_t *orders = json_line(&program, 0);
    expect_json_text(orders, "stream", "orders");
    assert_float_equal(json_real_value(json_object_get(orders, "rate")), 2.5, 1e-9);
    json_decref(orders);
    json_t *payments = json_line(&program, 1);
    assert_float_equal(json_real_value(json_object_get(payments, "rate")), 0.0, 1e-9);
    assert_true(json_is_real(json_object_get(payments, "rate")));
    json_decref(payments);
    program_done(&program);
    free(status);
    live_close(live);
    tape_writer_close(writer);
}

static void
prints_events_as_json(void **state)
{
    const struct program_home *fixture = *state;
    struct program program;
    sample_shop_write(fixture->tape);
    program_home_run(fixture, &program, WORDS("events", "--json", "--tape", fixture->tape), 0);
    assert_int_equal(line_count(&program), 5);
    expect_harmless(&program.out);

    json_t *event = json_line(&program, 2);
    expect_json_text(event, "seq", "2");
    expect_json_text(event, "offset", "11");
    expect_json_text(event, "time_type", "create");
    assert_true(json_is_null(json_object_get(event, "key")));
    expect_json_text(json_object_get(event, "payload"), "base64", "/wA=");
    json_decref(event);

    json_t *done = json_line(&program, 4);
    expect_json_text(done, "matched", "4");
    assert_true(json_is_true(json_object_get(done, "complete")));
    assert_int_equal(json_array_size(json_object_get(done, "coverage")), 3);
    json_decref(done);
    program_done(&program);
}

static void
covers_only_lanes_that_may_match(void **state)
{
    const struct program_home *fixture = *state;
    struct program program;
    sample_shop_write(fixture->tape);
    program_home_run(fixture, &program,
        WORDS("events", "--json", "--tape", fixture->tape, "stream=payments"), 0);
    assert_int_equal(line_count(&program), 2);
    json_t *done = json_line(&program, 1);
    json_t *coverage = json_object_get(done, "coverage");
    assert_int_equal(json_array_size(coverage), 1);
    expect_json_text(json_array_get(coverage, 0), "stream", "payments");
    json_decref(done);
    program_done(&program);
}

static void
prints_events_as_harmless_lines(void **state)
{
    const struct program_home *fixture = *state;
    struct program program;
    sample_shop_write(fixture->tape);
    program_home_run(fixture, &program, WORDS("events", "--tape", fixture->tape), 0);
    assert_string_equal(buffer_text(&program.out),
        "2026-11-23T14:29:31.000Z shop/orders[0]@10 o-1 {\"n\":1}\n"
        "2026-11-23T14:29:31.001Z shop/orders[1]@5 o-2 \\x1b]0;owned\\x07\n"
        "2026-11-23T14:29:31.002Z shop/orders[0]@11 (null) \\xff\\x00\n"
        "2026-11-23T14:29:31.003Z shop/payments[0]@0 o-1 (null)\n");
    program_done(&program);
}

static void
orders_events_as_asked(void **state)
{
    const struct program_home *fixture = *state;
    struct program program;
    sample_shop_write(fixture->tape);
    program_home_run(fixture, &program,
        WORDS("events", "--order", "offset", "--tape", fixture->tape, "stream=orders"), 0);
    assert_non_null(strstr(buffer_text(&program.out), "[0]@10"));
    assert_true(
        strstr(buffer_text(&program.out), "[0]@11") < strstr(buffer_text(&program.out), "[1]@5"));
    program_done(&program);
    program_home_run(
        fixture, &program, WORDS("events", "--newest", "--limit", "1", "--tape", fixture->tape), 0);
    expect_text(&program.out, "shop/payments[0]@0");
    assert_int_equal(line_count(&program), 1);
    program_done(&program);
    program_home_run(
        fixture, &program, WORDS("events", "--follow", "--newest", "--tape", fixture->tape), 2);
    program_done(&program);
}

static void
expect_complete(
    const struct program_home *fixture, const char *limit, const char *matched, bool complete)
{
    struct program program;
    program_home_run(
        fixture, &program, WORDS("events", "--json", "--limit", limit, "--tape", fixture->tape), 0);
    json_t *done = json_line(&program, line_count(&program) - 1);
    expect_json_text(done, "matched", matched);
    assert_int_equal(json_is_true(json_object_get(done, "complete")), complete);
    json_decref(done);
    program_done(&program);
}

static void
says_whether_the_limit_cut_anything(void **state)
{
    const struct program_home *fixture = *state;
    sample_shop_write(fixture->tape);
    expect_complete(fixture, "3", "3", false);
    expect_complete(fixture, "4", "4", true);
    expect_complete(fixture, "5", "4", true);
    expect_complete(fixture, "0", "4", true);
}

static void
follows_the_tape_until_interrupted(void **state)
{
    const struct program_home *fixture = *state;
    size_t count = 0;
    const struct sample *samples = sample_shop(&count);
    struct tape_writer *writer = program_home_writer(fixture);
    sample_tape_append(writer, samples, 1, 0);

    struct program program;
    program_start(&program, fixture->home,
        WORDS("events", "--follow", "--json", "--tape", fixture->tape), NULL);
    program_wait_for(&program, "\"seq\":\"0\"");
    sample_tape_append(writer, samples + 1, 2, 1);
    program_wait_for(&program, "\"seq\":\"2\"");
    assert_null(strstr(buffer_text(&program.out), "\"done\""));
    assert_int_equal(kill(program.pid, SIGINT), 0);
    program_finish(&program);
    assert_int_equal(program.code, 0);
    json_t *done = json_line(&program, 3);
    expect_json_text(done, "matched", "3");
    assert_true(json_is_true(json_object_get(done, "complete")));
    json_decref(done);
    program_done(&program);
    tape_writer_close(writer);
}

static void
ends_quietly_when_nobody_reads(void **state)
{
    const struct program_home *fixture = *state;
    size_t count = 0;
    const struct sample *samples = sample_shop(&count);
    struct tape_writer *writer = program_home_writer(fixture);
    sample_tape_append(writer, samples, count, 0);
    struct program program;
    program_start(
        &program, fixture->home, WORDS("events", "--follow", "--tape", fixture->tape), NULL);
    program_wait_for(&program, "shop/payments");
    program_stop_reading(&program);
    program_finish(&program);
    assert_int_equal(program.code, 0);
    assert_string_equal(buffer_text(&program.err), "");
    program_done(&program);
    tape_writer_close(writer);
}

static void
searches_newest_first_with_facets(void **state)
{
    const struct program_home *fixture = *state;
    struct program program;
    sample_shop_write(fixture->tape);
    program_home_run(
        fixture, &program, WORDS("search", "--json", "--tape", fixture->tape, "stream=orders"), 0);
    assert_int_equal(line_count(&program), 8);
    json_t *first = json_line(&program, 0);
    expect_json_text(first, "seq", "2");
    json_decref(first);
    json_t *lane = json_line(&program, 3);
    expect_json_text(lane, "facet", "lane");
    expect_json_text(lane, "stream", "orders");
    assert_int_equal(json_integer_value(json_object_get(lane, "partition")), 0);
    expect_json_text(lane, "count", "2");
    json_decref(lane);
    json_t *type = json_line(&program, 5);
    expect_json_text(json_object_get(type, "type"), "text", "order.placed");
    expect_json_text(type, "count", "2");
    json_decref(type);
    json_t *done = json_line(&program, 7);
    expect_json_text(done, "matched", "3");
    json_decref(done);
    program_done(&program);
}

static void
counts_matches(void **state)
{
    const struct program_home *fixture = *state;
    struct program program;
    sample_shop_write(fixture->tape);
    program_home_run(
        fixture, &program, WORDS("search", "--count", "--tape", fixture->tape, "key=o-1"), 0);
    assert_string_equal(buffer_text(&program.out), "2\n");
    expect_text(&program.err, "2 matches in ");
    expect_text(&program.err, "shop/payments[0]");
    program_done(&program);
    program_home_run(fixture, &program, WORDS("search", "--tape", fixture->tape), 2);
    program_done(&program);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, program_home_set_up, program_home_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(says_that_a_tape_is_empty),
        TEST(lists_streams),
        TEST(an_answer_ends_with_its_coverage),
        TEST(a_tape_may_have_all_times_there_are),
        TEST(knows_the_rate_while_a_recorder_runs),
        TEST(prints_events_as_json),
        TEST(covers_only_lanes_that_may_match),
        TEST(prints_events_as_harmless_lines),
        TEST(orders_events_as_asked),
        TEST(says_whether_the_limit_cut_anything),
        TEST(follows_the_tape_until_interrupted),
        TEST(ends_quietly_when_nobody_reads),
        TEST(searches_newest_first_with_facets),
        TEST(counts_matches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
