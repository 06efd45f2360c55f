#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/crc32c.h"
#include "base/file.h"
#include "index/event.h"
#include "index/hole.h"
#include "index/lanes.h"
#include "index/segment.h"
#include "index/segment_format.h"
#include "index/segment_probe.h"
#include "index/token_index.h"
#include "tests/support/index_segments.h"
#include "tests/support/unit.h"

#define FIRST_SEQ 1000
#define EVENTS    2500u

/* A segment of EVENTS usual events in 2 streams of 3 partitions, its bytes, and a place for changed ones. */
struct fixture {
    char *directory;
    char *path;
    struct test_records records;
    struct buffer bytes;
};

static int
make_fixture(void **state, unsigned events)
{
    static const char *const indexed[] = {"ce_id"};
    struct fixture *fixture = alloc_zeroed(sizeof(*fixture));
    struct error err;
    fixture->directory = temp_directory_new();
    fixture->path = alloc_format("%s/00000001.seg", fixture->directory);
    for (unsigned i = 0; i < events; i++)
        test_records_add_usual(&fixture->records, i % 2, i % 3, i, i);
    struct seal_options options = {
        .codec = BLOCK_ZSTD, .token_headers = indexed, .token_header_count = 1};
    test_seal(fixture->directory, &fixture->records, FIRST_SEQ, &options);
    assert_ok(file_read_whole(fixture->path, 1u << 24, &fixture->bytes, &err));
    *state = fixture;
    return 0;
}

static int
make_several_blocks(void **state)
{
    return make_fixture(state, EVENTS);
}

static int
make_one_block(void **state)
{
    return make_fixture(state, 12);
}

static int
remove_fixture(void **state)
{
    struct fixture *fixture = *state;
    temp_directory_remove(fixture->directory);
    test_records_done(&fixture->records);
    buffer_done(&fixture->bytes);
    free(fixture->path);
    free(fixture);
    return 0;
}

static void
write_file(const char *path, const void *data, size_t length)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, length), length);
    assert_int_equal(close(fd), 0);
}

static void
expect_refused(const struct fixture *fixture, const char *why)
{
    struct error err = {0};
    write_file(fixture->path, fixture->bytes.data, fixture->bytes.length);
    struct segment *segment = segment_open(fixture->path, &err);
    assert_null(segment);
    assert_int_equal(err.code, ERROR_DAMAGED);
    if (strstr(err.text, why) == NULL || strstr(err.text, fixture->path) == NULL)
        fail_msg("expected '%s' in '%s'", why, err.text);
}

static void
tells_what_it_holds(void **state)
{
    const struct fixture *fixture = *state;
    struct segment *segment = test_open_segment(fixture->directory);
    const struct segment_info *info = segment_info(segment);
    assert_int_equal(info->id, 1);
    assert_int_equal(info->version, 1);
    assert_int_equal(info->first_seq, FIRST_SEQ);
    assert_int_equal(info->end_seq, FIRST_SEQ + EVENTS);
    assert_int_equal(info->event_count, EVENTS);
    assert_int_equal(info->record_bytes, fixture->records.bytes.length);
    assert_int_equal(info->file_bytes, fixture->bytes.length);
    assert_int_equal(info->min_time_ns, INT64_C(1795000000000000000));
    assert_int_equal(
        info->max_time_ns, INT64_C(1795000000000000000) + (int64_t)(EVENTS - 1) * 1000000);
    assert_int_equal(info->min_received_ns, INT64_C(1795000000004000000));
    assert_int_equal(segment_stream_count(segment), 2);
    assert_string_equal(segment_stream(segment, 0)->label, "shop/orders");
    assert_string_equal(segment_stream(segment, 1)->label, "shop/payments");
    segment_close(segment);
}

static void
tells_its_lanes(void **state)
{
    const struct fixture *fixture = *state;
    struct segment *segment = test_open_segment(fixture->directory);
    assert_int_equal(lanes_count(segment_lanes(segment)), 6);
    const struct lane *lane = lanes_find(segment_lanes(segment), 1, 2); /* 5, 11, 17 ... 2495 */
    assert_non_null(lane);
    assert_int_equal(lane->events, 416);
    assert_int_equal(lane->first_offset, 5);
    assert_int_equal(lane->last_offset, 2495);
    assert_int_equal(lane->first_ns, INT64_C(1795000000005000000));
    assert_false(lane->offsets_are_synthetic);
    segment_close(segment);
}

static void
gives_back_what_was_sealed(void **state)
{
    const struct fixture *fixture = *state;
    struct segment *segment = test_open_segment(fixture->directory);
    assert_true(segment_info(segment)->block_count > 3);
    test_expect_records(segment, &fixture->records, FIRST_SEQ);
    segment_close(segment);
}

