#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "index/batch.h"
#include "index/indexer.h"
#include "index/tape.h"
#include "tests/support/index_tape.h"
#include "tests/support/unit.h"

static void
name_a_tap(void *self, struct live_status *status)
{
    (void)self;
    status->tap_count = 1;
    (void)snprintf(status->taps[0].name, sizeof(status->taps[0].name), "shop");
    status->taps[0].state = TAP_LIVE;
}

static void
writes_what_is_pushed_and_shows_it_on_the_live_page(void **state)
{
    (void)state;
    struct error err = {0};
    char *directory = temp_directory_new();
    struct tape_writer *writer = test_writer(directory, 0);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    struct indexer_options options = {.describe = name_a_tap};
    struct indexer *indexer = indexer_start(writer, directory, &options, &err);
    assert_ok(indexer != NULL);
    for (int64_t offset = 0; offset < 5000; offset += 50) {
        struct batch *batch = test_batch(orders, 0, offset, 50);
        assert_ok(indexer_push(indexer, &batch, 10000));
        assert_null(batch);
    }

    struct live *live = live_open(directory, &err);
    assert_ok(live != NULL);
    struct live_status *status = alloc_zeroed(sizeof(*status));
    bool recording = false;
    int64_t deadline = clock_monotonic_ns() + 20 * NS_PER_S;
    while (status->events < 5000 && clock_monotonic_ns() < deadline)
        assert_true(live_read(live, status, &recording));
    assert_int_equal(status->events, 5000);
    assert_true(recording);
    assert_int_equal(status->pid, getpid());
    assert_string_equal(status->taps[0].name, "shop");
    assert_int_equal(status->streams[0].events, 5000);
    uint64_t in_slots = 0;
    for (size_t i = 0; i < LIVE_RATE_SLOTS; i++)
        in_slots += status->streams[0].rate[i];
    assert_int_equal(in_slots, 5000);

    assert_ok(indexer_stop(indexer, &err));
    tape_writer_close(writer);
    assert_true(live_read(live, status, &recording));
    assert_false(recording);
    live_close(live);
    free(status);
    struct tape *tape = test_open(directory);
    assert_int_equal(test_count_all(tape, 0), 5000);
    tape_close(tape);
    temp_directory_remove(directory);
}

static void
waits_for_no_room_when_the_recorder_ends(void **state)
{
    (void)state;
    struct error err = {0};
    char *directory = temp_directory_new();
    struct tape_writer_options full = {.durability = DURABILITY_KERNEL, .min_free = 2.0};
    struct tape_writer *writer = tape_writer_open(directory, &full, &err);
    assert_ok(writer != NULL);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    struct indexer *indexer = indexer_start(writer, directory, NULL, &err);
    assert_ok(indexer != NULL);
    struct batch *batch = test_batch(orders, 0, 0, 10);
    assert_ok(indexer_push(indexer, &batch, 10000));
    assert_true(indexer_is_well(indexer, &err));

    indexer_hurry(indexer);
    int64_t deadline = clock_monotonic_ns() + 20 * NS_PER_S;
    while (indexer_is_well(indexer, &err) && clock_monotonic_ns() < deadline)
        clock_sleep_until_ns(clock_monotonic_ns() + NS_PER_MS);
    assert_int_equal(err.code, ERROR_DISK_FULL);
    batch = test_batch(orders, 0, 10, 10);
    assert_false(indexer_push(indexer, &batch, -1)); /* says so, and does not wait */
    batch_release(batch);
    assert_false(indexer_stop(indexer, &err));
    tape_writer_close(writer);
    temp_directory_remove(directory);
}

