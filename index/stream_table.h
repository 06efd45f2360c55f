/* stream_table.h - the streams of a tape by id.  Threads: one owner, or the owner's lock. */
#ifndef INDEX_STREAM_TABLE_H
#define INDEX_STREAM_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct stream;

/* streams[id], NULL where none is known; the pointers never move. slots is an open-addressing table by
 * name: id + 1 (0: free), its size a power of two and at least twice what is in it. Zero-initialise. */
struct stream_table {
    struct stream **streams;
    size_t count; /* one more than the highest id */
    size_t capacity;
    uint32_t *slots;
    size_t slot_count;
    size_t named; /* streams that slots has */
};

void stream_table_done(struct stream_table *table);

/* The stream with this id, or NULL. */
struct stream *stream_table_at(const struct stream_table *table, uint32_t id);

/* Define a stream; `id` must be free. */
struct stream *stream_table_add(
    struct stream_table *table, uint32_t id, struct bytes tap, struct bytes name);

/* The stream that was added under this name, or NULL. */
struct stream *stream_table_find(
    const struct stream_table *table, const char *tap, const char *name);

#endif
