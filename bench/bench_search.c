/* bench_search - how fast a sealed tape answers, through queries and cursors as everybody uses them.
 *
 * BENCH_EVENTS (5000000) events like those of a shop, some 28 segments. Needles are timed by the clock
 * and fetched whole, at most 100 of each; scans by the processor's time on one core, with the files in
 * memory, and once more by the clock with as many threads as there are cores.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "bench/data.h"
#include "bench/figures.h"
#include "bench/unpack.h"
#include "index/cursor.h"
#include "index/event.h"
#include "index/query.h"
#include "index/scan.h"
#include "index/tape.h"
#include "index/tape_internal.h"
#include "index/tape_writer.h"

#define NEEDLES      1000
#define COLD_NEEDLES 60
#define FOUND_MAX    100
#define CANCELS      200

struct needle {
    char key[32];
    char trace[40];
    char id[48];
};

struct job {
    const char *data;
    char *tape;
    struct needle *needles;
    size_t needle_count;
    size_t segments;
    uint64_t events;
    uint64_t payload_bytes;
    int64_t first_ns;
    int64_t last_ns;
    const char *kind;
    size_t number;
};

static void
copy(char *to, size_t size, struct bytes from)
{
    (void)snprintf(to, size, "%.*s", (int)from.length, (const char *)from.data);
}

/* Take needles out of the data, evenly. */
static void
choose_needles(struct job *job)
{
    struct stream rows[DATA_STREAMS] = {0};
    const struct stream *streams[DATA_STREAMS];
    for (size_t i = 0; i < DATA_STREAMS; i++)
        streams[i] = &rows[i];
    struct data_file *file = data_file_open(job->data);
    struct event event;
    job->needles = alloc_array(NEEDLES, sizeof(*job->needles));
    job->first_ns = INT64_MAX;
    job->last_ns = INT64_MIN;
    for (uint64_t i = 0; data_file_next(file, streams, &event); i++) {
        job->payload_bytes += event.payload.length;
        if (event.time_ns < job->first_ns)
            job->first_ns = event.time_ns;
        if (event.time_ns > job->last_ns)
            job->last_ns = event.time_ns;
        if (i % (job->events / NEEDLES + 1) != 0 || job->needle_count == NEEDLES)
            continue;
        struct needle *needle = &job->needles[job->needle_count++];
        struct event_identity identity;
        event_identify(&event, &identity);
        copy(needle->key, sizeof(needle->key), event.key);
        copy(needle->trace, sizeof(needle->trace), identity.trace);
        copy(needle->id, sizeof(needle->id), identity.id);
    }
    data_file_close(file);
}

static struct tape *
open_tape(const struct job *job)
{
    struct error err;
    struct tape *tape = tape_open(job->tape, &err);
    if (tape == NULL)
        figures_fail(&err);
    return tape;
}

struct answer {
    uint64_t events;
    uint64_t bytes;
    uint64_t scanned;
};

/* Ask and take everything that matches, at most `limit` (0: all). */
static struct answer
ask(struct tape *tape, const char *text, enum cursor_order order, bool newest_first, uint64_t limit)
{
    struct error err;
    struct query *query = query_compile(text, clock_now_ns(), NULL, &err);
    if (query == NULL)
        figures_fail(&err);
    struct scan_options options = {
        .cursor = {.query = query, .order = order, .newest_first = newest_first},
        .limit = limit,
    };
    struct scan *scan = scan_new(tape, &options);
    struct answer answer = {0};
    struct event event;
    enum cursor_step step = CURSOR_EVENT;
    while ((limit == 0 || answer.events < limit) &&
           (step = scan_next(scan, 0, &event, &err)) == CURSOR_EVENT) {
        answer.events++;
        answer.bytes += event_size(&event);
    }
    if (step == CURSOR_FAILED)
        figures_fail(&err);
    struct cursor_progress progress;
    scan_progress(scan, &progress);
    answer.scanned = progress.scanned_blocks;
    scan_free(scan);
    query_free(query);
    return answer;
}

/* ---- needles ---- */

