#include "demo/demo_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "collectors/groups_kafka.h"
#include "collectors/groups_sample.h"
#include "collectors/recorder.h"
#include "demo/demo_report.h"
#include "demo/shop.h"
#include "index/live.h"
#include "index/tape.h"

#define SHOP_TAP   "shop"
#define MARKET_TAP "market"

#define SAMPLE_MS      500
#define PARTITIONS_MAX 16

/* How long the end of a run waits for each of its steps. */
#define STEP_NS (2 * NS_PER_S)
#define LOOK_NS (5 * NS_PER_MS)

/* Prices have no offsets to wait for: when none came for this long, all have come. */
#define SILENCE_NS (100 * NS_PER_MS)

struct demo {
    char *directory;
    int64_t started_ns;
    struct shop *shop;
    struct groups_kafka *sampler;
    struct recorder *recorder;
    char *shop_url;
    struct recorder_tap shop_tap;
    struct live_status *status; /* room for recorder_status(): a megabyte */
    struct lag_watch lags[SHOP_GROUP_COUNT];
    struct group_reading readings[SHOP_GROUP_COUNT];
};

static bool
start_sampler(struct demo *demo, struct error *err)
{
    struct groups_kafka_watch watches[SHOP_GROUP_COUNT];
    for (size_t i = 0; i < SHOP_GROUP_COUNT; i++)
        watches[i] = (struct groups_kafka_watch){
            shop_groups[i].name, shop_stream_name(shop_groups[i].stream)};
    demo->sampler =
        groups_kafka_start(&(struct groups_kafka_options){.bootstrap = shop_bootstrap(demo->shop),
                               .watches = watches,
                               .watch_count = SHOP_GROUP_COUNT,
                               .interval_ms = SAMPLE_MS,
                               .directory = demo->directory,
                               .tap = SHOP_TAP},
            err);
    return demo->sampler != NULL;
}

static bool
start_recorder(struct demo *demo, const struct demo_options *options, struct error *err)
{
    demo->shop_url = alloc_format("kafka://%s/%s,%s,%s", shop_bootstrap(demo->shop),
        shop_stream_name(SHOP_ORDERS), shop_stream_name(SHOP_PAYMENTS),
        shop_stream_name(SHOP_SHIPMENTS));
    char *market_url = alloc_format("zmq://%s/%s",
        shop_prices_endpoint(demo->shop) + strlen("tcp://"), shop_stream_name(SHOP_PRICES));
    demo->shop_tap =
        (struct recorder_tap){.name = SHOP_TAP, .url = demo->shop_url, .from = "beginning"};
    const struct recorder_tap taps[] = {
        demo->shop_tap,
        {.name = MARKET_TAP, .url = market_url},
    };
    /* Losing the demo's tape to a power cut is no loss: the kernel writes when it likes. */
    demo->recorder = recorder_start(
        &(struct recorder_options){.directory = demo->directory,
            .taps = taps,
            .tap_count = 2,
            .until = UNTIL_STOPPED,
            .tape = {.durability = DURABILITY_KERNEL},
            .groups = options->groups != NULL ? options->groups : groups_kafka_rows,
            .groups_self = options->groups != NULL ? options->groups_self : demo->sampler},
        err);
    free(market_url);
    return demo->recorder != NULL;
}

struct demo *
demo_start(const struct demo_options *options, struct error *err)
{
    struct demo *demo = alloc_zeroed(sizeof(*demo));
    demo->directory = alloc_text(options->directory);
    demo->status = alloc_zeroed(sizeof(*demo->status));
    demo->started_ns = clock_monotonic_ns();
    demo->shop = shop_start(&(struct shop_options){.seed = options->seed,
                                .rate = options->rate,
                                .budget_bytes = options->budget_bytes,
                                .faults = options->faults},
        err);
    if (demo->shop == NULL || !start_sampler(demo, err) || !start_recorder(demo, options, err)) {
        demo_stop(demo);
        return NULL;
    }
    return demo;
}

/* Stop what reads before what is read: a broker that goes first would be one more fault to see. */
static bool
stop_parts(struct demo *demo, struct error *err)
{
    bool is_whole = demo->recorder == NULL || recorder_stop(demo->recorder, err);
    demo->recorder = NULL;
    groups_kafka_stop(demo->sampler);
    demo->sampler = NULL;
    shop_stop(demo->shop);
    demo->shop = NULL;
    return is_whole;
}

