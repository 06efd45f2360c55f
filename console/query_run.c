#include "console/query_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/thread.h"
#include "console/command.h"
#include "console/coverage.h"
#include "console/damage.h"
#include "console/plain_event.h"
#include "index/live.h"
#include "index/query.h"
#include "index/tape.h"

/* Events between two looks at the clock, the signals and the waiting output. */
#define BUDGET 20000
/* How far behind the limit to look for one more match before "there may be more" is said. */
#define PEEK_BUDGET 100000
/* While somebody records, readers take what is left: fifty of them that search all the time would else
 * starve the recorder, and what ZeroMQ cannot hand over is lost. Who follows should hear of an event soon. */
#define READER_NICE   15
#define FOLLOWER_NICE 10

char *
query_run_join(int argc, char *const *argv)
{
    struct buffer text = {0};
    for (int i = 0; i < argc; i++)
        buffer_printf(&text, "%s%s", i == 0 ? "" : " ", argv[i]);
    char *copy = alloc_text(buffer_text(&text));
    buffer_done(&text);
    return copy;
}

void
query_run_caret(const char *text, size_t column)
{
    struct output output;
    if (column == 0)
        return;
    output_start(&output, STDERR_FILENO);
    query_caret(&output.buffer, text, column);
    if (output.buffer.length > 0 && output.buffer.data[output.buffer.length - 1] != '\n')
        buffer_append_byte(&output.buffer, '\n');
    struct error ignored; /* there is nowhere left to report to */
    (void)output_finish(&output, &ignored);
}

/* What was made so far is given back; used on every way out. */
static void
release(struct query_run *run)
{
    scan_free(run->scan);
    tape_close(run->tape);
    query_free(run->query);
    free(run->text);
    free(run->directory);
}

static int
fail_open(struct query_run *run, const struct error *err)
{
    release(run);
    return command_fail(err);
}

int
query_run_open(struct query_run *run, const struct invocation *invocation,
    const struct query_run_options *options)
{
    *run = (struct query_run){.invocation = invocation, .options = *options};
    struct error err;
    size_t column = 0;
    run->started_ns = clock_monotonic_ns();
    run->text = query_run_join(invocation->argc, invocation->argv);
    run->query = query_compile(run->text, clock_now_ns(), &column, &err);
    if (run->query == NULL) {
        int code = command_fail(&err);
        query_run_caret(run->text, column);
        release(run);
        return code;
    }
    run->directory = invocation_tape(invocation, &err);
    if (run->directory == NULL)
        return fail_open(run, &err);
    if (live_is_recording(run->directory))
        thread_let_others_first(options->follows ? FOLLOWER_NICE : READER_NICE);
    run->tape = tape_open(run->directory, &err);
    if (run->tape == NULL)
        return fail_open(run, &err);
    if (options->follows) {
        tape_watch(run->tape);
        if (!tape_refresh(run->tape, &err))
            return fail_open(run, &err);
    }

    struct scan_options scan = {
        .cursor = {.query = run->query,
            .order = options->order,
            .newest_first = options->newest_first,
            .unwanted = options->needs_no_payloads ? EVENT_PAYLOAD : 0},
        .stays_alone = options->follows,
        .limit = options->limit,
    };
    run->scan = scan_new(run->tape, &scan);
    output_start(&run->output, STDOUT_FILENO);
    progress_start(&run->progress, invocation->quiet);
    signals_catch();
    return 0;
}

static bool
print_event(struct query_run *run, const struct event *event)
{
    if (run->options.shows_no_events)
        return true;
    progress_clear(&run->progress);
    if (run->invocation->json)
        json_append_event(&run->output.buffer, event, &run->times);
    else
        plain_append_event(&run->output.buffer, event, run->options.payload_limit);
    return output_line(&run->output);
}

/* The budget ran out: show what there is. False when the reader left. */
static bool
take_breath(struct query_run *run)
{
    struct cursor_progress done;
    scan_progress(run->scan, &done);
    if (run->output.buffer.length > 0) {
        progress_clear(&run->progress);
        if (!output_flush(&run->output))
            return false;
    }
    progress_show(&run->progress, &done);
    return !output_reader_left(&run->output);
}

/* The limit is reached; whether it cut anything off shows only behind it. */
static bool
has_more(struct query_run *run)
{
    struct event event;
    struct error ignored; /* met again by whoever goes on */
    struct cursor_progress progress;
    scan_progress(run->scan, &progress);
    uint64_t enough = progress.scanned_events + PEEK_BUDGET;
    enum cursor_step step;
    do {
        step = scan_next(run->scan, BUDGET, &event, &ignored);
        scan_progress(run->scan, &progress);
    } while (step == CURSOR_PAUSED && progress.scanned_events < enough && signals_pending() == 0);
    return step != CURSOR_END;
}

