/* stream_table: streams by id and by name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "index/event.h"
#include "index/stream_table.h"
#include "tests/support/unit.h"

#define MANY 5000u

static struct stream *
add(struct stream_table *table, uint32_t id, const char *tap, const char *name)
{
    return stream_table_add(table, id, bytes_of(tap), bytes_of(name));
}

static void
finds_each_of_many_streams_by_id_and_by_name(void **state)
{
    (void)state;
    struct stream_table table = {0};
    for (uint32_t id = 0; id < MANY; id++) {
        char *name = alloc_format("stream-%u", id);
        (void)add(&table, id, "tap", name);
        free(name);
    }

    for (uint32_t id = 0; id < MANY; id++) {
        const struct stream *stream = stream_table_at(&table, id);
        assert_int_equal(stream->id, id);
        assert_ptr_equal(stream_table_find(&table, "tap", stream->name), stream);
    }
    assert_null(stream_table_find(&table, "tap", "stream-5000"));
    stream_table_done(&table);
}

static void
tells_taps_and_names_apart_however_they_are_split(void **state)
{
    (void)state;
    struct stream_table table = {0};
    const struct stream *first = add(&table, 0, "ab", "c");
    const struct stream *second = add(&table, 1, "a", "bc");

    assert_ptr_equal(stream_table_find(&table, "ab", "c"), first);
    assert_ptr_equal(stream_table_find(&table, "a", "bc"), second);
    assert_null(stream_table_find(&table, "", "abc"));
    stream_table_done(&table);
}

static void
finds_the_first_added_of_two_with_one_name(void **state)
{
    (void)state;
    struct stream_table table = {0};
    const struct stream *first = add(&table, 7, "tap", "same");
    (void)add(&table, 3, "tap", "same");

    assert_ptr_equal(stream_table_find(&table, "tap", "same"), first);
    assert_null(stream_table_at(&table, 5));
    stream_table_done(&table);
}

static void
an_empty_table_has_no_stream(void **state)
{
    (void)state;
    struct stream_table table = {0};

    assert_null(stream_table_find(&table, "tap", "name"));
    assert_null(stream_table_at(&table, 0));
    stream_table_done(&table);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_each_of_many_streams_by_id_and_by_name),
        cmocka_unit_test(tells_taps_and_names_apart_however_they_are_split),
        cmocka_unit_test(finds_the_first_added_of_two_with_one_name),
        cmocka_unit_test(an_empty_table_has_no_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
