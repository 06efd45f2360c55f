#include "index/stream_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "index/event.h"

void
stream_table_done(struct stream_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        struct stream *stream = table->streams[i];
        if (stream == NULL)
            continue;
        free(stream->tap);
        free(stream->name);
        free(stream->label);
        free(stream);
    }
    free(table->streams);
    *table = (struct stream_table){0};
}

struct stream *
stream_table_at(const struct stream_table *table, uint32_t id)
{
    return id < table->count ? table->streams[id] : NULL;
}

struct stream *
stream_table_add(struct stream_table *table, uint32_t id, struct bytes tap, struct bytes name)
{
    assert(stream_table_at(table, id) == NULL);

    while (table->count <= id) {
        table->streams =
            alloc_grow(table->streams, table->count, &table->capacity, sizeof(struct stream *));
        table->streams[table->count++] = NULL;
    }
    struct stream *stream = alloc_zeroed(sizeof(*stream));
    stream->id = id;
    stream->tap = alloc_text_of(tap.data, tap.length);
    stream->name = alloc_text_of(name.data, name.length);
    stream->label = alloc_format("%s/%s", stream->tap, stream->name);
    table->streams[id] = stream;
    return stream;
}

struct stream *
stream_table_find(const struct stream_table *table, const char *tap, const char *name)
{
    for (size_t i = 0; i < table->count; i++) {
        struct stream *stream = table->streams[i];
        if (stream != NULL && strcmp(stream->name, name) == 0 && strcmp(stream->tap, tap) == 0)
            return stream;
    }
    return NULL;
}
