#include "console/import_lines.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "console/command.h"
#include "console/json_read.h"
#include "console/line_input.h"
#include "index/batch.h"
#include "index/event.h"
#include "index/record.h"
#include "index/tape_writer.h"
#include "replay/provenance.h"

/* The largest event with each byte as \uNNNN, and names. */
#define LINE_MAX_BYTES ((size_t)RECORD_MAX_BYTES * 6 + (size_t)1024 * 1024)

/* `batch` is what the tape has not acknowledged yet. `section` counts event lines since the last done
 * line, `replayed` those of them that a replay wrote: several exports may stand one behind the other. */
struct import {
    const char *into_tap;
    struct tape_writer *writer;
    struct json_reader *reader;
    struct line_input input;
    struct batch *batch;
    struct import_lines *result;
    uint64_t section;
    uint64_t replayed;
    bool has_done_line;
};

static bool
flush(struct import *import, struct error *err)
{
    uint32_t count = batch_event_count(import->batch);
    if (count == 0 && batch_hole_count(import->batch) == 0)
        return true;
    if (!tape_writer_append(import->writer, import->batch, err))
        return false;
    import->result->taken += count;
    batch_release(import->batch);
    import->batch = batch_new();
    return tape_writer_tick(import->writer, clock_monotonic_ns(), err);
}

static const struct stream *
stream_of(struct import *import, const char *tap, const char *name)
{
    return tape_writer_stream(
        import->writer, import->into_tap != NULL ? import->into_tap : tap, name);
}

/* Is the line one of a file that a replay wrote? It says of the event that it was replayed, and from the place that
 * the line has it at; an event that was recorded from a replay's target is at another one. */
static bool
is_of_replay(const struct json_line *line)
{
    struct provenance provenance;
    if (!provenance_parse(&line->event, &provenance))
        return false;
    struct stream named = {.label = alloc_format("%s/%s", line->tap, line->stream)};
    struct event event = line->event;
    struct buffer origin = {0};
    event.stream = &named;
    provenance_origin(&event, &origin);
    bool is_own = bytes_equal(provenance.origin, bytes_make(origin.data, origin.length));
    buffer_done(&origin);
    free(named.label);
    return is_own;
}

/* What the tape had of a lane when the import began is not taken again. */
static bool
take_event(struct import *import, struct json_line *line, struct error *err)
{
    struct event *event = &line->event;
    import->section++;
    import->replayed += is_of_replay(line);
    event->stream = stream_of(import, line->tap, line->stream);
    if (event->offset <= tape_writer_checkpoint(import->writer, event->stream, event->partition)) {
        import->result->skipped++;
        return true;
    }
    if (event_size(event) > BATCH_TARGET_BYTES && !flush(import, err))
        return false;
    return batch_add(import->batch, event, err) &&
           (!batch_is_full(import->batch) || flush(import, err));
}

static bool
take_hole(struct import *import, const struct json_hole *found, struct error *err)
{
    const struct stream *stream = stream_of(import, found->tap, found->stream);
    struct hole hole = found->hole;
    int64_t checkpoint = tape_writer_checkpoint(import->writer, stream, hole.partition);
    if ((hole.to < 0 ? hole.from : hole.to) <= checkpoint)
        return true;
    if (hole.from <= checkpoint)
        hole.from = checkpoint + 1;
    hole.stream_id = stream->id;
    batch_add_hole(import->batch, &hole);
    import->result->holes++;
    return !batch_is_full(import->batch) || flush(import, err);
}

/* Remember the first thing that is missing; the import goes on. */
static void
note_short(struct import *import, const char *what)
{
    if (import->result->is_short)
        return;
    import->result->is_short = true;
    (void)error_set(&import->result->why, ERROR_FORMAT, "line %" PRIu64 ": %s",
        import->input.number == 0 ? 1 : import->input.number, what);
}

static bool
take_done(struct import *import, const struct json_line *line, struct error *err)
{
    for (size_t i = 0; i < line->hole_count; i++) {
        if (!take_hole(import, &line->holes[i], err))
            return false;
    }
    if (line->matched != import->section)
        note_short(import, "the done line counts other events than there are in front of it");
    else if (!line->is_complete)
        note_short(import, "the export says itself that it is not complete");
    import->section = import->replayed = 0;
    import->has_done_line = true;
    return true;
}

static bool
is_blank(struct bytes text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (strchr(" \t\r", text.data[i]) == NULL || text.data[i] == '\0')
            return false;
    }
    return true;
}

static bool
take_line(struct import *import, struct bytes text, struct error *err)
{
    struct json_line line;
    size_t column = 1;
    if (is_blank(text))
        return true;
    if (!json_reader_line(import->reader, text, &line, &column, err))
        return error_wrap(err, "line %" PRIu64 ", column %zu", import->input.number, column);
    if (line.is_done)
        return take_done(import, &line, err);
    import->has_done_line = false;
    bool good = take_event(import, &line, err);
    if (!good && err->code == ERROR_LIMIT)
        (void)error_wrap(err, "line %" PRIu64 ", column 1", import->input.number);
    return good;
}

/* Take lines to the end of the input. What stands before a bad line is on the tape in any case. */
static bool
take_lines(struct import *import, struct error *err)
{
    struct bytes text;
    struct error ignored; /* the first reason counts */
    enum line_step step;
    while ((step = line_input_next(&import->input, &text, err)) == LINE_READ) {
        bool good = take_line(import, text, err);
        if (good && signals_pending() == 0)
            continue;
        step = good ? LINE_STOPPED : LINE_FAILED;
        break;
    }
    if (step == LINE_FAILED) {
        (void)flush(import, &ignored);
        return false;
    }
    if (!flush(import, err))
        return false;
    if (step == LINE_STOPPED)
        return error_set(err, ERROR_SYSTEM,
            "stopped behind line %" PRIu64 "; the same import goes on there", import->input.number);
    import->result->is_of_replay =
        !import->has_done_line && import->section > 0 && import->replayed == import->section;
    if (!import->has_done_line && !import->result->is_of_replay)
        note_short(import, "the input ends without a done line: it may be cut off");
    return true;
}

bool
import_lines(struct import_lines *result, struct tape_writer *writer, int fd, const char *into_tap,
    struct error *err)
{
    struct import import = {
        .into_tap = into_tap,
        .writer = writer,
        .reader = json_reader_new(),
        .batch = batch_new(),
        .result = result,
    };
    *result = (struct import_lines){0};
    line_input_start(&import.input, fd, LINE_MAX_BYTES);
    bool good = take_lines(&import, err) && tape_writer_sync(writer, err);
    line_input_done(&import.input);
    batch_release(import.batch);
    json_reader_free(import.reader);
    return good;
}
