#include <stdlib.h>

#include "base/alloc.h"
#include "base/file.h"
#include "index/batch.h"
#include "index/cursor.h"
#include "index/event.h"
#include "index/places.h"
#include "index/query.h"
#include "index/tape.h"
#include "index/tape_writer.h"
#include "tests/support/unit.h"

#define EVENTS   4000
#define SEGMENTS 12

static void
set(struct places *places, const char *stream, enum place_field field, const char *name)
{
    struct error err = {0};
    if (!places_set(places, stream, field, name, &err))
        fail_msg("%s", err.text);
}

static void
comes_back_as_it_was_written(void **state)
{
    struct error err = {0};
    struct places places = {0};
    struct places found;
    set(&places, "orders", PLACE_ID, "order id");
    set(&places, "shop/orders", PLACE_CORRELATION, "flow");
    set(&places, "orders", PLACE_ID, "order-id"); /* again: it moves */
    assert_ok(places_write(*state, &places, &err));
    assert_ok(places_read(*state, &found, &err));
    assert_int_equal(found.count, 2);
    assert_string_equal(found.rows[0].header[PLACE_ID], "order-id");
    assert_null(found.rows[0].header[PLACE_CORRELATION]);
    assert_string_equal(found.rows[1].header[PLACE_CORRELATION], "flow");
    places_done(&found);
    places_done(&places);
}

static void
is_empty_where_nothing_was_written(void **state)
{
    struct error err = {0};
    struct places places;
    assert_ok(places_read(*state, &places, &err));
    assert_int_equal(places.count, 0);
}

static void
a_broken_file_is_damage(void **state)
{
    static const char *const texts[] = {"", "tapedeck places 2\n",
        "tapedeck places 1\norders\tid\n", "tapedeck places 1\norders\tprice\tp\n",
        "tapedeck places 1\norders\tid\torder-id"};
    char *path = alloc_format("%s/places", (char *)*state);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct error err = {0};
        struct places places;
        assert_ok(file_replace(path, texts[i], strlen(texts[i]), &err));
        assert_false(places_read(*state, &places, &err));
        assert_int_equal(err.code, ERROR_DAMAGED);
        assert_int_equal(places.count, 0);
    }
    free(path);
}

static void
a_label_says_more_than_a_name(void **state)
{
    (void)state;
    char tap[] = "shop";
    char name[] = "orders";
    char label[] = "shop/orders";
    const struct stream stream = {.tap = tap, .name = name, .label = label};
    struct places places = {0};
    assert_null(places_of(&places, &stream));
    set(&places, "shop/orders", PLACE_ID, "a");
    set(&places, "orders", PLACE_ID, "b");
    assert_string_equal(places_of(&places, &stream)->header[PLACE_ID], "a");
    places_done(&places);
}

static void
counts_each_header_once(void **state)
{
    (void)state;
    const char *names[8];
    struct places places = {0};
    set(&places, "a", PLACE_ID, "x");
    set(&places, "b", PLACE_ID, "x");
    set(&places, "b", PLACE_TYPE, "x");
    set(&places, "b", PLACE_SEQUENCE, "y");
    assert_int_equal(places_headers(&places, PLACE_COUNT, names, 8), 2);
    assert_int_equal(places_headers(&places, PLACE_ID, names, 8), 1);
    assert_string_equal(names[0], "x");
    assert_int_equal(places_headers(&places, PLACE_CAUSATION, names, 8), 0);
    places_done(&places);
}

static void
refuses_names_that_no_filter_can_hold(void **state)
{
    (void)state;
    struct error err = {0};
    struct places places = {0};
    char name[PLACES_NAME_MAX + 2];
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_false(places_set(&places, "a", PLACE_ID, name, &err));
    assert_false(places_set(&places, "a", PLACE_ID, "", &err));
    assert_false(places_set(&places, "a", PLACE_ID, "a\tb", &err));
    for (unsigned i = 0; i < PLACES_HEADERS_MAX; i++) {
        char *stream = alloc_format("s%u", i);
        set(&places, stream, PLACE_ID, stream);
        free(stream);
    }
    assert_false(places_set(&places, "last", PLACE_ID, "one too many", &err));
    assert_int_equal(err.code, ERROR_LIMIT);
    places_done(&places);
}

/* Events 0 ... EVENTS - 1 of shop/orders and of shop/other in turn, each with the headers order-id O<n>,
 * ce_id C<n>, kind placed and filling; sealed. */
static void
write_tape(const char *directory, const struct places *places)
{
    struct error err = {0};
    struct tape_writer_options options = {.durability = DURABILITY_KERNEL, .places = places};
    struct tape_writer *writer = tape_writer_open(directory, &options, &err);
    if (writer == NULL)
        fail_msg("%s", err.text);
    static const unsigned char filling[200];
    struct buffer headers = {0};
    struct batch *batch = batch_new();
    for (unsigned i = 0; i < EVENTS; i++) {
        char *order = alloc_format("O%u", i);
        char *ce_id = alloc_format("C%u", i);
        headers_begin(&headers, 4);
        headers_add(&headers, bytes_of("order-id"), bytes_of(order));
        headers_add(&headers, bytes_of("ce_id"), bytes_of(ce_id));
        headers_add(&headers, bytes_of("kind"), i % 2 == 0 ? bytes_of("placed") : BYTES_NULL);
        headers_add(&headers, bytes_of("ce_type"), bytes_of("event"));
        struct event event = {
            .stream = tape_writer_stream(writer, "shop", i % 2 == 0 ? "orders" : "other"),
            .offset = i / 2,
            .received_ns = 1000 + i,
            .time_ns = CLOCK_NONE,
            .headers = bytes_make(headers.data, headers.length),
            .payload = bytes_make(filling, sizeof(filling)),
        };
        assert_ok(batch_add(batch, &event, &err));
        free(order);
        free(ce_id);
    }
    assert_ok(tape_writer_append(writer, batch, &err));
    batch_release(batch);
    buffer_done(&headers);
    tape_writer_close(writer);
}

