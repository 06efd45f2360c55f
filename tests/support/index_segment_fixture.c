#include "tests/support/index_segment_fixture.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "index/token_index.h"
#include "tests/support/unit.h"

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

int
make_several_blocks(void **state)
{
    return make_fixture(state, EVENTS);
}

int
make_one_block(void **state)
{
    return make_fixture(state, 12);
}

int
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

void
write_file(const char *path, const void *data, size_t length)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, length), length);
    assert_int_equal(close(fd), 0);
}

uint64_t *
find_blocks(struct segment *segment, struct segment_token token)
{
    uint64_t *blocks =
        alloc_array(block_set_words(segment_info(segment)->block_count), sizeof(*blocks));
    segment_find_blocks(segment, token, blocks);
    return blocks;
}

unsigned
blocks_that_may_hold(struct segment *segment, const char *kind, struct bytes value)
{
    uint64_t *blocks = find_blocks(segment, segment_token(segment, kind, value));
    unsigned count = 0;
    for (uint32_t i = 0; i < segment_info(segment)->block_count; i++)
        count += block_set_has(blocks, i);
    free(blocks);
    return count;
}
