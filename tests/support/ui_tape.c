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

void
ui_tape_add(struct ui_tape *tape, const char *stream, int64_t received_ns, int64_t offset,
    struct bytes key, struct bytes payload)
{
    struct error err = {0};
    struct buffer headers = {0};
    struct batch *batch = batch_new();

    add_headers(&headers, offset);
    struct event event = {.received_ns = received_ns,
        .time_ns = received_ns - 3 * NS_PER_MS,
        .offset = offset,
        .stream = tape_writer_stream(tape->writer, "shop", stream),
        .partition = (int32_t)(offset % 3),
        .time_type = TIME_CREATE,
        .key = key,
        .headers = bytes_make(headers.data, headers.length),
        .payload = payload};
    assert_ok(batch_add(batch, &event, &err));
    assert_ok(tape_writer_append(tape->writer, batch, &err));
    batch_release(batch);
    buffer_done(&headers);
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
ui_tape_open(struct ui_tape *tape, bool recording)
{
    struct error err = {0};

    *tape = (struct ui_tape){.parent = temp_directory_new()};
    tape->directory = alloc_format("%s/shop-tape", tape->parent);
    struct tape_writer_options options = {.durability = DURABILITY_KERNEL, .min_free = -1.0};
    tape->writer = tape_writer_open(tape->directory, &options, &err);
    if (tape->writer == NULL)
        fail_msg("%s", err.text);
    write_events(tape);
    if (recording) {
        publish(tape);
        return;
    }
    tape_writer_close(tape->writer);
    tape->writer = NULL;
}

void
ui_tape_close(struct ui_tape *tape)
{
    live_close(tape->live);
    tape_writer_close(tape->writer);
    temp_directory_remove(tape->parent);
    free(tape->directory);
}