static void
reads_only_what_is_wanted(void **state)
{
    const struct fixture *fixture = *state;
    struct error err;
    struct segment *segment = test_open_segment(fixture->directory);
    struct block *block = block_new();
    assert_ok(segment_read_block(segment, 1, BLOCK_BIT(BLOCK_KEY), block, &err));
    assert_int_equal(block->loaded, BLOCK_BIT(BLOCK_META) | BLOCK_BIT(BLOCK_KEY));
    assert_non_null(test_event(block, 0).key.data);
    assert_null(test_event(block, 0).payload.data);
    assert_ok(segment_read_block(segment, 1, BLOCK_BIT(BLOCK_PAY), block, &err));
    assert_non_null(test_event(block, 0).key.data);
    assert_non_null(test_event(block, 0).payload.data);
    assert_ok(segment_read_block(segment, 2, BLOCK_BIT(BLOCK_META), block, &err));
    assert_null(test_event(block, 0).key.data);
    assert_null(block->payloads.data);
    block_free(block);
    segment_close(segment);
}

static void
an_event_read_alone_is_the_same(void **state)
{
    const struct fixture *fixture = *state;
    struct error err;
    struct segment *segment = test_open_segment(fixture->directory);
    struct block *whole = block_new();
    struct block *block = block_new();
    for (uint32_t i = 0; i < segment_info(segment)->block_count; i++) {
        assert_ok(segment_read_block(segment, i, BLOCK_ALL, whole, &err));
        for (uint32_t k = 0; k < whole->count; k += 1 + k / 8) {
            struct event event;
            struct event expected = test_event(whole, k);
            assert_ok(segment_read_event(segment, i, BLOCK_ALL, k, block, &event, &err));
            assert_int_equal(block->loaded, BLOCK_ALL & ~BLOCK_BIT(BLOCK_HDR));
            assert_int_equal(event.seq, expected.seq);
            assert_true(bytes_equal(event.key, expected.key));
            assert_true(bytes_equal(event.headers, expected.headers));
            assert_true(bytes_equal(event.payload, expected.payload));
        }
    }
    block_free(block);
    block_free(whole);
    segment_close(segment);
}

static void
a_block_of_a_closed_segment_is_not_taken_for_one_of_the_next(void **state)
{
    const struct fixture *fixture = *state;
    struct error err;
    struct block *block = block_new();
    struct segment *segment = test_open_segment(fixture->directory);
    assert_ok(segment_read_block(segment, 0, BLOCK_ALL, block, &err));
    segment_close(segment);
    segment = test_open_segment(fixture->directory);
    assert_ok(segment_read_block(segment, 0, BLOCK_BIT(BLOCK_META), block, &err));
    assert_int_equal(block->loaded, BLOCK_BIT(BLOCK_META));
    assert_ptr_equal(test_event(block, 0).stream, segment_stream(segment, 0));
    segment_close(segment);
    block_free(block);
}

static const struct stream *
give_replacement(void *self, uint32_t id)
{
    return id == 0 ? self : NULL;
}

static void
events_point_to_the_streams_it_is_given(void **state)
{
    const struct fixture *fixture = *state;
    struct error err;
    struct stream replacement = {0};
    struct block *block = block_new();
    struct segment *segment = test_open_segment(fixture->directory);
    segment_use_streams(segment, give_replacement, &replacement);
    assert_ok(segment_read_block(segment, 0, BLOCK_ALL, block, &err));
    assert_ptr_equal(test_event(block, 0).stream, &replacement);
    segment_close(segment);
    block_free(block);
}

/* ---- filters ---- */

/* The blocks that may hold the value; freed with free(). */
static uint64_t *
find_blocks(struct segment *segment, struct segment_token token)
{
    uint64_t *blocks =
        alloc_array(block_set_words(segment_info(segment)->block_count), sizeof(*blocks));
    segment_find_blocks(segment, token, blocks);
    return blocks;
}

static bool
block_may_have(struct segment *segment, uint32_t index, struct segment_token token)
{
    uint64_t *blocks = find_blocks(segment, token);
    bool has = block_set_has(blocks, index);
    free(blocks);
    return has;
}

