/* index_segments.h - records out of nothing, and segments made of them, for tests. */
#ifndef TESTS_SUPPORT_INDEX_SEGMENTS_H
#define TESTS_SUPPORT_INDEX_SEGMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "index/event.h"
#include "index/record.h"
#include "index/seal.h"

struct block;
struct error;
struct segment;

#define TEST_UUID                                                              \
    {                                                                          \
        0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe, 1, 2, 3, 4, 5, 6, 7, 8 \
    }

/* Encoded records and where each begins; zero-initialise, end with test_records_done(). */
struct test_records {
    struct buffer bytes;
    size_t *places;
    size_t count;
    size_t capacity;
};

void test_records_add(struct test_records *records, const struct record *record);
void test_records_done(struct test_records *records);

/* The encoded record number `i`. */
struct bytes test_records_at(const struct test_records *records, size_t i);

/* A small generator of the same numbers everywhere (xorshift64*). */
uint64_t test_random(uint64_t *state);

/* Add a record of any shape: null, empty and odd keys, payloads and header lists; times and offsets from
 * one end of the range to the other. */
void test_records_add_random(struct test_records *records, uint64_t *state);

/* Add a record as services write them: a key, a traceparent, an event id and a JSON payload. */
void test_records_add_usual(struct test_records *records, uint32_t stream_id, uint32_t partition,
    int64_t offset, unsigned number);

/* Seal the records, from first_seq on, as segment 1 in `directory`; fails the test when that fails. */
void test_seal(const char *directory, const struct test_records *records, uint64_t first_seq,
    const struct seal_options *options);

/* The same from seq 1000 on: the bytes of the file, which are the caller's. */
struct buffer test_sealed_bytes(
    const char *directory, const struct test_records *records, const struct seal_options *options);

/* Open DIRECTORY/00000001.seg; fails the test. */
struct segment *test_open_segment(const char *directory);

/* Read every block and check that each record is there once, byte by byte, with its seq, and that what
 * is known of the blocks is true. Fails the test. */
void test_expect_records(
    struct segment *segment, const struct test_records *records, uint64_t first_seq);

/* Event number `i` of the block; lives as block_event() says. */
struct event test_event(const struct block *block, uint32_t i);

#endif
