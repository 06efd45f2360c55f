/* Scans against cursors: the same tape, the same query, the same events in the same order. The tapes are
 * small, so the scans are told to call for help early. */
#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "index/cursor.h"
#include "index/query.h"
#include "index/scan.h"
#include "index/tape.h"
#include "tests/support/index_scan.h"
#include "tests/support/index_tape.h"
#include "tests/support/unit.h"

#define ROUNDS 24

/* ---- what a cursor says ---- */

struct seen {
    uint64_t seq;
    const struct stream *stream;
};

struct result {
    struct seen *events;
    size_t count;
    size_t capacity;
    struct cursor_progress progress;
};

static void
result_add(struct result *result, const struct event *event)
{
    assert_made_event(event);
    result->events =
        alloc_grow(result->events, result->count, &result->capacity, sizeof(*result->events));
    result->events[result->count++] = (struct seen){event->seq, event->stream};
}

static struct result
ask_cursor(struct tape *tape, const struct cursor_options *options)
{
    struct error err = {0};
    struct result result = {0};
    struct event event;
    struct cursor *cursor = cursor_new(tape, options);
    enum cursor_step step;
    while ((step = cursor_next(cursor, 0, &event, &err)) == CURSOR_EVENT)
        result_add(&result, &event);
    assert_int_equal(step, CURSOR_END);
    cursor_progress(cursor, &result.progress);
    cursor_free(cursor);
    return result;
}

static struct result
ask_scan(struct tape *tape, const struct scan_options *options, unsigned *workers)
{
    struct error err = {0};
    struct result result = {0};
    struct event event;
    struct scan *scan = scan_new(tape, options);
    enum cursor_step step;
    while ((step = scan_next(scan, 1 + scan_pick(2000), &event, &err)) != CURSOR_END) {
        if (step == CURSOR_FAILED)
            fail_msg("scanning: %s", err.text);
        if (step == CURSOR_EVENT)
            result_add(&result, &event);
    }
    assert_int_equal(scan_next(scan, 0, &event, &err), CURSOR_END);
    scan_progress(scan, &result.progress);
    *workers = scan_workers(scan);
    scan_free(scan);
    return result;
}

static void
expect_same(const struct result *scan, const struct result *cursor, const char *what)
{
    if (scan->count != cursor->count)
        fail_msg("%zu events instead of %zu: %s", scan->count, cursor->count, what);
    for (size_t i = 0; i < scan->count; i++) {
        if (scan->events[i].seq != cursor->events[i].seq ||
            scan->events[i].stream != cursor->events[i].stream)
            fail_msg("event %zu is seq %llu instead of %llu: %s", i,
                (unsigned long long)scan->events[i].seq, (unsigned long long)cursor->events[i].seq,
                what);
    }
    assert_int_equal(scan->progress.matched, cursor->progress.matched);
    assert_int_equal(scan->progress.scanned_events, cursor->progress.scanned_events);
    assert_int_equal(scan->progress.scanned_bytes, cursor->progress.scanned_bytes);
    assert_int_equal(scan->progress.scanned_blocks, cursor->progress.scanned_blocks);
    assert_int_equal(scan->progress.pruned_blocks, cursor->progress.pruned_blocks);
    assert_int_equal(scan->progress.total_blocks, cursor->progress.total_blocks);
}

/* ---- random questions ---- */

static void
append_term(struct buffer *text)
{
    unsigned number = scan_pick(4000);
    switch (scan_pick(12)) {
    case 0:
        buffer_printf(text, "payload~\"%u\"", number % 1000);
        break;
    case 1:
        buffer_printf(text, "payload~/%u[0-9]}/", number % 100);
        break;
    case 2:
        buffer_printf(text, "key=k-%u", number);
        break;
    case 3:
        buffer_printf(text, "key~/%u$/", number % 50);
        break;
    case 4:
        buffer_printf(text, "partition=%u", number % 4);
        break;
    case 5:
        buffer_printf(text, "offset>=%u offset<%u", number, number + scan_pick(2000));
        break;
    case 6:
        buffer_printf(text, "seq>%u", number * 3);
        break;
    case 7:
        buffer_printf(text, "seq<=%u", number * 3);
        break;
    case 8:
        buffer_append_text(text, "stream=orders");
        break;
    case 9:
        buffer_printf(text, "value.n>%u", number);
        break;
    case 10:
        buffer_append_text(text, "header.source=test");
        break;
    default:
        buffer_printf(text, "size>=%u", 40 + number % 20);
        break;
    }
}

static void
append_query(struct buffer *text)
{
    unsigned terms = scan_pick(4);
    for (unsigned i = 0; i < terms; i++) {
        buffer_append_text(text, i == 0 ? "" : scan_pick(3) == 0 ? " or " : " and ");
        buffer_append_text(text, scan_pick(4) == 0 ? "not (" : "(");
        append_term(text);
        buffer_append_byte(text, ')');
    }
}

