#include "tests/support/ui_tape.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "index/batch.h"
#include "index/event.h"
#include "index/live.h"
#include "index/tape_writer.h"
#include "tests/support/unit.h"

static void
add_headers(struct buffer *headers, int64_t offset)
{
    char id[32];
    (void)snprintf(id, sizeof(id), "ev-%lld", (long long)offset);
    headers_begin(headers, 4);
    headers_add(headers, bytes_of("ce_id"), bytes_of(id));
    headers_add(headers, bytes_of("ce_type"), bytes_of("order.created"));
    headers_add(headers, bytes_of("x-null"), BYTES_NULL);
    headers_add(headers, bytes_of("x-empty"), bytes_of(""));
}

/* Append an event of which received_ns, offset, key, headers and payload are set. */
static void
append(struct ui_tape *tape, const char *stream, struct event *event)
{
    struct error err = {0};
    struct batch *batch = batch_new();

    event->time_ns = event->received_ns - 3 * NS_PER_MS;
    event->stream = tape_writer_stream(tape->writer, "shop", stream);
    event->partition = (int32_t)(event->offset % 3);
    event->time_type = TIME_CREATE;
    assert_ok(batch_add(batch, event, &err));
    assert_ok(tape_writer_append(tape->writer, batch, &err));
    batch_release(batch);
}

void
ui_tape_add(struct ui_tape *tape, const char *stream, int64_t received_ns, int64_t offset,
    struct bytes key, struct bytes payload)
{
    struct buffer headers = {0};
    add_headers(&headers, offset);
    struct event event = {.received_ns = received_ns,
        .offset = offset,
        .key = key,
        .headers = bytes_make(headers.data, headers.length),
        .payload = payload};
    append(tape, stream, &event);
    buffer_done(&headers);
}

void
ui_tape_add_bare(struct ui_tape *tape, const char *stream, int64_t received_ns, int64_t offset,
    struct bytes key, struct bytes payload)
{
    struct event event = {
        .received_ns = received_ns, .offset = offset, .key = key, .payload = payload};
    append(tape, stream, &event);
}

void
ui_tape_add_hole(struct ui_tape *tape, const char *stream, int64_t noticed_ns, int64_t from,
    int64_t to, enum hole_reason reason)
{
    struct error err = {0};
    struct batch *batch = batch_new();
    struct hole hole = {.stream_id = tape_writer_stream(tape->writer, "shop", stream)->id,
        .partition = (int32_t)(from % 3),
        .from = from,
        .to = to,
        .reason = reason,
        .noticed_ns = noticed_ns};
    batch_add_hole(batch, &hole);
    assert_ok(tape_writer_append(tape->writer, batch, &err));
    batch_release(batch);
}

static void
write_events(struct ui_tape *tape)
{
    static const char *const streams[] = {"orders", "payments", "fraud.scores"};

    for (int i = 0; i < 60; i++) {
        char key[32];
        char payload[256];
        int64_t when_ns = UI_TAPE_NOW_NS - (60 - i) * NS_PER_S + 102 * NS_PER_MS;
        (void)snprintf(key, sizeof(key), "o-%05d", 417 + i % 7);
        (void)snprintf(payload, sizeof(payload),
            "{\"order\":\"%s\",\"amount\":129.50,\"card\":{\"brand\":\"visa\"},\"items\":[1,2]}",
            key);
        struct bytes key_bytes = i % 10 == 3 ? BYTES_NULL : bytes_of(key);
        struct bytes payload_bytes = bytes_of(payload);
        if (i == 55)
            payload_bytes =
                bytes_of("ok\033[2J\033]52;c;aGk=\007 \302\233 \342\200\256abc \xff \xe6\xbc\xa2");
        if (i == 56)
            payload_bytes = BYTES_NULL;
        if (i == 57)
            payload_bytes = bytes_of("");
        ui_tape_add(tape, streams[i % 3], when_ns, 4410552 + i, key_bytes, payload_bytes);
    }
}

static void
describe_stream(struct live_stream *stream, uint64_t events, int64_t last_ns, uint32_t rate)
{
    stream->events = events;
    stream->bytes = events * 200;
    stream->last_received_ns = last_ns;
    for (unsigned i = 0; i < LIVE_RATE_SLOTS; i++)
        stream->rate[i] = rate == 0 ? (i < 20 ? 40 : 0) : rate + i % 7 * rate / 20;
}

