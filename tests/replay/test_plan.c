#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "replay/plan.h"
#include "replay/plan_store.h"
#include "tests/support/unit.h"

#define WHEN INT64_C(1795444171102000123)

static struct plan *
plan_for_test(void)
{
    struct plan *plan = plan_new();
    struct error err;
    plan_make_id(WHEN, plan->id);
    plan->made_ns = WHEN;
    plan->tape = alloc_text("/tapes/not utf-8: \xff\xfe");
    plan->query = alloc_text("key=\"o-1\" since -15m");
    plan->first_seq = 10;
    plan->end_seq = UINT64_C(9007199254740993); /* not a double */
    plan->events = 5;
    plan->bytes = UINT64_C(9007199254740995);
    plan->first_ns = WHEN - 1;
    plan->last_ns = WHEN;
    sha256_text(bytes_of("content"), plan->content);
    assert_ok(target_parse("kafka://h:1/copy", &plan->target, &err));
    plan->partitions = PARTITION_MURMUR2;
    plan->timestamps = TIMESTAMPS_NOW;
    plan->pacing = (struct pacing_settings){PACING_SPEED, 1500000, 5 * NS_PER_S};
    plan->max_hops = 2;
    plan->lane_count = 2;
    plan->lanes = alloc_zeroed(2 * sizeof(plan->lanes[0]));
    plan->lanes[0] = (struct plan_lane){
        alloc_text("shop"), alloc_text("orders"), 3, -1, 7, 9, 3, 400, WHEN - 1, WHEN, 1};
    plan->lanes[1] = (struct plan_lane){alloc_text("shop"), alloc_text("orders"), 4, 1, 0,
        INT64_C(9007199254740997), 2, 1, CLOCK_NONE, CLOCK_NONE, 0};
    plan->preflight = (struct plan_preflight){.partitions = 3,
        .cluster = alloc_text("abc"),
        .configured = true,
        .max_message_bytes = 1048588,
        .retention_ms = -1,
        .retention_bytes = -1,
        .cleanup = alloc_text("compact")};
    plan->landing = alloc_zeroed(3 * sizeof(plan->landing[0]));
    plan->landing[0] = 3;
    plan->landing[2] = 2;
    plan->fidelity.timeless = 1;
    plan->order = (struct plan_order){.keys = 4, .split_keys = 1, .keys_complete = true};
    return plan;
}

static void
comes_back_from_json_as_it_was(void **state)
{
    (void)state;
    struct error err;
    struct plan *plan = plan_for_test();
    char *text = plan_to_json(plan, false);
    struct plan *back = plan_from_json(text, strlen(text), &err);
    assert_ok(back != NULL);
    assert_string_equal(back->id, plan->id);
    assert_int_equal(back->made_ns, WHEN);
    assert_string_equal(back->tape, plan->tape);
    assert_string_equal(back->query, plan->query);
    assert_int_equal(back->end_seq, plan->end_seq);
    assert_int_equal(back->bytes, plan->bytes);
    assert_int_equal(back->partitions, PARTITION_MURMUR2);
    assert_int_equal(back->timestamps, TIMESTAMPS_NOW);
    assert_int_equal(back->pacing.pacing, PACING_SPEED);
    assert_int_equal(back->pacing.value, 1500000);
    assert_int_equal(back->pacing.max_gap_ns, 5 * NS_PER_S);
    assert_int_equal(back->lanes[1].last_offset, INT64_C(9007199254740997));
    assert_int_equal(back->lanes[1].first_ns, CLOCK_NONE);
    assert_int_equal(back->lanes[0].target_partition, -1);
    assert_int_equal(back->landing[1], 0);
    assert_int_equal(back->landing[2], 2);
    assert_int_equal(back->preflight.retention_ms, -1);
    assert_string_equal(back->preflight.cleanup, "compact");
    assert_int_equal(back->order.split_keys, 1);
    assert_string_equal(back->sha256, plan->sha256);

    char *again = plan_to_json(back, false);
    assert_string_equal(again, text);
    free(again);
    free(text);
    plan_free(back);
    plan_free(plan);
}

