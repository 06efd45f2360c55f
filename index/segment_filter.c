#include "index/segment_filter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "index/block.h"
#include "index/event.h"
#include "index/lanes.h"
#include "index/places.h"
#include "index/tape_internal.h"
#include "index/token_index.h"

static bool
zone_may_match(const struct query_bounds *bounds, int64_t min_time_ns, int64_t max_time_ns,
    int64_t min_received_ns, int64_t max_received_ns)
{
    return max_time_ns >= bounds->from_ns && min_time_ns <= bounds->until_ns &&
           max_received_ns >= bounds->received_from_ns &&
           min_received_ns <= bounds->received_until_ns;
}

static bool
segment_zone_may_match(const struct query_bounds *bounds, const struct segment_info *info)
{
    return zone_may_match(
        bounds, info->min_time_ns, info->max_time_ns, info->min_received_ns, info->max_received_ns);
}

bool
segment_filter_excludes(const struct query *query, const struct segment_info *info,
    const struct lanes *lanes, struct tape *tape)
{
    struct query_bounds bounds;
    query_bounds(query, &bounds);
    if (!segment_zone_may_match(&bounds, info))
        return true;
    if (lanes == NULL)
        return false;
    for (size_t i = 0; i < lanes_count(lanes); i++) {
        const struct lane *lane = lanes_at(lanes, i);
        if (lane->events > 0 &&
            query_may_match_lane(query, tape_stream_by_id(tape, lane->stream_id), lane->partition))
            return false;
    }
    return true;
}

/* Leave those blocks that have, of each group of alternatives, one. False: there are none. */
static bool
find_blocks(struct segment_filter *filter)
{
    size_t words = block_set_words(segment_info(filter->segment)->block_count);
    filter->blocks = alloc_array(words, 2 * sizeof(uint64_t));
    uint64_t *group = filter->blocks + words;
    memset(filter->blocks, 0xff, words * sizeof(uint64_t));
    for (size_t i = 0; i < filter->token_count; i++) {
        memset(group, 0, words * sizeof(uint64_t));
        segment_find_blocks(filter->segment, filter->tokens[i], group);
        while (filter->or_next[i])
            segment_find_blocks(filter->segment, filter->tokens[++i], group);
        uint64_t any = 0;
        for (size_t k = 0; k < words; k++)
            any |= filter->blocks[k] &= group[k];
        if (any == 0)
            return false;
    }
    return true;
}

/* Headers that hold, in some stream of the tape, what the kind of token says. */
static size_t
other_places(const struct tape *tape, const char *kind, const char **names)
{
    const struct places *places = tape_places(tape);
    enum place_field field;
    if (!place_field_parse(kind, &field))
        return 0;
    return places_headers(places, field, names, FILTER_TOKENS_MAX);
}

/* A match has the token under its kind, or in one of the other places: a group of alternatives. */
static void
learn_token(struct segment_filter *filter, const struct query_token *token)
{
    const char *names[FILTER_TOKENS_MAX];
    size_t count = other_places(filter->tape, token->kind, names);
    if (filter->token_count + 1 + count > FILTER_TOKENS_MAX)
        return;
    size_t first = filter->token_count;
    filter->tokens[filter->token_count++] =
        segment_token(filter->segment, token->kind, token->value);
    for (size_t i = 0; i < count; i++) {
        char kind[sizeof(token->kind)];
        (void)snprintf(kind, sizeof(kind), "header:%s", names[i]);
        filter->tokens[filter->token_count++] = segment_token(filter->segment, kind, token->value);
    }
    for (size_t i = first; i + 1 < filter->token_count; i++)
        filter->or_next[i] = true;
}

static void
learn_tokens(struct segment_filter *filter)
{
    struct query_token tokens[FILTER_TOKENS_MAX];
    size_t count = query_required_tokens(filter->query, tokens, FILTER_TOKENS_MAX);
    for (size_t i = 0; i < count; i++) {
        learn_token(filter, &tokens[i]);
        if (strcmp(tokens[i].kind, "key") == 0)
            filter->key = tokens[i].value;
        else if (tokens[i].value.length > 0)
            filter->in_headers = tokens[i].value;
    }
    filter->is_hopeless = filter->token_count > 0 && !find_blocks(filter);
}

