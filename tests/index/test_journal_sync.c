/* Journals that are synced beside the appends. fdatasync is defined here: a test holds it back, or lets it fail. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "index/journal.h"
#include "index/journal_sync.h"
#include "index/part_file.h"
#include "tests/support/unit.h"

/* begun and done count the calls; none returns while it is held back. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_held;
    int begun;
    int done;
    int failures; /* calls that still fail, with EIO */
    int names;    /* calls for a directory: these two are for fsync */
    int name_failures;
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

int
/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): libc's are reserved */
fdatasync(int fd)
{
    (void)pthread_mutex_lock(&disk.lock);
    disk.begun++;
    (void)pthread_cond_broadcast(&disk.changed);
    while (disk.is_held)
        (void)pthread_cond_wait(&disk.changed, &disk.lock);
    disk.done++;
    bool fails = disk.failures > 0;
    disk.failures -= fails;
    (void)pthread_mutex_unlock(&disk.lock);
    errno = EIO;
    return fails ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int
/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): libc's are reserved */
fsync(int fd)
{
    (void)pthread_mutex_lock(&disk.lock);
    disk.names++;
    bool fails = disk.name_failures > 0;
    disk.name_failures -= fails;
    (void)pthread_mutex_unlock(&disk.lock);
    errno = EIO;
    return fails ? -1 : (int)syscall(SYS_fsync, fd);
}

static void
hold_disk(bool is_held)
{
    (void)pthread_mutex_lock(&disk.lock);
    disk.is_held = is_held;
    (void)pthread_cond_broadcast(&disk.changed);
    (void)pthread_mutex_unlock(&disk.lock);
}

static void
await_begun(int count)
{
    struct timespec deadline;
    (void)clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 20;
    (void)pthread_mutex_lock(&disk.lock);
    while (disk.begun < count) {
        if (pthread_cond_timedwait(&disk.changed, &disk.lock, &deadline) == ETIMEDOUT) {
            (void)pthread_mutex_unlock(&disk.lock);
            fail_msg("after 20 s %d of %d calls had begun", disk.begun, count);
        }
    }
    (void)pthread_mutex_unlock(&disk.lock);
}

struct fixture {
    char *directory;
    struct journal_sync *sync;
    uint64_t next_id;
};

static int
set_up(void **state)
{
    struct error err;
    struct fixture *fixture = alloc_zeroed(sizeof(*fixture));
    disk.is_held = false;
    disk.begun = disk.done = disk.failures = disk.names = disk.name_failures = 0;
    fixture->directory = temp_directory_new();
    fixture->sync = journal_sync_start(&err);
    *state = fixture;
    return fixture->sync == NULL;
}

static int
tear_down(void **state)
{
    struct fixture *fixture = *state;
    hold_disk(false);
    journal_sync_stop(fixture->sync);
    temp_directory_remove(fixture->directory);
    free(fixture);
    return 0;
}

static struct journal_file
new_journal(struct fixture *fixture)
{
    struct error err;
    struct journal_file file;
    struct journal_header header = {.id = ++fixture->next_id};
    assert_ok(journal_create(&file, fixture->directory, &header, NULL, &err));
    return file;
}

static void
asking_does_not_wait_and_asks_that_wait_are_one(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    struct journal_file file = new_journal(fixture);
    hold_disk(true);
    journal_sync_ask(fixture->sync, &file);
    await_begun(1);
    for (int i = 0; i < 100; i++) {
        journal_sync_ask(fixture->sync, &file);
        assert_ok(journal_sync_check(fixture->sync, clock_monotonic_ns(), &err));
    }
    assert_int_equal(disk.done, 0);
    hold_disk(false);
    assert_ok(journal_sync_wait(fixture->sync, &err));
    assert_int_equal(disk.done, 2); /* the one that had begun does not cover what came later */
    journal_file_close(&file);
}

/* A file that is on the disk and has no name there is lost. Whoever appends does not wait for that either. */
static void
the_name_goes_to_the_disk_once_and_with_the_first_ask(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    struct journal_file file = new_journal(fixture);
    assert_int_equal(disk.names, 0);
    for (int i = 0; i < 3; i++) {
        journal_sync_ask(fixture->sync, &file);
        assert_ok(journal_sync_wait(fixture->sync, &err));
        assert_int_equal(disk.names, 1);
        assert_int_equal(disk.done, i + 1);
    }
    journal_file_close(&file);
    file = new_journal(fixture);
    disk.name_failures = 1;
    journal_sync_finish(fixture->sync, &file);
    assert_false(journal_sync_wait(fixture->sync, &err));
    assert_non_null(strstr(err.text, "cannot sync directory"));
    assert_int_equal(disk.done, 3); /* it is of no use without a name */
}