static void
demo_free(struct demo *demo)
{
    free(demo->status);
    free(demo->shop_url);
    free(demo->directory);
    free(demo);
}

void
demo_stop(struct demo *demo)
{
    if (demo == NULL)
        return;
    struct error ignored;
    (void)stop_parts(demo, &ignored);
    demo_free(demo);
}

static void
watch_lag(struct demo *demo)
{
    for (size_t i = 0; i < SHOP_GROUP_COUNT; i++) {
        struct group_partition partitions[PARTITIONS_MAX];
        groups_kafka_read(demo->sampler, i, &demo->readings[i]);
        size_t count = groups_kafka_partitions(demo->sampler, i, partitions, PARTITIONS_MAX);
        lag_watch_add(&demo->lags[i], &demo->readings[i], partitions, count);
    }
}

bool
demo_watch(struct demo *demo, struct error *err)
{
    watch_lag(demo);
    return !recorder_has_failed(demo->recorder, err);
}

struct recorder *
demo_recorder(struct demo *demo)
{
    return demo->recorder;
}

const struct recorder_tap *
demo_groups_tap(const struct demo *demo)
{
    return &demo->shop_tap;
}

/* What the embedded broker cannot say stays unknown: members, and what the group is doing. */
static void
take_reading(struct demo *demo, size_t watch, struct group_state *group)
{
    struct group_partition partitions[PARTITIONS_MAX];
    size_t count = groups_kafka_partitions(demo->sampler, watch, partitions, PARTITIONS_MAX);
    size_t capacity = group->lane_count;
    for (size_t i = 0; i < count; i++) {
        struct group_lane *lane = group_state_add(
            group, shop_stream_name(shop_groups[watch].stream), partitions[i].partition, &capacity);
        lane->committed = partitions[i].committed;
        lane->log_start = partitions[i].log_start;
        lane->end = partitions[i].end;
    }
}

bool
demo_sample_groups(void *self, struct groups_sample *sample, struct error *err)
{
    struct demo *demo = self;
    *sample = (struct groups_sample){0};
    sample->groups = alloc_zeroed(SHOP_GROUP_COUNT * sizeof(*sample->groups));
    for (size_t i = 0; i < SHOP_GROUP_COUNT; i++) {
        struct group_reading reading;
        groups_kafka_read(demo->sampler, i, &reading);
        if (reading.sampled_ns == 0) {
            groups_sample_done(sample);
            return error_set(err, ERROR_REMOTE, "the groups of the shop were not looked at yet");
        }
        if (sample->sampled_ns < reading.sampled_ns)
            sample->sampled_ns = reading.sampled_ns;
        struct group_state *group = groups_sample_find(sample, shop_groups[i].name);
        if (group == NULL) {
            group = &sample->groups[sample->group_count++];
            *group =
                (struct group_state){.name = alloc_text(shop_groups[i].name), .member_count = -1};
        }
        take_reading(demo, i, group);
        groups_sample_sort(sample);
    }
    for (size_t i = 0; i < sample->group_count; i++)
        group_state_sort(&sample->groups[i]);
    return true;
}

uint64_t
demo_fault_count(struct demo *demo, enum fault fault)
{
    return shop_fault_count(demo->shop, fault);
}

static uint64_t
tap_events(struct demo *demo, const char *tap)
{
    recorder_status(demo->recorder, demo->status);
    for (uint32_t i = 0; i < demo->status->tap_count; i++)
        if (strcmp(demo->status->taps[i].name, tap) == 0)
            return demo->status->taps[i].events;
    return 0;
}

/* Wait until the shop has delivered its last event. */
static void
wait_for_shop(struct demo *demo)
{
    int64_t deadline_ns = clock_monotonic_ns() + STEP_NS;
    while (!shop_is_quiet(demo->shop) && clock_monotonic_ns() < deadline_ns)
        clock_sleep_until_ns(clock_monotonic_ns() + LOOK_NS);
}

