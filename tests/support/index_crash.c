#include "tests/support/index_crash.h"

#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "index/batch.h"
#include "index/cursor.h"
#include "index/event.h"
#include "index/indexer.h"
#include "index/tape.h"
#include "index/tape_writer.h"

#define JOURNAL_BYTES (UINT64_C(128) * 1024)
#define LANES         7

/* Event number n, all of it. */
struct numbered {
    struct event event;
    char key[32];
    char payload[256];
};

static void
make_numbered(struct numbered *numbered, uint64_t n, const struct stream *stream)
{
    int key = snprintf(numbered->key, sizeof(numbered->key), "k-%" PRIu64, n % 1000);
    int payload = snprintf(numbered->payload, sizeof(numbered->payload),
        "{\"n\":%" PRIu64 ",\"pad\":\"%.*s\"}", n, (int)(n * 31 % 97),
        ".........................................................................................."
        "......"
        ".");
    numbered->event = (struct event){
        .received_ns = (int64_t)n,
        .time_ns = (int64_t)(n * 7919 % 1000003),
        .time_type = TIME_CREATE,
        .offset = (int64_t)n,
        .stream = stream,
        .partition = (int32_t)(n % LANES),
        .key = bytes_make(numbered->key, (size_t)key),
        .payload = bytes_make(numbered->payload, (size_t)payload),
    };
}

static struct tape_writer *
open_writer(const char *directory, bool seal, struct error *err)
{
    struct tape_writer_options options = {
        .durability = DURABILITY_INTERVAL,
        .journal_bytes = JOURNAL_BYTES,
        .min_free = -1,
        .keep_journals = !seal,
    };
    return tape_writer_open(directory, &options, err);
}

/* ---- the process that is killed ---- */

static _Noreturn void
record(const char *directory, _Atomic uint64_t *acknowledged)
{
    struct error err;
    struct tape_writer *writer = open_writer(directory, true, &err);
    if (writer == NULL)
        _exit(3);
    uint64_t first = tape_writer_end_seq(writer);
    uint64_t n = first;
    const struct stream *stream = tape_writer_stream(writer, "crash", "numbered");
    struct indexer_options options = {.queue_bytes = 0};
    struct indexer *indexer = indexer_start(writer, directory, &options, &err);
    if (indexer == NULL)
        _exit(4);
    for (;;) {
        struct batch *batch = batch_new();
        for (uint64_t i = n * 13 % 300 + 1; i > 0; i--) {
            struct numbered numbered;
            make_numbered(&numbered, n++, stream);
            if (!batch_add(batch, &numbered.event, &err))
                _exit(5);
        }
        if (!indexer_push(indexer, &batch, -1))
            _exit(6);
        atomic_store(acknowledged, first + indexer_acknowledged(indexer));
    }
}

static bool
run_and_kill(
    const char *directory, unsigned delay_us, _Atomic uint64_t *acknowledged, struct error *err)
{
    (void)fflush(stdout);
    (void)fflush(stderr);
    pid_t child = fork();
    if (child < 0)
        return error_set_system(err, "cannot fork");
    if (child == 0)
        record(directory, acknowledged);
    clock_sleep_until_ns(clock_monotonic_ns() + (int64_t)delay_us * NS_PER_US);
    (void)kill(child, SIGKILL);
    int status;
    if (waitpid(child, &status, 0) != child)
        return error_set_system(err, "cannot wait for the recorder");
    if (WIFEXITED(status))
        return error_set(
            err, ERROR_SYSTEM, "the recorder ended by itself, with %d", WEXITSTATUS(status));
    return true;
}

/* ---- what is left ---- */

static bool
has_segment(const char *directory, const char *journal)
{
    char *path = alloc_format("%s/%.8s.seg", directory, journal);
    bool there = access(path, F_OK) == 0;
    free(path);
    return there;
}

static void
look_at_files(const char *directory, struct crash_result *result)
{
    DIR *listing = opendir(directory);
    struct dirent *entry;
    while (listing != NULL && (entry = readdir(listing)) != NULL) { /* NOLINT */
        const char *dot = strrchr(entry->d_name, '.');
        if (dot == NULL || strlen(entry->d_name) != 12)
            continue;
        if (strcmp(dot, ".tmp") == 0)
            result->was_sealing = true;
        if (strcmp(dot, ".jnl") == 0) {
            result->journals++;
            result->was_between |= has_segment(directory, entry->d_name);
        }
    }
    if (listing != NULL)
        (void)closedir(listing);
}

