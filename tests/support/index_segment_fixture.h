/* index_segment_fixture.h - a segment in a directory of its own, with its bytes to be changed, for the tests of
 * segments.
 */
#ifndef TESTS_SUPPORT_INDEX_SEGMENT_FIXTURE_H
#define TESTS_SUPPORT_INDEX_SEGMENT_FIXTURE_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "index/segment.h"
#include "tests/support/index_segments.h"

#define FIRST_SEQ 1000
#define EVENTS    2500u

/* A segment of EVENTS usual events (or of 12) in 2 streams of 3 partitions, its bytes, and a place for changed
 * ones. */
struct fixture {
    char *directory;
    char *path;
    struct test_records records;
    struct buffer bytes;
};

/* Around a test whose state it is: with EVENTS events, or with so few that they are one block. */
int make_several_blocks(void **state);
int make_one_block(void **state);
int remove_fixture(void **state);

/* Write `data` in place of the file. */
void write_file(const char *path, const void *data, size_t length);

/* The blocks that may hold the value by the token index, as a block_set; freed with free(). */
uint64_t *find_blocks(struct segment *segment, struct segment_token token);

/* In how many blocks the token index says that the value may be. */
unsigned blocks_that_may_hold(struct segment *segment, const char *kind, struct bytes value);

#endif