/* How many events match; *scanned says how many blocks that took. */
static uint64_t
count(const char *directory, const char *text, uint64_t *scanned)
{
    struct error err = {0};
    size_t column;
    struct tape *tape = tape_open(directory, &err);
    if (tape == NULL)
        fail_msg("%s", err.text);
    struct query *query = query_compile(text, 0, &column, &err);
    assert_non_null(query);
    struct cursor *cursor = cursor_new(tape, &(struct cursor_options){.query = query});
    struct event event;
    uint64_t found = 0;
    while (cursor_next(cursor, 0, &event, &err) == CURSOR_EVENT)
        found++;
    struct cursor_progress progress;
    cursor_progress(cursor, &progress);
    *scanned = progress.scanned_blocks;
    assert_true(progress.total_blocks > 4);
    cursor_free(cursor);
    query_free(query);
    tape_close(tape);
    return found;
}

static void
fields_are_where_the_stream_has_them(void **state)
{
    struct places places = {0};
    uint64_t scanned;
    set(&places, "shop/orders", PLACE_ID, "order-id");
    set(&places, "orders", PLACE_TYPE, "nobody asks by name when the label is there");
    set(&places, "shop/orders", PLACE_TYPE, "kind");
    write_tape(*state, &places);
    places_done(&places);

    assert_int_equal(count(*state, "id=O500", &scanned), 1);
    assert_true(scanned <= 2); /* it is in the filters; false positives are rare */
    assert_int_equal(count(*state, "header.order-id=O501", &scanned), 1);
    assert_true(scanned <= 2);
    assert_int_equal(count(*state, "id=C501", &scanned), 1); /* the other stream: as usual */
    assert_true(scanned <= 2);
    assert_int_equal(count(*state, "id=C500", &scanned), 0); /* the place goes first */
    assert_int_equal(count(*state, "id=O501", &scanned), 0);
    assert_int_equal(count(*state, "type=placed", &scanned), EVENTS / 2);
    assert_int_equal(count(*state, "type=event", &scanned), EVENTS / 2);
}

static void
segments_from_before_are_searched_without_filters(void **state)
{
    struct error err = {0};
    struct places places = {0};
    uint64_t scanned;
    write_tape(*state, NULL);
    assert_int_equal(count(*state, "id=O500", &scanned), 0);
    assert_int_equal(count(*state, "id=C500", &scanned), 1);

    set(&places, "orders", PLACE_ID, "order-id");
    assert_ok(places_write(*state, &places, &err));
    places_done(&places);
    assert_int_equal(count(*state, "id=O500", &scanned), 1);
    assert_int_equal(count(*state, "id=C501", &scanned), 1);
}

/* With so many files they are asked through the catalogue, without opening them. */
static void
files_that_are_not_open_are_asked_for_all_places(void **state)
{
    struct error err = {0};
    struct places places = {0};
    uint64_t scanned;
    for (int i = 0; i < SEGMENTS; i++)
        write_tape(*state, NULL);
    assert_int_equal(count(*state, "id=C500", &scanned), SEGMENTS);
    assert_int_equal(count(*state, "id=O500", &scanned), 0);

    set(&places, "orders", PLACE_ID, "order-id");
    assert_ok(places_write(*state, &places, &err));
    places_done(&places);
    assert_int_equal(count(*state, "id=O500", &scanned), SEGMENTS);
    assert_int_equal(count(*state, "id=C501", &scanned), SEGMENTS);
}

static void
a_reader_that_is_there_learns_of_new_places(void **state)
{
    struct error err = {0};
    struct places places = {0};
    write_tape(*state, NULL);
    struct tape *tape = tape_open(*state, &err);
    assert_non_null(tape);
    assert_null(tape_stream(tape, 0)->places);

    set(&places, "orders", PLACE_ID, "order-id");
    struct tape_writer *writer =
        tape_writer_open(*state, &(struct tape_writer_options){.places = &places}, &err);
    places_done(&places);
    assert_non_null(writer);
    const struct stream *orders = tape_writer_find_stream(writer, "shop", "orders");
    assert_string_equal(orders->places->header[PLACE_ID], "order-id");
    struct batch *batch = batch_new();
    struct event event = {.stream = orders, .offset = EVENTS, .time_ns = CLOCK_NONE};
    assert_ok(batch_add(batch, &event, &err));
    assert_ok(tape_writer_append(writer, batch, &err)); /* a new journal */
    batch_release(batch);

    assert_ok(tape_refresh(tape, &err));
    assert_string_equal(tape_stream(tape, 0)->places->header[PLACE_ID], "order-id");
    tape_close(tape);
    tape_writer_close(writer);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            comes_back_as_it_was_written, temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(
            is_empty_where_nothing_was_written, temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(
            a_broken_file_is_damage, temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test(a_label_says_more_than_a_name),
        cmocka_unit_test(counts_each_header_once),
        cmocka_unit_test(refuses_names_that_no_filter_can_hold),
        cmocka_unit_test_setup_teardown(
            fields_are_where_the_stream_has_them, temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(segments_from_before_are_searched_without_filters,
            temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(files_that_are_not_open_are_asked_for_all_places,
            temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(a_reader_that_is_there_learns_of_new_places,
            temp_directory_set_up, temp_directory_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