/* Wait until all of it was recorded. What is missing after the deadline is found on the tape. */
static void
wait_for_recorder(struct demo *demo)
{
    uint64_t expected = 0;
    for (enum shop_stream stream = SHOP_ORDERS; stream < SHOP_PRICES; stream++)
        expected += shop_produced(demo->shop, stream);
    uint64_t prices = tap_events(demo, MARKET_TAP);
    int64_t silent_since_ns = clock_monotonic_ns();
    int64_t deadline_ns = silent_since_ns + STEP_NS;
    for (;;) {
        int64_t now_ns = clock_monotonic_ns();
        uint64_t prices_now = tap_events(demo, MARKET_TAP);
        if (prices_now != prices)
            silent_since_ns = now_ns;
        prices = prices_now;
        bool is_done =
            tap_events(demo, SHOP_TAP) >= expected && now_ns - silent_since_ns >= SILENCE_NS;
        if (is_done || now_ns >= deadline_ns)
            return;
        clock_sleep_until_ns(now_ns + LOOK_NS);
    }
}

/* One more sample of every group, begun after the doors were closed. */
static void
take_last_sample(struct demo *demo)
{
    int64_t asked_ns = clock_now_ns();
    int64_t deadline_ns = clock_monotonic_ns() + STEP_NS;
    for (;;) {
        groups_kafka_hurry(demo->sampler);
        watch_lag(demo);
        bool all_new = true;
        for (size_t i = 0; i < SHOP_GROUP_COUNT; i++)
            all_new = all_new && demo->readings[i].sampled_ns >= asked_ns;
        if (all_new || clock_monotonic_ns() >= deadline_ns)
            return;
        clock_sleep_until_ns(clock_monotonic_ns() + LOOK_NS);
    }
}

static void
report_groups(const struct demo *demo, struct demo_report *report)
{
    static const char *const labels[] = {[SHOP_ORDERS] = SHOP_TAP "/orders",
        [SHOP_PAYMENTS] = SHOP_TAP "/payments",
        [SHOP_SHIPMENTS] = SHOP_TAP "/shipments"};
    for (size_t i = 0; i < SHOP_GROUP_COUNT; i++) {
        struct demo_group *group = &report->groups[i];
        const struct group_reading *reading = &demo->readings[i];
        *group = (struct demo_group){.name = shop_groups[i].name,
            .stream = labels[shop_groups[i].stream],
            .committed = reading->committed,
            .end = reading->end,
            .lag = reading->lag,
            .sampled_ns = reading->sampled_ns};
        snprintf(group->error, sizeof(group->error), "%s", reading->error);
        group->has_stalled = lag_watch_stall(&demo->lags[i], &group->stall);
    }
}

static void
report_shop(const struct demo *demo, struct demo_report *report)
{
    for (enum fault fault = FAULT_DUPLICATE; fault < FAULT_COUNT; fault++)
        report->happened[fault] = shop_fault_count(demo->shop, fault);
    report->stream_count = SHOP_STREAM_COUNT;
    report->streams = alloc_array(SHOP_STREAM_COUNT, sizeof(*report->streams));
    for (enum shop_stream stream = SHOP_ORDERS; stream < SHOP_STREAM_COUNT; stream++) {
        struct demo_stream *row = &report->streams[stream];
        row->tap = alloc_text(stream == SHOP_PRICES ? MARKET_TAP : SHOP_TAP);
        row->name = alloc_text(shop_stream_name(stream));
        row->label = alloc_format("%s/%s", row->tap, row->name);
        row->produced = shop_produced(demo->shop, stream);
        row->must_be_whole = stream != SHOP_PRICES;
    }
}

static bool
read_tape(const char *directory, struct demo_report *report, struct error *err)
{
    struct tape *tape = tape_open(directory, err);
    if (tape == NULL)
        return false;
    bool is_well = tape_refresh(tape, err) && demo_report_read(report, tape, err);
    tape_close(tape);
    return is_well;
}

bool
demo_finish(struct demo **from, struct demo_report *report, struct error *err)
{
    struct demo *demo = *from;
    *from = NULL;
    *report = (struct demo_report){.ran_ns = clock_monotonic_ns() - demo->started_ns};
    shop_close_doors(demo->shop);
    wait_for_shop(demo);
    wait_for_recorder(demo);
    take_last_sample(demo);
    report_groups(demo, report);
    report_shop(demo, report);
    bool is_well = stop_parts(demo, err) && read_tape(demo->directory, report, err);
    demo_free(demo);
    return is_well;
}
