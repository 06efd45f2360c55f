/* The Lag screen: which groups, in which order, of which moment, and where its keys lead. */
#include <locale.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "tests/support/ui_stage.h"
#include "tests/support/ui_tape.h"
#include "tests/support/unit.h"
#include "ui/stage.h"

static void
open_lag(struct fixture *fixture, const char *screen)
{
    open_stage_with_groups(fixture, screen);
    look(fixture);
    type(fixture, "x"); /* the banner goes */
}

/* `first` stands above `second`. */
static void
assert_above(struct fixture *fixture, const char *first, const char *second)
{
    const char *text = look(fixture);
    const char *a = strstr(text, first);
    const char *b = strstr(text, second);
    if (a == NULL || b == NULL || a > b)
        fail_msg("'%s' is not above '%s':\n%s", first, second, text);
}

static void
what_is_worst_comes_first(void **state)
{
    (void)state;
    struct fixture fixture;
    open_lag(&fixture, "lag");
    assert_above(&fixture, "audit-old", "shipping");
    assert_above(&fixture, "shipping", "billing");
    assert_above(&fixture, "billing", "ledger");
    assert_seen(&fixture, "■ 1 STOP  ■ 1 STALL  of 5 groups");
    close_stage(&fixture);
}

static void
what_is_not_known_is_a_question_mark(void **state)
{
    (void)state;
    struct fixture fixture;
    open_lag(&fixture, "lag");
    assert_seen(&fixture, "fraud           orders        ???                 ?        ?  ");
    close_stage(&fixture);
}

static void
only_problems_are_shown_when_asked_for(void **state)
{
    (void)state;
    struct fixture fixture;
    open_lag(&fixture, "lag");
    type(&fixture, "o");
    assert_unseen(&fixture, "billing");
    assert_seen(&fixture, "shipping");
    assert_seen(&fixture, "of 5 groups, 2 shown");
    type(&fixture, "\033"); /* one layer */
    assert_seen(&fixture, "billing");
    close_stage(&fixture);
}

static void
a_filter_narrows_by_stream_group_and_words(void **state)
{
    (void)state;
    struct fixture fixture;
    open_lag(&fixture, "lag");
    type(&fixture, "fstream=payments\r");
    assert_seen(&fixture, "ledger");
    assert_unseen(&fixture, "billing");
    type(&fixture, ":filter key=bill*\r");
    assert_seen(&fixture, "billing");
    assert_unseen(&fixture, "ledger");
    type(&fixture, ":filter stall\r");
    assert_unseen(&fixture, "billing");
    type(&fixture, ":filter STALL\r");
    assert_seen(&fixture, "shipping");
    assert_unseen(&fixture, "audit-old");
    type(&fixture, ":filter key=nobody\r");
    assert_seen(&fixture, "None of 5 groups matches the filter.");
    close_stage(&fixture);
}

static void
partitions_unfold_and_fold(void **state)
{
    (void)state;
    struct fixture fixture;
    open_lag(&fixture, "lag");
    assert_unseen(&fixture, "@4 410 554   ");
    type(&fixture, "j\r");
    assert_seen(&fixture, "@4 410 554  ");
    type(&fixture, "jj");
    assert_seen(&fixture, "▸  [1]  shi");
    type(&fixture, "h"); /* the group's line again */
    assert_unseen(&fixture, "@4 410 554  ");
    assert_seen(&fixture, "▸shipping");
    close_stage(&fixture);
}

static void
the_last_row_says_what_the_keys_do_here(void **state)
{
    (void)state;
    struct fixture fixture;
    open_lag(&fixture, "lag");
    assert_seen(&fixture, "Enter partitions");
    assert_unseen(&fixture, "F follow"); /* it does */
    type(&fixture, "jl");
    assert_seen(&fixture, "Enter fold");
    type(&fixture, "j");
    assert_seen(&fixture, "Enter its event");
    type(&fixture, "o");
    assert_seen(&fixture, "o all");
    type(&fixture, " ");
    assert_seen(&fixture, "Space go on");
    assert_seen(&fixture, "F follow");
    type(&fixture, ":filter key=nobody\r");
    assert_unseen(&fixture, "Enter ");
    close_stage(&fixture);
}

