/* A reader of a journal beside its writer, who writes between any two of its reads. pread is the test's own here. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/file.h"
#include "index/journal.h"
#include "index/journal_format.h"
#include "tests/support/index_journals.h"
#include "tests/support/index_tape.h"
#include "tests/support/unit.h"

/* Called before read number `before`, counted from 1 on; 0: before each. Nobody is there: NULL. */
static struct {
    void (*write)(void *self);
    void *self;
    int before;
    int reads;
    size_t bytes;
} writer;

ssize_t
/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): libc's are reserved */
pread(int fd, void *to, size_t length, off_t offset)
{
    writer.reads++;
    if (writer.write != NULL && (writer.before == 0 || writer.reads == writer.before))
        writer.write(writer.self);
    ssize_t got = syscall(SYS_pread64, fd, to, length, offset);
    writer.bytes += got > 0 ? (size_t)got : 0;
    return got;
}

/* A journal that was another's before, with one frame. The second one is on its way: of its `whole` bytes a writer
 * put the first `there` into the file. */
struct world {
    struct journal_file file;
    struct journal journal;
    struct buffer before; /* the file as it was without the second frame */
    struct buffer after;
    uint64_t at;
    bool has_third; /* another one follows when it is finished */
};

#define FIRST  9
#define SECOND 80 /* longer than what a scan reads at once */
#define SHORT  5
#define THIRD  4

static void
write_bytes(const struct world *world, const struct buffer *from, uint64_t at, uint64_t end)
{
    int fd = open(world->file.path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, from->data + at, end - at, (off_t)at), end - at);
    (void)close(fd);
}

static void
begin(struct world *world, const char *directory, int count, uint64_t there)
{
    struct error err;
    *world = (struct world){.file = test_journal_reuse(directory)};
    test_journal_append(&world->file, TEST_OLD_EVENTS, FIRST);
    world->at = world->file.size;
    assert_ok(file_read_whole(world->file.path, 1u << 20, &world->before, &err));
    test_journal_append(&world->file, TEST_OLD_EVENTS + FIRST, count);
    assert_ok(file_read_whole(world->file.path, 1u << 20, &world->after, &err));
    assert_int_equal(world->before.length, world->after.length);
    write_bytes(world, &world->before, world->at + there, world->before.length);
    assert_ok(journal_open(&world->journal, world->file.path, &err));
    world->journal.is_followed = true;
    writer.reads = 0;
    writer.bytes = 0;
}

static void
finish(void *self)
{
    struct world *world = self;
    write_bytes(world, &world->after, world->at, world->after.length);
    if (world->has_third)
        test_journal_append(&world->file, TEST_OLD_EVENTS + FIRST + SECOND, THIRD);
}

static void
end(struct world *world)
{
    journal_close(&world->journal);
    assert_int_equal(unlink(world->file.path), 0);
    journal_file_close(&world->file);
    buffer_done(&world->before);
    buffer_done(&world->after);
}

/* Scan while the second frame is finished before read number `before`, then until there is no more. False: it was
 * finished already. */
static bool
scan_beside(const char *directory, uint64_t there, int before, bool has_third)
{
    struct world world;
    begin(&world, directory, SECOND, there);
    world.has_third = has_third;
    writer.write = finish;
    writer.self = &world;
    writer.before = before;
    for (int i = 0; i < 3; i++)
        test_journal_scan(&world.journal, false);
    writer.write = NULL;
    bool was_beside = writer.reads >= before;
    if (!was_beside)
        finish(&world);
    test_journal_scan(&world.journal, false);
    test_journal_scan(&world.journal, false);
    assert_int_equal(world.journal.damage_count, 0);
    assert_int_equal(world.journal.frame_count, has_third ? 3 : 2);
    assert_int_equal(world.journal.frames[1].event_count, SECOND);
    assert_int_equal(
        world.journal.end_seq, TEST_OLD_EVENTS + FIRST + SECOND + (has_third ? THIRD : 0));
    end(&world);
    return was_beside;
}

static void
a_frame_is_seen_whenever_it_is_finished(void **state)
{
    for (int has_third = 0; has_third < 2; has_third++) {
        for (uint64_t there = 0; there <= (uint64_t)2 * FRAME_HEADER_BYTES; there += 4) {
            int before = 1;
            while (scan_beside(*state, there, before, has_third != 0))
                before++;
            assert_true(before > 3);
        }
    }
}

