/* bench_index - how fast events get onto a tape and how soon it is there again.
 *
 * Batches through tape_writer to journals and sealed segments, as the recorder does it; the events lie in
 * a file that is in memory. BENCH_EVENTS (5000000) says how many, BENCH_FULL=1 does it with four times as
 * many too, BENCH_SQLITE (500000) how many rows SQLite gets for comparison.
 */
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "bench/data.h"
#include "bench/figures.h"
#include "index/event.h"
#include "index/tape.h"
#include "index/tape_writer.h"

struct job {
    const char *data;
    char *tape;
    uint64_t events;
    struct tape_writer_options options;
};

/* ---- writing ---- */

static void
ingest(void *self, struct part_results *results)
{
    const struct job *job = self;
    double start = seconds_now();
    double cpu = seconds_cpu();
    uint64_t count = data_record(job->data, job->tape, &job->options, job->events, true);
    results->values[0] = (double)count / (seconds_now() - start);
    results->values[1] = (seconds_cpu() - cpu) * 1e6 / (double)count;
    results->values[2] = (double)directory_bytes(job->tape) / (double)count;
}

struct ingested {
    double rate;
    double cpu_us;
    double bytes;
    double peak_rss_mb;
};

static void
measure_ingest(struct job *job, bool one_core, int runs, struct ingested *ingested)
{
    double rates[FIGURE_RUNS];
    double costs[FIGURE_RUNS];
    *ingested = (struct ingested){0};
    for (int run = 0; run < runs; run++) {
        struct part_results results;
        file_remove_tree(job->tape);
        part_run(ingest, job, one_core, &results);
        rates[run] = results.values[0];
        costs[run] = results.values[1];
        ingested->bytes = results.values[2];
        if (results.peak_rss_mb > ingested->peak_rss_mb)
            ingested->peak_rss_mb = results.peak_rss_mb;
    }
    ingested->rate = median(rates, (size_t)runs);
    ingested->cpu_us = median(costs, (size_t)runs);
    file_remove_tree(job->tape);
}

static void
bench_ingest(struct job *job)
{
    struct ingested one;
    struct ingested two;
    struct ingested lz4;
    measure_ingest(job, true, FIGURE_RUNS, &one);
    figure_at_least("append + journal + seal, one core", one.rate, 550000, "ev/s");
    figure_plain("  processor time per event", one.cpu_us, "us");
    measure_ingest(job, false, FIGURE_RUNS, &two);
    figure_at_least("the same, sealer on another core", two.rate, 700000, "ev/s");
    figure_at_most("a tape's files", two.bytes, 110, "B/event");
    figure_at_most("peak RSS (highest run)",
        one.peak_rss_mb > two.peak_rss_mb ? one.peak_rss_mb : two.peak_rss_mb, 220, "MB");

    job->options.codec = BLOCK_LZ4;
    measure_ingest(job, true, 1, &lz4);
    job->options.codec = BLOCK_RAW;
    figure_plain("LZ4, one core (1 run)", lz4.rate, "ev/s");
    figure_plain("LZ4, a tape's files", lz4.bytes, "B/event");
}

/* Four times as many, in a file of their own. */
static void
bench_long(const struct job *job, const char *directory)
{
    struct job longer = *job;
    char *data = alloc_format("%s/long", directory);
    struct ingested all;
    longer.events = job->events * 4;
    longer.data = data;
    data_write_file(data, longer.events);
    measure_ingest(&longer, false, 1, &all);
    figure_at_least("four times as many events (1 run)", all.rate, 700000, "ev/s");
    figure_at_most("peak RSS of that", all.peak_rss_mb, 220, "MB");
    (void)unlink(data);
    free(data);
}

/* ---- opening ---- */

#define TWO_JOURNALS_EVENTS 370000 /* some 2 * 64 MiB */

static void
record_and_die(void *self, struct part_results *results)
{
    const struct job *job = self;
    results->values[0] =
        (double)data_record(job->data, job->tape, &job->options, TWO_JOURNALS_EVENTS, false);
    part_give(results);
    (void)raise(SIGKILL);
}

static void
open_writer(void *self, struct part_results *results)
{
    const struct job *job = self;
    struct error err;
    double start = seconds_now();
    struct tape_writer *writer = tape_writer_open(job->tape, &job->options, &err);
    results->values[0] = seconds_now() - start;
    if (writer == NULL)
        figures_fail(&err);
    results->values[1] = (double)tape_writer_end_seq(writer);
}

