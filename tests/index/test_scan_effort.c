/* What a scan costs and bears: threads, memory, files that go. */
#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "index/batch.h"
#include "index/cursor.h"
#include "index/hole.h"
#include "index/retention.h"
#include "index/scan.h"
#include "index/tape.h"
#include "tests/support/index_scan.h"
#include "tests/support/index_tape.h"
#include "tests/support/unit.h"

static void
calls_for_no_help_when_it_has_enough_soon(void **state)
{
    struct error err = {0};
    struct event event;
    scan_make_tape(*state, 16000, 0);
    struct tape *tape = test_open(*state);
    for (int i = 0; i < 2; i++) {
        /* That much is reached in the second segment, behind the matches of the first. */
        struct scan_options options = {
            .workers = 2, .alone_bytes = SCAN_JOURNAL_BYTES * 4 / 3, .limit = i == 0 ? 3500 : 0};
        struct scan *scan = scan_new(tape, &options);
        for (unsigned taken = 0; taken < 3500; taken++)
            assert_int_equal(scan_next(scan, 0, &event, &err), CURSOR_EVENT);
        assert_int_equal(scan_workers(scan), i == 0 ? 0 : 2);
        scan_free(scan);
    }
    tape_close(tape);
}

/* One event of that many bytes, which no codec makes smaller, behind what is there; sealed. */
static void
append_large(const char *directory, size_t bytes)
{
    unsigned char *payload = alloc_zeroed(bytes);
    for (size_t i = 0; i < bytes; i += 4)
        store_u32(payload + i, scan_pick(UINT32_MAX));
    struct error err = {0};
    struct tape_writer *writer = test_writer_sealing(directory, 0, true);
    struct batch *batch = batch_new();
    struct event event = {.stream = tape_writer_stream(writer, "shop", "orders"),
        .partition = 9,
        .time_ns = CLOCK_NONE,
        .payload = bytes_make(payload, bytes)};
    assert_ok(batch_add(batch, &event, &err));
    assert_ok(tape_writer_append(writer, batch, &err));
    batch_release(batch);
    tape_writer_close(writer);
    free(payload);
}

/* How many of eight threads there are, once there may be any. */
static unsigned
count_workers(const char *directory)
{
    struct error err = {0};
    struct event event;
    struct tape *tape = test_open(directory);
    struct scan_options options = {.workers = 8, .alone_bytes = SCAN_JOURNAL_BYTES / 2};
    struct scan *scan = scan_new(tape, &options);
    for (unsigned taken = 0; taken < 4000; taken++)
        assert_int_equal(scan_next(scan, 0, &event, &err), CURSOR_EVENT);
    unsigned workers = scan_workers(scan);
    scan_free(scan);
    tape_close(tape);
    return workers;
}

static void
threads_share_a_budget_of_bytes(void **state)
{
    static const unsigned megabytes[] = {1, 7, 40};
    static const unsigned workers[] = {8, 4, 0};
    scan_make_tape(*state, 9000, 2000);
    assert_int_equal(count_workers(*state), 8);
    for (size_t i = 0; i < 3; i++) {
        size_t bytes = (size_t)megabytes[i] * 1024 * 1024;
        append_large(*state, bytes);
        assert_int_equal(count_workers(*state), workers[i]);
        assert_true((uint64_t)workers[i] * SCAN_COPIES * bytes <= SCAN_LARGE_BYTES);
    }
}

/* Files stay open behind a walk, but not what was read of them: a block as it is in the file and two that are
 * decoded, however many there are. (The sanitizers' allocators do not tell how much there is.) */
static void
a_walk_holds_few_large_blocks(void **state)
{
    static const size_t bytes = (size_t)12 * 1024 * 1024;
    struct error err = {0};
    struct event event;
    for (int i = 0; i < 6; i++)
        append_large(*state, bytes);
    struct tape *tape = test_open(*state);
    size_t before = mallinfo2().hblkhd;
    struct cursor *cursor = cursor_new(tape, &(struct cursor_options){.order = CURSOR_BY_SEQ});
    for (int i = 0; i < 6; i++) {
        assert_int_equal(cursor_next(cursor, 0, &event, &err), CURSOR_EVENT);
        assert_int_equal(event.payload.length, bytes);
        assert_true(mallinfo2().hblkhd - before <= 3 * (bytes + bytes / 2));
    }
    cursor_free(cursor);
    tape_close(tape);
}