enum query_run_step
query_run_next(struct query_run *run, struct event *event, struct error *err)
{
    if (run->options.limit > 0 && run->matched >= run->options.limit) {
        run->was_cut = has_more(run);
        return QUERY_RUN_STOPPED;
    }
    for (;;) {
        if (signals_pending() > 0) {
            run->was_stopped = true;
            return QUERY_RUN_STOPPED;
        }
        switch (scan_next(run->scan, BUDGET, event, err)) {
        case CURSOR_EVENT:
            run->matched++;
            return print_event(run, event) ? QUERY_RUN_EVENT : QUERY_RUN_STOPPED;
        case CURSOR_PAUSED:
            if (!take_breath(run))
                return QUERY_RUN_STOPPED;
            break;
        case CURSOR_END:
            return QUERY_RUN_END;
        case CURSOR_FAILED:
            return QUERY_RUN_FAILED;
        }
    }
}

struct lane_summary *
query_run_lanes(struct query_run *run, size_t *count, struct error *err)
{
    size_t all = 0;
    tape_leave_missed(run->tape);
    const struct lane_summary *lanes = tape_lanes(run->tape, &all, err);
    if (lanes == NULL)
        return NULL;
    struct lane_summary *found = alloc_array(all, sizeof(*found));
    *count = 0;
    for (size_t i = 0; i < all; i++) {
        if (query_may_match_lane(run->query, lanes[i].stream, lanes[i].partition))
            found[(*count)++] = lanes[i];
    }
    return found;
}

/* Streams have their numbers from when they were first seen, which differs from tape to tape. */
static int
compare_names(const void *a, const void *b)
{
    const struct lane_summary *left = a;
    const struct lane_summary *right = b;
    int order = strcmp(left->stream->tap, right->stream->tap);
    if (order == 0)
        order = strcmp(left->stream->name, right->stream->name);
    if (order != 0)
        return order;
    return (left->partition > right->partition) - (left->partition < right->partition);
}

static bool
print_done_line(struct query_run *run, bool is_complete, struct error *err)
{
    size_t count = 0;
    struct lane_summary *lanes = query_run_lanes(run, &count, err);
    if (lanes == NULL)
        return false;
    if (run->options.is_stable && count > 1)
        qsort(lanes, count, sizeof(*lanes), compare_names);
    struct buffer coverage = {0};
    struct hole_times *times = coverage_times(run->tape, lanes, count);
    json_append_coverage(&coverage, lanes, count, times, true);
    free(times);
    free(lanes);

    struct cursor_progress progress;
    scan_progress(run->scan, &progress);
    const struct tape_damage *damage = NULL;
    size_t damage_count = tape_damage(run->tape, &damage);
    json_append_done(
        &run->output.buffer, &(struct json_done){
                                 .matched = run->matched,
                                 .is_complete = is_complete,
                                 .is_stable = run->options.is_stable,
                                 .coverage = bytes_make(coverage.data, coverage.length),
                                 .damage = damage,
                                 .damage_count = damage_count,
                                 .scanned_blocks = progress.scanned_blocks,
                                 .pruned_blocks = progress.pruned_blocks,
                                 .gave_up = progress.gave_up,
                                 .duration_ns = clock_monotonic_ns() - run->started_ns,
                             });
    buffer_done(&coverage);
    return true;
}

/* What was looked at, and what is not there. */
static void
print_coverage(struct query_run *run)
{
    struct error ignored; /* the matches are there; only this is not known */
    size_t count = 0;
    struct lane_summary *lanes = query_run_lanes(run, &count, &ignored);
    if (lanes == NULL)
        return;
    struct hole_times *times = coverage_times(run->tape, lanes, count);
    struct output output;
    output_start(&output, STDERR_FILENO);
    const struct tape_damage *damage;
    struct cursor_progress progress;
    scan_progress(run->scan, &progress);
    coverage_append_text(
        &output.buffer, &(struct coverage){
                            .lanes = lanes,
                            .count = count,
                            .times = times,
                            .damaged = tape_damage(run->tape, &damage),
                            .gave_up = progress.gave_up,
                            .looked_at_all = !run->was_cut && !run->was_stopped && !run->was_late,
                        });
    (void)output_finish(&output, &ignored);
    free(times);
    free(lanes);
}

static void
print_remarks(struct query_run *run)
{
    if (run->was_cut)
        (void)fprintf(stderr, "tapedeck: stopped at %llu matches, there may be more (--limit)\n",
            (unsigned long long)run->options.limit);
    print_coverage(run);
}

int
query_run_done(struct query_run *run, const struct error *failure)
{
    int code = 0;
    struct error err;
    progress_clear(&run->progress);
    if (failure != NULL)
        code = command_fail(failure);
    tape_leave_missed(run->tape);
    int damage_code = damage_report(run->tape);
    if (code == 0)
        code = damage_code;
    run->was_late = damage_is_cut(run->tape, &err);
    if (run->was_late) {
        int late_code = command_fail(&err);
        code = code == 0 ? late_code : code;
    }

    bool is_complete =
        failure == NULL && damage_code == 0 && !run->was_late && !run->was_cut && !run->was_stopped;
    if (run->output.is_gone) {
        /* Nobody reads any more: neither a done line nor a remark has a reader. */
    } else if (run->invocation->json) {
        if (!print_done_line(run, is_complete, &err) && code == 0)
            code = command_fail(&err);
    } else if (!run->invocation->quiet && failure == NULL) {
        (void)output_flush(&run->output);
        print_remarks(run);
    }
    if (!output_finish(&run->output, &err) && code == 0)
        code = command_fail(&err);
    release(run);
    return code;
}
