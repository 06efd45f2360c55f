/* Lag for people: what asks for most attention stands first, and nothing is said twice. */
#include <stdlib.h>

#include "base/bytes.h"
#include "collectors/groups_sample.h"
#include "console/lag_list.h"
#include "tests/support/unit.h"

static char orders[] = "orders";
static struct group_lane lanes[] = {
    {.topic = orders, .partition = 0, .committed = 42, .log_start = 0, .end = 50}};

static void
add(struct lag_list *list, const struct group_state *group, enum lag_state state, int64_t lag,
    const char *reason, const char *next)
{
    struct lag_verdict lane = {.state = state, .lag = lag, .seconds = 200000.0};
    struct lag_flow flow = {.group = group,
        .lanes = lanes,
        .count = 1,
        .lane_verdicts = &lane,
        .verdict = {.state = state,
            .lag = lag,
            .seconds = 1.5,
            .in_rate = 2.5,
            .out_rate = -1.0,
            .drain_seconds = -1.0,
            .again_from = -1,
            .again_to = -1}};
    (void)snprintf(flow.verdict.reason, sizeof(flow.verdict.reason), "%s", reason);
    (void)snprintf(flow.verdict.next, sizeof(flow.verdict.next), "%s", next);
    lag_list_add(list, &flow);
}

static char names[][8] = {"a", "b", "c", "d", "e"};
static const struct group_state groups[] = {
    {.name = names[0], .member_count = 1, .lanes = lanes, .lane_count = 1},
    {.name = names[1], .member_count = 0, .lanes = lanes, .lane_count = 1},
    {.name = names[2], .member_count = 0, .lanes = lanes, .lane_count = 1},
    {.name = names[3], .member_count = -1, .lanes = lanes, .lane_count = 1},
    {.name = names[4], .member_count = 1, .lanes = lanes, .lane_count = 1},
};

static void
fill(struct lag_list *list)
{
    add(list, &groups[0], LAG_OK, 0, "commits advance", "");
    add(list, &groups[1], LAG_UNKNOWN, 7, "not yet", "look again");
    add(list, &groups[2], LAG_STOP, 9, "nobody is there", "start it");
    add(list, &groups[3], LAG_UNKNOWN, -1, "not yet", "look again");
    add(list, &groups[4], LAG_UNKNOWN, 8, "not yet", "look again");
    lag_list_sort(list);
}

#define HEAD                                                                    \
    "GROUP  STREAM  STATE           EVENTS  SECONDS     IN/S    OUT/S  EMPTY S" \
    "  MEMBERS\n"

static void
puts_first_what_asks_for_attention(void **unused)
{
    (void)unused;
    struct lag_list list = {0};
    struct buffer text = {0};
    fill(&list);
    lag_list_append(&list, false, &text);
    assert_string_equal(buffer_text(&text), HEAD
        "c      orders  STOP                 9      1.5      2.5        ?        ?        0\n"
        "    nobody is there\n"
        "    -> start it\n"
        "d      orders  UNKNOWN              ?      1.5      2.5        ?        ?        ?\n"
        "e      orders  UNKNOWN              8      1.5      2.5        ?        ?        1\n"
        "b      orders  UNKNOWN              7      1.5      2.5        ?        ?        0\n"
        "    not yet\n"
        "    -> look again\n"
        "a      orders  OK                   0      1.5      2.5        ?        ?        1\n");
    buffer_done(&text);
    lag_list_done(&list);
}

static void
says_why_behind_each_when_partitions_stand_between(void **unused)
{
    (void)unused;
    struct lag_list list = {0};
    struct buffer text = {0};
    fill(&list);
    lag_list_append(&list, true, &text);
    const char *shown = buffer_text(&text);
    size_t said = 0;
    for (const char *at = shown; (at = strstr(at, "    not yet\n")) != NULL; at++)
        said++;
    assert_int_equal(said, 3);
    assert_non_null(strstr(shown, "    [0]               42            50             0           9"
                                  "      2 d  STOP         -\n"));
    buffer_done(&text);
    lag_list_done(&list);
}

static void
shows_nothing_of_nothing(void **unused)
{
    (void)unused;
    struct lag_list list = {0};
    struct buffer text = {0};
    lag_list_sort(&list);
    lag_list_append(&list, true, &text);
    assert_int_equal(text.length, 0);
    lag_list_done(&list);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(puts_first_what_asks_for_attention),
        cmocka_unit_test(says_why_behind_each_when_partitions_stand_between),
        cmocka_unit_test(shows_nothing_of_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