size_t
segment_filter_needs(const struct query *query, const struct tape *tape,
    struct query_token tokens[FILTER_TOKENS_MAX])
{
    const char *names[FILTER_TOKENS_MAX];
    size_t count = query_required_tokens(query, tokens, FILTER_TOKENS_MAX);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (other_places(tape, tokens[i].kind, names) == 0)
            tokens[kept++] = tokens[i];
    return kept;
}

void
segment_filter_start(struct segment_filter *filter, struct segment *segment, struct tape *tape,
    const struct query *query, uint64_t first_seq, uint64_t end_seq)
{
    const struct segment_info *info = segment_info(segment);
    *filter = (struct segment_filter){
        .segment = segment,
        .tape = tape,
        .query = query,
        .first_seq = first_seq,
        .end_seq = end_seq,
    };
    if (query == NULL)
        return;
    query_bounds(query, &filter->bounds);
    filter->literal = query_required_literal(query);
    if (!segment_zone_may_match(&filter->bounds, info))
        filter->is_hopeless = true;
    else
        learn_tokens(filter);
}

void
segment_filter_done(struct segment_filter *filter)
{
    free(filter->blocks);
    filter->blocks = NULL;
}

/* Can a lane from the first to the last of the block match? Of a block that has the end of one stream and the
 * beginning of the next, one of the two may. */
static bool
lanes_may_match(const struct segment_filter *filter, const struct block_info *info)
{
    if (info->last_stream - info->first_stream > 1)
        return true;
    const struct stream *first = tape_stream_by_id(filter->tape, info->first_stream);
    if (info->first_stream == info->last_stream)
        return query_may_match_lanes(
            filter->query, first, info->first_partition, info->last_partition);
    const struct stream *last = tape_stream_by_id(filter->tape, info->last_stream);
    return query_may_match_lanes(filter->query, first, info->first_partition, INT32_MAX) ||
           query_may_match_lanes(filter->query, last, 0, info->last_partition);
}

bool
segment_filter_block(struct segment_filter *filter, uint32_t index)
{
    if (filter->is_hopeless || (filter->blocks != NULL && !block_set_has(filter->blocks, index)))
        return false;
    const struct block_info *info = segment_block(filter->segment, index);
    if (info->min_seq >= filter->end_seq || info->max_seq < filter->first_seq)
        return false;
    if (filter->query == NULL)
        return true;
    return info->min_seq <= filter->bounds.last_seq && info->max_seq >= filter->bounds.first_seq &&
           info->min_offset <= filter->bounds.last_offset &&
           info->max_offset >= filter->bounds.first_offset &&
           zone_may_match(&filter->bounds, info->min_time_ns, info->max_time_ns,
               info->min_received_ns, info->max_received_ns) &&
           lanes_may_match(filter, info);
}

enum block_section
segment_filter_peek_section(const struct segment_filter *filter)
{
    if (filter->literal.length > 0)
        return BLOCK_PAY;
    if (filter->in_headers.length > 0)
        return BLOCK_HDR;
    return filter->key.length > 0 ? BLOCK_KEY : BLOCK_META;
}

bool
segment_filter_peek(const struct segment_filter *filter, const struct block *block, uint32_t index)
{
    enum block_section section = segment_filter_peek_section(filter);
    if (section == BLOCK_META)
        return true;
    struct bytes wanted = section == BLOCK_PAY   ? filter->literal
                          : section == BLOCK_HDR ? filter->in_headers
                                                 : filter->key;
    return block_may_hold(block, segment_block(filter->segment, index), section, wanted);
}

unsigned
segment_filter_sections(const struct segment_filter *filter)
{
    unsigned wanted = BLOCK_BIT(BLOCK_META);
    if (filter->literal.data != NULL)
        wanted |= BLOCK_BIT(BLOCK_PAY);
    if (filter->key.data != NULL)
        wanted |= BLOCK_BIT(BLOCK_KEY);
    if (filter->in_headers.data != NULL)
        wanted |= BLOCK_BIT(BLOCK_HDR);
    return wanted;
}

unsigned
segment_filter_select_sections(const struct segment_filter *filter)
{
    unsigned sections = segment_filter_sections(filter);
    return segment_filter_peek_section(filter) == BLOCK_HDR ? sections & ~BLOCK_BIT(BLOCK_HDR)
                                                            : sections;
}

/* Events of one lane stand side by side: ask once for each. */
static bool
lane_may_match(struct segment_filter *filter, const struct block_lane *lane)
{
    if (lane->stream != filter->lane_stream || lane->partition != filter->lane_partition) {
        filter->lane_stream = lane->stream;
        filter->lane_partition = lane->partition;
        filter->lane_may_match = query_may_match_lane(filter->query, lane->stream, lane->partition);
    }
    return filter->lane_may_match;
}

