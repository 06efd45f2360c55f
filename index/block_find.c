/* Searching the bytes of a block before anything is made of its events. */
#include <assert.h>
#include <string.h>

#include "index/block_internal.h"
#include "index/header_shape.h"

/* Where event number `i` begins in the section's bytes; `i` may be the count. */
static uint32_t
place_of(const struct block *block, enum block_section section, uint32_t i)
{
    switch (section) {
    case BLOCK_KEY:
        return block->key_at[i];
    case BLOCK_HDR:
        return block->headers_at[i];
    default:
        return block->payload_at[i];
    }
}

/* The last event that begins at or before `place`: the one that holds it, since empty ones in front of
 * it begin there too. */
static uint32_t
event_at(const struct block *block, enum block_section section, size_t place)
{
    uint32_t low = 0;
    uint32_t high = block->count - 1;
    while (low < high) {
        uint32_t middle = low + (high - low + 1) / 2;
        if (place_of(block, section, middle) <= place)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

uint32_t
block_find(
    const struct block *block, enum block_section section, struct bytes wanted, uint32_t from)
{
    assert(section != BLOCK_META && (block->loaded & BLOCK_BIT(section)) != 0);
    assert(wanted.length > 0);

    struct bytes all = section == BLOCK_KEY   ? block->keys
                       : section == BLOCK_HDR ? block->headers
                                              : block->payloads;
    while (from < block->count) {
        const unsigned char *start = all.data + place_of(block, section, from);
        const unsigned char *hit =
            memmem(start, (size_t)(all.data + all.length - start), wanted.data, wanted.length);
        if (hit == NULL)
            return block->count;
        size_t place = (size_t)(hit - all.data);
        from = event_at(block, section, place);
        if (place + wanted.length <= place_of(block, section, from + 1))
            return from;
        /* It reaches into the next event, and none begins before it in this one. */
        from++;
    }
    return block->count;
}

uint32_t
block_find_headers(const struct block *block, struct bytes value, uint32_t *found)
{
    assert((block->unpacked & BLOCK_BIT(BLOCK_HDR)) != 0);
    assert((block->loaded & BLOCK_BIT(BLOCK_META)) != 0 && value.length > 0);

    const struct buffer *bytes = &block->memory->sections[BLOCK_HDR];
    uint32_t count = header_section_find(block->memory->scratch->header_reader,
        bytes_make(bytes->data, bytes->length), block->headers_at, block->count, value, found);
    if (count != UINT32_MAX)
        return count;
    for (count = 0; count < block->count; count++) /* who reads them will see what is wrong */
        found[count] = count;
    return count;
}

bool
block_may_hold(const struct block *block, const struct block_info *info, enum block_section section,
    struct bytes wanted)
{
    assert(section != BLOCK_META && (block->unpacked & BLOCK_BIT(section)) != 0);

    const struct buffer *bytes = &block->memory->sections[section];
    if (section == BLOCK_HDR)
        return header_section_may_hold(block->memory->scratch->header_reader,
            bytes_make(bytes->data, bytes->length), info->event_count, wanted);
    return wanted.length == 0 ||
           memmem(bytes->data, bytes->length, wanted.data, wanted.length) != NULL;
}
