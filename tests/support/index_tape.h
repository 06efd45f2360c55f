/* index_tape.h - write small tapes and read them back, for the tests of index/. */
#ifndef TESTS_SUPPORT_INDEX_TAPE_H
#define TESTS_SUPPORT_INDEX_TAPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "index/event.h"
#include "index/tape_writer.h"

struct batch;
struct cursor;
struct tape;

/* An event of `stream` whose every field follows from its partition and offset, so that a reader can
 * check it without having kept it: key "k-OFFSET", payload {"n":OFFSET}, time 1000 s + OFFSET ms. */
struct made_event {
    struct event event;
    struct buffer headers;
    char key[32];
    char payload[48];
};
void made_event_fill(
    struct made_event *made, const struct stream *stream, int32_t partition, int64_t offset);
void made_event_done(struct made_event *made);

/* Fail unless `event` is what made_event_fill() makes of its partition and offset. */
void assert_made_event(const struct event *event);

/* A writer for tests that leaves journals as they are: no check of free space, kernel durability.
 * Fails the test on errors. */
struct tape_writer *test_writer(const char *directory, uint64_t journal_bytes);

/* The same, that seals its journals. */
struct tape_writer *test_writer_sealing(const char *directory, uint64_t journal_bytes, bool seal);

/* Events offset from .. from + count - 1 of one lane. The caller releases it. */
struct batch *test_batch(const struct stream *stream, int32_t partition, int64_t from, int count);

/* Append such a batch. */
void test_append(struct tape_writer *writer, const struct stream *stream, int32_t partition,
    int64_t from, int count);

struct tape *test_open(const char *directory);

/* Read everything there is by seq, checking each event; returns how many and that seqs rise by one
 * from `first_seq`. */
uint64_t test_count_all(struct tape *tape, uint64_t first_seq);

#endif