/* In how many blocks the value may be. */
static unsigned
blocks_that_may_hold(struct segment *segment, const char *kind, struct bytes value)
{
    uint64_t *blocks = find_blocks(segment, segment_token(segment, kind, value));
    unsigned count = 0;
    for (uint32_t i = 0; i < segment_info(segment)->block_count; i++)
        count += block_set_has(blocks, i);
    free(blocks);
    return count;
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

/* ---- damage ---- */

struct told {
    unsigned count;
    uint64_t first_seq;
    uint64_t end_seq;
    char text[512];
};

static void
remember(void *self, const struct block_info *lost, const char *text)
{
    struct told *told = self;
    told->count++;
    told->first_seq = lost == NULL ? 0 : lost->min_seq;
    told->end_seq = lost == NULL ? 0 : lost->max_seq + 1;
    (void)snprintf(told->text, sizeof(told->text), "%s", text);
}

static void
verifies_a_good_one(void **state)
{
    const struct fixture *fixture = *state;
    struct error err;
    struct told told = {0};
    struct segment *segment = test_open_segment(fixture->directory);
    assert_ok(segment_verify(segment, remember, &told, &err));
    assert_int_equal(told.count, 0);
    segment_close(segment);
}

static void
a_damaged_block_is_named_and_the_others_stay_readable(void **state)
{
    struct fixture *fixture = *state;
    struct error err;
    struct segment *segment = test_open_segment(fixture->directory);
    const struct block_info info = *segment_block(segment, 1);
    segment_close(segment);
    fixture->bytes.data[info.at + BLOCK_HEADER_BYTES + info.sections[BLOCK_META].stored + 5] ^= 1;
    write_file(fixture->path, fixture->bytes.data, fixture->bytes.length);

    segment = test_open_segment(fixture->directory);
    struct block *block = block_new();
    assert_ok(segment_read_block(segment, 0, BLOCK_ALL, block, &err));
    assert_false(segment_read_block(segment, 1, BLOCK_ALL, block, &err));
    assert_int_equal(err.code, ERROR_DAMAGED);
    assert_int_equal(block->count, 0);
    assert_non_null(strstr(err.text, "block 1 of"));
    assert_non_null(strstr(err.text, "shop/orders[1]@"));
    assert_non_null(strstr(err.text, "section KEY: the checksum differs"));
    assert_ok(segment_read_block(segment, 1, BLOCK_BIT(BLOCK_PAY), block, &err));
    assert_ok(segment_read_block(segment, 2, BLOCK_ALL, block, &err));

    struct told told = {0};
    assert_ok(segment_verify(segment, remember, &told, &err));
    assert_int_equal(told.count, 1);
    assert_int_equal(told.first_seq, info.min_seq);
    assert_int_equal(told.end_seq, info.max_seq + 1);
    block_free(block);
    segment_close(segment);
}

static void
refuses_a_newer_version(void **state)
{
    struct fixture *fixture = *state;
    unsigned char *header = fixture->bytes.data;
    header[7] = 2;
    store_u32(header + 60, crc32c(0, header, 60));
    expect_refused(fixture, "format version 2");
}

static void
refuses_features_it_does_not_know(void **state)
{
    struct fixture *fixture = *state;
    unsigned char *trailer = fixture->bytes.data + fixture->bytes.length - SEGMENT_TRAILER_BYTES;
    store_u32(trailer + 12, 4);
    store_u32(trailer + 124, crc32c(0, trailer, 124));
    expect_refused(fixture, "read it with a newer one");
}

/* Turn TOKEN_INDEX, the first, into a section of type 99. */
static void
rename_section(struct fixture *fixture, unsigned char flags)
{
    unsigned char *trailer = fixture->bytes.data + fixture->bytes.length - SEGMENT_TRAILER_BYTES;
    unsigned char *table = fixture->bytes.data + load_u64(trailer + 96);
    assert_int_equal(load_u16(table), SECTION_TOKEN_INDEX);
    store_u16(table, 99);
    table[3] = flags;
    store_u32(trailer + 108, crc32c(0, table, load_u32(trailer + 104)));
    store_u32(trailer + 124, crc32c(0, trailer, 124));
    write_file(fixture->path, fixture->bytes.data, fixture->bytes.length);
}

static void
skips_sections_it_does_not_know(void **state)
{
    struct fixture *fixture = *state;
    rename_section(fixture, 0);
    struct segment *segment = test_open_segment(fixture->directory);
    test_expect_records(segment, &fixture->records, FIRST_SEQ);
    /* Without an index, each of them may hold everything. */
    assert_int_equal(blocks_that_may_hold(segment, "key", bytes_of("absent")),
        segment_info(segment)->block_count);
    segment_close(segment);
}

static void
refuses_required_sections_it_does_not_know(void **state)
{
    struct fixture *fixture = *state;
    rename_section(fixture, SECTION_FLAG_REQUIRED);
    expect_refused(fixture, "needs section type 99");
}

static void
refuses_one_that_was_cut_anywhere(void **state)
{
    const struct fixture *fixture = *state;
    for (size_t length = 0; length < fixture->bytes.length; length++) {
        struct error err;
        write_file(fixture->path, fixture->bytes.data, length);
        struct segment *segment = segment_open(fixture->path, &err);
        if (segment != NULL)
            fail_msg("opened what was cut at %zu", length);
        assert_int_equal(err.code, ERROR_DAMAGED);
    }
}

static bool
is_same_event(const struct fixture *fixture, const struct block *block, uint32_t i)
{
    struct record record;
    struct buffer encoded = {0};
    block_record(block, i, &record);
    size_t number = (size_t)(block->seqs[i] - FIRST_SEQ);
    record_encode(&record, buffer_reserve(&encoded, record_size(&record)));
    bool same = number < fixture->records.count &&
                bytes_equal(bytes_make(encoded.data, record_size(&record)),
                    test_records_at(&fixture->records, number));
    buffer_done(&encoded);
    return same;
}

/* Everything that can be read of a changed file must be right: true when something was found wrong by
 * the reader itself. */
static bool
read_changed(const struct fixture *fixture, size_t at)
{
    struct error err;
    struct told told = {0};
    struct segment *segment = segment_open(fixture->path, &err);
    if (segment == NULL) {
        assert_int_equal(err.code, ERROR_DAMAGED);
        return true;
    }
    struct block *block = block_new();
    for (uint32_t i = 0; i < segment_info(segment)->block_count; i++) {
        if (!segment_read_block(segment, i, BLOCK_ALL, block, &err))
            assert_int_equal(err.code, ERROR_DAMAGED);
        for (uint32_t k = 0; k < block->count; k++) {
            if (!is_same_event(fixture, block, k))
                fail_msg("event %u is another one after byte %zu was changed", k, at);
            struct bytes key = test_event(block, k).key;
            if (blocks_that_may_hold(segment, "key", key) == 0 && told.count == 0)
                fail_msg("a key is not found after byte %zu was changed", at);
        }
    }
    block_free(block);
    assert_ok(segment_verify(segment, remember, &told, &err));
    segment_close(segment);
    return told.count > 0;
}

static void
every_changed_byte_is_noticed_or_harmless(void **state)
{
    const struct fixture *fixture = *state;
    size_t unnoticed = 0;
    int fd = open(fixture->path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    for (size_t i = 0; i < fixture->bytes.length; i++) {
        unsigned char changed = fixture->bytes.data[i] ^ (unsigned char)(1u << i % 8);
        assert_int_equal(pwrite(fd, &changed, 1, (off_t)i), 1);
        unnoticed += !read_changed(fixture, i);
        assert_int_equal(pwrite(fd, fixture->bytes.data + i, 1, (off_t)i), 1);
    }
    assert_int_equal(close(fd), 0);
    /* Nothing but what pads blocks and sections to their alignment. */
    if (unnoticed >= 64 + 7 * 8)
        fail_msg("%zu changed bytes were not noticed", unnoticed);
}

static void
says_so_when_there_is_no_file(void **state)
{
    const struct fixture *fixture = *state;
    struct error err;
    assert_int_equal(unlink(fixture->path), 0);
    assert_null(segment_open(fixture->path, &err));
    assert_int_equal(err.code, ERROR_SYSTEM);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tells_what_it_holds, make_several_blocks, remove_fixture),
        cmocka_unit_test_setup_teardown(
            an_event_read_alone_is_the_same, make_several_blocks, remove_fixture),
        cmocka_unit_test_setup_teardown(tells_its_lanes, make_several_blocks, remove_fixture),
        cmocka_unit_test_setup_teardown(
            gives_back_what_was_sealed, make_several_blocks, remove_fixture),
        cmocka_unit_test_setup_teardown(
            reads_only_what_is_wanted, make_several_blocks, remove_fixture),
        cmocka_unit_test_setup_teardown(
            a_block_of_a_closed_segment_is_not_taken_for_one_of_the_next, make_one_block,
            remove_fixture),
        cmocka_unit_test_setup_teardown(
            events_point_to_the_streams_it_is_given, make_several_blocks, remove_fixture),
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
        cmocka_unit_test_setup_teardown(verifies_a_good_one, make_several_blocks, remove_fixture),
        cmocka_unit_test_setup_teardown(a_damaged_block_is_named_and_the_others_stay_readable,
            make_several_blocks, remove_fixture),
        cmocka_unit_test_setup_teardown(refuses_a_newer_version, make_one_block, remove_fixture),
        cmocka_unit_test_setup_teardown(
            refuses_features_it_does_not_know, make_one_block, remove_fixture),
        cmocka_unit_test_setup_teardown(
            skips_sections_it_does_not_know, make_several_blocks, remove_fixture),
        cmocka_unit_test_setup_teardown(
            refuses_required_sections_it_does_not_know, make_one_block, remove_fixture),
        cmocka_unit_test_setup_teardown(
            refuses_one_that_was_cut_anywhere, make_one_block, remove_fixture),
        cmocka_unit_test_setup_teardown(
            every_changed_byte_is_noticed_or_harmless, make_one_block, remove_fixture),
        cmocka_unit_test_setup_teardown(
            says_so_when_there_is_no_file, make_one_block, remove_fixture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
