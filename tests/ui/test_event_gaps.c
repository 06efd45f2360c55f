/* The Events screen: what the tape has not between two of its rows. */
#include <locale.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "tests/support/ui_stage.h"
#include "tests/support/ui_tape.h"
#include "tests/support/unit.h"

#define PAGE_UP   "\002" /* ^B */
#define PAGE_DOWN "\006" /* ^F */

/* An event of "ticks" partition 0, whose offsets go up by three. */
static void
add_tick(struct fixture *fixture, int64_t number, const char *key)
{
    ui_tape_add(&fixture->tape, "ticks", UI_TAPE_NOW_NS - NS_PER_S + number * NS_PER_MS, number * 3,
        bytes_of(key), bytes_of("{}"));
}

/* All that is missing behind tick `from`, up to tick `next`. */
static void
add_hole(struct fixture *fixture, int64_t from, int64_t next, enum hole_reason reason)
{
    ui_tape_add_hole(&fixture->tape, "ticks", UI_TAPE_NOW_NS - NS_PER_S + next * NS_PER_MS,
        from * 3 + 3, next * 3 - 1, reason);
}

static void
open_events(struct fixture *fixture)
{
    open_stage(fixture, true, "events");
    look(fixture);
    type(fixture, "x"); /* the banner goes */
}

static void
hold(struct fixture *fixture)
{
    look(fixture);
    type(fixture, " ");
}

static void
a_second_goes_by(struct fixture *fixture)
{
    fixture->monotonic_ns += NS_PER_S;
}

static size_t
count_seen(struct fixture *fixture, const char *wanted)
{
    size_t count = 0;
    for (const char *at = look(fixture); (at = strstr(at, wanted)) != NULL; at += strlen(wanted))
        count++;
    return count;
}

static void
stands_between_two_rows_of_the_lane(void **state)
{
    (void)state;
    struct fixture fixture;
    open_events(&fixture);
    add_tick(&fixture, 100, "before");
    add_hole(&fixture, 100, 104, HOLE_DROPPED);
    add_tick(&fixture, 104, "behind");
    hold(&fixture);
    assert_seen(&fixture,
        " G gap             ticks            0          303  DROPPED: 9 offsets not on the tape, "
        "noticed 14:32:06, 303..3");
    const char *text = look(&fixture);
    assert_true(strstr(text, "before") < strstr(text, "G gap"));
    assert_true(strstr(text, "G gap") < strstr(text, "behind"));
    assert_seen(&fixture, "end of the tape");
    close_stage(&fixture);
}

static void
is_none_where_no_event_ever_was(void **state)
{
    (void)state;
    struct fixture fixture;
    open_events(&fixture);
    add_tick(&fixture, 100, "before");
    add_hole(&fixture, 100, 104, HOLE_COMPACTED_OR_ABORTED);
    add_tick(&fixture, 104, "behind");
    hold(&fixture);
    assert_seen(&fixture, "behind");
    assert_unseen(&fixture, "gap");
    close_stage(&fixture);
}

static void
is_none_where_the_lane_begins(void **state)
{
    (void)state;
    struct fixture fixture;
    open_events(&fixture);
    add_hole(&fixture, 50, 100, HOLE_NOT_RECORDED);
    add_tick(&fixture, 100, "first");
    hold(&fixture);
    assert_seen(&fixture, "first");
    assert_unseen(&fixture, "gap");
    close_stage(&fixture);
}

/* What is missing may have matched. */
static void
is_seen_through_a_filter_once_between_two_matches(void **state)
{
    (void)state;
    struct fixture fixture;
    open_events(&fixture);
    add_tick(&fixture, 100, "wanted");
    add_hole(&fixture, 100, 102, HOLE_DROPPED);
    add_tick(&fixture, 102, "other");
    add_hole(&fixture, 102, 104, HOLE_RETENTION);
    add_tick(&fixture, 104, "wanted");
    look(&fixture);
    type(&fixture, "fkey=wanted\r");
    hold(&fixture);
    assert_seen(&fixture, "RETENTION, DROPPED: 6 offsets not on the tape, in 2 holes");
    assert_int_equal(count_seen(&fixture, "G gap"), 1);
    type(&fixture, "k\r");
    assert_seen(&fixture, "tapedeck tape holes 'shop/ticks[0]'");
    assert_seen(&fixture, "why        RETENTION: deleted");
    type(&fixture, "qfkey=o-00417\r");
    assert_unseen(&fixture, "gap");
    close_stage(&fixture);
}

static void
says_when_nobody_knows_how_many(void **state)
{
    (void)state;
    struct fixture fixture;
    open_events(&fixture);
    add_tick(&fixture, 100, "before");
    ui_tape_add_hole(&fixture.tape, "ticks", UI_TAPE_NOW_NS, 303, -1, HOLE_UNKNOWN);
    add_tick(&fixture, 101, "behind"); /* has the offset at which the hole begins */
    hold(&fixture);
    assert_seen(&fixture, "UNKNOWN: not on the tape, how many is not known, noticed 14:32:07");
    type(&fixture, "k\r");
    assert_seen(&fixture, "hole       shop/ticks[0]@303..?  UNKNOWN");
    assert_seen(&fixture, "tapedeck tape holes 'shop/ticks[0]@303'");
    close_stage(&fixture);
}

