#include <stdlib.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "demo/faults_seen.h"
#include "index/batch.h"
#include "index/event.h"
#include "index/tape.h"
#include "index/tape_writer.h"
#include "tests/support/unit.h"

#define START_NS INT64_C(1795000000000000000)

/* A tape that a test writes event by event and then looks at. */
struct sample {
    char *directory;
    struct tape_writer *writer;
    int64_t now_ns;
    struct buffer headers;
};

static int
sample_open(void **state)
{
    static struct sample sample;
    struct error err = {0};
    sample = (struct sample){.directory = temp_directory_new(), .now_ns = START_NS};
    sample.writer = tape_writer_open(sample.directory, NULL, &err);
    *state = &sample;
    return sample.writer == NULL;
}

static int
sample_close(void **state)
{
    struct sample *sample = *state;
    tape_writer_close(sample->writer);
    temp_directory_remove(sample->directory);
    buffer_done(&sample->headers);
    return 0;
}

static void
append(struct sample *sample, const struct event *event)
{
    struct error err = {0};
    struct batch *batch = batch_new();
    assert_ok(batch_add(batch, event, &err));
    assert_ok(tape_writer_append(sample->writer, batch, &err));
    batch_release(batch);
}

/* An event of shop/STREAM with a key and, unless it is NULL, a CloudEvents id. */
static void
add(struct sample *sample, const char *stream, int32_t partition, int64_t offset, const char *key,
    const char *id, struct bytes payload)
{
    sample->headers.length = 0;
    if (id != NULL) {
        headers_begin(&sample->headers, 1);
        headers_add(&sample->headers, bytes_of("ce_id"), bytes_of(id));
    }
    sample->now_ns += NS_PER_MS;
    append(sample, &(struct event){.stream = tape_writer_stream(sample->writer, "shop", stream),
                       .received_ns = sample->now_ns,
                       .time_ns = sample->now_ns,
                       .time_type = TIME_CREATE,
                       .partition = partition,
                       .offset = offset,
                       .key = bytes_of(key),
                       .headers = bytes_make(sample->headers.data, sample->headers.length),
                       .payload = payload});
}

/* A price with the publisher's own number. */
static void
add_price(struct sample *sample, int64_t offset, const char *payload)
{
    sample->now_ns += NS_PER_MS;
    append(sample, &(struct event){.stream = tape_writer_stream(sample->writer, "market", "prices"),
                       .received_ns = sample->now_ns,
                       .time_ns = CLOCK_NONE,
                       .offset = offset,
                       .offset_is_synthetic = true,
                       .key = bytes_of("prices"),
                       .payload = bytes_of(payload)});
}

static struct faults_seen
look_with(struct sample *sample, const struct group_stall *stalls, size_t count)
{
    struct error err = {0};
    struct faults_seen seen;
    struct tape *tape = tape_open(sample->directory, &err);
    if (tape == NULL)
        fail_msg("%s", err.text);
    assert_ok(tape_refresh(tape, &err));
    assert_ok(faults_seen_scan(tape, stalls, count, &seen, &err));
    tape_close(tape);
    return seen;
}

static struct faults_seen
look(struct sample *sample)
{
    return look_with(sample, NULL, 0);
}

static void
assert_witness(
    const struct fault_witness *witness, const char *stream, int32_t partition, int64_t offset)
{
    assert_string_equal(witness->stream, stream);
    assert_int_equal(witness->partition, partition);
    assert_int_equal(witness->offset, offset);
}

static void
assert_none_but(const struct faults_seen *seen, int fault)
{
    for (int i = 0; i < FAULT_COUNT; i++)
        if (i != fault && seen->sightings[i].count != 0)
            fail_msg("%s: %s", fault_name((enum fault)i), seen->sightings[i].text);
}

static void
a_clean_tape_shows_nothing(void **state)
{
    struct sample *sample = *state;
    add(sample, "orders", 0, 0, "o-1", "a-1", bytes_of("{\"note\":\"caf\xc3\xa9\\u001b\"}\r\n\t"));
    add(sample, "orders", 0, 1, "o-1", "a-2", bytes_of("{}"));
    add(sample, "orders", 1, 0, "o-2", "a-3", BYTES_NULL);
    add(sample, "orders", 1, 1, "", "", bytes_of("{}"));
    add(sample, "orders", 2, 0, "", "", bytes_of("{}"));
    add(sample, "payments", 2, 0, "o-1", "a-1", bytes_of("{\"seq\":1}"));
    add(sample, "payments", 2, 1, "o-1", NULL, bytes_of("{\"seq\":9}"));
    add_price(sample, 0, "{\"seq\":7}");
    add_price(sample, 1, "{\"seq\":8}");
    add_price(sample, 2, "{\"seq\":8}");
    add_price(sample, 3, "{\"seq\":2}");
    add_price(sample, 4, "no json");
    add_price(sample, 5, "{\"seq\":3}");

    struct faults_seen seen = look(sample);

    assert_none_but(&seen, -1);
}

