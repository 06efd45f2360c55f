#include "index/token_index.h"

#include <string.h>

#include "base/crc32c.h"
#include "index/token_page.h"

uint32_t
token_index_page(uint32_t pages, uint64_t token)
{
    return (uint32_t)((token >> TOKEN_BLOCK_BITS) * pages >> TOKEN_BITS);
}

uint32_t
token_page_total(const unsigned char page[TOKEN_PAGE_BYTES])
{
    return load_u32(page + PAGE_AT_TOTAL);
}

bool
token_page_is_whole(const unsigned char page[TOKEN_PAGE_BYTES], uint32_t number, uint32_t pages)
{
    return load_u32(page + PAGE_AT_NUMBER) == number && load_u32(page + PAGE_AT_TOTAL) == pages &&
           load_u32(page + PAGE_AT_CRC) == crc32c(0, page, PAGE_AT_CRC);
}

/* A page taken apart. */
struct page {
    const unsigned char *counts;
    const unsigned char *commons;
    uint32_t common_count;
    size_t common_bytes; /* each */
    const unsigned char *entries;
    unsigned print_bits;
    unsigned entry_bits;
    uint32_t block_count;
};

/* Sum of eight bytes. */
static uint32_t
sum_of_eight(uint64_t bytes)
{
    const uint64_t low = UINT64_C(0x00ff00ff00ff00ff);
    uint64_t pairs = (bytes & low) + (bytes >> 8 & low);
    return (uint32_t)(pairs * UINT64_C(0x0001000100010001) >> 48);
}

/* Entries in the first `end` buckets. */
static uint32_t
entries_before(const unsigned char *counts, uint32_t end)
{
    uint32_t sum = 0;
    uint32_t i = 0;
    for (; i + 8 <= end; i += 8)
        sum += sum_of_eight(load_u64(counts + i));
    for (; i < end; i++)
        sum += counts[i];
    return sum;
}

/* False: it says what no page can. */
static bool
take_apart(const unsigned char *bytes, struct page *page)
{
    page->block_count = load_u32(bytes + PAGE_AT_BLOCKS);
    page->common_count = load_u16(bytes + PAGE_AT_COMMONS);
    page->print_bits = bytes[PAGE_AT_PRINT_BITS];
    if (page->block_count > TOKEN_BLOCKS_MAX || page->print_bits > PRINT_BITS_MAX ||
        (bytes[PAGE_AT_FLAGS] & PAGE_IS_OVER) != 0)
        return false;
    page->entry_bits = page->print_bits + token_block_bits(page->block_count);
    page->common_bytes = token_common_bytes(page->block_count);
    page->counts = bytes;
    page->commons = bytes + PAGE_BUCKETS;
    size_t commons = page->common_count * page->common_bytes;
    size_t entries = ((size_t)entries_before(bytes, PAGE_BUCKETS) * page->entry_bits + 7) / 8;
    page->entries = page->commons + commons;
    return commons + entries <= PAGE_ROOM;
}

static bool
find_commons(const struct page *page, uint64_t place, uint64_t *blocks)
{
    uint32_t print = token_common_print(place);
    bool found = false;
    for (uint32_t i = 0; i < page->common_count; i++) {
        const unsigned char *common = page->commons + i * page->common_bytes;
        if (load_u32(common) != print)
            continue;
        found = true;
        const unsigned char *bits = common + COMMON_HEAD_BYTES;
        for (uint32_t k = 0; blocks != NULL && k < page->block_count; k++) {
            if ((bits[k / 8] >> k % 8 & 1) != 0)
                block_set_add(blocks, k);
        }
    }
    return found;
}

/* Entry number `i`; bytes behind the entries are of the page too. */
static uint64_t
entry_at(const struct page *page, uint32_t i)
{
    size_t bit = (size_t)i * page->entry_bits;
    return load_u64(page->entries + bit / 8) >> bit % 8 & ((UINT64_C(1) << page->entry_bits) - 1);
}

static bool
find_entries(const struct page *page, uint64_t place, uint64_t *blocks)
{
    uint32_t bucket = token_bucket(place);
    uint64_t print = token_print(place, page->print_bits);
    uint32_t first = entries_before(page->counts, bucket);
    bool found = false;
    for (uint32_t i = first; i < first + page->counts[bucket]; i++) {
        uint64_t entry = entry_at(page, i);
        uint32_t block = (uint32_t)(entry >> page->print_bits);
        if ((entry & ((UINT64_C(1) << page->print_bits) - 1)) != print ||
            block >= page->block_count)
            continue;
        found = true;
        if (blocks != NULL)
            block_set_add(blocks, block);
    }
    return found;
}

static bool
add_all(uint64_t *blocks, uint32_t block_count)
{
    for (uint32_t i = 0; blocks != NULL && i < block_count; i++)
        block_set_add(blocks, i);
    return true;
}

bool
token_page_find(const unsigned char bytes[TOKEN_PAGE_BYTES], uint64_t token, uint64_t *blocks,
    uint32_t block_count)
{
    struct page page;
    if (!take_apart(bytes, &page) || (blocks != NULL && page.block_count != block_count))
        return add_all(blocks, block_count);
    /* Another token may have the same print: both places are asked. */
    uint64_t place = token_place(token_page_total(bytes), token);
    bool is_common = find_commons(&page, place, blocks);
    return find_entries(&page, place, blocks) || is_common;
}
