/* Writing a token index.
 *
 * Pairs are sorted once; for any number of pages, those of a page then lie side by side. Tokens spread evenly
 * over the pages, so a number a little above what they need leaves room in all of them; it grows until none
 * overflows. */
#include <assert.h>
#include <string.h>

#include "base/crc32c.h"
#include "index/token_index.h"
#include "index/token_page.h"

#define SORTED_BITS  20u /* by two passes; what is left by moving neighbours */
#define DIGIT_BITS   10u
#define FILL_PERCENT 93u
#define GROWTHS_MAX  32u

/* `pages` may become more. */
struct layout {
    const uint64_t *pairs;
    size_t count;
    uint32_t block_count;
    unsigned entry_bits;
    size_t common_bits;
    uint32_t pages;
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

/* Where the pairs of the same token as `first` end. */
static size_t
run_end(const struct layout *layout, size_t first)
{
    size_t i = first + 1;
    while (i < layout->count && (layout->pairs[i] ^ layout->pairs[first]) >> TOKEN_BLOCK_BITS == 0)
        i++;
    return i;
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

/* The pairs of one page, and what they take. */
struct span {
    size_t first;
    size_t end;
    size_t bits;
    bool is_over;
};

/* Find those of page `number`, which begin at `first`. */
static void
measure(const struct layout *layout, uint32_t number, size_t first, struct span *span)
{
    uint32_t counts[PAGE_BUCKETS] = {0};
    *span = (struct span){.first = first, .end = first};
    while (span->end < layout->count &&
           token_index_page(layout->pages, layout->pairs[span->end]) == number) {
        size_t end = run_end(layout, span->end);
        uint32_t bucket = token_bucket(token_place(layout->pages, layout->pairs[span->end]));
        span->bits += run_bits(layout, end - span->end);
        if (!is_common(layout, end - span->end))
            counts[bucket] += (uint32_t)(end - span->end);
        if (counts[bucket] > UINT8_MAX)
            span->is_over = true;
        span->end = end;
    }
    if (span->bits > (size_t)PAGE_ROOM * 8)
        span->is_over = true;
}

static bool
all_fit(const struct layout *layout)
{
    struct span span = {0};
    for (uint32_t i = 0; i < layout->pages; i++) {
        measure(layout, i, span.end, &span);
        if (span.is_over)
            return false;
    }
    return true;
}

static void
choose_pages(struct layout *layout)
{
    size_t bits = 0;
    for (size_t i = 0; i < layout->count;) {
        size_t end = run_end(layout, i);
        bits += run_bits(layout, end - i);
        i = end;
    }
    layout->pages = (uint32_t)(bits / ((size_t)PAGE_ROOM * 8 * FILL_PERCENT / 100)) + 1;
    for (unsigned i = 0; i < GROWTHS_MAX && !all_fit(layout); i++)
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
    uint16_t count = 0;
    for (size_t i = span->first; i < span->end;) {
        size_t end = run_end(layout, i);
        if (is_common(layout, end - i)) {
            uint64_t place = token_place(layout->pages, layout->pairs[i]);
            put_common(to, token_common_print(place), layout->pairs + i, end - i);
            to += layout->common_bits / 8;
            count++;
        }
        i = end;
    }
    store_u16(page + PAGE_AT_COMMONS, count);
}

static void
put_entries(const struct layout *layout, const struct span *span, unsigned char *page)
{
    size_t commons = load_u16(page + PAGE_AT_COMMONS) * (layout->common_bits / 8);
    unsigned char *entries = page + PAGE_BUCKETS + commons;
    size_t bit = 0;
    for (size_t i = span->first; i < span->end;) {
        size_t end = run_end(layout, i);
        if (is_common(layout, end - i))
            i = end;
        for (; i < end; i++) {
            uint64_t place = token_place(layout->pages, layout->pairs[i]);
            uint64_t block = layout->pairs[i] & (TOKEN_BLOCKS_MAX - 1);
            put_entry(entries, bit, block << PRINT_BITS | token_print(place, PRINT_BITS));
            page[token_bucket(place)]++;
            bit += layout->entry_bits;
        }
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
        .count = count,
        .block_count = block_count,
        .entry_bits = PRINT_BITS + token_block_bits(block_count),
        .common_bits = token_common_bytes(block_count) * 8,
    };
    sort_pairs(pairs, room, count);
    choose_pages(&layout);
    unsigned char *pages = buffer_reserve(to, (size_t)layout.pages * TOKEN_PAGE_BYTES);
    struct span span = {0};
    for (uint32_t i = 0; i < layout.pages; i++) {
        measure(&layout, i, span.end, &span);
        put_page(&layout, i, &span, pages + (size_t)i * TOKEN_PAGE_BYTES);
    }
    to->length += (size_t)layout.pages * TOKEN_PAGE_BYTES;
}