/* Nothing depends on what it says of events that it has not, so it is not read again. */
static void
says_what_is_missing(void **state)
{
    (void)state;
    struct error err;
    struct plan *plan = plan_for_test();
    plan->hole_count = 1;
    plan->holes = alloc_zeroed(sizeof(plan->holes[0]));
    plan->holes[0] = (struct plan_hole){.tap = alloc_text("shop"),
        .stream = alloc_text("orders"),
        .partition = 3,
        .hole = {.from = 10,
            .to = -1,
            .reason = HOLE_RETENTION,
            .noticed_ns = WHEN,
            .was_here = true,
            .first_ns = WHEN - 2,
            .last_ns = WHEN - 1},
        .times = {CLOCK_NONE, WHEN}};
    plan->damage_count = 1;
    plan->damage = alloc_zeroed(sizeof(plan->damage[0]));
    plan->damage[0] = (struct plan_damage){.text = alloc_text("broken"),
        .first_seq = 10,
        .end_seq = 20,
        .events = 5,
        .first = {alloc_text("shop"), alloc_text("orders"), 3, 11},
        .last = {alloc_text("shop"), alloc_text("orders"), 3, 15}};
    char *text = plan_to_json(plan, true);
    assert_non_null(strstr(text,
        "\"holes\":[{\"tap\":\"shop\",\"stream\":\"orders\",\"partition\":3,\"from\":\"10\",\"to\":"
        "null,"
        "\"reason\":\"RETENTION\",\"noticed\":\"2026-11-23T14:29:31.102000123Z\",\"after\":null,"
        "\"before\":\"2026-11-23T14:29:31.102000123Z\",\"deleted\":{\"first\":"));
    assert_non_null(strstr(text, "\"damaged\":[{\"damage\":\"broken\",\"first_seq\":\"10\",\"end_"
                                 "seq\":\"20\",\"events\":\"5\","
                                 "\"first\":{\"tap\":\"shop\",\"stream\":\"orders\",\"partition\":"
                                 "3,\"offset\":\"11\"},\"last\":"));
    struct plan *back = plan_from_json(text, strlen(text), &err);
    assert_ok(back != NULL);
    assert_string_equal(back->sha256, plan->sha256);
    free(text);
    plan_free(back);
    plan_free(plan);
}

static void
does_not_mind_another_layout(void **state)
{
    (void)state;
    struct error err;
    struct plan *plan = plan_for_test();
    char *text = plan_to_json(plan, true);
    assert_null(strchr(text, '\n'));
    struct plan *back = plan_from_json(text, strlen(text), &err);
    assert_ok(back != NULL);
    plan_free(back);
    free(text);
    plan_free(plan);
}

/* Every digit of every value: changing any of them must be noticed. */
static void
notices_every_changed_digit(void **state)
{
    (void)state;
    struct plan *plan = plan_for_test();
    char *text = plan_to_json(plan, false);
    size_t length = strlen(text);
    int changed = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            continue;
        struct error err = {0};
        char digit = text[i];
        text[i] = "1234567898"[digit - '0'];
        struct plan *back = plan_from_json(text, length, &err);
        if (back != NULL)
            fail_msg("a changed digit at %zu was not noticed: %.40s", i, text + i);
        assert_true(err.code == ERROR_REFUSED || err.code == ERROR_FORMAT);
        text[i] = digit;
        changed++;
    }
    assert_true(changed > 100);
    free(text);
    plan_free(plan);
}

static void
survives_a_file_that_was_cut_anywhere(void **state)
{
    (void)state;
    struct plan *plan = plan_for_test();
    char *text = plan_to_json(plan, true);
    for (size_t length = 0; length < strlen(text); length += 7) {
        struct error err = {0};
        assert_null(plan_from_json(text, length, &err));
        assert_int_equal(err.code, ERROR_FORMAT);
    }
    free(text);
    plan_free(plan);
}

static void
makes_ids_that_sort_by_time_and_are_no_paths(void **state)
{
    (void)state;
    char first[PLAN_ID_TEXT];
    char second[PLAN_ID_TEXT];
    plan_make_id(WHEN, first);
    plan_make_id(WHEN + NS_PER_MS, second);
    assert_true(strcmp(first, second) < 0);
    assert_true(plan_is_id(first));
    assert_false(plan_is_id("../../../../../etc/passwd1"));
    assert_false(plan_is_id(""));
    assert_false(plan_is_id("01KAVZ6Q3R8Y2M4N5P7S9TVWX"));
}

static void
is_found_by_id_and_by_path(void **state)
{
    (void)state;
    struct error err = {0};
    char *directory = temp_directory_new();
    struct plan *plan = plan_for_test();
    assert_ok(plan_store_write(directory, plan, &err));
    assert_ok(plan_store_write(directory, plan, &err)); /* the same again is no harm */

    struct plan *back = plan_store_read(directory, plan->id, &err);
    assert_ok(back != NULL);
    plan_free(back);
    char *path = plan_store_path(directory, plan->id, "plan.json");
    back = plan_store_read("/nowhere", path, &err);
    assert_ok(back != NULL);
    plan_free(back);
    free(path);

    assert_ok(plan_store_holds(directory, plan, &err));
    assert_false(plan_store_holds("/another/tape", plan, &err));
    assert_int_equal(err.code, ERROR_REFUSED);
    assert_non_null(strstr(err.text, "was not made from the tape '/another/tape'"));

    plan->events++;
    plan->landing[0]++;
    assert_false(plan_store_write(directory, plan, &err));
    assert_int_equal(err.code, ERROR_REFUSED);
    assert_null(plan_store_read(directory, "no-such-plan", &err));
    assert_int_equal(err.code, ERROR_ARGUMENT);
    plan_free(plan);
    temp_directory_remove(directory);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_from_json_as_it_was),
        cmocka_unit_test(says_what_is_missing),
        cmocka_unit_test(does_not_mind_another_layout),
        cmocka_unit_test(notices_every_changed_digit),
        cmocka_unit_test(survives_a_file_that_was_cut_anywhere),
        cmocka_unit_test(makes_ids_that_sort_by_time_and_are_no_paths),
        cmocka_unit_test(is_found_by_id_and_by_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
