/* Segments that are not as they were written: changed, cut, or of another version. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "index/record.h"
#include "index/segment.h"
#include "index/segment_format.h"
#include "tests/support/index_segment_fixture.h"
#include "tests/support/index_segments.h"
#include "tests/support/unit.h"

static void
expect_refused(const struct fixture *fixture, const char *why)
{
    struct error err = {0};
    write_file(fixture->path, fixture->bytes.data, fixture->bytes.length);
    struct segment *segment = segment_open(fixture->path, &err);
    assert_null(segment);
    assert_int_equal(err.code, ERROR_NEWER);
    if (strstr(err.text, why) == NULL || strstr(err.text, fixture->path) == NULL)
        fail_msg("expected '%s' in '%s'", why, err.text);
}

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
