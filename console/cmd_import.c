/* `tapedeck import`: NDJSON as `tapedeck export` writes it, onto the tape. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "console/command.h"
#include "console/config.h"
#include "console/json_event.h"
#include "console/json_read.h"
#include "console/line_input.h"
#include "console/output.h"
#include "console/replay_options.h"
#include "index/batch.h"
#include "index/event.h"
#include "index/record.h"
#include "index/tape_writer.h"

/* The largest event with each byte as \uNNNN, and names. */
#define LINE_MAX_BYTES ((size_t)RECORD_MAX_BYTES * 6 + (size_t)1024 * 1024)

struct settings {
    const char *into_tap;
};

static const struct option_row options[] = {
    {"into-tap", OPTION_TEXT, offsetof(struct settings, into_tap), "NAME",
        "call the tap of all events NAME, instead of what the lines say", NULL},
};

struct counts {
    uint64_t taken; /* acknowledged by the tape */
    uint64_t skipped;
    uint64_t holes;
};

/* `batch` is what the tape has not acknowledged yet. `section` counts event lines since the last done
 * line: several exports may stand one behind the other. */
struct import {
    const char *into_tap;
    struct tape_writer *writer;
    struct json_reader *reader;
    struct line_input input;
    struct batch *batch;
    struct counts counts;
    uint64_t section;
    bool has_done_line;
    bool is_short; /* something is missing, and `why` says what */
    struct error why;
};

