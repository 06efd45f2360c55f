/* The token index of a segment: in which blocks a value may be, asked of an open one and by a probe. */
#include <stdlib.h>

#include "base/bytes.h"
#include "index/event.h"
#include "index/segment.h"
#include "index/segment_probe.h"
#include "index/token_index.h"
#include "tests/support/index_segment_fixture.h"
#include "tests/support/index_segments.h"
#include "tests/support/unit.h"

static bool
block_may_have(struct segment *segment, uint32_t index, struct segment_token token)
{
    uint64_t *blocks = find_blocks(segment, token);
    bool has = block_set_has(blocks, index);
    free(blocks);
    return has;
}

static bool
may_hold(struct segment *segment, const char *kind, const char *value)
{
    return blocks_that_may_hold(segment, kind, bytes_of(value)) > 0;
}

static void
filters_never_deny_what_is_there(void **state)
{
    const struct fixture *fixture = *state;
    struct error err;
    struct segment *segment = test_open_segment(fixture->directory);
    struct block *block = block_new();
    for (uint32_t i = 0; i < segment_info(segment)->block_count; i++) {
        assert_ok(segment_read_block(segment, i, BLOCK_ALL, block, &err));
        for (uint32_t k = 0; k < block->count; k++) {
            struct event_identity identity;
            struct event event = test_event(block, k);
            event_identify(&event, &identity);
            struct segment_token tokens[] = {
                segment_token(segment, "key", event.key),
                segment_token(segment, "id", identity.id),
                segment_token(segment, "trace", identity.trace),
                segment_token(segment, "header:ce_id", identity.id),
            };
            for (size_t t = 0; t < 4; t++) {
                assert_true(tokens[t].is_indexed);
                assert_true(block_may_have(segment, i, tokens[t]));
            }
        }
    }
    block_free(block);
    segment_close(segment);
}

static void
filters_exclude_what_is_not(void **state)
{
    const struct fixture *fixture = *state;
    struct segment *segment = test_open_segment(fixture->directory);
    unsigned wrong = 0;
    unsigned wrong_blocks = 0;
    for (unsigned i = 0; i < 1000; i++) {
        char value[32];
        (void)snprintf(value, sizeof(value), "absent-%u", i);
        wrong += may_hold(segment, "key", value);
        wrong_blocks += blocks_that_may_hold(segment, "id", bytes_of(value));
    }
    assert_true(wrong < 50);
    assert_true(wrong_blocks < 50 * segment_info(segment)->block_count);
    assert_false(may_hold(segment, "correlation", "or-000001"));

    struct bytes id = bytes_of("00000007-1111-4222-8333-444455556666");
    segment_trim(segment);
    assert_in_range(blocks_that_may_hold(segment, "id", id), 1, 2);
    segment_close(segment);
}

/* A probe of the fixture's file, as it is now. */
static struct segment_probe *
open_probe(const struct fixture *fixture, struct segment *segment)
{
    struct segment_filter_place place = segment_filter_place(segment);
    assert_true(place.pages > 1);
    struct segment_probe *probe =
        segment_probe_open(fixture->path, &place, segment_info(segment)->file_bytes);
    assert_non_null(probe);
    return probe;
}

static void
a_probe_says_what_the_open_segment_says(void **state)
{
    const struct fixture *fixture = *state;
    struct segment *segment = test_open_segment(fixture->directory);
    struct segment_probe *probe = open_probe(fixture, segment);
    unsigned there = 0;
    for (unsigned i = 0; i < 4000; i++) {
        static const char *const kinds[] = {"key", "id", "trace", "correlation"};
        char value[64];
        (void)snprintf(
            value, sizeof(value), i % 2 == 0 ? "absent-%u" : "%08x-1111-4222-8333-444455556666", i);
        for (size_t k = 0; k < 4; k++) {
            bool expected = may_hold(segment, kinds[k], value);
            there += expected;
            assert_int_equal(segment_probe_may_hold(probe, kinds[k], bytes_of(value)), expected);
        }
    }
    assert_true(there > EVENTS / 4);
    assert_true(segment_probe_may_hold(probe, "header:other", bytes_of("value")));
    assert_true(segment_probe_may_hold(probe, "key", BYTES_NULL));
    segment_probe_close(probe);
    segment_close(segment);
}

