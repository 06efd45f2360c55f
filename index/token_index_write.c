/* Writing a token index.
 *
 * Pairs are sorted once; for any number of pages, those of a page then lie side by side. Tokens spread evenly
 * over the pages, so a number a little above what they need leaves room in all of them; it grows until none
 * overflows. For each number only the tokens are gone through, with how many pairs they have. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/crc32c.h"
#include "index/token_index.h"
#include "index/token_page.h"

#define SORTED_BITS  20u /* by two passes; what is left by moving neighbours */
#define DIGIT_BITS   10u
#define FILL_PERCENT 93u
#define GROWTHS_MAX  32u

/* A run is the pairs of one token: the token as in its pairs, and below it one less than their number. */
struct layout {
    const uint64_t *pairs;
    const uint64_t *runs; /* of all pairs, in their order */
    size_t run_count;
    uint32_t block_count;
    unsigned entry_bits;
    size_t common_bits;
    uint32_t pages;     /* may become more */
    struct span *spans; /* one for each page */
};

/* What belongs into one page, and the bits that it takes there. */
struct span {
    size_t first_pair;
    size_t first_run;
    size_t end_run;
    size_t bits;
    bool is_over;
};

/* ---- sorting ---- */

/* From one to the other by a digit, keeping the order of equal ones. */
static void
sort_by_digit(const uint64_t *from, uint64_t *to, size_t count, unsigned shift)
{
    size_t places[1u << DIGIT_BITS] = {0};
    const uint64_t mask = (1u << DIGIT_BITS) - 1;
    for (size_t i = 0; i < count; i++)
        places[from[i] >> shift & mask]++;
    size_t next = 0;
    for (size_t i = 0; i <= mask; i++) {
        size_t here = places[i];
        places[i] = next;
        next += here;
    }
    for (size_t i = 0; i < count; i++)
        to[places[from[i] >> shift & mask]++] = from[i];
}

/* Few are out of place, and not far: pairs of one token are in the order of their blocks already. */
static void
move_neighbours(uint64_t *pairs, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        uint64_t pair = pairs[i];
        size_t k = i;
        for (; k > 0 && pairs[k - 1] > pair; k--)
            pairs[k] = pairs[k - 1];
        pairs[k] = pair;
    }
}

static void
sort_pairs(uint64_t *pairs, uint64_t *room, size_t count)
{
    uint64_t *from = pairs;
    uint64_t *to = room;
    for (unsigned shift = 64 - SORTED_BITS; shift < 64; shift += DIGIT_BITS) {
        sort_by_digit(from, to, count, shift);
        uint64_t *other = from;
        from = to;
        to = other;
    }
    if (from != pairs && count > 0)
        memcpy(pairs, from, count * sizeof(*pairs));
    move_neighbours(pairs, count);
}

/* ---- layout ---- */

/* Returns how many runs there are. */
static size_t
find_runs(const uint64_t *pairs, size_t count, uint64_t *runs)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        if (found > 0 && (pairs[i] ^ runs[found - 1]) >> TOKEN_BLOCK_BITS == 0)
            runs[found - 1]++;
        else
            runs[found++] = token_pair(pairs[i], 0);
    }
    return found;
}

static size_t
run_blocks(uint64_t run)
{
    return (size_t)(run & (TOKEN_BLOCKS_MAX - 1)) + 1;
}

/* Is a token in so many blocks that a bit for each block is shorter? */
static bool
is_common(const struct layout *layout, size_t blocks)
{
    return blocks * layout->entry_bits > layout->common_bits;
}

static size_t
run_bits(const struct layout *layout, size_t blocks)
{
    return is_common(layout, blocks) ? layout->common_bits : blocks * layout->entry_bits;
}

/* Find the runs of page `number`, which begin where `span` ended. */
static void
measure(const struct layout *layout, uint32_t number, struct span *span)
{
    uint32_t counts[PAGE_BUCKETS] = {0};
    size_t i = span->first_run;
    span->bits = 0;
    span->is_over = false;
    for (; i < layout->run_count && token_index_page(layout->pages, layout->runs[i]) == number;
         i++) {
        size_t blocks = run_blocks(layout->runs[i]);
        uint32_t bucket = token_bucket(token_place(layout->pages, layout->runs[i]));
        span->bits += run_bits(layout, blocks);
        if (!is_common(layout, blocks))
            counts[bucket] += (uint32_t)blocks;
        span->is_over |= counts[bucket] > UINT8_MAX;
    }
    span->end_run = i;
    span->is_over |= span->bits > (size_t)PAGE_ROOM * 8;
}

/* Spread the runs over the pages, or only so far that it is clear that they do not all fit. */
static bool
spread(struct layout *layout, bool to_the_end)
{
    layout->spans = alloc_resize(layout->spans, layout->pages * sizeof(*layout->spans));
    struct span span = {0};
    bool all_fit = true;
    for (uint32_t i = 0; i < layout->pages && (all_fit || to_the_end); i++) {
        measure(layout, i, &span);
        layout->spans[i] = span;
        all_fit &= !span.is_over;
        for (; span.first_run < span.end_run; span.first_run++)
            span.first_pair += run_blocks(layout->runs[span.first_run]);
    }
    return all_fit;
}