static void
follows_a_tape_when_it_stays_alone(void **state)
{
    struct error err = {0};
    struct event event;
    struct tape_writer *writer = test_writer(*state, 20000);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    struct tape *tape = test_open(*state);
    struct scan_options options = {.stays_alone = true, .workers = 3, .alone_bytes = 1};
    struct scan *scan = scan_new(tape, &options);
    for (int64_t offset = 0; offset < 1000; offset += 40) {
        test_append(writer, orders, 0, offset, 40);
        assert_ok(tape_refresh(tape, &err));
        for (int64_t i = 0; i < 40; i++) {
            assert_int_equal(scan_next(scan, 0, &event, &err), CURSOR_EVENT);
            assert_int_equal(event.offset, offset + i);
        }
        assert_int_equal(scan_next(scan, 0, &event, &err), CURSOR_END);
    }
    assert_int_equal(scan_workers(scan), 0);
    scan_free(scan);
    tape_close(tape);
    tape_writer_close(writer);
}

static void
leaves_payloads_out_but_not_their_lengths(void **state)
{
    struct error err = {0};
    struct event event;
    uint64_t count = 0;
    uint64_t left_out = 0;
    scan_make_tape(*state, 9000, 0);
    struct tape *tape = test_open(*state);
    struct scan_options options = {
        .cursor.unwanted = EVENT_PAYLOAD, .workers = 3, .alone_bytes = 1};
    struct scan *scan = scan_new(tape, &options);
    for (; scan_next(scan, 0, &event, &err) == CURSOR_EVENT; count++) {
        struct made_event made;
        made_event_fill(&made, event.stream, event.partition, event.offset);
        assert_true(bytes_equal(event.key, made.event.key));
        assert_true(bytes_equal(event.headers, made.event.headers));
        assert_int_equal(event.payload.length, made.event.payload.length);
        left_out += event.payload.data == NULL;
        made_event_done(&made);
    }
    assert_true(count >= 9000);
    assert_true(left_out > count / 2);
    scan_free(scan);
    tape_close(tape);
}

static void
remove_file(const char *directory, const char *name)
{
    char *path = alloc_format("%s/%s", directory, name);
    assert_int_equal(unlink(path), 0);
    free(path);
}

static void
goes_on_when_retention_deletes_files_under_it(void **state)
{
    struct error err = {0};
    struct event event;
    scan_make_tape(*state, 16000, 0);
    struct tape *tape = test_open(*state);
    uint64_t end_seq = tape_end_seq(tape);
    struct scan_options options = {
        .cursor.newest_first = true, .workers = 2, .alone_bytes = 1, .buffer_bytes = 1};
    struct scan *scan = scan_new(tape, &options);
    assert_int_equal(scan_next(scan, 0, &event, &err), CURSOR_EVENT);
    assert_int_equal(event.seq, end_seq - 1);
    remove_file(*state, "00000001.seg");
    remove_file(*state, "00000002.seg");
    struct tape *after = test_open(*state);
    uint64_t kept_seq = tape_first_seq(after);
    tape_close(after);
    assert_true(kept_seq > 1000 && kept_seq < end_seq - 1000);

    uint64_t last_seq = event.seq;
    enum cursor_step step;
    while ((step = scan_next(scan, 0, &event, &err)) == CURSOR_EVENT) {
        assert_made_event(&event);
        assert_true(event.seq < last_seq);
        if (last_seq > kept_seq)
            assert_int_equal(event.seq, last_seq - 1); /* what is still there comes without gaps */
        last_seq = event.seq;
    }
    assert_int_equal(step, CURSOR_END);
    assert_true(last_seq <= kept_seq);
    scan_free(scan);
    tape_close(tape);
}