/* The child may write so many bytes into one file that the third journal does not fit. */
static void
record_into_a_small_disk(const char *directory)
{
    struct rlimit limit = {.rlim_cur = 100000, .rlim_max = 100000};
    struct error err = {0};
    struct tape_writer *writer = test_writer(directory, 0);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    (void)signal(SIGXFSZ, SIG_IGN);
    (void)setrlimit(RLIMIT_FSIZE, &limit);
    int64_t acknowledged = 0;
    for (;;) {
        struct batch *batch = test_batch(orders, 0, acknowledged, 20);
        bool done = tape_writer_append(writer, batch, &err);
        batch_release(batch);
        if (!done)
            break;
        acknowledged += 20;
    }
    FILE *report = fopen("/proc/self/fd/3", "w");
    if (report != NULL) {
        (void)fprintf(report, "%lld %d\n", (long long)acknowledged, (int)err.code);
        (void)fclose(report);
    }
    _exit(0);
}

static void
a_write_that_does_not_fit_leaves_nothing_behind(void **state)
{
    (void)state;
    char *directory = temp_directory_new();
    int report[2];
    assert_int_equal(pipe(report), 0);
    pid_t child = fork();
    if (child == 0) {
        (void)dup2(report[1], 3);
        record_into_a_small_disk(directory);
    }
    (void)close(report[1]);
    char text[64] = "";
    assert_true(read(report[0], text, sizeof(text) - 1) > 0);
    (void)close(report[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);

    struct tape *tape = test_open(directory);
    uint64_t acknowledged = strtoull(text, NULL, 10);
    assert_true(acknowledged > 0);
    assert_int_equal(test_count_all(tape, 0), acknowledged);
    tape_close(tape);

    struct tape_writer *writer = test_writer(directory, 0);
    assert_null(tape_writer_repairs(writer));
    test_append(writer, tape_writer_stream(writer, "shop", "orders"), 0, (int64_t)acknowledged, 5);
    tape_writer_close(writer);
    tape = test_open(directory);
    assert_int_equal(test_count_all(tape, 0), acknowledged + 5);
    tape_close(tape);
    temp_directory_remove(directory);
}

/* Tells the parent after each acknowledged append how far it is, until it is killed. */
static void
record_until_killed(const char *directory, int64_t from, int progress)
{
    struct tape_writer *writer = test_writer(directory, 300000);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    int64_t next = tape_writer_checkpoint(writer, orders, 0) + 1;
    if (next < from)
        _exit(3);
    for (unsigned i = 0;; i++) {
        int count = 1 + (int)(i * 7 % 60);
        test_append(writer, orders, 0, next, count);
        next += count;
        if (pwrite(progress, &next, sizeof(next), 0) != (ssize_t)sizeof(next))
            _exit(4);
    }
}

static void
loses_nothing_acknowledged_when_it_is_killed(void **state)
{
    (void)state;
    char *directory = temp_directory_new();
    char path[] = "/tmp/tapedeck-progress.XXXXXX";
    int progress = mkstemp(path);
    int64_t acknowledged = 0;
    assert_int_equal(pwrite(progress, &acknowledged, sizeof(acknowledged), 0), 8);
    for (int kill_number = 0; kill_number < 12; kill_number++) {
        int64_t before = acknowledged;
        pid_t child = fork();
        if (child == 0)
            record_until_killed(directory, before, progress);
        /* Kill it after some more was acknowledged, at a moment that differs each time. */
        int64_t deadline = clock_monotonic_ns() + 20 * NS_PER_S;
        while (acknowledged < before + 100 + (int64_t)kill_number * 531 &&
               clock_monotonic_ns() < deadline)
            assert_int_equal(pread(progress, &acknowledged, sizeof(acknowledged), 0), 8);
        (void)kill(child, SIGKILL);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(pread(progress, &acknowledged, sizeof(acknowledged), 0), 8);

        struct tape *tape = test_open(directory);
        assert_true((int64_t)test_count_all(tape, 0) >= acknowledged);
        tape_close(tape);
    }
    (void)close(progress);
    (void)unlink(path);
    temp_directory_remove(directory);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_what_is_pushed_and_shows_it_on_the_live_page),
        cmocka_unit_test(waits_for_no_room_when_the_recorder_ends),
        cmocka_unit_test(a_write_that_does_not_fit_leaves_nothing_behind),
        cmocka_unit_test(loses_nothing_acknowledged_when_it_is_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