static bool
event_may_match(struct segment_filter *filter, const struct block *block, uint32_t i)
{
    if (block->seqs[i] < filter->first_seq || block->seqs[i] >= filter->end_seq)
        return false;
    if (filter->query == NULL)
        return true;
    int64_t time_ns = block_time(block, i);
    int64_t received_ns = block->received_ns[i];
    return zone_may_match(&filter->bounds, time_ns, time_ns, received_ns, received_ns) &&
           block->offsets[i] >= filter->bounds.first_offset &&
           block->offsets[i] <= filter->bounds.last_offset &&
           lane_may_match(filter, block_lane(block, i)) &&
           (filter->key.data == NULL || bytes_equal(block_key(block, i), filter->key));
}

/* The next event from `from` on that has what is searched for in its bytes: one search over those of
 * the whole block. */
static uint32_t
find_bytes(const struct segment_filter *filter, const struct block *block, uint32_t from)
{
    if (filter->literal.data != NULL)
        return block_find(block, BLOCK_PAY, filter->literal, from);
    if (filter->in_headers.data != NULL)
        return block_find(block, BLOCK_HDR, filter->in_headers, from);
    if (filter->key.length > 0)
        return block_find(block, BLOCK_KEY, filter->key, from);
    return from;
}

uint32_t
segment_filter_find(struct segment_filter *filter, const struct block *block, uint32_t from)
{
    for (uint32_t i = from; i < block->count; i++) {
        i = find_bytes(filter, block, i);
        if (i < block->count && event_may_match(filter, block, i))
            return i;
    }
    return block->count;
}

/* Is it true of each event of the block that its times and its offset are such as the query wants? */
static bool
is_within(const struct query_bounds *bounds, const struct block_info *info)
{
    return info->min_time_ns >= bounds->from_ns && info->max_time_ns <= bounds->until_ns &&
           info->min_received_ns >= bounds->received_from_ns &&
           info->max_received_ns <= bounds->received_until_ns &&
           info->min_offset >= bounds->first_offset && info->max_offset <= bounds->last_offset;
}

/* The events from..end - 1 with seqs that are wanted. Without a branch for each: they lie as they came. */
static uint32_t
select_by_seq(const struct segment_filter *filter, const struct block *block, uint32_t from,
    uint32_t end, uint32_t *selected)
{
    uint64_t span = filter->end_seq - filter->first_seq;
    uint32_t count = 0;
    for (uint32_t i = from; i < end; i++) {
        selected[count] = i;
        count += block->seqs[i] - filter->first_seq < span;
    }
    return count;
}

static uint32_t
select_each(struct segment_filter *filter, const struct block *block, uint32_t *selected)
{
    uint32_t count = 0;
    for (uint32_t i = segment_filter_find(filter, block, 0); i < block->count;
         i = segment_filter_find(filter, block, i + 1))
        selected[count++] = i;
    return count;
}

/* By the header lists as they are packed. */
static uint32_t
select_by_headers(struct segment_filter *filter, const struct block *block, uint32_t *selected)
{
    uint32_t found = block_find_headers(block, filter->in_headers, selected);
    uint32_t count = 0;
    for (uint32_t i = 0; i < found; i++) {
        if (event_may_match(filter, block, selected[i]))
            selected[count++] = selected[i];
    }
    return count;
}

uint32_t
segment_filter_select(
    struct segment_filter *filter, const struct block *block, uint32_t index, uint32_t *selected)
{
    const struct block_info *info = segment_block(filter->segment, index);
    if (filter->query == NULL)
        return select_by_seq(filter, block, 0, block->count, selected);
    if (segment_filter_peek_section(filter) == BLOCK_HDR)
        return select_by_headers(filter, block, selected);
    if (segment_filter_sections(filter) != BLOCK_BIT(BLOCK_META) ||
        !is_within(&filter->bounds, info))
        return select_each(filter, block, selected);
    uint32_t count = 0;
    uint32_t from = 0;
    for (uint32_t i = 0; i < block->lane_count; from = block->lanes[i++].end) {
        if (lane_may_match(filter, &block->lanes[i]))
            count += select_by_seq(filter, block, from, block->lanes[i].end, selected + count);
    }
    return count;
}
