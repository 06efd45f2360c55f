#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "demo/demo_report.h"
#include "demo/demo_run.h"
#include "demo/shop.h"
#include "index/cursor.h"
#include "index/event.h"
#include "index/tape.h"
#include "tests/support/unit.h"

#define PATIENCE_NS (INT64_C(60) * NS_PER_S)

/* Faults as soon as the groups have formed, which takes the broker three seconds. */
static const struct fault_plan quick_plan = {
    .first_ns = 300 * NS_PER_MS, .cycle_ns = 600 * NS_PER_S, .stall_ns = 4 * NS_PER_S};

static const struct fault_plan quiet_plan = {
    .first_ns = 3600 * NS_PER_S, .cycle_ns = 600 * NS_PER_S, .stall_ns = 4 * NS_PER_S};

static size_t
count_entries(const char *path)
{
    DIR *directory = opendir(path);
    assert_non_null(directory);
    size_t count = 0;
    while (readdir(directory) != NULL) /* NOLINT(concurrency-mt-unsafe) a stream of our own */
        count++;
    closedir(directory);
    return count;
}

static struct demo *
start(const char *directory, uint64_t seed, uint32_t rate, const struct fault_plan *plan)
{
    struct error err = {0};
    struct demo *demo = demo_start(
        &(struct demo_options){.directory = directory, .seed = seed, .rate = rate, .faults = *plan},
        &err);
    if (demo == NULL)
        fail_msg("%s", err.text);
    return demo;
}

/* Watch until every fault has happened. */
static void
watch_until_all_happened(struct demo *demo)
{
    struct error err = {0};
    int64_t deadline_ns = clock_monotonic_ns() + PATIENCE_NS;
    for (int fault = 0; fault < FAULT_COUNT; fault++) {
        while (demo_fault_count(demo, (enum fault)fault) == 0) {
            assert_ok(demo_watch(demo, &err));
            if (clock_monotonic_ns() > deadline_ns)
                fail_msg("%s did not happen in %d s", fault_name((enum fault)fault),
                    (int)(PATIENCE_NS / NS_PER_S));
            clock_sleep_until_ns(clock_monotonic_ns() + 50 * NS_PER_MS);
        }
    }
}

static void
assert_json_says_the_same(const struct demo_report *report)
{
    struct buffer text = {0};
    json_error_t reason;
    demo_report_json(report, NULL, &text);
    assert_int_equal(text.data[text.length - 1], '\n');
    json_t *object = json_loadb((const char *)text.data, text.length, 0, &reason);
    assert_non_null(object);
    assert_int_equal(json_integer_value(json_object_get(object, "v")), 1);
    assert_true(json_is_true(json_object_get(object, "ok")));
    assert_int_equal(json_array_size(json_object_get(object, "streams")), SHOP_STREAM_COUNT);
    json_t *orders = json_array_get(json_object_get(object, "streams"), SHOP_ORDERS);
    char events[24];
    snprintf(events, sizeof(events), "%" PRIu64, report->streams[SHOP_ORDERS].events);
    assert_string_equal(json_string_value(json_object_get(orders, "events")), events);
    assert_int_equal(json_array_size(json_object_get(object, "faults")), FAULT_COUNT);
    json_decref(object);
    buffer_done(&text);
}

