#include <stdlib.h>

#include "analysis/lag.h"
#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "console/metrics.h"
#include "index/event.h"
#include "index/live.h"
#include "tests/support/unit.h"

#define NOW_NS (INT64_C(1700000000) * NS_PER_S)

struct page {
    struct live_status *status;
    struct stream stream;
    struct metrics_stream streams[1];
    struct buffer text;
};

static char tap_name[] = "feed";
static char stream_name[] = "a\\b\"c\nd\x1b";

static int
set_up(void **state)
{
    struct page *page = alloc_zeroed(sizeof(*page));
    page->status = alloc_zeroed(sizeof(*page->status));
    page->stream = (struct stream){.tap = tap_name, .name = stream_name};
    page->streams[0] = (struct metrics_stream){
        .stream = &page->stream, .holes = {[HOLE_DROPPED] = 3, [HOLE_COMPACTED_OR_ABORTED] = 9}};
    struct live_status *status = page->status;
    status->started_ns = NOW_NS - 60 * NS_PER_S;
    status->published_ns = NOW_NS - NS_PER_S / 2;
    status->events = 1000;
    status->dropped = 7;
    status->tap_count = 1;
    (void)snprintf(status->taps[0].name, sizeof(status->taps[0].name), "%s", tap_name);
    status->taps[0].state = TAP_RETRYING;
    status->taps[0].dropped = 7;
    status->taps[0].wire_bytes = 123456789012;
    status->taps[0].max_bytes_per_second = 5242880;
    status->stream_count = 1;
    status->streams[0].events = 1000;
    status->streams[0].last_received_ns = NOW_NS;
    status->streams[0].rate[LIVE_RATE_SLOTS - 2] = 25;
    status->streams[0].rate[LIVE_RATE_SLOTS - 1] = 1000000; /* the second that is not over */
    *state = page;
    return 0;
}

static int
tear_down(void **state)
{
    struct page *page = *state;
    buffer_done(&page->text);
    free(page->status);
    free(page);
    return 0;
}

static const char *
text_of(struct page *page)
{
    struct metrics_view view = {
        .status = page->status, .streams = page->streams, .stream_count = 1, .now_ns = NOW_NS};
    page->text.length = 0;
    metrics_text(&page->text, &view);
    return buffer_text(&page->text);
}

static void
assert_has(struct page *page, const char *line)
{
    if (strstr(text_of(page), line) == NULL)
        fail_msg("'%s' is not in:\n%s", line, buffer_text(&page->text));
}

static void
says_how_the_recorder_and_its_taps_are(void **state)
{
    struct page *page = *state;
    assert_has(page, "\ntapedeck_recorder_events_total 1000\n");
    assert_has(page, "\ntapedeck_recorder_dropped_events_total 7\n");
    assert_has(page, "\ntapedeck_recorder_start_time_seconds 1699999940.000\n");
    assert_has(page, "\ntapedeck_recorder_status_age_seconds 0.500\n");
    assert_has(page, "\ntapedeck_tap_state{tap=\"feed\",state=\"retrying\"} 1\n");
    assert_has(page, "\ntapedeck_tap_state{tap=\"feed\",state=\"live\"} 0\n");
    assert_has(page, "\ntapedeck_tap_dropped_events_total{tap=\"feed\"} 7\n");
}

static void
says_what_a_tap_costs_its_cluster(void **state)
{
    struct page *page = *state;
    assert_has(page, "\n# TYPE tapedeck_tap_wire_bytes_total counter\n"
                     "tapedeck_tap_wire_bytes_total{tap=\"feed\"} 123456789012\n");
    assert_has(page, "\n# TYPE tapedeck_tap_max_bytes_per_second gauge\n"
                     "tapedeck_tap_max_bytes_per_second{tap=\"feed\"} 5242880\n");
    page->status->taps[0].wire_bytes = -1;
    page->status->taps[0].max_bytes_per_second = 0;
    assert_null(strstr(text_of(page), "wire_bytes"));
    assert_null(strstr(text_of(page), "max_bytes"));
}

static void
escapes_names_and_leaves_the_running_second_out(void **state)
{
    struct page *page = *state;
    assert_has(page, "{tap=\"feed\",stream=\"a\\\\b\\\"c\\nd\\\\x1b\"} 1000\n");
    assert_has(page,
        "tapedeck_stream_events_per_second{tap=\"feed\",stream=\"a\\\\b\\\"c\\nd\\\\x1b\"} "
        "2.5\n");
    assert_has(page, "tapedeck_stream_holes{tap=\"feed\",stream=\"a\\\\b\\\"c\\nd\\\\x1b\","
                     "reason=\"DROPPED\"} 3\n");
    assert_null(strstr(text_of(page), "COMPACTED"));
}