static struct scan_options
random_options(const struct query *query)
{
    static const uint64_t alone[] = {1, 40000, 200000};
    static const size_t buffers[] = {1, 100000, 0};
    struct scan_options options = {
        .cursor = {.query = query, .newest_first = scan_pick(2) == 0},
        .workers = 1 + scan_pick(5),
        .alone_bytes = alone[scan_pick(3)],
        .buffer_bytes = buffers[scan_pick(3)],
    };
    if (scan_pick(3) == 0) {
        options.cursor.first_seq = scan_pick(6000);
        options.cursor.end_seq = options.cursor.first_seq + scan_pick(6000);
    }
    return options;
}

/* One question asked twice; returns how many threads the scan had. */
static unsigned
compare_once(struct tape *tape)
{
    struct error err = {0};
    struct buffer text = {0};
    append_query(&text);
    struct query *query = query_compile(buffer_text(&text), 0, NULL, &err);
    if (query == NULL)
        fail_msg("%s: %s", buffer_text(&text), err.text);
    struct scan_options options = random_options(query);
    unsigned workers = 0;
    struct result by_cursor = ask_cursor(tape, &options.cursor);
    struct result by_scan = ask_scan(tape, &options, &workers);
    expect_same(&by_scan, &by_cursor, buffer_text(&text));
    free(by_cursor.events);
    free(by_scan.events);
    query_free(query);
    buffer_done(&text);
    return workers;
}

static void
compare_often(const char *directory)
{
    struct tape *tape = test_open(directory);
    unsigned with_threads = 0;
    for (unsigned round = 0; round < ROUNDS; round++)
        with_threads += compare_once(tape) > 0;
    assert_true(with_threads > ROUNDS / 3); /* else it says nothing */
    tape_close(tape);
}

static void
gives_what_a_cursor_gives_from_segments_and_journals(void **state)
{
    scan_make_tape(*state, 9000, 5000);
    compare_often(*state);
}

static void
gives_what_a_cursor_gives_from_one_segment(void **state)
{
    int64_t offsets[6] = {0};
    struct tape_writer *writer = test_writer_sealing(*state, 0, true);
    scan_write(writer, offsets, 9000);
    tape_writer_close(writer);
    compare_often(*state);
}

static void
gives_what_a_cursor_gives_from_journals(void **state)
{
    scan_make_tape(*state, 0, 9000);
    compare_often(*state);
}

static void
starts_no_threads_for_what_is_small_or_indexed(void **state)
{
    struct error err = {0};
    unsigned workers = 9;
    scan_make_tape(*state, 9000, 0);
    struct tape *tape = test_open(*state);
    struct scan_options options = {.workers = 3};
    struct result result = ask_scan(tape, &options, &workers);
    assert_true(result.count >= 9000);
    assert_int_equal(workers, 0);
    free(result.events);

    /* Several blocks are looked at, but not half of what there is. */
    struct query *query = query_compile("key=k-700", 0, NULL, &err);
    assert_non_null(query);
    options = (struct scan_options){
        .cursor.query = query, .workers = 3, .alone_bytes = SCAN_JOURNAL_BYTES * 2};
    result = ask_scan(tape, &options, &workers);
    assert_int_equal(result.count, 6);
    assert_int_equal(workers, 0);
    free(result.events);
    query_free(query);
    tape_close(tape);
}

static void
sorts_as_a_cursor_does(void **state)
{
    static const enum cursor_order orders[] = {CURSOR_BY_TIME, CURSOR_BY_OFFSET};
    unsigned workers = 0;
    scan_make_tape(*state, 3000, 2000);
    struct tape *tape = test_open(*state);
    for (size_t i = 0; i < 4; i++) {
        struct scan_options options = {
            .cursor = {.order = orders[i / 2], .newest_first = i % 2 == 1},
            .workers = 3,
            .alone_bytes = 1,
        };
        struct result by_cursor = ask_cursor(tape, &options.cursor);
        struct result by_scan = ask_scan(tape, &options, &workers);
        expect_same(&by_scan, &by_cursor, "sorted");
        assert_int_equal(workers, 0);
        free(by_cursor.events);
        free(by_scan.events);
    }
    tape_close(tape);
}

/* Wherever it is stopped, the threads end; the sanitizers see what is left. */
static void
can_be_stopped_at_any_event(void **state)
{
    struct error err = {0};
    scan_make_tape(*state, 9000, 3000);
    struct tape *tape = test_open(*state);
    for (unsigned round = 0; round < 40; round++) {
        struct scan_options options = random_options(NULL);
        options.cursor.first_seq = options.cursor.end_seq = 0;
        struct scan *scan = scan_new(tape, &options);
        struct event event;
        for (unsigned left = scan_pick(4000); left > 0; left--) {
            enum cursor_step step = scan_next(scan, 1 + scan_pick(1000), &event, &err);
            assert_true(step == CURSOR_EVENT || step == CURSOR_PAUSED);
        }
        scan_free(scan);
    }
    tape_close(tape);
}

/* ---- damage ---- */