/* Sum over the lanes: the events that there are, and the offsets that holes of retention have. */
static void
count_lanes(struct tape *tape, uint64_t *events, uint64_t *deleted)
{
    struct error err = {0};
    size_t count;
    const struct lane_summary *lanes = tape_lanes(tape, &count, &err);
    assert_ok(lanes != NULL);
    *events = *deleted = 0;
    for (size_t i = 0; i < count; i++) {
        *events += lanes[i].events;
        for (size_t j = 0; j < lanes[i].hole_count; j++) {
            const struct hole *hole = &lanes[i].holes[j];
            *deleted += hole->reason == HOLE_RETENTION ? (uint64_t)(hole->to - hole->from) + 1 : 0;
        }
    }
}

struct late {
    uint64_t all;     /* events before */
    uint64_t came;    /* of them were given */
    uint64_t events;  /* that there are by the coverage, afterwards */
    uint64_t deleted; /* by the same */
};

/* Scan while retention deletes what it can behind the first event. */
static struct late
scan_too_late(const char *directory, const struct scan_options *options)
{
    struct error err = {0};
    struct event event;
    struct late late;
    scan_make_tape(directory, 16000, 0);
    struct tape *tape = test_open(directory);
    count_lanes(tape, &late.all, &late.deleted);
    struct retention retention = {.keep_bytes = 1, .keep_newest = true};
    struct retention_result result;
    struct scan *scan = scan_new(tape, options);
    assert_int_equal(scan_next(scan, 0, &event, &err), CURSOR_EVENT);
    assert_ok(retention_apply(directory, &retention, 0, false, &result, &err));
    assert_true(result.deleted_files > 2);
    for (late.came = 1; scan_next(scan, 0, &event, &err) == CURSOR_EVENT; late.came++)
        ;

    tape_leave_missed(tape);
    count_lanes(tape, &late.events, &late.deleted);
    const struct tape_damage *damage;
    assert_int_equal(tape_damage(tape, &damage), 0);
    assert_true(tape_missed_files(tape) > 0);
    scan_free(scan);
    tape_close(tape);
    return late;
}

static void
names_what_it_came_too_late_for(void **state)
{
    struct late late = scan_too_late(*state, &(struct scan_options){.stays_alone = true});
    assert_true(late.came < late.all);
    assert_int_equal(late.events, late.came);
    assert_true(late.deleted > 0);
}

static void
names_what_threads_came_too_late_for(void **state)
{
    struct scan_options options = {.workers = 2, .alone_bytes = 1, .buffer_bytes = 1};
    struct late late = scan_too_late(*state, &options);
    /* They may have had the files open, and one thread a file that another one came too late for: all of that is a hole. */
    assert_true(late.events <= late.came);
    assert_true(late.events + late.deleted >= late.all);
}

static void
fails_when_the_threads_cannot_open_the_tape(void **state)
{
    struct error err = {0};
    struct event event;
    scan_make_tape(*state, 9000, 0);
    struct tape *tape = test_open(*state);
    char *elsewhere = alloc_format("%s-moved", (const char *)*state);
    struct scan_options options = {.workers = 2, .alone_bytes = 1};
    struct scan *scan = scan_new(tape, &options);
    assert_int_equal(rename(*state, elsewhere), 0);
    enum cursor_step step;
    do {
        step = scan_next(scan, 0, &event, &err);
    } while (step == CURSOR_EVENT);
    assert_int_equal(rename(elsewhere, *state), 0);
    assert_int_equal(step, CURSOR_FAILED);
    assert_non_null(strstr(err.text, "there is no tape at"));
    assert_int_equal(scan_next(scan, 0, &event, &err), CURSOR_FAILED);
    scan_free(scan);
    tape_close(tape);
    free(elsewhere);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, temp_directory_set_up, temp_directory_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(calls_for_no_help_when_it_has_enough_soon),
        TEST(threads_share_a_budget_of_bytes),
        TEST(a_walk_holds_few_large_blocks),
        TEST(follows_a_tape_when_it_stays_alone),
        TEST(leaves_payloads_out_but_not_their_lengths),
        TEST(goes_on_when_retention_deletes_files_under_it),
        TEST(names_what_it_came_too_late_for),
        TEST(names_what_threads_came_too_late_for),
        TEST(fails_when_the_threads_cannot_open_the_tape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