/* Seconds; what was found and looked at is added to *sum. */
static double
find(struct tape *tape, const struct job *job, size_t number, struct answer *sum)
{
    const struct needle *needle = &job->needles[number];
    const char *value = job->kind[0] == 'k'   ? needle->key
                        : job->kind[0] == 't' ? needle->trace
                                              : needle->id;
    char text[128];
    (void)snprintf(text, sizeof(text), "%s=\"%s\"", job->kind, value);
    double start = seconds_now();
    struct answer answer = ask(tape, text, CURSOR_BY_SEQ, true, FOUND_MAX);
    double took = seconds_now() - start;
    sum->events += answer.events;
    sum->scanned += answer.scanned;
    return took;
}

static void
find_warm(void *self, struct part_results *results)
{
    const struct job *job = self;
    struct tape *tape = open_tape(job);
    double times[NEEDLES];
    double blocks[NEEDLES];
    struct answer sum = {0};
    for (size_t i = 0; i < job->needle_count; i++)
        (void)find(tape, job, i, &sum);
    sum = (struct answer){0};
    for (size_t i = 0; i < job->needle_count; i++) {
        uint64_t before = sum.scanned;
        times[i] = find(tape, job, i, &sum);
        blocks[i] = (double)(sum.scanned - before);
    }
    results->values[0] = percentile(times, job->needle_count, 0.5) * 1e3;
    results->values[1] = percentile(times, job->needle_count, 0.99) * 1e3;
    results->values[2] = (double)sum.events / (double)job->needle_count;
    results->values[3] = (double)sum.scanned / (double)job->needle_count;
    double all = 0;
    for (size_t i = 0; i < job->needle_count; i++)
        all += times[i];
    results->values[4] = sum.scanned > 0 ? all / (double)sum.scanned * 1e3 : 0;
    results->values[5] = percentile(blocks, job->needle_count, 0.5);
    tape_close(tape);
}

static void
find_cold(void *self, struct part_results *results)
{
    const struct job *job = self;
    struct tape *tape = open_tape(job);
    struct answer sum = {0};
    results->values[0] = find(tape, job, job->number, &sum) * 1e3;
    tape_close(tape);
}

static void
bench_needles(struct job *job, const char *kind)
{
    double medians[FIGURE_RUNS];
    double cold[COLD_NEEDLES];
    struct part_results results;
    char name[64];
    job->kind = kind;
    for (int run = 0; run < FIGURE_RUNS; run++) {
        part_run(find_warm, job, false, &results);
        medians[run] = results.values[0];
    }
    (void)snprintf(name, sizeof(name), "needle by %s, warm, p50", kind);
    figure_at_most(name, median(medians, FIGURE_RUNS), 0.2, "ms");
    figure_plain("  p99 (last run)", results.values[1], "ms");
    figure_plain("  events found by each", results.values[2], "");
    figure_plain("  blocks read for each", results.values[3], "");
    figure_plain("    p50", results.values[5], "");
    figure_plain("  mean for a block", results.values[4], "ms");
    for (size_t i = 0; i < COLD_NEEDLES; i++) {
        job->number = i * job->needle_count / COLD_NEEDLES;
        directory_forget(job->tape);
        part_run(find_cold, job, false, &results);
        cold[i] = results.values[0];
    }
    (void)snprintf(name, sizeof(name), "needle by %s, first of a process, cold, p50", kind);
    figure_at_most(
        name, percentile(cold, COLD_NEEDLES, 0.5), 1 + 0.05 * (double)job->segments, "ms");
}

static void
find_absent(void *self, struct part_results *results)
{
    const struct job *job = self;
    struct tape *tape = open_tape(job);
    uint64_t found = 0;
    uint64_t scanned = 0;
    double start = 0;
    for (unsigned i = 0; i < 3 * NEEDLES; i++) {
        char text[64];
        if (i == NEEDLES) {
            start = seconds_now();
            scanned = 0;
        }
        (void)snprintf(text, sizeof(text), "key=\"zzz-%012x\"", i * 7717);
        struct answer answer = ask(tape, text, CURSOR_BY_SEQ, true, 0);
        found += answer.events;
        scanned += answer.scanned;
    }
    results->values[0] = (seconds_now() - start) / (2 * NEEDLES) * 1e6;
    results->values[1] = (double)scanned / (2 * NEEDLES);
    results->values[2] = (double)found;
    tape_close(tape);
}