static void
publish(struct ui_tape *tape)
{
    struct error err = {0};
    struct live_status *status = alloc_zeroed(sizeof(*status));

    tape->live = live_create(tape->directory, &err);
    assert_non_null(tape->live);
    status->pid = 1;
    status->started_ns = UI_TAPE_NOW_NS - 600 * NS_PER_S;
    status->published_ns = UI_TAPE_NOW_NS;
    status->end_seq = 60;
    status->dropped = 3;
    status->tap_count = 2;
    (void)snprintf(status->taps[0].name, sizeof(status->taps[0].name), "shop");
    status->taps[0].state = TAP_LIVE;
    status->taps[0].since_ns = UI_TAPE_NOW_NS - 599 * NS_PER_S;
    (void)snprintf(status->taps[1].name, sizeof(status->taps[1].name), "prices");
    (void)snprintf(
        status->taps[1].error, sizeof(status->taps[1].error), "no frame from tcp://10.2.0.40:5556");
    status->taps[1].state = TAP_RETRYING;
    status->taps[1].since_ns = UI_TAPE_NOW_NS - 12 * NS_PER_S;
    status->stream_count = 3;
    describe_stream(&status->streams[0], 588600, UI_TAPE_NOW_NS, 981);
    describe_stream(&status->streams[1], 24000, UI_TAPE_NOW_NS - 40 * NS_PER_S, 0);
    describe_stream(&status->streams[2], 9, UI_TAPE_NOW_NS - NS_PER_S, 1);
    status->streams[2].dropped = 3;
    status->group_count = 1;
    (void)snprintf(status->groups[0].name, sizeof(status->groups[0].name), "shipping");
    status->groups[0].stream_id = 1;
    status->groups[0].lag = 173810;
    live_publish(tape->live, status);
    free(status);
}

void
ui_tape_add_lag(struct ui_tape *tape, int64_t received_ns, const char *group, const char *stream,
    const char *json)
{
    char key[256];
    (void)snprintf(key, sizeof(key), "%s %s", group, stream);
    ui_tape_add(tape, "@lag", received_ns, tape->lag_samples++, bytes_of(key), bytes_of(json));
}

/* What a sample says besides its partitions. Numbers are as they stand in JSON: "null", "12.5". */
struct said {
    const char *group;
    const char *stream;
    const char *state;
    const char *reason;
    const char *next;
    const char *seconds;
    const char *in_rate;
    const char *out_rate;
    const char *drain;
    int members; /* -1: unknown */
};

/* Three partitions that are `lag` events behind at `committed`; -1: unknown. */
static void
add_sample(
    struct ui_tape *tape, int64_t when_ns, const struct said *said, int64_t committed, int64_t lag)
{
    struct buffer json = {0};
    buffer_printf(&json,
        "{\"v\":1,\"tap\":\"shop\",\"group\":\"%s\",\"stream\":\"%s\",\"state\":\"%s\","
        "\"reason\":\"%s\",\"next\":",
        said->group, said->stream, said->state, said->reason);
    buffer_printf(
        &json, said->next != NULL ? "\"%s\"" : "null%s", said->next != NULL ? said->next : "");
    if (lag < 0)
        buffer_append_text(&json, ",\"lag\":null");
    else
        buffer_printf(&json, ",\"lag\":\"%lld\"", (long long)lag * 3);
    buffer_printf(&json,
        ",\"seconds\":%s,\"in_rate\":%s,\"out_rate\":%s,\"drain_seconds\":%s,"
        "\"retention_seconds\":null,\"members\":",
        said->seconds, said->in_rate, said->out_rate, said->drain);
    buffer_printf(&json, said->members < 0 ? "null" : "%d", said->members);
    buffer_append_text(&json, ",\"partitions\":[");
    for (int i = 0; i < 3; i++) {
        buffer_printf(&json, "%s{\"partition\":%d,\"member\":", i > 0 ? "," : "", i);
        buffer_printf(&json, said->members > 0 ? "\"%s-%d\"" : "null", said->group, i / 2 + 1);
        if (lag >= 0)
            buffer_printf(&json, ",\"committed\":\"%lld\",\"lag\":\"%lld\"",
                (long long)committed + i, (long long)lag);
        buffer_printf(&json, ",\"seconds\":%s,\"state\":\"%s\",\"reason\":\"%s\"}", said->seconds,
            said->state, said->reason);
    }
    buffer_append_text(&json, "]}");
    ui_tape_add_lag(tape, when_ns, said->group, said->stream, buffer_text(&json));
    buffer_done(&json);
}

