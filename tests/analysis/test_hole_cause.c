#include <inttypes.h>
#include <stdlib.h>

#include "analysis/hole_cause.h"
#include "base/bytes.h"
#include "tests/support/unit.h"

/* A log of which 0..99 is there, all of it decided and read to its end. */
struct log {
    struct hole_evidence evidence;
    struct offset_ranges committed;
    struct offset_ranges all;
};

static struct log *
begin(struct log *log)
{
    *log = (struct log){
        .evidence = {
            .log_start = 0, .end = 100, .stable_end = 100, .committed_to = 99, .all_to = 99}};
    log->evidence.committed = &log->committed;
    log->evidence.all = &log->all;
    return log;
}

static void
add(struct offset_ranges *ranges, int64_t from, int64_t to)
{
    for (int64_t offset = from; offset <= to; offset++)
        offset_ranges_add(ranges, offset);
}

/* "10..13 ABORTED, 14 NO_EVENT" */
static void
assert_judged(struct log *log, int64_t from, int64_t to, const char *wanted)
{
    size_t count;
    struct hole_span *spans = hole_cause_judge(&log->evidence, from, to, &count);
    struct buffer seen = {0};
    for (size_t i = 0; i < count; i++) {
        buffer_printf(&seen, "%s%" PRId64, i == 0 ? "" : ", ", spans[i].from);
        if (spans[i].to > spans[i].from)
            buffer_printf(&seen, "..%" PRId64, spans[i].to);
        buffer_printf(&seen, " %s", hole_cause_text(spans[i].cause));
    }
    assert_string_equal(buffer_text(&seen), wanted);
    buffer_done(&seen);
    free(spans);
    offset_ranges_done(&log->committed);
    offset_ranges_done(&log->all);
}

static void
tells_aborted_events_from_the_marker_behind_them(void **unused)
{
    (void)unused;
    struct log log;
    add(&begin(&log)->all, 10, 13);
    assert_judged(&log, 10, 14, "10..13 ABORTED, 14 NO_EVENT");
}

static void
finds_nothing_where_nothing_is(void **unused)
{
    (void)unused;
    struct log log;
    add(&begin(&log)->all, 21, 21); /* what ended the reading */
    assert_judged(&log, 20, 20, "20 NO_EVENT");
}

static void
tells_what_every_reader_is_given(void **unused)
{
    (void)unused;
    struct log log;
    add(&begin(&log)->committed, 30, 31);
    add(&log.committed, 35, 36);
    add(&log.all, 32, 33);
    assert_judged(&log, 30, 36,
        "30..31 NOT_RECORDED, 32..33 ABORTED, 34 NO_EVENT, "
        "35..36 NOT_RECORDED");
}

static void
tells_what_is_in_front_of_the_log(void **unused)
{
    (void)unused;
    struct log log;
    begin(&log)->evidence.log_start = 45;
    add(&log.all, 45, 45);
    assert_judged(&log, 40, 46, "40..44 DELETED, 45 ABORTED, 46 NO_EVENT");
    begin(&log)->evidence.log_start = 50;
    assert_judged(&log, 40, 49, "40..49 DELETED");
}

/* It was read, and deleted then. */
static void
believes_the_start_of_the_log_more_than_what_was_read(void **unused)
{
    (void)unused;
    struct log log;
    add(&begin(&log)->committed, 40, 43);
    log.evidence.log_start = 42;
    assert_judged(&log, 40, 43, "40..41 DELETED, 42..43 NOT_RECORDED");
}

/* It may still be committed: a reader of committed events waits in front of it. */
static void
does_not_call_an_open_transaction_aborted(void **unused)
{
    (void)unused;
    struct log log;
    add(&begin(&log)->all, 50, 53);
    log.evidence.stable_end = 52;
    assert_judged(&log, 50, 54, "50..51 ABORTED, 52..53 UNDECIDED, 54 NO_EVENT");
}

static void
does_not_know_what_was_not_read(void **unused)
{
    (void)unused;
    struct log log;
    add(&begin(&log)->all, 60, 69);
    log.evidence.committed_to = 64;
    log.evidence.all_to = 72;
    assert_judged(&log, 60, 74, "60..64 ABORTED, 65..69 UNKNOWN, 70..72 NO_EVENT, 73..74 UNKNOWN");
}

static void
does_not_know_what_no_one_was_asked_about(void **unused)
{
    (void)unused;
    struct log log;
    begin(&log)->evidence.log_start = -1;
    add(&log.committed, 60, 69);
    assert_judged(&log, 60, 69, "60..69 UNKNOWN");
    begin(&log)->evidence.committed_to = -1;
    log.evidence.all_to = -1;
    assert_judged(&log, 60, 69, "60..69 UNKNOWN");
}

static void
does_not_know_what_lies_behind_the_log(void **unused)
{
    (void)unused;
    struct log log;
    add(&begin(&log)->committed, 98, 99);
    log.evidence.all_to = INT64_MAX - 1;
    assert_judged(&log, 98, INT64_MAX, "98..99 NOT_RECORDED, 100..9223372036854775807 UNKNOWN");
}

/* Keeps one of two: as many spans as offsets, and none of them is lost. */
static void
counts_each_offset_once(void **unused)
{
    (void)unused;
    struct log log;
    begin(&log)->evidence.end = 100000;
    log.evidence.stable_end = 100000;
    log.evidence.committed_to = 99999;
    log.evidence.all_to = 99999;
    for (int64_t offset = 0; offset < 100000; offset += 2)
        offset_ranges_add(&log.committed, offset);
    size_t count;
    struct hole_span *spans = hole_cause_judge(&log.evidence, 1, 99998, &count);
    int64_t offsets = 0;
    for (size_t i = 0; i < count; i++)
        offsets += spans[i].to - spans[i].from + 1;
    assert_int_equal(count, 99998);
    assert_int_equal(offsets, 99998);
    free(spans);
    offset_ranges_done(&log.committed);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_aborted_events_from_the_marker_behind_them),
        cmocka_unit_test(finds_nothing_where_nothing_is),
        cmocka_unit_test(tells_what_every_reader_is_given),
        cmocka_unit_test(tells_what_is_in_front_of_the_log),
        cmocka_unit_test(believes_the_start_of_the_log_more_than_what_was_read),
        cmocka_unit_test(does_not_call_an_open_transaction_aborted),
        cmocka_unit_test(does_not_know_what_was_not_read),
        cmocka_unit_test(does_not_know_what_no_one_was_asked_about),
        cmocka_unit_test(does_not_know_what_lies_behind_the_log),
        cmocka_unit_test(counts_each_offset_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
