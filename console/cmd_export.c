/* `tapedeck export`: the events that match as NDJSON, or as a tape of their own. */

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "console/command.h"
#include "console/output.h"
#include "console/portable.h"
#include "console/query_run.h"
#include "console/replay_options.h"
#include "index/batch.h"
#include "index/event.h"
#include "index/places.h"
#include "index/tape.h"
#include "index/tape_writer.h"

struct settings {
    const char *tape_file;
};

static const struct option_row options[] = {
    {"tape-file", OPTION_TEXT, offsetof(struct settings, tape_file), "FILE",
        "make a tape instead: one file when FILE ends in .tar.zst, else a directory", NULL},
};

/* ---- as NDJSON ---- */

static int
export_lines(const struct invocation *invocation)
{
    struct invocation exact = *invocation;
    exact.json = true;
    struct query_run run;
    int code = query_run_open(&run, &exact, &(struct query_run_options){.is_stable = true});
    if (code != 0)
        return code;
    struct error err;
    struct event event;
    enum query_run_step step;
    do {
        step = query_run_next(&run, &event, &err);
    } while (step == QUERY_RUN_EVENT);
    bool was_stopped = run.was_stopped;
    code = query_run_done(&run, step == QUERY_RUN_FAILED ? &err : NULL);
    return code == 0 && was_stopped ? 1 : code;
}

/* ---- as a tape ---- */

/* The tape that is made, in a directory beside `path` until it is whole. `source` is the stream that
 * the last event came from, `target` the same one on the new tape. */
struct copy {
    const char *path;
    char *directory;
    struct tape_writer *writer;
    struct batch *batch;
    const struct stream *source;
    const struct stream *target;
};

static bool
copy_open(struct copy *copy, const char *path, const struct places *places, struct error *err)
{
    *copy = (struct copy){.path = path};
    struct stat status;
    if (lstat(path, &status) == 0)
        return error_set(err, ERROR_ARGUMENT, "%s is there already", path);
    copy->directory = alloc_format("%s.XXXXXX", path);
    if (mkdtemp(copy->directory) == NULL) {
        (void)error_set_system(err, "cannot make %s", path);
        free(copy->directory);
        copy->directory = NULL;
        return false;
    }
    copy->writer = tape_writer_open(copy->directory,
        &(struct tape_writer_options){.durability = DURABILITY_KERNEL, .places = places}, err);
    copy->batch = batch_new();
    return copy->writer != NULL;
}

/* What was not finished goes. */
static void
copy_done(struct copy *copy)
{
    batch_release(copy->batch);
    tape_writer_close(copy->writer);
    if (copy->directory != NULL)
        file_remove_tree(copy->directory);
    free(copy->directory);
}

static bool
copy_flush(struct copy *copy, struct error *err)
{
    if (!tape_writer_append(copy->writer, copy->batch, err))
        return false;
    batch_release(copy->batch);
    copy->batch = batch_new();
    return true;
}

static const struct stream *
copy_stream(struct copy *copy, const struct stream *source)
{
    if (source != copy->source) {
        copy->source = source;
        copy->target = tape_writer_stream(copy->writer, source->tap, source->name);
    }
    return copy->target;
}

static bool
copy_event(struct copy *copy, const struct event *event, struct error *err)
{
    struct event own = *event;
    own.stream = copy_stream(copy, event->stream);
    if (event_size(event) > BATCH_TARGET_BYTES && batch_event_count(copy->batch) > 0 &&
        !copy_flush(copy, err))
        return false;
    return batch_add(copy->batch, &own, err) &&
           (!batch_is_full(copy->batch) || copy_flush(copy, err));
}

static bool
copy_holes(struct copy *copy, struct query_run *run, struct error *err)
{
    size_t count = 0;
    struct lane_summary *lanes = query_run_lanes(run, &count, err);
    bool good = lanes != NULL;
    for (size_t i = 0; good && i < count; i++) {
        const struct stream *stream = copy_stream(copy, lanes[i].stream);
        for (size_t k = 0; good && k < lanes[i].hole_count; k++) {
            struct hole hole = lanes[i].holes[k];
            hole.stream_id = stream->id;
            batch_add_hole(copy->batch, &hole);
            good = !batch_is_full(copy->batch) || copy_flush(copy, err);
        }
    }
    free(lanes);
    return good;
}