static bool
flush(struct import *import, struct error *err)
{
    uint32_t count = batch_event_count(import->batch);
    if (count == 0 && batch_hole_count(import->batch) == 0)
        return true;
    if (!tape_writer_append(import->writer, import->batch, err))
        return false;
    import->counts.taken += count;
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

/* What the tape had of a lane when the import began is not taken again. */
static bool
take_event(struct import *import, struct json_line *line, struct error *err)
{
    struct event *event = &line->event;
    import->section++;
    event->stream = stream_of(import, line->tap, line->stream);
    if (event->offset <= tape_writer_checkpoint(import->writer, event->stream, event->partition)) {
        import->counts.skipped++;
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
    import->counts.holes++;
    return !batch_is_full(import->batch) || flush(import, err);
}

/* Remember the first thing that is missing; the import goes on. */
static void
note_short(struct import *import, const char *what)
{
    if (import->is_short)
        return;
    import->is_short = true;
    (void)error_set(&import->why, ERROR_FORMAT, "line %" PRIu64 ": %s",
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
    import->section = 0;
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
    return good || err->code != ERROR_LIMIT ||
           error_wrap(err, "line %" PRIu64 ", column 1", import->input.number);
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
    if (!import->has_done_line)
        note_short(import, "the input ends without a done line: it may be cut off");
    return true;
}

static void
append_json(struct buffer *to, const struct counts *counts, bool is_complete)
{
    buffer_append_text(to, "{\"v\":1,\"done\":true,\"events\":");
    json_append_u64(to, counts->taken);
    buffer_append_text(to, ",\"skipped\":");
    json_append_u64(to, counts->skipped);
    buffer_append_text(to, ",\"holes\":");
    json_append_u64(to, counts->holes);
    buffer_append_text(to, is_complete ? ",\"complete\":true}\n" : ",\"complete\":false}\n");
}

static void
append_text(struct buffer *to, const struct counts *counts)
{
    char number[REPLAY_NUMBER_MAX];
    buffer_printf(to, "%s event%s imported", replay_number(counts->taken, number),
        counts->taken == 1 ? "" : "s");
    if (counts->holes > 0)
        buffer_printf(
            to, ", %s hole%s", replay_number(counts->holes, number), counts->holes == 1 ? "" : "s");
    if (counts->skipped > 0)
        buffer_printf(to, "; %s skipped, because the tape has their partitions as far as that",
            replay_number(counts->skipped, number));
    buffer_append_byte(to, '\n');
}

static int
report(
    const struct invocation *invocation, const struct import *import, const struct error *failure)
{
    struct output output;
    struct error err;
    output_start(&output, STDOUT_FILENO);
    if (invocation->json)
        append_json(&output.buffer, &import->counts, failure == NULL && !import->is_short);
    else if (!invocation->quiet || failure != NULL)
        append_text(&output.buffer, &import->counts);
    int code = output_finish(&output, &err) ? 0 : command_fail(&err);
    if (failure != NULL)
        return command_fail(failure);
    return import->is_short ? command_fail(&import->why) : code;
}

static int
import_from(const struct invocation *invocation, struct tape_writer *writer, int fd)
{
    const struct settings *settings = invocation->settings;
    struct error err;
    struct import import = {
        .into_tap = settings->into_tap,
        .writer = writer,
        .reader = json_reader_new(),
        .batch = batch_new(),
    };
    line_input_start(&import.input, fd, LINE_MAX_BYTES);
    signals_catch();
    bool good = take_lines(&import, &err) && tape_writer_sync(writer, &err);
    int code = report(invocation, &import, good ? NULL : &err);
    line_input_done(&import.input);
    batch_release(import.batch);
    json_reader_free(import.reader);
    return code;
}

/* The tape's own options, but nothing is deleted while old events come in: the next recorder does that. */
static struct tape_writer *
open_writer(const struct invocation *invocation, struct error *err)
{
    struct config config;
    char *directory = invocation_tape(invocation, err);
    if (directory == NULL)
        return NULL;
    struct tape_writer *writer = NULL;
    if (config_load(invocation->config, &config, err)) {
        struct tape_writer_options writer_options = config.tape.writer;
        writer_options.retention = (struct retention){0};
        writer = tape_writer_open(directory, &writer_options, err);
        config_free(&config);
    }
    free(directory);
    return writer;
}

static bool
check_into_tap(const char *name, struct error *err)
{
    return name == NULL || (name[0] != '\0' && strchr(name, '/') == NULL) ||
           error_set(err, ERROR_ARGUMENT, "--into-tap takes a name without '/', not '%.60s'", name);
}

static int
open_input(const struct invocation *invocation, struct error *err)
{
    if (invocation->argc == 0 && !isatty(STDIN_FILENO))
        return STDIN_FILENO;
    if (invocation->argc == 0) {
        (void)error_set(
            err, ERROR_ARGUMENT, "name the file, or send it in: tapedeck import <events.ndjson");
        return -1;
    }
    int fd = open(invocation->argv[0], O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        (void)error_set_system(err, "cannot open %s", invocation->argv[0]);
    return fd;
}

static int
run_import(const struct invocation *invocation)
{
    const struct settings *settings = invocation->settings;
    struct error err;
    int fd = check_into_tap(settings->into_tap, &err) ? open_input(invocation, &err) : -1;
    if (fd < 0)
        return command_fail(&err);
    struct tape_writer *writer = open_writer(invocation, &err);
    int code = writer == NULL ? command_fail(&err) : import_from(invocation, writer, fd);
    tape_writer_close(writer);
    if (fd != STDIN_FILENO)
        (void)close(fd);
    return code;
}

const struct command command_import = {
    .name = "import",
    .usage = "[FILE]",
    .summary = "take events onto the tape from NDJSON, as tapedeck export writes it",
    .details =
        "Reads stdin, or FILE. Bytes, order, times and holes stay as they were; seqs are counted\n"
        "anew. What the tape has already (an offset at or below the newest one of its partition "
        "when\n"
        "the import begins) is skipped and counted: importing again takes nothing twice. Makes "
        "the\n"
        "tape when there is none. Exit code 1 when a line is bad (everything in front of it is\n"
        "taken), or when the done line is missing or counts more; 5 while a recorder has the tape.",
    .examples = "tapedeck import --tape ./copy <orders.ndjson\n"
                "ssh host tapedeck export since -1h | tapedeck import --into-tap host",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .settings_size = sizeof(struct settings),
    .min_arguments = 0,
    .max_arguments = 1,
    .changes_tape = true,
    .run = run_import,
};
