/* partition_map.h - to which partition of the target an event goes.
 *
 * Always decided here and given to the broker explicitly: a client library's own partitioner is not
 * the one that wrote the source, and would move most keys.  Threads: any.
 */
#ifndef REPLAY_PARTITION_MAP_H
#define REPLAY_PARTITION_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum partition_map {
    PARTITION_SAME,   /* the number it had */
    PARTITION_MODULO, /* the number it had, modulo the target's count: lanes merge, none is split */
    PARTITION_MURMUR2, /* by key as Java's default partitioner; a null key goes by modulo */
};

/* "same", "modulo", "murmur2". */
const char *partition_map_text(enum partition_map map);
bool partition_map_parse(const char *text, enum partition_map *map);

/* The target's partition, 0 .. count - 1; -1 when PARTITION_SAME has no such partition there.
 * `partition` is 0 or more, `count` 1 or more. */
int32_t partition_map_apply(
    enum partition_map map, struct bytes key, int32_t partition, int32_t count);

/* The 32-bit MurmurHash2 of Java's Kafka client (seed 0x9747b28c). */
uint32_t murmur2(struct bytes bytes);

#endif
