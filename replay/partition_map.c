#include "replay/partition_map.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

static const char *const names[] = {
    [PARTITION_SAME] = "same",
    [PARTITION_MODULO] = "modulo",
    [PARTITION_MURMUR2] = "murmur2",
};

const char *
partition_map_text(enum partition_map map)
{
    return names[map];
}

bool
partition_map_parse(const char *text, enum partition_map *map)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) == 0) {
            *map = (enum partition_map)i;
            return true;
        }
    }
    return false;
}

uint32_t
murmur2(struct bytes bytes)
{
    const uint32_t multiplier = 0x5bd1e995u;
    const unsigned char *data = bytes.data;
    size_t left = bytes.length;
    uint32_t hash = 0x9747b28cu ^ (uint32_t)left;

    for (; left >= 4; data += 4, left -= 4) {
        uint32_t word = load_u32(data) * multiplier;
        word ^= word >> 24;
        hash = (hash * multiplier) ^ (word * multiplier);
    }
    if (left == 3)
        hash ^= (uint32_t)data[2] << 16;
    if (left >= 2)
        hash ^= (uint32_t)data[1] << 8;
    if (left >= 1)
        hash = (hash ^ data[0]) * multiplier;

    hash = (hash ^ (hash >> 13)) * multiplier;
    return hash ^ (hash >> 15);
}

int32_t
partition_map_apply(enum partition_map map, struct bytes key, int32_t partition, int32_t count)
{
    assert(partition >= 0 && count >= 1);

    switch (map) {
    case PARTITION_SAME:
        return partition < count ? partition : -1;
    case PARTITION_MURMUR2:
        if (key.data != NULL)
            return (int32_t)((murmur2(key) & 0x7fffffffu) % (uint32_t)count);
        break;
    case PARTITION_MODULO:
        break;
    }
    return partition % count;
}