/* Turn a bit in the middle of the file. */
static void
damage_file(const char *directory, const char *name, double where)
{
    char *path = alloc_format("%s/%s", directory, name);
    struct stat status;
    unsigned char byte;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &status), 0);
    off_t at = (off_t)((double)status.st_size * where);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 4;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    (void)close(fd);
    free(path);
}

static bool
is_same_place(const struct tape_place *a, const struct tape_place *b)
{
    if (a->stream == NULL || b->stream == NULL)
        return a->stream == b->stream;
    return strcmp(a->stream->label, b->stream->label) == 0 && a->partition == b->partition &&
           a->offset == b->offset;
}

static bool
is_among(const struct tape_damage *wanted, const struct tape_damage *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(wanted->text, all[i].text) == 0 && wanted->first_seq == all[i].first_seq &&
            wanted->end_seq == all[i].end_seq && wanted->events == all[i].events &&
            is_same_place(&wanted->first, &all[i].first) &&
            is_same_place(&wanted->last, &all[i].last))
            return true;
    }
    return false;
}

static void
tells_of_damage_as_a_cursor_does(void **state)
{
    unsigned workers = 0;
    scan_make_tape(*state, 9000, 5000);
    damage_file(*state, "00000001.seg", 0.1);
    damage_file(*state, "00000001.seg", 0.3);
    damage_file(*state, "00000002.seg", 0.2);
    damage_file(*state, "00000005.jnl", 0.5);
    for (size_t i = 0; i < 2; i++) {
        struct tape *first = test_open(*state);
        struct tape *second = test_open(*state);
        struct scan_options options = {
            .cursor.newest_first = i == 1, .workers = 3, .alone_bytes = 1};
        struct result by_cursor = ask_cursor(first, &options.cursor);
        struct result by_scan = ask_scan(second, &options, &workers);
        assert_int_equal(workers, 3);
        assert_int_equal(by_scan.count, by_cursor.count);
        for (size_t k = 0; k < by_scan.count; k++)
            assert_int_equal(by_scan.events[k].seq, by_cursor.events[k].seq);

        const struct tape_damage *wanted;
        const struct tape_damage *told;
        size_t count = tape_damage(first, &wanted);
        assert_true(count >= 3);
        assert_int_equal(tape_damage(second, &told), count);
        for (size_t k = 0; k < count; k++) {
            if (!is_among(&wanted[k], told, count))
                fail_msg("not told: %s", wanted[k].text);
        }
        free(by_cursor.events);
        free(by_scan.events);
        tape_close(first);
        tape_close(second);
    }
}

/* A pause is a block that was read. */
static void
reads_a_damaged_block_once(void **state)
{
    struct error err = {0};
    struct event event;
    scan_make_tape(*state, 9000, 0);
    damage_file(*state, "00000001.seg", 0.1);
    damage_file(*state, "00000001.seg", 0.3);
    damage_file(*state, "00000002.seg", 0.2);
    struct tape *tape = test_open(*state);
    struct cursor *cursor = cursor_new(tape, &(struct cursor_options){0});
    struct cursor_progress progress;
    uint64_t pauses = 0;
    enum cursor_step step;
    while ((step = cursor_next(cursor, 1, &event, &err)) != CURSOR_END) {
        assert_true(step == CURSOR_EVENT || step == CURSOR_PAUSED);
        pauses += step == CURSOR_PAUSED;
    }
    cursor_progress(cursor, &progress);
    const struct tape_damage *damage;
    assert_true(tape_damage(tape, &damage) >= 2);
    assert_true(pauses <= 4 * progress.total_blocks);
    cursor_free(cursor);
    tape_close(tape);
}

static void
goes_on_when_journals_are_sealed_under_it(void **state)
{
    unsigned workers = 0;
    scan_make_tape(*state, 3000, 9000);
    struct tape *tape = test_open(*state);
    struct scan_options options = {.workers = 3, .alone_bytes = 1};
    /* The tape as it is known here has journals that the threads will not find any more. */
    tape_writer_close(test_writer_sealing(*state, SCAN_JOURNAL_BYTES, true));
    struct result result = ask_scan(tape, &options, &workers);
    assert_int_equal(workers, 3);
    assert_int_equal(result.count, tape_end_seq(tape));
    for (size_t i = 0; i < result.count; i++)
        assert_int_equal(result.events[i].seq, i);
    free(result.events);
    tape_close(tape);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, temp_directory_set_up, temp_directory_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(gives_what_a_cursor_gives_from_segments_and_journals),
        TEST(gives_what_a_cursor_gives_from_one_segment),
        TEST(gives_what_a_cursor_gives_from_journals),
        TEST(starts_no_threads_for_what_is_small_or_indexed),
        TEST(sorts_as_a_cursor_does),
        TEST(can_be_stopped_at_any_event),
        TEST(tells_of_damage_as_a_cursor_does),
        TEST(reads_a_damaged_block_once),
        TEST(goes_on_when_journals_are_sealed_under_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