static void *
let_go(void *self)
{
    bool *was_let_go = self;
    (void)pthread_mutex_lock(&disk.lock);
    *was_let_go = true;
    disk.is_held = false;
    (void)pthread_cond_broadcast(&disk.changed);
    (void)pthread_mutex_unlock(&disk.lock);
    return NULL;
}

/* Else a power failure could take any amount of what was acknowledged. */
static void
waits_for_a_disk_that_is_late(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    struct journal_file file = new_journal(fixture);
    pthread_t thread;
    bool was_let_go = false;
    hold_disk(true);
    journal_sync_ask(fixture->sync, &file);
    await_begun(1);
    assert_int_equal(pthread_create(&thread, NULL, let_go, &was_let_go), 0);
    assert_ok(journal_sync_check(
        fixture->sync, clock_monotonic_ns() + JOURNAL_SYNC_LATE_NS + NS_PER_S, &err));
    assert_int_equal(disk.done, 1);
    assert_true(was_let_go);
    assert_int_equal(pthread_join(thread, NULL), 0);
    journal_file_close(&file);
}

static void
waits_when_too_many_files_wait(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    pthread_t thread;
    bool was_let_go = false;
    hold_disk(true);
    for (int i = 0; i < JOURNAL_SYNC_FILES; i++) {
        struct journal_file file = new_journal(fixture);
        journal_sync_finish(fixture->sync, &file);
        assert_null(file.path);
    }
    await_begun(1);
    assert_int_equal(pthread_create(&thread, NULL, let_go, &was_let_go), 0);
    struct journal_file file = new_journal(fixture);
    journal_sync_finish(fixture->sync, &file);
    assert_true(was_let_go);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_ok(journal_sync_wait(fixture->sync, &err));
    assert_int_equal(disk.done, JOURNAL_SYNC_FILES + 1);
}

static void
a_failure_is_told_once(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    struct journal_file file = new_journal(fixture);
    disk.failures = 2;
    journal_sync_ask(fixture->sync, &file);
    assert_false(journal_sync_wait(fixture->sync, &err));
    assert_int_equal(err.code, ERROR_SYSTEM);
    assert_non_null(strstr(err.text, "cannot sync journal"));
    assert_non_null(strstr(err.text, "00000001.jnl"));
    assert_ok(journal_sync_wait(fixture->sync, &err));

    journal_sync_finish(fixture->sync, &file);
    assert_false(journal_sync_wait(fixture->sync, &err));
    assert_ok(journal_sync_check(fixture->sync, clock_monotonic_ns(), &err));
}

/* The descriptor is closed in both cases. */
static void
a_finished_journal_is_synced_unless_it_is_sealed_by_then(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    struct journal_file kept = new_journal(fixture);
    struct journal_file sealed = new_journal(fixture);
    int fds[] = {kept.fd, sealed.fd};
    hold_disk(true);
    journal_sync_finish(fixture->sync, &kept);
    await_begun(1);
    char *path = part_file_path(fixture->directory, 2, "jnl");
    assert_int_equal(unlink(path), 0);
    journal_sync_finish(fixture->sync, &sealed);
    hold_disk(false);
    assert_ok(journal_sync_wait(fixture->sync, &err));
    assert_int_equal(disk.done, 1);
    for (int i = 0; i < 2; i++)
        assert_int_equal(fcntl(fds[i], F_GETFD), -1);
    free(path);
}

static void
what_was_asked_is_done_before_it_stops(void **state)
{
    struct fixture *fixture = *state;
    struct error err;
    struct journal_file file = new_journal(fixture);
    journal_sync_finish(fixture->sync, &file);
    journal_sync_stop(fixture->sync);
    assert_int_equal(disk.done, 1);
    fixture->sync = journal_sync_start(&err);
    assert_non_null(fixture->sync);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(asking_does_not_wait_and_asks_that_wait_are_one),
        TEST(the_name_goes_to_the_disk_once_and_with_the_first_ask),
        TEST(waits_for_a_disk_that_is_late),
        TEST(waits_when_too_many_files_wait),
        TEST(a_failure_is_told_once),
        TEST(a_finished_journal_is_synced_unless_it_is_sealed_by_then),
        TEST(what_was_asked_is_done_before_it_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