static void
add_shipping(struct ui_tape *tape, int64_t when_ns, int stuck_s)
{
    char seconds[32];
    char reason[128];
    struct said said = {"shipping", "payments", "OK", "", NULL, "0.4", "955.0", "954.2", "0.4", 2};
    if (stuck_s > 0) {
        (void)snprintf(seconds, sizeof(seconds), "%d.0", stuck_s);
        (void)snprintf(reason, sizeof(reason),
            "commits come but stand still on 3 of 3 partitions for %d s while events wait",
            stuck_s);
        said.state = stuck_s >= 15 ? "STALL" : "OK";
        said.reason = stuck_s >= 15 ? reason : "";
        said.next = "look at the event that it stands at: tapedeck stuck --group shipping";
        said.seconds = seconds;
        said.out_rate = "0";
        said.drain = "null";
    }
    /* 4410553, 4410554 and 4410555 are on the tape. */
    add_sample(tape, when_ns, &said, 4410553, stuck_s > 0 ? stuck_s * 318 : 130);
}

static void
add_groups(struct ui_tape *tape)
{
    static const struct said ledger = {
        "ledger", "payments", "OK", "", NULL, "0.7", "955.0", "940.0", "12.0", 3};
    static const struct said billing = {
        "billing", "orders", "OK", "", NULL, "0.4", "980.0", "981.0", "0.4", 1};
    static const struct said fraud = {"fraud", "orders", "UNKNOWN",
        "the broker does not say what it committed", NULL, "null", "null", "null", "null", -1};
    static const struct said audit = {"audit-old", "refunds", "STOP",
        "events wait and the group has no member", "start a consumer of it, or delete the group",
        "8640.0", "0.2", "0", "null", 0};

    for (int second = 0; second <= 900; second += 5) {
        int64_t when_ns = UI_TAPE_NOW_NS + (second - 902) * NS_PER_S;
        add_shipping(tape, when_ns, second - 718);
        add_sample(tape, when_ns, &ledger, 4410554, 223);
        add_sample(tape, when_ns, &billing, 4410553, 0);
        add_sample(tape, when_ns, &fraud, -1, -1);
        add_sample(tape, when_ns, &audit, 17, 40 + second / 5);
    }
}

static void
open_tape(struct ui_tape *tape, bool recording, bool with_groups)
{
    struct error err = {0};

    *tape = (struct ui_tape){.parent = temp_directory_new()};
    tape->directory = alloc_format("%s/shop-tape", tape->parent);
    /* The console is forked beside a writer: threads that just start, or allocate, could leave it a lock that nobody opens.
     * So there is no sealer then, and the other thread has done all that it has to. */
    struct tape_writer_options options = {
        .durability = DURABILITY_KERNEL, .min_free = -1.0, .keep_journals = recording};
    tape->writer = tape_writer_open(tape->directory, &options, &err);
    if (tape->writer == NULL)
        fail_msg("%s", err.text);
    /* Streams have the ids that the live page speaks of, whatever comes first. */
    tape_writer_stream(tape->writer, "shop", "orders");
    tape_writer_stream(tape->writer, "shop", "payments");
    tape_writer_stream(tape->writer, "shop", "fraud.scores");
    if (with_groups)
        add_groups(tape);
    write_events(tape);
    if (recording) {
        publish(tape);
        assert_ok(tape_writer_sync(tape->writer, &err));
        return;
    }
    tape_writer_close(tape->writer);
    tape->writer = NULL;
}

void
ui_tape_open(struct ui_tape *tape, bool recording)
{
    open_tape(tape, recording, false);
}

void
ui_tape_open_with_groups(struct ui_tape *tape)
{
    open_tape(tape, true, true);
}

void
ui_tape_close(struct ui_tape *tape)
{
    live_close(tape->live);
    tape_writer_close(tape->writer);
    temp_directory_remove(tape->parent);
    free(tape->directory);
}