static void
open_reader(void *self, struct part_results *results)
{
    const struct job *job = self;
    struct error err;
    double start = seconds_now();
    struct tape *tape = tape_open(job->tape, &err);
    results->values[0] = seconds_now() - start;
    if (tape == NULL)
        figures_fail(&err);
    results->values[1] = (double)tape_end_seq(tape);
    tape_close(tape);
}

static void
bench_reopen(struct job *job)
{
    double writer[FIGURE_RUNS];
    double reader[FIGURE_RUNS];
    double lost = 0;
    struct job kept = *job;
    kept.options.keep_journals = true;
    for (int run = 0; run < FIGURE_RUNS; run++) {
        struct part_results results;
        file_remove_tree(job->tape);
        part_run(record_and_die, &kept, false, &results);
        double acknowledged = results.values[0];
        part_run(open_reader, job, false, &results);
        reader[run] = results.values[0];
        part_run(open_writer, job, false, &results); /* it seals, as a recorder does */
        writer[run] = results.values[0];
        lost += acknowledged - results.values[1];
    }
    file_remove_tree(job->tape);
    figure_at_most(
        "reopen after kill -9, two full journals", median(writer, FIGURE_RUNS), 0.5, "s");
    figure_plain("  the same by a reader", median(reader, FIGURE_RUNS), "s");
    figure_at_most("  acknowledged events lost", lost, 0, "");
}

#define SMALL_JOURNAL ((uint64_t)256 * 1024)

static void
bench_thousand(struct job *job)
{
    struct job many = *job;
    double warm[FIGURE_RUNS];
    struct part_results results;
    many.options.journal_bytes = SMALL_JOURNAL;
    many.events = 730000; /* 1000 segments and some */
    part_run(ingest, &many, false, &results);
    directory_forget(many.tape);
    part_run(open_reader, &many, false, &results);
    double cold = results.values[0];
    for (int run = 0; run < FIGURE_RUNS; run++) {
        part_run(open_reader, &many, false, &results);
        warm[run] = results.values[0];
    }
    file_remove_tree(many.tape);
    figure_at_most("open 1 000 segments", median(warm, FIGURE_RUNS), 0.3, "s");
    figure_plain("  the same cold (1 run)", cold, "s");
}

/* ---- SQLite ---- */

static void
run_sql(sqlite3 *database, const char *text)
{
    char *message = NULL;
    if (sqlite3_exec(database, text, NULL, NULL, &message) != SQLITE_OK) {
        struct error err;
        (void)error_set(&err, ERROR_SYSTEM, "sqlite: %s", message);
        figures_fail(&err);
    }
}

static void
bind(sqlite3_stmt *statement, int column, struct bytes bytes)
{
    (void)sqlite3_bind_blob(statement, column, bytes.data, (int)bytes.length, SQLITE_STATIC);
}

static void
insert(sqlite3_stmt *statement, const struct event *event, sqlite3_int64 seq)
{
    struct event_identity identity;
    event_identify(event, &identity);
    (void)sqlite3_bind_int64(statement, 1, seq);
    (void)sqlite3_bind_int64(statement, 2, event->stream->id);
    (void)sqlite3_bind_int64(statement, 3, event->partition);
    (void)sqlite3_bind_int64(statement, 4, event->offset);
    (void)sqlite3_bind_int64(statement, 5, event->time_ns);
    (void)sqlite3_bind_int64(statement, 6, event->received_ns);
    bind(statement, 7, event->key);
    bind(statement, 8, identity.trace);
    bind(statement, 9, identity.id);
    bind(statement, 10, event->headers);
    bind(statement, 11, event->payload);
    if (sqlite3_step(statement) != SQLITE_DONE) {
        struct error err;
        (void)error_set(&err, ERROR_SYSTEM, "sqlite: insert failed");
        figures_fail(&err);
    }
    (void)sqlite3_reset(statement);
}

