/* What parts tell their tape: streams, and damage that was met. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "index/block.h"
#include "index/event.h"
#include "index/part.h"
#include "index/tape_state.h"

/* Damage beyond this is only counted in the last entry. */
#define DAMAGE_MAX 1000u

static bool
is_placeholder(const struct stream *stream)
{
    return strcmp(stream->tap, "?") == 0;
}

/* Put it where its id belongs; ids rise, so that is nearly always the end. */
static void
add_known(struct tape *tape, struct stream *stream)
{
    tape->known =
        alloc_grow(tape->known, tape->known_count, &tape->known_capacity, sizeof(struct stream *));
    size_t at = tape->known_count++;
    for (; at > 0 && tape->known[at - 1]->id > stream->id; at--)
        tape->known[at] = tape->known[at - 1];
    tape->known[at] = stream;
}

void
tape_define_stream(struct tape *tape, uint32_t id, struct bytes tap, struct bytes name)
{
    if (id >= STREAM_ID_LIMIT) {
        tape_note_damage(tape, 0, 0, "a stream is defined with the impossible number %u", id);
        return;
    }
    struct stream *stream = stream_table_at(&tape->streams, id);
    if (stream == NULL) {
        stream = stream_table_add(&tape->streams, id, tap, name);
        stream->places = places_of(&tape->places, stream);
        add_known(tape, stream);
    } else if (is_placeholder(stream)) {
        /* Others hold the pointer: the name arrives in place. */
        free(stream->tap);
        free(stream->name);
        free(stream->label);
        stream->tap = alloc_text_of(tap.data, tap.length);
        stream->name = alloc_text_of(name.data, name.length);
        stream->label = alloc_format("%s/%s", stream->tap, stream->name);
        stream->places = places_of(&tape->places, stream);
    } else if (!bytes_equal_text(tap, stream->tap) || !bytes_equal_text(name, stream->name)) {
        tape_note_damage(tape, 0, 0, "stream number %u is defined twice, as %s and otherwise", id,
            stream->label);
    }
}

const struct stream *
tape_stream_by_id(struct tape *tape, uint32_t id)
{
    if (id >= STREAM_ID_LIMIT)
        id = STREAM_ID_LIMIT - 1;
    struct stream *stream = stream_table_at(&tape->streams, id);
    if (stream == NULL) {
        char *name = alloc_format("stream-%u", id);
        stream = stream_table_add(&tape->streams, id, bytes_of("?"), bytes_of(name));
        free(name);
        add_known(tape, stream);
    }
    return stream;
}

/* Keep it, unless the place is known. */
static void
add_damage(struct tape *tape, const struct tape_damage *damage)
{
    for (size_t i = 0; i < tape->damage_count; i++) {
        if (strcmp(tape->damage[i].text, damage->text) != 0)
            continue;
        if (damage->end_seq > damage->first_seq) /* more may be known than the first time */
            tape->damage[i] = *damage;
        return;
    }
    if (tape->damage_count >= DAMAGE_MAX)
        return;
    tape->damage =
        alloc_grow(tape->damage, tape->damage_count, &tape->damage_capacity, sizeof(*tape->damage));
    tape->damage[tape->damage_count++] = *damage;
}

void
tape_note_damage(struct tape *tape, uint64_t first_seq, uint64_t end_seq, const char *format, ...)
{
    struct tape_damage damage = {.first_seq = first_seq, .end_seq = end_seq};
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(damage.text, sizeof(damage.text), format, arguments);
    va_end(arguments);
    add_damage(tape, &damage);
}

void
tape_note_lost(struct tape *tape, uint64_t first_seq, uint64_t end_seq, uint64_t events,
    const char *format, ...)
{
    struct tape_damage damage = {.first_seq = first_seq, .end_seq = end_seq, .events = events};
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(damage.text, sizeof(damage.text), format, arguments);
    va_end(arguments);
    add_damage(tape, &damage);
}

void
tape_note_missed(struct tape *tape, struct part *part)
{
    tape->missed_files += !part->is_missed;
    part->is_missed = true;
}

uint64_t
tape_missed_files(const struct tape *tape)
{
    return tape->missed_files;
}

static struct tape_place
place_of(struct tape *tape, uint32_t stream_id, int32_t partition, int64_t offset)
{
    return (struct tape_place){tape_stream_by_id(tape, stream_id), stream_id, partition, offset};
}

void
tape_take_damage(struct tape *tape, const struct tape_damage *damage)
{
    struct tape_damage own = *damage;
    if (own.first.stream != NULL) {
        own.first.stream = tape_stream_by_id(tape, own.first.stream_id);
        own.last.stream = tape_stream_by_id(tape, own.last.stream_id);
    }
    add_damage(tape, &own);
}

void
tape_note_block(struct tape *tape, const struct block_info *block, const char *text)
{
    struct tape_damage damage = {
        .first_seq = block->min_seq,
        .end_seq = block->max_seq + 1,
        .events = block->event_count,
        .first = place_of(tape, block->first_stream, block->first_partition, block->first_offset),
        .last = place_of(tape, block->last_stream, block->last_partition, block->last_offset),
    };
    (void)snprintf(damage.text, sizeof(damage.text), "%.255s", text);
    add_damage(tape, &damage);
}

size_t
tape_damage(const struct tape *tape, const struct tape_damage **damage)
{
    *damage = tape->damage;
    return tape->damage_count;
}

size_t
tape_stream_count(const struct tape *tape)
{
    return tape->known_count;
}

const struct stream *
tape_stream(const struct tape *tape, size_t index)
{
    assert(index < tape->known_count);
    return tape->known[index];
}