static void
a_probe_of_a_broken_page_excludes_nothing(void **state)
{
    const struct fixture *fixture = *state;
    struct segment *segment = test_open_segment(fixture->directory);
    assert_false(may_hold(segment, "key", "absent"));
    struct segment_filter_place place = segment_filter_place(segment);
    struct segment_probe *probe = open_probe(fixture, segment);
    for (uint32_t i = 0; i < place.pages; i++)
        fixture->bytes.data[place.at + (uint64_t)i * TOKEN_PAGE_BYTES + 9] ^= 1;
    write_file(fixture->path, fixture->bytes.data, fixture->bytes.length);
    assert_true(segment_probe_may_hold(probe, "key", bytes_of("absent")));
    segment_probe_close(probe);

    place.at = segment_info(segment)->file_bytes;
    assert_null(segment_probe_open(fixture->path, &place, segment_info(segment)->file_bytes));
    place.pages = 0;
    assert_null(segment_probe_open(fixture->path, &place, segment_info(segment)->file_bytes));
    segment_close(segment);
}

static void
what_is_not_indexed_may_be_anywhere(void **state)
{
    const struct fixture *fixture = *state;
    struct segment *segment = test_open_segment(fixture->directory);
    assert_true(may_hold(segment, "header:other", "value"));
    assert_true(may_hold(segment, "type", "value"));
    assert_true(blocks_that_may_hold(segment, "key", BYTES_NULL) > 0);
    segment_close(segment);
}

/* Tokens are taken by the shape of a header list, so compare with event_identify() over odd lists. */
static void
filters_know_all_that_event_identify_finds(void **state)
{
    const struct fixture *fixture = *state;
    struct test_records records = {0};
    struct error err;
    uint64_t seed = 99;
    for (int i = 0; i < 8000; i++)
        test_records_add_random(&records, &seed);
    test_seal(fixture->directory, &records, 0, NULL);
    struct segment *segment = test_open_segment(fixture->directory);
    struct block *block = block_new();
    unsigned looked_at = 0;
    for (uint32_t i = 0; i < segment_info(segment)->block_count; i++) {
        assert_ok(segment_read_block(segment, i, BLOCK_ALL, block, &err));
        for (uint32_t k = 0; k < block->count; k++) {
            struct event_identity found;
            struct event event = test_event(block, k);
            event_identify(&event, &found);
            struct segment_token tokens[] = {
                segment_token(segment, "key", event.key),
                segment_token(segment, "id", found.id),
                segment_token(segment, "trace", found.trace),
                segment_token(segment, "correlation", found.correlation),
            };
            for (size_t t = 0; t < 4; t++) {
                looked_at += tokens[t].is_indexed;
                assert_true(block_may_have(segment, i, tokens[t]));
            }
        }
    }
    assert_true(looked_at > 8000);
    block_free(block);
    segment_close(segment);
    test_records_done(&records);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            filters_never_deny_what_is_there, make_several_blocks, remove_fixture),
        cmocka_unit_test_setup_teardown(
            filters_exclude_what_is_not, make_several_blocks, remove_fixture),
        cmocka_unit_test_setup_teardown(
            a_probe_says_what_the_open_segment_says, make_several_blocks, remove_fixture),
        cmocka_unit_test_setup_teardown(
            a_probe_of_a_broken_page_excludes_nothing, make_several_blocks, remove_fixture),
        cmocka_unit_test_setup_teardown(
            what_is_not_indexed_may_be_anywhere, make_one_block, remove_fixture),
        cmocka_unit_test_setup_teardown(
            filters_know_all_that_event_identify_finds, make_one_block, remove_fixture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
