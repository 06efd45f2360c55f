#include "index/stream_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/alloc.h"
#include "index/event.h"

#define SLOTS_MIN 64u

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
    free(table->slots);
    *table = (struct stream_table){0};
}

struct stream *
stream_table_at(const struct stream_table *table, uint32_t id)
{
    return id < table->count ? table->streams[id] : NULL;
}

/* The slot that holds the stream called so, or the free one where it would go. */
static size_t
slot_of(const struct stream_table *table, struct bytes tap, struct bytes name)
{
    uint64_t hash =
        XXH3_64bits_withSeed(name.data, name.length, XXH3_64bits_withSeed(tap.data, tap.length, 0));
    size_t slot = (size_t)hash & (table->slot_count - 1);
    for (; table->slots[slot] != 0; slot = (slot + 1) & (table->slot_count - 1)) {
        const struct stream *stream = table->streams[table->slots[slot] - 1];
        if (bytes_equal_text(name, stream->name) && bytes_equal_text(tap, stream->tap))
            break;
    }
    return slot;
}

/* Of two streams with one name the first is found. */
static void
put_name(struct stream_table *table, const struct stream *stream)
{
    size_t slot = slot_of(table, bytes_of(stream->tap), bytes_of(stream->name));
    if (table->slots[slot] != 0)
        return;
    table->slots[slot] = stream->id + 1;
    table->named++;
}

static void
grow_slots(struct stream_table *table)
{
    free(table->slots);
    table->slot_count = table->slot_count == 0 ? SLOTS_MIN : table->slot_count * 2;
    table->slots = alloc_array(table->slot_count, sizeof(*table->slots));
    table->named = 0;
    for (size_t id = 0; id < table->count; id++) {
        if (table->streams[id] != NULL)
            put_name(table, table->streams[id]);
    }
}

/* Ids come from files: the highest one may be all that a small file says. */
static void
reach(struct stream_table *table, uint32_t id)
{
    if (id < table->count)
        return;
    while (table->capacity <= id)
        table->streams =
            alloc_grow(table->streams, table->capacity, &table->capacity, sizeof(struct stream *));
    memset(table->streams + table->count, 0, (id + 1 - table->count) * sizeof(struct stream *));
    table->count = (size_t)id + 1;
}

struct stream *
stream_table_add(struct stream_table *table, uint32_t id, struct bytes tap, struct bytes name)
{
    assert(stream_table_at(table, id) == NULL);

    reach(table, id);
    struct stream *stream = alloc_zeroed(sizeof(*stream));
    stream->id = id;
    stream->tap = alloc_text_of(tap.data, tap.length);
    stream->name = alloc_text_of(name.data, name.length);
    stream->label = alloc_format("%s/%s", stream->tap, stream->name);
    table->streams[id] = stream;
    if ((table->named + 1) * 2 > table->slot_count)
        grow_slots(table); /* this one is among them */
    else
        put_name(table, stream);
    return stream;
}

struct stream *
stream_table_find(const struct stream_table *table, const char *tap, const char *name)
{
    if (table->slot_count == 0)
        return NULL;
    uint32_t found = table->slots[slot_of(table, bytes_of(tap), bytes_of(name))];
    return found == 0 ? NULL : table->streams[found - 1];
}