#define HOUR_NS (3600 * NS_PER_S)

/* Behind a frame that is not finished is much that was left by the earlier journal. */
static size_t
begin_unfinished(struct world *world, const char *directory)
{
    begin(world, directory, SHORT, FRAME_HEADER_BYTES + 8);
    size_t rest = world->before.length - (size_t)world->at;
    assert_true(rest > (size_t)4 * 4096); /* without a search a scan reads less than half of it */
    return rest;
}

static size_t
bytes_of_scan(struct world *world)
{
    writer.bytes = 0;
    test_journal_scan(&world->journal, false);
    assert_int_equal(world->journal.frame_count, 1);
    assert_int_equal(world->journal.damage_count, 0);
    return writer.bytes;
}

static void
behind_a_frame_on_its_way_nothing_is_searched(void **state)
{
    struct world world;
    size_t rest = begin_unfinished(&world, *state);
    test_journal_set_written(world.file.path, -HOUR_NS);
    for (int i = 0; i < 10; i++)
        assert_true(bytes_of_scan(&world) < rest / 2);
    end(&world);
}

static void
who_does_not_follow_searches_at_once(void **state)
{
    struct world world;
    size_t rest = begin_unfinished(&world, *state);
    test_journal_set_written(world.file.path, -HOUR_NS);
    world.journal.is_followed = false;
    assert_true(bytes_of_scan(&world) >= rest);
    end(&world);
}

static void
where_nobody_writes_is_searched_once_for_each_change(void **state)
{
    struct world world;
    size_t rest = begin_unfinished(&world, *state);
    for (int change = 2; change > 0; change--) {
        test_journal_set_written(world.file.path, change * HOUR_NS);
        assert_true(bytes_of_scan(&world) >= rest);
        for (int i = 0; i < 10; i++)
            assert_true(bytes_of_scan(&world) < rest / 2);
    }
    end(&world);
}

static void
behind_a_frame_that_stays_is_searched_once_for_each_change(void **state)
{
    struct world world;
    size_t rest = begin_unfinished(&world, *state);
    test_journal_set_written(world.file.path, -HOUR_NS);
    assert_true(bytes_of_scan(&world) < rest / 2);
    world.journal.unfinished_ns -= NS_PER_S;
    assert_true(bytes_of_scan(&world) >= rest);
    world.journal.unfinished_ns -= NS_PER_S;
    assert_true(bytes_of_scan(&world) < rest / 2);
    test_journal_set_written(world.file.path, -2 * HOUR_NS);
    world.journal.unfinished_ns = clock_monotonic_ns() + HOUR_NS;
    assert_true(bytes_of_scan(&world) < rest / 2);
    world.journal.unfinished_ns -= HOUR_NS + NS_PER_S;
    assert_true(bytes_of_scan(&world) >= rest);
    end(&world);
}

#define GROWS_MAX 200

/* More of what is no frame than is looked at, each time somebody looks. */
static void
grow(void *self)
{
    static const unsigned char zeros[8192];
    struct world *world = self;
    if (writer.reads > GROWS_MAX)
        return;
    int fd = open(world->file.path, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(write(fd, zeros, sizeof(zeros)), sizeof(zeros));
    (void)close(fd);
}

static void
a_search_does_not_run_after_a_file_that_grows(void **state)
{
    struct error err;
    struct world world = {.file = test_journal_create(*state, 1, 0, NULL)};
    test_journal_append(&world.file, 0, SECOND);
    assert_int_equal(truncate(world.file.path, (off_t)world.file.size - 8), 0);
    assert_ok(journal_open(&world.journal, world.file.path, &err));
    writer.write = grow;
    writer.self = &world;
    writer.before = 0;
    writer.reads = 0;
    test_journal_scan(&world.journal, false);
    writer.write = NULL;
    assert_true(writer.reads < GROWS_MAX / 2);
    end(&world);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_frame_is_seen_whenever_it_is_finished,
            temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(behind_a_frame_on_its_way_nothing_is_searched,
            temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(
            who_does_not_follow_searches_at_once, temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(where_nobody_writes_is_searched_once_for_each_change,
            temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(behind_a_frame_that_stays_is_searched_once_for_each_change,
            temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(a_search_does_not_run_after_a_file_that_grows,
            temp_directory_set_up, temp_directory_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
