#include "tests/support/console_tape.h"

#include "base/clock.h"
#include "index/batch.h"
#include "index/event.h"
#include "index/hole.h"
#include "index/tape_writer.h"
#include "tests/support/unit.h"

static void
add_sample(
    struct batch *batch, struct tape_writer *writer, const struct sample *sample, int64_t when_ns)
{
    struct error err;
    struct buffer headers = {0};
    if (sample->type != NULL) {
        headers_begin(&headers, 1);
        headers_add(&headers, bytes_of("ce_type"), bytes_of(sample->type));
    }
    struct event event = {
        .received_ns = when_ns + 5 * NS_PER_MS,
        .time_ns = when_ns,
        .offset = sample->offset,
        .stream = tape_writer_stream(writer, "shop", sample->stream),
        .partition = sample->partition,
        .time_type = TIME_CREATE,
        .key = sample->key,
        .headers = bytes_make(headers.data, headers.length),
        .payload = sample->payload,
    };
    assert_ok(batch_add(batch, &event, &err));
    buffer_done(&headers);
}

void
sample_tape_append(
    struct tape_writer *writer, const struct sample *samples, size_t count, size_t first)
{
    struct error err;
    struct batch *batch = batch_new();
    for (size_t i = 0; i < count; i++) {
        int64_t counted_ns = SAMPLE_TIME_NS + (int64_t)(first + i) * NS_PER_MS;
        add_sample(
            batch, writer, &samples[i], samples[i].time_ns == 0 ? counted_ns : samples[i].time_ns);
        if (batch_is_full(batch)) {
            assert_ok(tape_writer_append(writer, batch, &err));
            batch_release(batch);
            batch = batch_new();
        }
    }
    if (batch_event_count(batch) > 0)
        assert_ok(tape_writer_append(writer, batch, &err));
    batch_release(batch);
}

static struct tape_writer *
open_writer(const char *directory)
{
    struct error err;
    struct tape_writer_options options = {.durability = DURABILITY_KERNEL, .min_free = -1.0};
    struct tape_writer *writer = tape_writer_open(directory, &options, &err);
    if (writer == NULL)
        fail_msg("%s", err.text);
    return writer;
}

void
sample_tape_write(const char *directory, const struct sample *samples, size_t count)
{
    struct tape_writer *writer = open_writer(directory);
    sample_tape_append(writer, samples, count, 0);
    tape_writer_close(writer);
}

static void
write_holes(const char *directory, const char *stream, struct hole hole, int count)
{
    struct error err;
    struct tape_writer *writer = open_writer(directory);
    struct batch *batch = batch_new();
    hole.stream_id = tape_writer_stream(writer, "shop", stream)->id;
    hole.noticed_ns = SAMPLE_TIME_NS;
    for (int i = 0; i < count; i++) {
        struct hole moved = hole;
        moved.from += 2 * (int64_t)i;
        moved.to += 2 * (int64_t)i;
        batch_add_hole(batch, &moved);
    }
    assert_ok(tape_writer_append(writer, batch, &err));
    batch_release(batch);
    tape_writer_close(writer);
}

void
sample_tape_write_hole(const char *directory, const char *stream, int64_t from, int64_t to)
{
    write_holes(
        directory, stream, (struct hole){.from = from, .to = to, .reason = HOLE_DROPPED}, 1);
}

void
sample_tape_write_holes(const char *directory, const char *stream, int64_t from, int count)
{
    write_holes(
        directory, stream, (struct hole){.from = from, .to = from, .reason = HOLE_DROPPED}, count);
}

const struct sample *
sample_shop(size_t *count)
{
    static const struct sample samples[] = {
        {.stream = "orders",
            .partition = 0,
            .offset = 10,
            .key = {(const unsigned char *)"o-1", 3},
            .payload = {(const unsigned char *)"{\"n\":1}", 7},
            .type = "order.placed"},
        {.stream = "orders",
            .partition = 1,
            .offset = 5,
            .key = {(const unsigned char *)"o-2", 3},
            .payload = {(const unsigned char *)"\x1b]0;owned\x07", 10},
            .type = "order.placed"},
        {.stream = "orders",
            .partition = 0,
            .offset = 11,
            .key = {NULL, 0},
            .payload = {(const unsigned char *)"\xFF\x00", 2},
            .type = "order.paid"},
        {.stream = "payments",
            .partition = 0,
            .offset = 0,
            .key = {(const unsigned char *)"o-1", 3},
            .payload = {NULL, 0},
            .type = NULL},
    };
    *count = sizeof(samples) / sizeof(samples[0]);
    return samples;
}

void
sample_shop_write(const char *directory)
{
    size_t count = 0;
    const struct sample *samples = sample_shop(&count);
    sample_tape_write(directory, samples, count);
}