/* The same questions answered by a table with an index for each of key, trace and id. */
static void
ingest_sqlite(void *self, struct part_results *results)
{
    const struct job *job = self;
    struct error err;
    if (!file_make_directory(job->tape, &err))
        figures_fail(&err);
    char *path = alloc_format("%s/events.db", job->tape);
    sqlite3 *database;
    if (sqlite3_open(path, &database) != SQLITE_OK)
        exit(2); /* NOLINT(concurrency-mt-unsafe) */
    run_sql(database, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
                      "CREATE TABLE events(seq INTEGER PRIMARY KEY, stream INT, part INT, off INT,"
                      "time INT, received INT, key BLOB, trace BLOB, id BLOB, headers BLOB,"
                      "payload BLOB);"
                      "CREATE INDEX by_key ON events(key); CREATE INDEX by_trace ON events(trace);"
                      "CREATE INDEX by_id ON events(id)");
    sqlite3_stmt *statement;
    (void)sqlite3_prepare_v2(
        database, "INSERT INTO events VALUES(?,?,?,?,?,?,?,?,?,?,?)", -1, &statement, NULL);
    struct stream rows[DATA_STREAMS] = {0};
    const struct stream *streams[DATA_STREAMS];
    for (uint32_t i = 0; i < DATA_STREAMS; i++) {
        rows[i].id = i;
        streams[i] = &rows[i];
    }
    struct data_file *file = data_file_open(job->data);
    struct event event;
    sqlite3_int64 count = 0;
    double start = seconds_now();
    run_sql(database, "BEGIN");
    while ((uint64_t)count < job->events && data_file_next(file, streams, &event)) {
        insert(statement, &event, count++);
        if (count % 5000 == 0)
            run_sql(database, "COMMIT; BEGIN");
    }
    run_sql(database, "COMMIT");
    results->values[0] = (double)count / (seconds_now() - start);
    (void)sqlite3_finalize(statement);
    (void)sqlite3_close(database);
    results->values[1] = (double)directory_bytes(job->tape) / (double)count;
    data_file_close(file);
    free(path);
}

static void
bench_sqlite(struct job *job, uint64_t rows)
{
    struct job small = *job;
    struct part_results sqlite;
    struct ingested tape;
    small.events = rows < job->events ? rows : job->events;
    measure_ingest(&small, false, FIGURE_RUNS, &tape);
    part_run(ingest_sqlite, &small, false, &sqlite);
    file_remove_tree(small.tape);
    figure_plain("SQLite, rows in this comparison", (double)small.events, "");
    figure_plain("SQLite, WAL, three indexes (1 run)", sqlite.values[0], "ev/s");
    figure_plain("SQLite, its file", sqlite.values[1], "B/event");
    figure_plain("tape, as many events", tape.rate, "ev/s");
    figure_plain("a tape is faster by", tape.rate / sqlite.values[0], "times");
    figure_plain("and smaller by", sqlite.values[1] / tape.bytes, "times");
}

static void
machine(void *self, struct part_results *results)
{
    const struct job *job = self;
    struct buffer bytes = {0};
    struct error err;
    size_t got;
    size_t wanted = (size_t)64 * 1024 * 1024;
    (void)results;
    int fd = open(job->data, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || !file_read_at(fd, buffer_reserve(&bytes, wanted), wanted, 0, &got, &err))
        exit(2); /* NOLINT(concurrency-mt-unsafe) */
    figures_machine(bytes.data, got);
    (void)close(fd);
    buffer_done(&bytes);
}

int
main(void)
{
    char *directory = figures_directory("bench-index");
    char *data = alloc_format("%s/data", directory);
    char *tape = alloc_format("%s/tape", directory);
    struct job job = {
        .data = data,
        .tape = tape,
        .events = figures_setting("BENCH_EVENTS", 5000000),
        .options = {.durability = DURABILITY_INTERVAL},
    };
    struct part_results results;
    data_write_file(data, job.events);
    figure_plain("events", (double)job.events, "");
    figure_plain("as records", (double)directory_bytes(directory) / (double)job.events, "B/event");
    part_run(machine, &job, false, &results);
    bench_ingest(&job);
    bench_reopen(&job);
    bench_thousand(&job);
    bench_sqlite(&job, figures_setting("BENCH_SQLITE", 500000));
    if (figures_setting("BENCH_FULL", 0) != 0)
        bench_long(&job, directory);
    file_remove_tree(directory);
    free(tape);
    free(data);
    free(directory);
    return figures_end();
}