static void
records_all_of_the_shop_and_sees_every_fault_once(void **state)
{
    (void)state;
    struct error err = {0};
    char *directory = temp_directory_new();
    struct demo *demo = start(directory, 42, 400, &quick_plan);
    watch_until_all_happened(demo);
    struct demo_report report;
    assert_ok(demo_finish(&demo, &report, &err));

    char complaint[320];
    if (demo_report_complaint(&report, complaint, sizeof(complaint)))
        fail_msg("%s", complaint);
    for (int i = 0; i < SHOP_STREAM_COUNT; i++)
        assert_true(report.streams[i].events > 0);
    for (int i = 0; i < SHOP_PRICES; i++)
        assert_int_equal(report.streams[i].events, report.streams[i].produced);
    assert_int_equal(report.streams[SHOP_ORDERS].partitions, 6);
    for (int i = 0; i < FAULT_COUNT; i++) {
        assert_int_equal(report.happened[i], 1);
        if (report.seen.sightings[i].count != 1)
            fail_msg("%s was seen %" PRIu64 " times: %s", fault_name((enum fault)i),
                report.seen.sightings[i].count, report.seen.sightings[i].text);
    }
    const struct fault_witness *twice = report.seen.sightings[FAULT_DUPLICATE].witnesses;
    assert_int_equal(twice[1].partition, twice[0].partition);
    assert_int_equal(twice[1].offset, twice[0].offset + 1);
    assert_string_equal(report.seen.sightings[FAULT_STALL].witnesses[0].stream, "shop/payments");
    assert_json_says_the_same(&report);

    demo_report_done(&report);
    temp_directory_remove(directory);
}

/* Groups of the embedded broker form after three seconds, so nothing but orders and prices flows. */
static void
a_short_run_knows_what_it_does_not_know_and_leaves_nothing_behind(void **state)
{
    (void)state;
    struct error err = {0};
    size_t threads = count_entries("/proc/self/task");
    size_t descriptors = count_entries("/proc/self/fd");
    char *directory = temp_directory_new();
    struct demo *demo = start(directory, 42, 400, &quiet_plan);
    struct demo_report report;
    int64_t start_ns = clock_monotonic_ns();
    assert_ok(demo_finish(&demo, &report, &err));
    int64_t took_ns = clock_monotonic_ns() - start_ns;

    char complaint[320];
    if (demo_report_complaint(&report, complaint, sizeof(complaint)))
        fail_msg("%s", complaint);
    assert_null(demo);
    for (int i = 0; i < FAULT_COUNT; i++)
        assert_int_equal(report.happened[i] + report.seen.sightings[i].count, 0);
    struct buffer text = {0};
    demo_report_text(&report, &text);
    assert_non_null(strstr(buffer_text(&text), "had no time to happen"));
    buffer_done(&text);
    demo_report_done(&report);
    temp_directory_remove(directory);
    if (took_ns > 8 * NS_PER_S)
        fail_msg("ending took %" PRId64 " ms", took_ns / NS_PER_MS);
    assert_int_equal(count_entries("/proc/self/task"), threads);
    assert_int_equal(count_entries("/proc/self/fd"), descriptors);
}

#define COMPARED 10

/* The first payloads of orders[0], each ended by a line feed. */
static void
record_some_orders(uint64_t seed, struct buffer *payloads)
{
    struct error err = {0};
    char *directory = temp_directory_new();
    struct demo *demo = start(directory, seed, 2000, &quiet_plan);
    int64_t end_ns = clock_monotonic_ns() + PATIENCE_NS;
    struct event event;
    enum cursor_step step = CURSOR_END;
    while (step != CURSOR_EVENT && clock_monotonic_ns() < end_ns) {
        clock_sleep_until_ns(clock_monotonic_ns() + 50 * NS_PER_MS);
        struct tape *tape = tape_open(directory, &err);
        assert_non_null(tape);
        struct cursor *cursor = cursor_new(tape, &(struct cursor_options){0});
        for (size_t i = 0; i < tape_stream_count(tape); i++)
            if (strcmp(tape_stream(tape, i)->name, "orders") == 0)
                step = cursor_fetch_offset(
                    cursor, tape_stream(tape, i), 0, COMPARED - 1, &event, &err);
        for (int64_t offset = 0; step == CURSOR_EVENT && offset < COMPARED; offset++) {
            assert_int_equal(
                cursor_fetch_offset(cursor, event.stream, 0, offset, &event, &err), CURSOR_EVENT);
            buffer_append(payloads, event.payload.data, event.payload.length);
            buffer_append_byte(payloads, '\n');
        }
        cursor_free(cursor);
        tape_close(tape);
    }
    assert_int_equal(step, CURSOR_EVENT);
    demo_stop(demo);
    temp_directory_remove(directory);
}