static void
an_empty_tape_shows_nothing(void **state)
{
    struct faults_seen seen = look(*state);
    assert_none_but(&seen, -1);
}

static void
finds_an_id_that_came_twice_with_both_events(void **state)
{
    struct sample *sample = *state;
    add(sample, "orders", 3, 40, "o-1", "a-1", bytes_of("{}"));
    add(sample, "orders", 3, 41, "o-2", "a-2", bytes_of("{\"n\":2}"));
    add(sample, "orders", 3, 42, "o-2", "a-2", bytes_of("{\"n\":2}"));
    add(sample, "orders", 3, 43, "o-3", "a-3", bytes_of("{}"));
    add(sample, "orders", 3, 44, "o-3", "a-3", bytes_of("{}"));

    struct faults_seen seen = look(sample);

    const struct fault_sighting *duplicate = &seen.sightings[FAULT_DUPLICATE];
    assert_none_but(&seen, FAULT_DUPLICATE);
    assert_int_equal(duplicate->count, 2);
    assert_int_equal(duplicate->witness_count, 2);
    assert_witness(&duplicate->witnesses[0], "shop/orders", 3, 41);
    assert_witness(&duplicate->witnesses[1], "shop/orders", 3, 42);
    assert_int_equal(duplicate->witnesses[1].seq, 2);
    assert_string_equal(duplicate->text, "id a-2 is there twice, with the same payload");
}

static void
finds_a_key_that_moved_with_its_last_event_before_and_the_first_after(void **state)
{
    struct sample *sample = *state;
    add(sample, "orders", 1, 10, "o-7", "a-1", bytes_of("{}"));
    add(sample, "orders", 1, 11, "o-7", "a-2", bytes_of("{}"));
    add(sample, "orders", 2, 5, "o-7", "a-3", bytes_of("{}"));
    add(sample, "orders", 2, 6, "o-7", "a-4", bytes_of("{}"));
    add(sample, "payments", 4, 0, "o-7", "a-5", bytes_of("{}"));

    struct faults_seen seen = look(sample);

    const struct fault_sighting *move = &seen.sightings[FAULT_KEY_MOVE];
    assert_none_but(&seen, FAULT_KEY_MOVE);
    assert_int_equal(move->count, 1);
    assert_witness(&move->witnesses[0], "shop/orders", 1, 11);
    assert_witness(&move->witnesses[1], "shop/orders", 2, 5);
    assert_string_equal(move->text, "key o-7 went from partition 1 to 2");
}

static void
finds_missing_numbers_with_the_messages_around_them(void **state)
{
    struct sample *sample = *state;
    add_price(sample, 100, "{\"seq\":7}");
    add_price(sample, 101, "{\"seq\":8}");
    add_price(sample, 102, "{\"seq\":13}");
    add_price(sample, 103, "{\"seq\":14}");

    struct faults_seen seen = look(sample);

    const struct fault_sighting *gap = &seen.sightings[FAULT_GAP];
    assert_none_but(&seen, FAULT_GAP);
    assert_int_equal(gap->count, 1);
    assert_witness(&gap->witnesses[0], "market/prices", 0, 101);
    assert_witness(&gap->witnesses[1], "market/prices", 0, 102);
    assert_string_equal(gap->text, "seq 8 is followed by 13: 4 missing");
}

static void
numbers_at_both_ends_of_their_range_do_not_overflow(void **state)
{
    struct sample *sample = *state;
    add_price(sample, 0, "{\"seq\":-9223372036854775808}");
    add_price(sample, 1, "{\"seq\":9223372036854775807}");

    struct faults_seen seen = look(sample);

    assert_non_null(strstr(seen.sightings[FAULT_GAP].text, "18446744073709551614 missing"));
}

static void
finds_control_bytes_in_a_payload_and_does_not_repeat_them(void **state)
{
    struct sample *sample = *state;
    add(sample, "orders", 0, 0, "o-1", "a-1", bytes_of("{}"));
    add(sample, "orders", 0, 1, "o-2", "a-2", bytes_make("{\x1b]0;x\x07\0\xff}", 9));

    struct faults_seen seen = look(sample);

    const struct fault_sighting *poison = &seen.sightings[FAULT_POISON];
    assert_none_but(&seen, FAULT_POISON);
    assert_int_equal(poison->count, 1);
    assert_int_equal(poison->witness_count, 1);
    assert_witness(&poison->witnesses[0], "shop/orders", 0, 1);
    assert_string_equal(poison->text,
        "the payload holds escape sequences, null bytes, control bytes, invalid UTF-8");
}

