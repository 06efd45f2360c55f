#include "tests/support/index_tape.h"

#include <inttypes.h>

#include "index/batch.h"
#include "index/cursor.h"
#include "index/tape.h"
#include "tests/support/unit.h"

void
made_event_fill(
    struct made_event *made, const struct stream *stream, int32_t partition, int64_t offset)
{
    memset(made, 0, sizeof(*made));
    int key = snprintf(made->key, sizeof(made->key), "k-%" PRId64, offset);
    int payload = snprintf(made->payload, sizeof(made->payload), "{\"n\":%" PRId64 "}", offset);
    headers_begin(&made->headers, 3);
    headers_add(&made->headers, bytes_of("source"), bytes_of("test"));
    headers_add(&made->headers, bytes_of("source"), BYTES_NULL);
    headers_add(&made->headers, bytes_of("empty"), bytes_of(""));
    made->event = (struct event){
        .received_ns = 2000 * NS_PER_S + offset,
        .time_ns = 1000 * NS_PER_S + offset * NS_PER_MS,
        .time_type = TIME_CREATE,
        .offset = offset,
        .stream = stream,
        .partition = partition,
        .key = bytes_make(made->key, (size_t)key),
        .headers = bytes_make(made->headers.data, made->headers.length),
        .payload = bytes_make(made->payload, (size_t)payload),
    };
}

void
made_event_done(struct made_event *made)
{
    buffer_done(&made->headers);
}

void
assert_made_event(const struct event *event)
{
    struct made_event made;
    made_event_fill(&made, event->stream, event->partition, event->offset);
    assert_true(bytes_equal(event->key, made.event.key));
    assert_true(bytes_equal(event->headers, made.event.headers));
    assert_true(bytes_equal(event->payload, made.event.payload));
    assert_true(event->time_ns == made.event.time_ns);
    assert_true(event->received_ns == made.event.received_ns);
    assert_int_equal(event->time_type, TIME_CREATE);
    made_event_done(&made);
}

struct tape_writer *
test_writer(const char *directory, uint64_t journal_bytes)
{
    return test_writer_sealing(directory, journal_bytes, false);
}

struct tape_writer *
test_writer_sealing(const char *directory, uint64_t journal_bytes, bool seal)
{
    struct error err = {0};
    struct tape_writer_options options = {
        .durability = DURABILITY_KERNEL,
        .journal_bytes = journal_bytes,
        .min_free = -1,
        .keep_journals = !seal,
    };
    struct tape_writer *writer = tape_writer_open(directory, &options, &err);
    if (writer == NULL)
        fail_msg("cannot open the writer: %s", err.text);
    return writer;
}

struct batch *
test_batch(const struct stream *stream, int32_t partition, int64_t from, int count)
{
    struct error err = {0};
    struct batch *batch = batch_new();
    for (int i = 0; i < count; i++) {
        struct made_event made;
        made_event_fill(&made, stream, partition, from + i);
        assert_ok(batch_add(batch, &made.event, &err));
        made_event_done(&made);
    }
    return batch;
}

void
test_append(struct tape_writer *writer, const struct stream *stream, int32_t partition,
    int64_t from, int count)
{
    struct error err = {0};
    struct batch *batch = test_batch(stream, partition, from, count);
    assert_ok(tape_writer_append(writer, batch, &err));
    batch_release(batch);
}

struct tape *
test_open(const char *directory)
{
    struct error err = {0};
    struct tape *tape = tape_open(directory, &err);
    if (tape == NULL)
        fail_msg("cannot open the tape: %s", err.text);
    return tape;
}

uint64_t
test_count_all(struct tape *tape, uint64_t first_seq)
{
    struct error err = {0};
    struct cursor_options options = {.order = CURSOR_BY_SEQ};
    struct cursor *cursor = cursor_new(tape, &options);
    struct event event;
    uint64_t count = 0;
    enum cursor_step step;
    while ((step = cursor_next(cursor, 0, &event, &err)) == CURSOR_EVENT) {
        assert_true(event.seq == first_seq + count);
        assert_made_event(&event);
        count++;
    }
    if (step != CURSOR_END)
        fail_msg("reading: %s", err.text);
    cursor_free(cursor);
    return count;
}
