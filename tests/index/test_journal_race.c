/* A reader of a journal beside its writer, who writes between any two of its reads. pread is the test's own here. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/file.h"
#include "index/journal.h"
#include "index/journal_format.h"
#include "tests/support/index_journals.h"
#include "tests/support/index_tape.h"
#include "tests/support/unit.h"

/* Called before read number `before`, counted from 1 on. Nobody is there: NULL. */
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
    if (++writer.reads == writer.before && writer.write != NULL)
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

/* Behind a frame that stays unfinished is much that was left by the earlier journal: it is searched once. */
static void
an_unfinished_frame_is_searched_behind_once(void **state)
{
    struct world world;
    begin(&world, *state, SHORT, FRAME_HEADER_BYTES + 8);
    size_t rest = world.before.length - (size_t)world.at;
    assert_true(
        rest > (size_t)4 * 4096); /* a scan that does not search reads less than half of it */
    for (int i = 0; i < 100; i++)
        test_journal_scan(&world.journal, false);
    assert_in_range(writer.bytes, rest, 50 * rest);
    assert_int_equal(world.journal.frame_count, 1);
    end(&world);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_frame_is_seen_whenever_it_is_finished,
            temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(an_unfinished_frame_is_searched_behind_once,
            temp_directory_set_up, temp_directory_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