static void
a_stuck_partition_opens_its_event(void **state)
{
    (void)state;
    struct fixture fixture;
    open_lag(&fixture, "lag");
    type(&fixture, "jljj\r"); /* shipping on payments[1], which stands at 4410554 ... */
    assert_seen(&fixture, "[2 Events]");
    assert_seen(&fixture, "filter: stream=\"shop/payments\" partition=1");
    assert_seen(&fixture, "PAST");
    assert_seen(&fixture, "4 410 556"); /* ... and the first event there or behind is this one */
    assert_unseen(&fixture, "4 410 559");
    type(&fixture, "\rq"); /* looks at it, closes it ... */
    assert_seen(&fixture, "[2 Events]");
    type(&fixture, "q"); /* ... and is back where it was, at that moment */
    assert_seen(&fixture, "[3 Lag]");
    assert_seen(&fixture, "LIVE");
    assert_seen(&fixture, "filter: none");
    assert_seen(&fixture, "▸  [1]  shi");
    close_stage(&fixture);
}

static void
an_event_that_is_not_on_the_tape_is_not_opened(void **state)
{
    (void)state;
    struct fixture fixture;
    open_lag(&fixture, "lag");
    type(&fixture, "E"); /* audit-old on refunds, which is not recorded */
    assert_seen(&fixture, "refunds is not on this tape; `tapedeck stuck` reads it from the broker");
    assert_seen(&fixture, "[3 Lag]");
    type(&fixture, "jjE"); /* fraud */
    assert_seen(&fixture, "it is not known what fraud has committed there");
    close_stage(&fixture);
}

static void
the_cursor_stays_on_its_group_when_the_order_changes(void **state)
{
    (void)state;
    struct fixture fixture;
    open_lag(&fixture, "lag");
    type(&fixture, "j");
    assert_seen(&fixture, "▸shipping");
    type(&fixture, "s");
    assert_seen(&fixture, "sorted by events that wait");
    assert_seen(&fixture, "▸shipping");
    assert_above(&fixture, "shipping", "audit-old");
    type(&fixture, "ss");
    assert_above(&fixture, "billing", "fraud");
    assert_seen(&fixture, "▸shipping");
    close_stage(&fixture);
}

static void
a_head_in_the_past_shows_the_lag_of_then(void **state)
{
    (void)state;
    struct fixture fixture;
    open_lag(&fixture, "lag");
    assert_seen(&fixture, "■ STALL");
    type(&fixture, "@14:28:00\r");
    assert_seen(&fixture, "PAST");
    assert_unseen(&fixture, "■ STALL");
    assert_seen(&fixture, "■ 1 STOP  of 5 groups");
    type(&fixture, "F");
    assert_seen(&fixture, "■ STALL");
    close_stage(&fixture);
}

static void
a_value_holds_until_the_next_sample_but_not_for_ever(void **state)
{
    (void)state;
    struct fixture fixture;
    static const char *const json = "{\"group\":\"calm\",\"stream\":\"orders\",\"state\":\"OK\","
                                    "\"lag\":\"8\",\"seconds\":10}";
    open_stage_with_groups(&fixture, "lag");
    int64_t now_ns = UI_TAPE_NOW_NS;
    ui_tape_add_lag(&fixture.tape, now_ns - 840 * NS_PER_S, "calm", "orders", json);
    ui_tape_add_lag(&fixture.tape, now_ns - 120 * NS_PER_S, "calm", "orders", json);
    ui_tape_add_lag(&fixture.tape, now_ns - 60 * NS_PER_S, "calm", "orders", json);
    /* A cell of the trend is a minute: known at its beginning and in the last two and a bit. */
    assert_seen(&fixture, "8     10.0 ██          ███");
    close_stage(&fixture);
}

static void
a_new_sample_is_seen_at_once(void **state)
{
    (void)state;
    struct fixture fixture;
    open_lag(&fixture, "lag");
    ui_tape_add_lag(&fixture.tape, UI_TAPE_NOW_NS, "billing", "orders",
        "{\"group\":\"billing\",\"stream\":\"orders\",\"state\":\"REWIND\",\"lag\":\"4711\"}");
    assert_seen(&fixture, "■ 1 REWIND");
    assert_above(&fixture, "4 711", "audit-old");
    close_stage(&fixture);
}

static void
a_group_that_is_sampled_no_more_is_unknown_then_gone(void **state)
{
    (void)state;
    struct fixture fixture;
    open_lag(&fixture, "lag");
    fixture.now_ns += 198 * NS_PER_S;
    assert_seen(&fixture, "? UNKNOWN seen 3 m");
    assert_unseen(&fixture, "■ STALL");
    fixture.now_ns += 900 * NS_PER_S;
    assert_seen(&fixture, "No consumer group was sampled in the 15 minutes before");
    close_stage(&fixture);
}