static bool
is_numbered(const struct event *event, uint64_t n)
{
    struct numbered wanted;
    make_numbered(&wanted, n, event->stream);
    return event->seq == n && event->offset == wanted.event.offset &&
           event->partition == wanted.event.partition && event->time_ns == wanted.event.time_ns &&
           event->received_ns == wanted.event.received_ns &&
           bytes_equal(event->key, wanted.event.key) &&
           bytes_equal(event->payload, wanted.event.payload) && event->headers.length == 0 &&
           strcmp(event->stream->label, "crash/numbered") == 0;
}

static bool
read_events(struct tape *tape, uint64_t from, struct error *err)
{
    struct cursor_options options = {.order = CURSOR_BY_SEQ, .first_seq = from};
    struct cursor *cursor = cursor_new(tape, &options);
    struct event event;
    uint64_t n = from;
    enum cursor_step step;
    while ((step = cursor_next(cursor, 0, &event, err)) == CURSOR_EVENT && is_numbered(&event, n))
        n++;
    cursor_free(cursor);
    if (step == CURSOR_EVENT)
        return error_set(err, ERROR_DAMAGED,
            "at seq %" PRIu64 " is not its event but seq %" PRIu64 ", offset %" PRId64, n,
            event.seq, event.offset);
    if (step == CURSOR_END && n != tape_end_seq(tape))
        return error_set(err, ERROR_DAMAGED, "the tape ends at %" PRIu64 ", its events at %" PRIu64,
            tape_end_seq(tape), n);
    return step == CURSOR_END;
}

static bool
check_tape(const char *directory, uint64_t checked, uint64_t *found, struct error *err)
{
    struct tape *tape = tape_open(directory, err);
    if (tape == NULL)
        return false;
    *found = tape_end_seq(tape);
    bool good = tape_verify(tape, err) && read_events(tape, checked, err);
    tape_close(tape);
    return good;
}

static bool
reopen(const char *directory, struct crash_result *result, struct error *err)
{
    int64_t start_ns = clock_monotonic_ns();
    struct tape_writer *writer = open_writer(directory, false, err);
    if (writer == NULL)
        return error_wrap(err, "the next recorder");
    result->reopen_s = (double)(clock_monotonic_ns() - start_ns) / 1e9;
    result->had_torn_end = tape_writer_repairs(writer) != NULL;
    tape_writer_close(writer);
    return true;
}

bool
crash_trial(const char *directory, unsigned delay_us, uint64_t checked, struct crash_result *result,
    struct error *err)
{
    *result = (struct crash_result){0};
    void *shared =
        mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    _Atomic uint64_t *acknowledged = shared;
    if (shared == MAP_FAILED)
        return error_set_system(err, "cannot share memory");
    bool good = run_and_kill(directory, delay_us, acknowledged, err);
    result->acknowledged = atomic_load(acknowledged);
    (void)munmap(shared, sizeof(uint64_t));
    if (!good)
        return false;

    /* Killed before there was a tape: then nothing was acknowledged either. */
    char *lock = alloc_format("%s/LOCK", directory);
    bool is_tape = access(lock, F_OK) == 0;
    free(lock);
    if (!is_tape)
        return result->acknowledged == 0 ||
               error_set(err, ERROR_DAMAGED, "acknowledged events and no tape");
    look_at_files(directory, result);

    /* Readers must manage with what the crash left, and with what the next recorder made of it. */
    uint64_t before;
    if (!check_tape(directory, checked, &before, err) || !reopen(directory, result, err) ||
        !check_tape(directory, checked, &result->found, err))
        return false;
    if (result->found < result->acknowledged || before != result->found)
        return error_set(err, ERROR_DAMAGED,
            "%" PRIu64 " events were acknowledged, readers found %" PRIu64
            " and after reopening %" PRIu64,
            result->acknowledged, before, result->found);
    return true;
}