static void
has_no_sample_for_what_nobody_knows(void **state)
{
    struct page *page = *state;
    struct live_group *group = &page->status->groups[0];
    page->status->group_count = 1;
    *group = (struct live_group){.name = "billing", .lag = -1, .waits_ns = -1};
    assert_null(strstr(text_of(page), "tapedeck_group_"));
    page->streams[0].stream = NULL;
    assert_null(strstr(text_of(page), "tapedeck_stream_"));
    page->streams[0].stream = &page->stream;
    stream_name[1] = '\0';
    *group = (struct live_group){.name = "billing",
        .state = LAG_STALL,
        .lag = 12,
        .sampled_ns = NOW_NS,
        .waits_ns = 2500 * NS_PER_MS,
        .last_advance_ns = NOW_NS - NS_PER_S};
    assert_has(
        page, "\ntapedeck_group_lag_events{group=\"billing\",tap=\"feed\",stream=\"a\"} 12\n");
    assert_has(
        page, "\ntapedeck_group_lag_seconds{group=\"billing\",tap=\"feed\",stream=\"a\"} 2.500\n");
    assert_has(page,
        "\ntapedeck_group_standing_seconds{group=\"billing\",tap=\"feed\",stream=\"a\"} 1.000\n");
    assert_has(page, "\ntapedeck_group_state{group=\"billing\",tap=\"feed\",stream=\"a\","
                     "state=\"STALL\"} 1\n");
    group->waits_ns = -1;
    assert_null(strstr(text_of(page), "tapedeck_group_lag_seconds"));
    stream_name[1] = '\\';
}

/* Prometheus refuses a page with a series twice, or with bytes that are not UTF-8. */
static void
keeps_names_with_odd_bytes_apart(void **state)
{
    struct page *page = *state;
    static const char *const names[] = {"a\x01z", "a\x02z", "a\xffz", "a?z", "\xc3\xa4"};
    static const char *const labels[] = {"a\\\\x01z", "a\\\\x02z", "a\\\\xffz", "a?z", "\xc3\xa4"};
    page->status->group_count = 1;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct live_group *group = &page->status->groups[0];
        *group = (struct live_group){.lag = 1, .sampled_ns = NOW_NS};
        live_set_name(group->name, names[i]);
        char *wanted = alloc_format("\ntapedeck_group_lag_events{group=\"%s\",", labels[i]);
        assert_has(page, wanted);
        free(wanted);
    }
}

/* The name of a sample or a comment: up to '{' or a blank. */
static size_t
name_length(const char *name)
{
    return strcspn(name, "{ \n");
}

/* Each family has HELP and TYPE once, in front of its samples; counters end in _total, nothing else
 * does; every line ends. */
static void
is_what_prometheus_can_read(void **state)
{
    struct page *page = *state;
    page->status->group_count = 1;
    page->status->groups[0] = (struct live_group){.name = "g", .lag = 0, .sampled_ns = NOW_NS};
    const char *text = text_of(page);
    const char *family = "";
    size_t family_length = 0;
    size_t families = 0;
    assert_int_equal(text[strlen(text) - 1], '\n');
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        if (strncmp(line, "# HELP ", 7) == 0) {
            family = line + 7;
            family_length = name_length(family);
            families++;
            char *again = alloc_format("# HELP %.*s ", (int)family_length, family);
            const char *second = strstr(strstr(text, again) + 1, again);
            assert_null(second);
            free(again);
            line = strchr(line, '\n') + 1;
            bool is_counter = strncmp(family + family_length - 6, "_total", 6) == 0;
            char *type = alloc_format(
                "# TYPE %.*s %s\n", (int)family_length, family, is_counter ? "counter" : "gauge");
            if (strncmp(line, type, strlen(type)) != 0)
                fail_msg("'%s' does not follow on %.60s", type, family);
            free(type);
            continue;
        }
        if (name_length(line) != family_length || strncmp(line, family, family_length) != 0)
            fail_msg("a sample outside its family: %.80s", line);
        const char *value = memrchr(line, ' ', (size_t)(strchr(line, '\n') - line));
        assert_non_null(value);
        char *end;
        (void)strtod(value + 1, &end);
        assert_int_equal(*end, '\n');
    }
    assert_int_equal(families, 29);
}

#define METRICS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        METRICS_TEST(says_how_the_recorder_and_its_taps_are),
        METRICS_TEST(says_what_a_tap_costs_its_cluster),
        METRICS_TEST(escapes_names_and_leaves_the_running_second_out),
        METRICS_TEST(has_no_sample_for_what_nobody_knows),
        METRICS_TEST(keeps_names_with_odd_bytes_apart),
        METRICS_TEST(is_what_prometheus_can_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
