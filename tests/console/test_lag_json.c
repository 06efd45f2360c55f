/* Lag as JSON: written, and read back from a tape. */
#include <string.h>

#include "base/clock.h"
#include "console/lag_json.h"
#include "tests/support/unit.h"

static char topic[] = "orders";
static char member[] = "app \"1\"/10.0.0.7";
static char member_id[] = "app-1";
static char name[] = "shipping";

static struct group_lane lanes[] = {
    {.topic = topic,
        .partition = 0,
        .committed = 42,
        .log_start = 0,
        .end = 50,
        .member = member,
        .member_id = member_id},
    {.topic = topic, .partition = 3, .committed = -1, .log_start = -1, .end = 7},
};
static const struct group_state group = {
    .name = name, .member_count = 2, .lanes = lanes, .lane_count = 2};
static const struct lag_verdict verdicts[] = {
    {.state = LAG_REWIND,
        .reason = "went back",
        .lag = 8,
        .seconds = 1.5,
        .again_from = 42,
        .again_to = 45},
    {.state = LAG_UNKNOWN, .lag = -1, .seconds = -1.0, .again_from = -1, .again_to = -1},
};

static struct lag_flow
flow_of_shop(void)
{
    return (struct lag_flow){.tap = "shop",
        .group = &group,
        .lanes = lanes,
        .count = 2,
        .lane_verdicts = verdicts,
        .sampled_ns = 9 * NS_PER_S,
        .verdict = {.state = LAG_REWIND,
            .reason = "[0]: went back",
            .lag = -1,
            .seconds = -1.0,
            .in_rate = 2.5,
            .out_rate = -1.0,
            .drain_seconds = -1.0,
            .retention_seconds = -1.0,
            .rebalances = 3,
            .rebalanced_ns = 8 * NS_PER_S,
            .partition = 0,
            .again_from = 42,
            .again_to = 45}};
}

#define WRITTEN                                                                                   \
    "{\"v\":1,\"tap\":\"shop\",\"group\":\"shipping\",\"stream\":\"orders\",\"state\":"           \
    "\"REWIND\",\"reason\":\"[0]: went back\",\"next\":null,\"lag\":null,\"seconds\":null,"       \
    "\"in_rate\":2.500,\"out_rate\":null,\"drain_seconds\":null,\"retention_seconds\":null,"      \
    "\"members\":2,\"partitions\":[{\"partition\":0,\"member\":\"app \\\"1\\\"/10.0.0.7\","       \
    "\"member_id\":\"app-1\","                                                                    \
    "\"committed\":\"42\",\"end\":\"50\",\"log_start\":\"0\",\"lag\":\"8\",\"seconds\":1.500,"    \
    "\"state\":\"REWIND\",\"reason\":\"went back\",\"again_from\":\"42\",\"again_to\":\"44\"},"   \
    "{\"partition\":3,\"member\":null,\"member_id\":null,\"committed\":null,\"end\":\"7\",\"log_" \
    "start\":null,"                                                                               \
    "\"lag\":null,\"seconds\":null,\"state\":\"UNKNOWN\",\"reason\":null,\"again_from\":null,"    \
    "\"again_to\":null}],\"rebalances\":3,\"rebalanced\":\"1970-01-01T00:00:08.000000000Z\","     \
    "\"sampled\":\"1970-01-01T00:00:09.000000000Z\"}"

static void
writes_what_is_unknown_as_null(void **state)
{
    (void)state;
    struct buffer text = {0};
    struct lag_flow flow = flow_of_shop();
    lag_json_append(&text, &flow);
    assert_string_equal(buffer_text(&text), WRITTEN);
    buffer_done(&text);
}

static void
reads_back_what_it_wrote(void **state)
{
    (void)state;
    struct lag_saved saved;
    assert_true(lag_json_read(bytes_of(WRITTEN), &saved));
    assert_int_equal(saved.flow.verdict.partition, 0);
    assert_int_equal(saved.flow.verdict.again_to, 45);
    struct buffer text = {0};
    lag_json_append(&text, &saved.flow);
    assert_string_equal(buffer_text(&text), WRITTEN);
    buffer_done(&text);
    lag_saved_done(&saved);
}

static void
refuses_what_is_something_else(void **state)
{
    (void)state;
    struct lag_saved saved;
    assert_false(lag_json_read(BYTES_NULL, &saved));
    assert_false(lag_json_read(bytes_of(""), &saved));
    assert_false(lag_json_read(bytes_of("[1]"), &saved));
    assert_false(lag_json_read(bytes_of("{\"v\":1,\"group\":\"g\",\"stream\":\"s\"}"), &saved));
    assert_false(lag_json_read(
        bytes_of("{\"group\":\"g\",\"stream\":\"s\",\"state\":\"OK\",\"partitions\":"
                 "[{\"partition\":0,\"state\":\"OK\"},{\"partition\":-5,\"state\":\"OK\"}]}"),
        &saved));
    assert_false(lag_json_read(
        bytes_of("{\"group\":7,\"stream\":[],\"state\":\"NONSENSE\",\"partitions\":{}}"), &saved));
    for (size_t cut = 0; cut < strlen(WRITTEN); cut++)
        assert_false(lag_json_read(bytes_make(WRITTEN, cut), &saved));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_what_is_unknown_as_null),
        cmocka_unit_test(reads_back_what_it_wrote),
        cmocka_unit_test(refuses_what_is_something_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