/* ---- scans ---- */

struct scan {
    struct job *job;
    const char *text;
    enum cursor_order order;
};

static void
run_scan(void *self, struct part_results *results)
{
    const struct scan *scan = self;
    struct tape *tape = open_tape(scan->job);
    (void)ask(tape, scan->text, scan->order, false, 0); /* brings the files into memory */
    double start = seconds_cpu();
    struct answer answer = ask(tape, scan->text, scan->order, false, 0);
    results->values[0] = seconds_cpu() - start;
    results->values[1] = (double)answer.events;
    results->values[2] = (double)answer.bytes;
    tape_close(tape);
}

/* Median seconds of a scan; *events are those that matched. */
static double
time_scan(struct job *job, const char *text, enum cursor_order order, double *events)
{
    double times[FIGURE_RUNS];
    struct scan scan = {job, text, order};
    for (int run = 0; run < FIGURE_RUNS; run++) {
        struct part_results results;
        part_run(run_scan, &scan, true, &results);
        times[run] = results.values[0];
        *events = results.values[1];
    }
    return median(times, FIGURE_RUNS);
}

static void
bench_scan(
    struct job *job, const char *name, const char *text, enum cursor_order order, double budget)
{
    double events;
    double took = time_scan(job, text, order, &events);
    if (budget > 0)
        figure_at_least(name, events / took / 1e6, budget, "M ev/s");
    else
        figure_plain(name, events / took / 1e6, "M ev/s");
    figure_plain("  events", events, "");
}

static void
bench_range(struct job *job, const char *name, enum cursor_order order, double budget)
{
    char from[CLOCK_TEXT_MAX];
    char until[CLOCK_TEXT_MAX];
    char text[256];
    int64_t length = job->last_ns - job->first_ns;
    (void)snprintf(text, sizeof(text), "since %s until %s",
        clock_format(job->first_ns + length / 5 * 2, from),
        clock_format(job->first_ns + length / 5 * 3, until));
    bench_scan(job, name, text, order, budget);
}

static void
bench_substring(struct job *job, const char *name, double budget)
{
    double events;
    double took = time_scan(job, "payload~\"" DATA_RARE "\"", CURSOR_BY_SEQ, &events);
    figure_at_least(name, (double)job->payload_bytes / took / 1e9, budget, "GB/s");
    figure_plain("  events found", events, "");
}

struct unpacking {
    const struct job *job;
    bool only_payloads;
};

static void
run_unpack(void *self, struct part_results *results)
{
    const struct unpacking *unpacking = self;
    (void)unpack_tape(
        unpacking->job->tape, unpacking->only_payloads); /* brings the files into memory */
    struct unpacked sum = unpack_tape(unpacking->job->tape, unpacking->only_payloads);
    results->values[0] = (double)sum.events / sum.seconds / 1e6;
    results->values[1] = sum.seconds / (double)sum.blocks * 1e3;
    results->values[2] = (double)sum.payload_bytes / sum.seconds / 1e9;
}

/* What of the figures above is not ours. */
static void
bench_unpack(const struct job *job)
{
    double values[3][FIGURE_RUNS];
    for (int run = 0; run < FIGURE_RUNS; run++) {
        struct part_results results;
        part_run(run_unpack, &(struct unpacking){job, false}, true, &results);
        values[0][run] = results.values[0];
        values[1][run] = results.values[1];
        part_run(run_unpack, &(struct unpacking){job, true}, true, &results);
        values[2][run] = results.values[2];
    }
    figure_plain(
        "this machine: blocks decompressed, no more", median(values[0], FIGURE_RUNS), "M ev/s");
    figure_plain("  mean for a block", median(values[1], FIGURE_RUNS), "ms");
    figure_plain("  payloads alone", median(values[2], FIGURE_RUNS), "GB/s");
}

/* ---- with threads ---- */