static void
a_group_that_was_deleted_is_gone_at_once(void **state)
{
    (void)state;
    struct fixture fixture;
    open_lag(&fixture, "lag");
    assert_seen(&fixture, "audit-old");
    ui_tape_add(&fixture.tape, "@lag", UI_TAPE_NOW_NS, fixture.tape.lag_samples++,
        bytes_of("audit-old refunds"), BYTES_NULL);
    fixture.monotonic_ns += NS_PER_S;
    assert_unseen(&fixture, "audit-old");
    assert_seen(&fixture, "of 4 groups");
    assert_unseen(&fixture, "left out");
    close_stage(&fixture);
}

static void
garbage_among_the_samples_is_counted_and_harmless(void **state)
{
    (void)state;
    struct fixture fixture;
    open_lag(&fixture, "lag");
    ui_tape_add_lag(&fixture.tape, UI_TAPE_NOW_NS, "x", "y", "{\"group\":");
    ui_tape_add_lag(&fixture.tape, UI_TAPE_NOW_NS, "x", "y", "null");
    ui_tape_add_lag(&fixture.tape, UI_TAPE_NOW_NS, "\033[2J", "y",
        "{\"group\":\"\\u001b[2J\\u202e\",\"stream\":\"y\",\"state\":\"STOP\",\"reason\":"
        "\"a\\nb\"}");
    assert_seen(&fixture, "samples left out: 2");
    assert_seen(&fixture, "␛[2J<RLO>");
    assert_seen(&fixture, "a␊b");
    close_stage(&fixture);
}

static void
the_samples_are_no_events_unless_asked_for(void **state)
{
    (void)state;
    struct fixture fixture;
    open_lag(&fixture, "events");
    assert_unseen(&fixture, "@lag");
    assert_seen(&fixture, "14:32:06.102000         fraud.scores");
    type(&fixture, "1");
    assert_unseen(&fixture, "@lag");
    type(&fixture, "2fstream=@lag\r");
    assert_seen(&fixture, "ledger paym");
    close_stage(&fixture);
}

static void
flows_and_events_lead_to_the_groups_of_their_stream(void **state)
{
    (void)state;
    struct fixture fixture;
    open_lag(&fixture, "flows");
    type(&fixture, "jL");
    assert_seen(&fixture, "[3 Lag]");
    assert_seen(&fixture, "filter: stream=\"shop/payments\"");
    assert_seen(&fixture, "of 5 groups, 2 shown");
    type(&fixture, "\0332");
    look(&fixture);
    type(&fixture, "kL"); /* the newest is of fraud.scores, the one before of payments */
    assert_seen(&fixture, "of 5 groups, 2 shown");
    close_stage(&fixture);
}

static void
flows_shows_the_worst_group_of_each_stream(void **state)
{
    (void)state;
    struct fixture fixture;
    open_lag(&fixture, "flows");
    assert_seen(&fixture, "174k   182.0  shipping   ■ STALL");
    assert_seen(&fixture, "■ STALL: shipping on payments (L)");
    type(&fixture, "o");
    assert_unseen(&fixture, "billing");
    assert_seen(&fixture, "2 of 3 streams shown");
    type(&fixture, "o@14:28:00\r"); /* before it stood still */
    assert_unseen(&fixture, "STALL");
    assert_seen(&fixture, "0.7  ledger");
    close_stage(&fixture);
}

int
main(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_worst_comes_first),
        cmocka_unit_test(what_is_not_known_is_a_question_mark),
        cmocka_unit_test(only_problems_are_shown_when_asked_for),
        cmocka_unit_test(a_filter_narrows_by_stream_group_and_words),
        cmocka_unit_test(partitions_unfold_and_fold),
        cmocka_unit_test(the_last_row_says_what_the_keys_do_here),
        cmocka_unit_test(a_stuck_partition_opens_its_event),
        cmocka_unit_test(an_event_that_is_not_on_the_tape_is_not_opened),
        cmocka_unit_test(the_cursor_stays_on_its_group_when_the_order_changes),
        cmocka_unit_test(a_head_in_the_past_shows_the_lag_of_then),
        cmocka_unit_test(a_value_holds_until_the_next_sample_but_not_for_ever),
        cmocka_unit_test(a_new_sample_is_seen_at_once),
        cmocka_unit_test(a_group_that_is_sampled_no_more_is_unknown_then_gone),
        cmocka_unit_test(a_group_that_was_deleted_is_gone_at_once),
        cmocka_unit_test(garbage_among_the_samples_is_counted_and_harmless),
        cmocka_unit_test(the_samples_are_no_events_unless_asked_for),
        cmocka_unit_test(flows_and_events_lead_to_the_groups_of_their_stream),
        cmocka_unit_test(flows_shows_the_worst_group_of_each_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