static void
choose_pages(struct layout *layout)
{
    size_t bits = 0;
    for (size_t i = 0; i < layout->run_count; i++)
        bits += run_bits(layout, run_blocks(layout->runs[i]));
    layout->pages = (uint32_t)(bits / ((size_t)PAGE_ROOM * 8 * FILL_PERCENT / 100)) + 1;
    for (unsigned i = 0; !spread(layout, i == GROWTHS_MAX) && i < GROWTHS_MAX; i++)
        layout->pages += layout->pages / 128 + 1;
}

/* ---- pages ---- */

static void
put_common(unsigned char *to, uint32_t print, const uint64_t *pairs, size_t count)
{
    store_u32(to, print);
    for (size_t i = 0; i < count; i++) {
        uint32_t block = (uint32_t)(pairs[i] & (TOKEN_BLOCKS_MAX - 1));
        to[COMMON_HEAD_BYTES + block / 8] |= (unsigned char)(1u << block % 8);
    }
}

/* The bits there are zero; those behind them stay. */
static void
put_entry(unsigned char *entries, size_t bit, uint64_t entry)
{
    unsigned char *at = entries + bit / 8;
    store_u64(at, load_u64(at) | entry << bit % 8);
}

static void
put_commons(const struct layout *layout, const struct span *span, unsigned char *page)
{
    unsigned char *to = page + PAGE_BUCKETS;
    const uint64_t *pairs = layout->pairs + span->first_pair;
    uint16_t count = 0;
    for (size_t i = span->first_run; i < span->end_run; i++) {
        size_t blocks = run_blocks(layout->runs[i]);
        if (is_common(layout, blocks)) {
            uint64_t place = token_place(layout->pages, layout->runs[i]);
            put_common(to, token_common_print(place), pairs, blocks);
            to += layout->common_bits / 8;
            count++;
        }
        pairs += blocks;
    }
    store_u16(page + PAGE_AT_COMMONS, count);
}

/* The entries of one run, behind those that are there. */
static void
put_run(const struct layout *layout, uint64_t run, const uint64_t *pairs, unsigned char *page,
    unsigned char *entries, size_t *bit)
{
    uint64_t place = token_place(layout->pages, run);
    size_t blocks = run_blocks(run);
    for (size_t i = 0; i < blocks; i++) {
        uint64_t block = pairs[i] & (TOKEN_BLOCKS_MAX - 1);
        put_entry(entries, *bit, block << PRINT_BITS | token_print(place, PRINT_BITS));
        *bit += layout->entry_bits;
    }
    page[token_bucket(place)] += (unsigned char)blocks;
}

static void
put_entries(const struct layout *layout, const struct span *span, unsigned char *page)
{
    size_t commons = load_u16(page + PAGE_AT_COMMONS) * (layout->common_bits / 8);
    const uint64_t *pairs = layout->pairs + span->first_pair;
    size_t bit = 0;
    for (size_t i = span->first_run; i < span->end_run; i++) {
        size_t blocks = run_blocks(layout->runs[i]);
        if (!is_common(layout, blocks))
            put_run(layout, layout->runs[i], pairs, page, page + PAGE_BUCKETS + commons, &bit);
        pairs += blocks;
    }
}

static void
put_page(const struct layout *layout, uint32_t number, const struct span *span, unsigned char *page)
{
    memset(page, 0, TOKEN_PAGE_BYTES);
    if (span->is_over) {
        page[PAGE_AT_FLAGS] = PAGE_IS_OVER;
    } else {
        put_commons(layout, span, page);
        put_entries(layout, span, page);
    }
    store_u32(page + PAGE_AT_BLOCKS, layout->block_count);
    page[PAGE_AT_PRINT_BITS] = PRINT_BITS;
    store_u32(page + PAGE_AT_TOTAL, layout->pages);
    store_u32(page + PAGE_AT_NUMBER, number);
    store_u32(page + PAGE_AT_CRC, crc32c(0, page, PAGE_AT_CRC));
}

void
token_index_write(
    uint64_t *pairs, uint64_t *room, size_t count, uint32_t block_count, struct buffer *to)
{
    assert(block_count <= TOKEN_BLOCKS_MAX);

    struct layout layout = {
        .pairs = pairs,
        .block_count = block_count,
        .entry_bits = PRINT_BITS + token_block_bits(block_count),
        .common_bits = token_common_bytes(block_count) * 8,
    };
    sort_pairs(pairs, room, count);
    layout.run_count = find_runs(pairs, count, room);
    layout.runs = room;
    choose_pages(&layout);
    unsigned char *pages = buffer_reserve(to, (size_t)layout.pages * TOKEN_PAGE_BYTES);
    for (uint32_t i = 0; i < layout.pages; i++)
        put_page(&layout, i, &layout.spans[i], pages + (size_t)i * TOKEN_PAGE_BYTES);
    to->length += (size_t)layout.pages * TOKEN_PAGE_BYTES;
    free(layout.spans);
}
