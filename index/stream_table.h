/* stream_table.h - the streams of a tape by id.  Threads: one owner, or the owner's lock. */
#ifndef INDEX_STREAM_TABLE_H
#define INDEX_STREAM_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct stream;

/* streams[id], NULL where none is known; the pointers never move. Zero-initialise. */
struct stream_table {
    struct stream **streams;
    size_t count; /* one more than the highest id */
    size_t capacity;
};

void stream_table_done(struct stream_table *table);

/* The stream with this id, or NULL. */
struct stream *stream_table_at(const struct stream_table *table, uint32_t id);

/* Define a stream; `id` must be free. */
struct stream *stream_table_add(
    struct stream_table *table, uint32_t id, struct bytes tap, struct bytes name);

/* The stream called so, or NULL. */
struct stream *stream_table_find(
    const struct stream_table *table, const char *tap, const char *name);

#endif