/* Close, which seals, and give it its name. */
static bool
copy_finish(struct copy *copy, struct error *err)
{
    if ((batch_event_count(copy->batch) > 0 || batch_hole_count(copy->batch) > 0) &&
        !copy_flush(copy, err))
        return false;
    if (!tape_writer_sync(copy->writer, err))
        return false;
    tape_writer_close(copy->writer);
    copy->writer = NULL;
    if (portable_is_packed(copy->path))
        return portable_pack(copy->directory, copy->path, err);
    if (rename(copy->directory, copy->path) != 0)
        return error_set_system(err, "cannot make %s", copy->path);
    free(copy->directory);
    copy->directory = NULL;
    return true;
}

static bool
copy_all(struct copy *copy, struct query_run *run, struct error *err)
{
    for (;;) {
        struct event event;
        switch (query_run_next(run, &event, err)) {
        case QUERY_RUN_EVENT:
            if (!copy_event(copy, &event, err))
                return false;
            if (!tape_writer_tick(copy->writer, clock_monotonic_ns(), err))
                return false;
            break;
        case QUERY_RUN_END:
            return copy_holes(copy, run, err) && copy_finish(copy, err);
        case QUERY_RUN_STOPPED:
            return error_set(err, ERROR_SYSTEM, "stopped: %s was not made", copy->path);
        case QUERY_RUN_FAILED:
            return false;
        }
    }
}

static int
export_tape(const struct invocation *invocation, const char *path)
{
    struct query_run run;
    int code = query_run_open(
        &run, invocation, &(struct query_run_options){.shows_no_events = true, .is_stable = true});
    if (code != 0)
        return code;
    struct error err;
    struct copy copy;
    struct places places;
    struct error ignored; /* the tape has named the damage */
    (void)places_read(run.directory, &places, &ignored);
    bool good = copy_open(&copy, path, &places, &err) && copy_all(&copy, &run, &err);
    copy_done(&copy);
    places_done(&places);
    uint64_t events = run.matched;
    code = query_run_done(&run, good ? NULL : &err);
    if (good && !invocation->json && !invocation->quiet) {
        char number[REPLAY_NUMBER_MAX];
        struct output output;
        output_start(&output, STDOUT_FILENO);
        replay_print(
            &output, "%s: %s event%s", path, replay_number(events, number), events == 1 ? "" : "s");
        if (!output_finish(&output, &err) && code == 0)
            code = command_fail(&err);
    }
    return code;
}

static int
run_export(const struct invocation *invocation)
{
    const struct settings *settings = invocation->settings;
    if (settings->tape_file == NULL)
        return export_lines(invocation);
    struct error err;
    if (strcmp(settings->tape_file, "-") == 0)
        (void)error_set(&err, ERROR_ARGUMENT,
            "--tape-file cannot write to stdout; without it the events go there as NDJSON");
    else if (settings->tape_file[0] == '\0')
        (void)error_set(&err, ERROR_ARGUMENT, "--tape-file needs the name of a file");
    else
        return export_tape(invocation, settings->tape_file);
    return command_fail(&err);
}

const struct command command_export = {
    .name = "export",
    .usage = "[QUERY...]",
    .summary = "write the events that match as NDJSON, or as a tape to take along",
    .details =
        "Without --tape-file: the lines of tapedeck events --json on stdout, and a done line that\n"
        "tapedeck import uses to know that nothing is missing. With it: a tape of their own, "
        "which\n"
        "every command and the console open with --tape FILE, without any broker. Holes go along.",
    .examples = "tapedeck export stream=orders since -1h >orders.ndjson\n"
                "tapedeck export --tape-file incident.tar.zst since 14:00 until 14:30\n"
                "tapedeck --tape incident.tar.zst",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .settings_size = sizeof(struct settings),
    .min_arguments = 0,
    .max_arguments = -1,
    .run = run_export,
};
