/* segment_filter.h - what of a segment a query need not look at, and which of its events may match.
 *
 * Shared by the walks through a segment. Everything that matches is among what may.  Threads: the walk's.
 */
#ifndef INDEX_SEGMENT_FILTER_H
#define INDEX_SEGMENT_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "index/block.h"
#include "index/query.h"
#include "index/segment.h"

struct event;
struct lanes;
struct tape;

#define FILTER_TOKENS_MAX 16u

/* `blocks` are those that may hold what the tokens say; NULL: all. `in_headers` is a value that every match has
 * in its headers, word by word; null: none is known. The verdict on the lane asked last is kept. */
struct segment_filter {
    struct segment *segment;
    struct tape *tape;
    const struct query *query;
    uint64_t first_seq;
    uint64_t end_seq;
    struct query_bounds bounds;
    struct bytes literal; /* that every match has in its payload; null: any */
    struct bytes key;     /* that every match has; null: any */
    struct bytes in_headers;
    struct segment_token tokens[FILTER_TOKENS_MAX];
    bool or_next[FILTER_TOKENS_MAX]; /* this token or the one behind it is in every match */
    size_t token_count;
    uint64_t *blocks;
    bool is_hopeless; /* the whole segment is known to hold no match */
    const struct stream *lane_stream;
    int32_t lane_partition;
    bool lane_may_match;
};

/* Only events with seqs first_seq .. end_seq - 1 that match `query` (NULL: all) are wanted. */
void segment_filter_start(struct segment_filter *filter, struct segment *segment, struct tape *tape,
    const struct query *query, uint64_t first_seq, uint64_t end_seq);
void segment_filter_done(struct segment_filter *filter);

/* True when times or lanes (NULL: not known) say that nothing in a segment can match, whose file need not be
 * open for that. */
bool segment_filter_excludes(const struct query *query, const struct segment_info *info,
    const struct lanes *lanes, struct tape *tape);

/* The values that a segment must have itself, under their own kind, to hold a match: those that could
 * also stand in one of the tape's places are not among them. Returns how many. */
size_t segment_filter_needs(const struct query *query, const struct tape *tape,
    struct query_token tokens[FILTER_TOKENS_MAX]);

/* Can block number `index` hold a match? By what is known without reading it. */
bool segment_filter_block(struct segment_filter *filter, uint32_t index);

/* The section in which every match has certain bytes; BLOCK_META: none is known. segment_filter_peek()
 * looks for them in a block of which that section is unpacked. False: it holds no match. */
enum block_section segment_filter_peek_section(const struct segment_filter *filter);
bool segment_filter_peek(
    const struct segment_filter *filter, const struct block *block, uint32_t index);

/* Which sections must be loaded for segment_filter_find(). segment_filter_select() needs the same, but of the section
 * of segment_filter_peek_section() only that it is unpacked, when that is BLOCK_HDR. */
unsigned segment_filter_sections(const struct segment_filter *filter);
unsigned segment_filter_select_sections(const struct segment_filter *filter);

/* The numbers of all events of the block, which is number `index`, that may match, in rising order: how many, at most
 * block->count, for which `selected` has room. */
uint32_t segment_filter_select(
    struct segment_filter *filter, const struct block *block, uint32_t index, uint32_t *selected);

/* The number of the next event from `from` on that may match; block->count: none. */
uint32_t segment_filter_find(
    struct segment_filter *filter, const struct block *block, uint32_t from);

#endif