/* A search by the clock: how long it took, and with how many threads it ended. */
struct race {
    const struct job *job;
    const char *text;
    bool is_alone;
    bool is_count;
};

static void
run_race(void *self, struct part_results *results)
{
    const struct race *race = self;
    struct error err;
    struct tape *tape = open_tape(race->job);
    (void)ask(tape, race->text, CURSOR_BY_SEQ, true, 0); /* brings the files into memory */
    tape_close(tape);
    double start = seconds_now();
    tape = open_tape(race->job);
    struct query *query = query_compile(race->text, clock_now_ns(), NULL, &err);
    if (query == NULL)
        figures_fail(&err);
    struct scan_options options = {
        .cursor = {.query = query,
            .newest_first = true,
            .unwanted = race->is_count ? EVENT_PAYLOAD : 0},
        .stays_alone = race->is_alone,
    };
    struct scan *scan = scan_new(tape, &options);
    struct event event;
    enum cursor_step step;
    while ((step = scan_next(scan, 20000, &event, &err)) != CURSOR_END) {
        if (step == CURSOR_FAILED)
            figures_fail(&err);
        results->values[1] += step == CURSOR_EVENT;
    }
    results->values[2] = scan_workers(scan);
    scan_free(scan);
    results->values[0] = seconds_now() - start;
    query_free(query);
    tape_close(tape);
}

/* Median seconds. */
static double
time_race(struct race *race, struct part_results *results)
{
    double times[FIGURE_RUNS];
    for (int run = 0; run < FIGURE_RUNS; run++) {
        part_run(run_race, race, false, results);
        times[run] = results->values[0];
    }
    return median(times, FIGURE_RUNS);
}

static void
bench_race(const struct job *job, const char *name, const char *text, bool is_count)
{
    struct part_results results;
    char line[96];
    struct race race = {job, text, true, is_count};
    double alone = time_race(&race, &results);
    race.is_alone = false;
    double together = time_race(&race, &results);
    (void)snprintf(line, sizeof(line), "%s, alone", name);
    figure_plain(line, alone * 1e3, "ms");
    (void)snprintf(line, sizeof(line), "  with %.0f threads", results.values[2]);
    figure_plain(line, together * 1e3, "ms");
    figure_plain("    of payloads", (double)job->payload_bytes / together / 1e9, "GB/s");
    figure_plain("    times as fast", alone / together, "");
    figure_plain("    events found", results.values[1], "");
}

/* Stop a search at different moments; how long does it take until its threads have ended? By the clock, and
 * by the processor's time, which is that of all threads and does not depend on who else is at work. */
static void
run_cancels(void *self, struct part_results *results)
{
    const struct job *job = self;
    struct error err;
    struct tape *tape = open_tape(job);
    struct query *query = query_compile(job->kind, clock_now_ns(), NULL, &err);
    if (query == NULL)
        figures_fail(&err);
    double times[CANCELS];
    double work[CANCELS];
    for (unsigned i = 0; i < CANCELS; i++) {
        struct scan_options options = {
            .cursor = {.query = query, .newest_first = true}, .alone_bytes = job->number};
        struct scan *scan = scan_new(tape, &options);
        struct event event;
        unsigned steps = i % 20;
        while (scan_workers(scan) == 0 || steps-- > 0) {
            if (scan_next(scan, 2000, &event, &err) == CURSOR_FAILED)
                figures_fail(&err);
        }
        double start_work =
            seconds_cpu(); /* a call of the kernel: the searching threads may go first */
        double start = seconds_now();
        scan_free(scan);
        times[i] = (seconds_now() - start) * 1e3;
        work[i] = (seconds_cpu() - start_work) * 1e3;
    }
    results->values[0] = percentile(times, CANCELS, 0.5);
    results->values[1] = percentile(times, CANCELS, 0.99);
    results->values[2] = percentile(work, CANCELS, 0.99);
    query_free(query);
    tape_close(tape);
}

/* A pattern that explodes is asked about one event to the end, which is bounded by its steps only. `alone_bytes` as in
 * struct scan_options. */
