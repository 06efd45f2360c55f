/* segment.h - reading a sealed segment, NNNNNNNN.seg; docs/FORMAT.md, "Segment files".
 *
 * Opening reads the end of the file and checks it: after that, streams, lanes, holes and what is known
 * of each block are in memory (some 200 bytes per block). Filters and blocks are read, with pread, when
 * they are asked for, and checked then. A damaged filter excludes nothing; a damaged block is an
 * error that names what it held, and the other blocks stay readable.
 *
 * To find something cheaply: segment_find_blocks(), then for each of these what segment_block() knows, then
 * segment_read_block() with META and what the question is about, then the
 * rest of the blocks that have an answer.
 *
 * Threads: one owner per struct segment; any number may have the same file open.
 */
#ifndef INDEX_SEGMENT_H
#define INDEX_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index/block.h"
#include "index/bloom.h"

struct error;
struct event;
struct lanes;
struct segment;
struct stream;

/* Seqs that one segment may stand for, with and without events: those of a journal of 48 GiB. */
#define SEGMENT_SPAN_MAX (UINT64_C(1) << 30)

struct segment_info {
    unsigned char uuid[BLOOM_UUID_BYTES]; /* of the tape */
    uint64_t id;
    uint32_t version;
    uint64_t
        first_seq; /* it stands for seqs first_seq .. end_seq - 1; those it has no event for were */
    uint64_t end_seq; /* lost before it was sealed */
    uint64_t event_count;
    uint64_t record_bytes; /* of the events as records */
    uint64_t file_bytes;
    int64_t min_time_ns; /* event_time(); minimum > maximum when there are no events */
    int64_t max_time_ns;
    int64_t min_received_ns;
    int64_t max_received_ns;
    int64_t created_ns;
    uint32_t block_count;
};

/* Open the segment at `path`. NULL with ERROR_DAMAGED when it is cut, broken or of a newer version;
 * ERROR_SYSTEM when it cannot be read, with errno as open() left it. */
struct segment *segment_open(const char *path, struct error *err);

/* The same of a file that is open for reading: `fd` is the segment's, and closed when it fails. */
struct segment *segment_open_as(const char *path, int fd, struct error *err);

void segment_close(struct segment *segment);

/* What of a segment could not be got back. */
struct segment_loss {
    uint64_t events; /* seqs of which there is no event, beside those of blocks that are damaged */
    uint64_t first_seq; /* they lie in first_seq .. end_seq - 1 */
    uint64_t end_seq;
    bool has_uuid; /* it is known which tape it is of */
};

/* Open a segment that segment_open() found damaged by what is still whole in it, see docs/FORMAT-segment.md,
 * "Broken segments". Everything is decoded once. It works as any other, but has no filters: nothing is
 * excluded by them. NULL with ERROR_DAMAGED when no event is left, or it is of a newer version. */
struct segment *segment_salvage(
    const char *path, uint64_t id, struct segment_loss *loss, struct error *err);

const char *segment_path(const struct segment *segment); /* for benchmarks */
const struct segment_info *segment_info(const struct segment *segment);

/* The streams that the segment defines, and those that it only has events of: they are called
 * "?/stream-ID". Pointers live until segment_close(). */
size_t segment_stream_count(const struct segment *segment);
const struct stream *segment_stream(const struct segment *segment, size_t index);

/* Let events point to other streams than the segment's own: to those of the tape. Asked only for ids
 * that segment_stream() has. */
void segment_use_streams(struct segment *segment, block_stream_lookup *lookup, void *self);

/* Its lanes, with their holes. */
const struct lanes *segment_lanes(const struct segment *segment);

/* What is known of block number `index` (0 .. block_count - 1), without reading it. */
const struct block_info *segment_block(const struct segment *segment, uint32_t index);

/* A value that is asked for: `kind` is "key", "id", "trace", "correlation" or "header:NAME". */
struct segment_token {
    bool is_indexed; /* false: this segment has no filter for the kind, everything may hold it */
    uint64_t hash;
};
struct segment_token segment_token(
    const struct segment *segment, const char *kind, struct bytes value);

/* Where the token index is, or the segment filter of a file that has none, for segment_probe.h; all zero
 * when it cannot be used. */
struct segment_filter_place {
    uint64_t at;     /* in the file */
    uint32_t pages;  /* of the token index; 0: there is none */
    uint32_t blocks; /* of the segment filter, that the tokens are spread over */
    uint64_t seed;   /* bloom_tape_seed() of the tokens */
};
struct segment_filter_place segment_filter_place(const struct segment *segment);

/* Add the blocks that may hold the value to `blocks`, a set for all of the segment's (token_index.h). Those that
 * are not added surely hold none. */
void segment_find_blocks(struct segment *segment, struct segment_token token, uint64_t *blocks);

/* For tests and benchmarks: give back memory that is kept for the next read: that of the filters of the blocks too (some 5 bytes per
 * event, kept since the first segment_find_blocks() in a file that has no token index). */
void segment_trim(struct segment *segment);

/* The block will be read soon: have the system do so meanwhile. */
void segment_expect_block(const struct segment *segment, uint32_t index);

/* Read the wanted sections of block number `index` into `block` without looking into them: for
 * block_may_hold(). Otherwise like segment_read_block(), which then need not read them again. */
bool segment_unpack_block(struct segment *segment, uint32_t index, unsigned wanted,
    struct block *block, struct error *err);

/* Make sure that `block` holds the wanted sections (BLOCK_BIT() of each, or BLOCK_ALL; META comes with
 * any) of block number `index`; what it holds already is not read again. What was in it is gone when it
 * was another block.
 *
 * False with ERROR_DAMAGED, naming the block's seqs and lanes, or ERROR_SYSTEM; `block` is then empty. */
bool segment_read_block(struct segment *segment, uint32_t index, unsigned wanted,
    struct block *block, struct error *err);

/* Event number `i` of block number `index`, with the wanted sections, for those who want few of a block: it is not
 * all taken apart. *event lives until the next call with this `block`. False as segment_read_block(). */
bool segment_read_event(struct segment *segment, uint32_t index, unsigned wanted, uint32_t i,
    struct block *block, struct event *event, struct error *err);

/* Called for each damaged place, with the block whose events are lost; NULL: no event is. */
typedef void segment_damage(void *self, const struct block_info *lost, const char *text);

/* Check every byte that matters: checksums of sections, filters and blocks, and that each block can
 * be decoded. True when all could be read, however damaged. */
bool segment_verify(struct segment *segment, segment_damage *damage, void *self, struct error *err);

#endif
