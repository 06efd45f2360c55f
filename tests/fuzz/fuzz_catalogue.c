/* fuzz_catalogue.c - arbitrary bytes as catalogue.db beside real segments.
 *
 * The input is the file itself, or, when it begins with 'p', changes to a good one: three bytes of
 * place and one of value each, or, with 'w', its log (catalogue.db-wal) beside a good file. What the
 * tape says of itself and its events must be what the segments say. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "index/batch.h"
#include "index/cursor.h"
#include "index/tape.h"
#include "index/tape_writer.h"

#define SEGMENTS 6
#define EACH     8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
    char directory[64];
    char catalogue[96];
    char *expected;
    struct buffer good;
} fixture;

static void
clean_up(void)
{
    file_remove_tree(fixture.directory);
    free(fixture.expected);
    buffer_done(&fixture.good);
}

static void
record(void)
{
    struct error err;
    struct tape_writer_options options = {
        .durability = DURABILITY_KERNEL, .journal_bytes = 1, .min_free = -1};
    struct tape_writer *writer = tape_writer_open(fixture.directory, &options, &err);
    if (writer == NULL)
        abort();
    for (int i = 0; i < SEGMENTS; i++) {
        const struct stream *stream =
            tape_writer_stream(writer, "shop", i % 2 == 0 ? "orders" : "payments");
        struct batch *batch = batch_new();
        for (int k = 0; k < EACH; k++) {
            struct event event = {.received_ns = NS_PER_S + i,
                .time_ns = NS_PER_S,
                .time_type = TIME_CREATE,
                .offset = i * EACH + k,
                .stream = stream,
                .partition = i % 3,
                .key = bytes_of("key"),
                .payload = bytes_of("payload")};
            if (!batch_add(batch, &event, &err))
                abort();
        }
        if (!tape_writer_append(writer, batch, &err))
            abort();
        batch_release(batch);
    }
    tape_writer_close(writer);
}

/* What the tape says, its events included. Freed by the caller. */
static char *
describe(void)
{
    struct error err;
    struct buffer text = {0};
    size_t count;
    struct tape *tape = tape_open(fixture.directory, &err);
    if (tape == NULL)
        abort();
    const struct lane_summary *lanes = tape_lanes(tape, &count, &err);
    if (lanes == NULL)
        abort();
    buffer_printf(&text, "%" PRIu64 "..%" PRIu64, tape_first_seq(tape), tape_end_seq(tape));
    for (size_t i = 0; i < tape_stream_count(tape); i++)
        buffer_printf(&text, " %s", tape_stream(tape, i)->label);
    for (size_t i = 0; i < count; i++)
        buffer_printf(&text, " %s[%d] %" PRIu64 " %" PRId64 "..%" PRId64 " %zu",
            lanes[i].stream->label, lanes[i].partition, lanes[i].events, lanes[i].first_offset,
            lanes[i].last_offset, lanes[i].hole_count);
    struct cursor_options options = {.order = CURSOR_BY_SEQ};
    struct cursor *cursor = cursor_new(tape, &options);
    struct event event;
    while (cursor_next(cursor, 0, &event, &err) == CURSOR_EVENT)
        buffer_printf(
            &text, " %" PRIu64 "=%s@%" PRId64, event.seq, event.stream->label, event.offset);
    cursor_free(cursor);
    tape_close(tape);
    char *result = alloc_text(buffer_text(&text));
    buffer_done(&text);
    return result;
}

static void
prepare(void)
{
    struct error err;
    (void)snprintf(fixture.directory, sizeof(fixture.directory), "/tmp/fuzz_catalogue.XXXXXX");
    if (mkdtemp(fixture.directory) == NULL || atexit(clean_up) != 0)
        abort();
    (void)snprintf(
        fixture.catalogue, sizeof(fixture.catalogue), "%s/catalogue.db", fixture.directory);
    record();
    if (!file_read_whole(fixture.catalogue, 1 << 20, &fixture.good, &err))
        abort();
    if (unlink(fixture.catalogue) != 0)
        abort();
    fixture.expected = describe();
}

static void
put(const char *suffix, const void *data, size_t size)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s%s", fixture.catalogue, suffix);
    FILE *file = fopen(path, "wbe");
    if (file == NULL || fwrite(data, 1, size, file) != size || fclose(file) != 0)
        abort();
}

static void
drop(const char *suffix)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s%s", fixture.catalogue, suffix);
    (void)unlink(path);
}

static void
put_changed(const uint8_t *data, size_t size)
{
    unsigned char *copy = alloc_copy(fixture.good.data, fixture.good.length);
    for (size_t i = 0; i + 4 <= size; i += 4) {
        size_t place = data[i] | (size_t)data[i + 1] << 8 | (size_t)data[i + 2] << 16;
        copy[place % fixture.good.length] = data[i + 3];
    }
    put("", copy, fixture.good.length);
    free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (fixture.expected == NULL)
        prepare();
    drop("-wal");
    drop("-shm");
    if (size > 0 && data[0] == 'p') {
        put_changed(data + 1, size - 1);
    } else if (size > 0 && data[0] == 'w') {
        put("", fixture.good.data, fixture.good.length);
        put("-wal", data + 1, size - 1);
    } else {
        put("", data, size);
    }
    char *found = describe();
    if (strcmp(found, fixture.expected) != 0) {
        (void)fprintf(stderr, "expected %s\nfound    %s\n", fixture.expected, found);
        abort();
    }
    free(found);
    return 0;
}