static void
bench_cancel(struct job *job, const char *name, const char *text, size_t alone_bytes, double budget)
{
    struct part_results results;
    char line[96];
    job->kind = text;
    job->number = alone_bytes;
    part_run(run_cancels, job, false, &results);
    (void)snprintf(line, sizeof(line), "%s stopped, p50", name);
    figure_plain(line, results.values[0], "ms");
    if (budget > 0)
        figure_at_most("  p99", results.values[1], budget, "ms");
    else
        figure_plain("  p99", results.values[1], "ms");
    figure_plain("  p99 of the processor's time", results.values[2], "ms");
}

struct recording {
    const struct job *job;
    enum block_codec codec;
};

static void
record(void *self, struct part_results *results)
{
    const struct recording *recording = self;
    struct tape_writer_options options = {
        .durability = DURABILITY_KERNEL, .codec = recording->codec};
    results->values[0] =
        (double)data_record(recording->job->data, recording->job->tape, &options, 0, true);
}

static void
make_tape(struct job *job, enum block_codec codec)
{
    struct recording recording = {job, codec};
    struct part_results results;
    file_remove_tree(job->tape);
    part_run(record, &recording, false, &results);
}

static void
count_segments(void *self, struct part_results *results)
{
    const struct job *job = self;
    struct tape *tape = open_tape(job);
    results->values[0] = (double)tape_end_seq(tape);
    results->values[1] = (double)tape_part_count(tape);
    tape_close(tape);
}

static void
bench_zstd(struct job *job)
{
    struct part_results results;
    make_tape(job, BLOCK_ZSTD);
    part_run(count_segments, job, false, &results);
    job->segments = (size_t)results.values[1];
    figure_plain("events", results.values[0], "");
    figure_plain("segments", (double)job->segments, "");
    bench_needles(job, "id");
    bench_needles(job, "trace");
    bench_needles(job, "key");
    part_run(find_absent, job, false, &results);
    figure_plain("a key that is not there, mean", results.values[0], "us");
    figure_plain("  blocks looked at for nothing", results.values[1], "");
    bench_range(job, "a fifth of the time, whole events, by seq", CURSOR_BY_SEQ, 4);
    bench_range(job, "  the same, by time", CURSOR_BY_TIME, 0);
    bench_scan(
        job, "one partition, by offset", "stream=inventory partition=5", CURSOR_BY_OFFSET, 4);
    bench_scan(job, "  the same, by seq", "stream=inventory partition=5", CURSOR_BY_SEQ, 0);
    bench_scan(job, "everything, by seq", "", CURSOR_BY_SEQ, 0);
    bench_scan(job, "everything, by offset", "", CURSOR_BY_OFFSET, 0);
    bench_unpack(job);
    bench_substring(job, "substring over all payloads, zstd", 1);
    bench_race(job, "a rare literal counted", "payload~\"" DATA_RARE "\"", true);
    bench_race(job, "whole events, newest first", "stream=inventory", false);
    bench_cancel(job, "a search for a literal", "payload~\"" DATA_RARE "\"", 0, 5);
    bench_cancel(job, "a search for a pattern", "payload~/\"note\":\"[a-z]+ z/", 0, 5);
    bench_cancel(job, "a search for a pattern that explodes", "payload~/(\\w+\\W*)+}\\d/", 1, 5);
}

static void
bench_lz4(struct job *job)
{
    make_tape(job, BLOCK_LZ4);
    bench_substring(job, "substring over all payloads, LZ4", 2.2);
    bench_range(job, "a fifth of the time, LZ4, by seq", CURSOR_BY_SEQ, 0);
    bench_unpack(job);
}

int
main(void)
{
    char *directory = figures_directory("bench-search");
    char *data = alloc_format("%s/data", directory);
    char *tape = alloc_format("%s/tape", directory);
    struct job job = {
        .data = data, .tape = tape, .events = figures_setting("BENCH_EVENTS", 5000000)};
    data_write_file(data, job.events);
    choose_needles(&job);
    bench_zstd(&job);
    bench_lz4(&job);
    file_remove_tree(directory);
    free(job.needles);
    free(tape);
    free(data);
    free(directory);
    return figures_end();
}