static void
can_be_stood_on_and_opened(void **state)
{
    (void)state;
    struct fixture fixture;
    open_events(&fixture);
    add_tick(&fixture, 100, "before");
    add_hole(&fixture, 100, 104, HOLE_DROPPED);
    add_tick(&fixture, 104, "behind");
    hold(&fixture);
    look(&fixture);
    type(&fixture, "k\r");
    assert_seen(&fixture, "▸G gap ");
    assert_seen(&fixture, "─ Gap shop/ticks[0]@303..311 ─");
    assert_seen(&fixture, "gap        9 offsets not on the tape");
    assert_seen(&fixture, "noticed 2026-11-23T14:32:06Z");
    assert_seen(&fixture, "why        received, or should have been, and could not be kept");
    assert_seen(&fixture, "after      2026-11-23T14:32:06Z  when the row in front of it");
    type(&fixture, "k");
    assert_seen(&fixture, "─ ticks[0]@300 ─");
    type(&fixture, "jj");
    assert_seen(&fixture, "─ ticks[0]@312 ─");
    type(&fixture, "k");
    assert_seen(&fixture, "─ Gap shop/ticks[0]@303..311 ─");
    close_stage(&fixture);
}

static void
is_no_event_to_step_to(void **state)
{
    (void)state;
    struct fixture fixture;
    open_events(&fixture);
    add_tick(&fixture, 100, "before");
    add_hole(&fixture, 100, 104, HOLE_DROPPED);
    add_tick(&fixture, 104, "behind");
    hold(&fixture);
    look(&fixture);
    type(&fixture, ",\r");
    assert_seen(&fixture, "─ ticks[0]@300 ─");
    type(&fixture, ".");
    assert_seen(&fixture, "─ ticks[0]@312 ─");
    close_stage(&fixture);
}

/* Before the lane has gone on it is at the end. */
static void
comes_while_it_is_looked_at(void **state)
{
    (void)state;
    struct fixture fixture;
    open_events(&fixture);
    add_tick(&fixture, 100, "before");
    a_second_goes_by(&fixture);
    assert_unseen(&fixture, "gap");
    add_hole(&fixture, 100, 104, HOLE_DROPPED);
    a_second_goes_by(&fixture);
    assert_seen(&fixture, "G gap");
    const char *text = look(&fixture);
    assert_true(strstr(text, "before") < strstr(text, "G gap"));
    add_tick(&fixture, 104, "behind");
    a_second_goes_by(&fixture);
    text = look(&fixture);
    assert_true(strstr(text, "G gap") < strstr(text, "behind"));
    assert_int_equal(count_seen(&fixture, "G gap"), 1);
    close_stage(&fixture);
}

/* Nor what was noticed later than the moment that is held. */
static void
is_not_of_a_moment_before_it(void **state)
{
    (void)state;
    struct fixture fixture;
    open_events(&fixture);
    add_tick(&fixture, 100, "before");
    hold(&fixture);
    ui_tape_add_hole(&fixture.tape, "ticks", UI_TAPE_NOW_NS + NS_PER_S, 303, 311, HOLE_DROPPED);
    add_tick(&fixture, 104, "behind");
    look(&fixture);
    a_second_goes_by(&fixture);
    assert_unseen(&fixture, "gap");
    type(&fixture, "F");
    assert_seen(&fixture, "G gap");
    close_stage(&fixture);
}

static void
type_until(struct fixture *fixture, const char *keys, const char *expected, unsigned most)
{
    for (unsigned i = 0; i < most && strstr(look(fixture), expected) == NULL; i++)
        type(fixture, keys);
    assert_seen(fixture, expected);
}

static void
does_not_hinder_paging(void **state)
{
    (void)state;
    struct fixture fixture;
    char key[32];
    open_events(&fixture);
    for (int64_t i = 0; i < 900; i++) {
        (void)snprintf(key, sizeof(key), "many-%03d", (int)i);
        add_tick(&fixture, i * 2, key);
        add_hole(&fixture, i * 2, i * 2 + 2, HOLE_DROPPED);
    }
    hold(&fixture);
    for (int i = 0; i < 2; i++) {
        type_until(&fixture, PAGE_DOWN, "many-899", 200);
        type_until(&fixture, PAGE_DOWN, "end of the tape", 2);
        assert_in_range(count_seen(&fixture, "G gap"), 15, 20);
        type_until(&fixture, PAGE_UP, "many-000", 200);
        type_until(&fixture, PAGE_UP, "14:31:08", 10);
        type_until(&fixture, PAGE_DOWN, "many-450", 200);
    }
    close_stage(&fixture);
}

int
main(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stands_between_two_rows_of_the_lane),
        cmocka_unit_test(is_none_where_no_event_ever_was),
        cmocka_unit_test(is_none_where_the_lane_begins),
        cmocka_unit_test(is_seen_through_a_filter_once_between_two_matches),
        cmocka_unit_test(says_when_nobody_knows_how_many),
        cmocka_unit_test(can_be_stood_on_and_opened),
        cmocka_unit_test(is_no_event_to_step_to),
        cmocka_unit_test(comes_while_it_is_looked_at),
        cmocka_unit_test(is_not_of_a_moment_before_it),
        cmocka_unit_test(does_not_hinder_paging),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