static void
the_same_seed_gives_the_same_orders_and_another_does_not(void **state)
{
    (void)state;
    struct buffer first = {0};
    struct buffer again = {0};
    struct buffer other = {0};
    record_some_orders(7, &first);
    record_some_orders(7, &again);
    record_some_orders(8, &other);

    assert_string_equal(buffer_text(&again), buffer_text(&first));
    assert_string_not_equal(buffer_text(&other), buffer_text(&first));
    buffer_done(&first);
    buffer_done(&again);
    buffer_done(&other);
}

static void
a_shop_that_has_used_up_its_budget_produces_no_more(void **state)
{
    (void)state;
    struct error err = {0};
    struct shop *shop = shop_start(
        &(struct shop_options){
            .seed = 1, .rate = 5000, .budget_bytes = UINT64_C(100000), .faults = quiet_plan},
        &err);
    assert_non_null(shop);
    int64_t deadline_ns = clock_monotonic_ns() + PATIENCE_NS;
    while (!shop_is_full(shop) && clock_monotonic_ns() < deadline_ns)
        clock_sleep_until_ns(clock_monotonic_ns() + 10 * NS_PER_MS);
    assert_true(shop_is_full(shop));
    shop_close_doors(shop);
    while (!shop_is_quiet(shop) && clock_monotonic_ns() < deadline_ns)
        clock_sleep_until_ns(clock_monotonic_ns() + 10 * NS_PER_MS);
    uint64_t orders = shop_produced(shop, SHOP_ORDERS);
    assert_int_equal(shop_undelivered(shop), 0);
    shop_stop(shop);
    /* 100 kB are fewer than 400 orders with what lies around them; a tick makes a few at most. */
    assert_in_range(orders, 1, 400);
}

static void
a_rate_that_is_out_of_range_is_refused(void **state)
{
    (void)state;
    struct error err = {0};
    assert_null(shop_start(&(struct shop_options){.rate = SHOP_RATE_MIN - 1}, &err));
    assert_int_equal(err.code, ERROR_ARGUMENT);
    assert_null(shop_start(&(struct shop_options){.rate = SHOP_RATE_MAX + 1}, &err));
}

static void
what_happened_and_is_not_on_the_tape_is_complained_about(void **state)
{
    (void)state;
    char complaint[320] = "";
    struct demo_report report = {0};
    assert_false(demo_report_complaint(&report, complaint, sizeof(complaint)));

    report.happened[FAULT_GAP] = 1;
    assert_true(demo_report_complaint(&report, complaint, sizeof(complaint)));
    assert_non_null(strstr(complaint, "fault gap"));
    report.seen.sightings[FAULT_GAP].count = 1;
    assert_false(demo_report_complaint(&report, complaint, sizeof(complaint)));

    char label[] = "shop/orders";
    struct demo_stream stream = {
        .label = label, .events = 9, .produced = 10, .must_be_whole = true};
    report.streams = &stream;
    report.stream_count = 1;
    assert_true(demo_report_complaint(&report, complaint, sizeof(complaint)));
    assert_non_null(strstr(complaint, "acknowledged 10 events, and 9 are on the tape"));
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_happened_and_is_not_on_the_tape_is_complained_about),
        cmocka_unit_test(a_rate_that_is_out_of_range_is_refused),
        cmocka_unit_test(a_shop_that_has_used_up_its_budget_produces_no_more),
        cmocka_unit_test(a_short_run_knows_what_it_does_not_know_and_leaves_nothing_behind),
        cmocka_unit_test(the_same_seed_gives_the_same_orders_and_another_does_not),
        cmocka_unit_test(records_all_of_the_shop_and_sees_every_fault_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