static void
control_bytes_in_a_key_or_an_id_do_not_reach_the_text(void **state)
{
    struct sample *sample = *state;
    add(sample, "orders", 0, 0, "o\x1b[2J", "a\x07", bytes_of("{}"));
    add(sample, "orders", 1, 0, "o\x1b[2J", "a\x07", bytes_of("{}"));

    struct faults_seen seen = look(sample);

    assert_string_equal(
        seen.sightings[FAULT_KEY_MOVE].text, "key o?[2J went from partition 0 to 1");
    assert_string_equal(
        seen.sightings[FAULT_DUPLICATE].text, "id a? is there twice, with the same payload");
}

static void
a_stall_is_seen_at_the_event_that_the_group_did_not_come_to(void **state)
{
    struct sample *sample = *state;
    add(sample, "payments", 2, 16, "o-1", "a-1", bytes_of("{}"));
    add(sample, "payments", 2, 17, "o-2", "a-2", bytes_of("{}"));
    struct group_stall stall = {.group = "shipping",
        .stream = "shop/payments",
        .stall = {.begin_ns = START_NS,
            .seen_ns = START_NS + 4 * NS_PER_S,
            .first_lag = 3,
            .last_lag = 500,
            .partition = 2,
            .next_offset = 17,
            .count = 2}};

    struct faults_seen seen = look_with(sample, &stall, 1);

    const struct fault_sighting *sighting = &seen.sightings[FAULT_STALL];
    assert_none_but(&seen, FAULT_STALL);
    assert_int_equal(sighting->count, 2);
    assert_witness(&sighting->witnesses[0], "shop/payments", 2, 17);
    assert_non_null(strstr(sighting->text, "group shipping stood still for 4"));
    assert_non_null(strstr(sighting->text, "from 3 to 500"));
}

static void
a_stall_on_a_stream_that_is_not_on_the_tape_is_not_visible(void **state)
{
    struct sample *sample = *state;
    add(sample, "orders", 0, 0, "o-1", "a-1", bytes_of("{}"));
    struct group_stall stall = {
        .group = "shipping", .stream = "shop/payments", .stall = {.next_offset = 0, .count = 1}};

    struct faults_seen seen = look_with(sample, &stall, 1);

    assert_none_but(&seen, -1);
}

static void
tells_many_keys_and_ids_apart(void **state)
{
    struct sample *sample = *state;
    struct error err = {0};
    struct batch *batch = batch_new();
    const struct stream *orders = tape_writer_stream(sample->writer, "shop", "orders");
    for (int i = 0; i < 20000; i++) {
        char text[32];
        snprintf(text, sizeof(text), "%d", i % 19999); /* the last is the first again */
        sample->headers.length = 0;
        headers_begin(&sample->headers, 1);
        headers_add(&sample->headers, bytes_of("ce_id"), bytes_of(text));
        struct event event = {.stream = orders,
            .received_ns = START_NS + i,
            .time_ns = CLOCK_NONE,
            .partition = i == 19999 ? 1 : 0,
            .offset = i == 19999 ? 0 : i,
            .key = bytes_of(text),
            .headers = bytes_make(sample->headers.data, sample->headers.length),
            .payload = bytes_of("{}")};
        assert_ok(batch_add(batch, &event, &err));
    }
    assert_ok(tape_writer_append(sample->writer, batch, &err));
    batch_release(batch);

    struct faults_seen seen = look(sample);

    assert_int_equal(seen.sightings[FAULT_DUPLICATE].count, 1);
    assert_int_equal(seen.sightings[FAULT_KEY_MOVE].count, 1);
    assert_witness(&seen.sightings[FAULT_KEY_MOVE].witnesses[0], "shop/orders", 0, 0);
    assert_witness(&seen.sightings[FAULT_KEY_MOVE].witnesses[1], "shop/orders", 1, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sample_open, sample_close)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_clean_tape_shows_nothing),
        TEST(an_empty_tape_shows_nothing),
        TEST(finds_an_id_that_came_twice_with_both_events),
        TEST(finds_a_key_that_moved_with_its_last_event_before_and_the_first_after),
        TEST(finds_missing_numbers_with_the_messages_around_them),
        TEST(numbers_at_both_ends_of_their_range_do_not_overflow),
        TEST(finds_control_bytes_in_a_payload_and_does_not_repeat_them),
        TEST(control_bytes_in_a_key_or_an_id_do_not_reach_the_text),
        TEST(a_stall_is_seen_at_the_event_that_the_group_did_not_come_to),
        TEST(a_stall_on_a_stream_that_is_not_on_the_tape_is_not_visible),
        TEST(tells_many_keys_and_ids_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
