/* What the disk may do to a recorder: no room, errors, half a write. The system calls that write are
 * defined here and fail when a test says so; the library, linked statically, gets these. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "index/batch.h"
#include "index/cursor.h"
#include "index/retention.h"
#include "index/sealer.h"
#include "index/tape.h"
#include "tests/support/index_tape.h"
#include "tests/support/unit.h"

/* Which call fails, with which errno, from the one after `passes` good ones on, `times` times. Before a
 * writev fails it writes the first `torn_bytes`, as a file system that runs full does, and `watch` looks
 * at what is there then. */
enum call {
    CALL_NONE,
    CALL_WRITEV,
    CALL_FDATASYNC,
    CALL_FTRUNCATE,
    CALL_RENAME,
    CALL_MADVISE,
};

struct fault {
    enum call call;
    int code;
    int passes;
    int times;
    size_t torn_bytes;
    void (*watch)(void *self);
    void *watch_self;
    atomic_int seen; /* how often it struck */
};

static struct fault faults[2];
static pthread_mutex_t fault_lock = PTHREAD_MUTEX_INITIALIZER;

static void
no_faults(void)
{
    (void)pthread_mutex_lock(&fault_lock);
    memset(faults, 0, sizeof(faults));
    (void)pthread_mutex_unlock(&fault_lock);
}

static struct fault *
strike(enum call call)
{
    struct fault *found = NULL;
    (void)pthread_mutex_lock(&fault_lock);
    for (size_t i = 0; i < 2 && found == NULL; i++) {
        struct fault *fault = &faults[i];
        if (fault->call != call || (fault->passes > 0 && fault->passes--) || fault->times == 0)
            continue;
        fault->times--;
        atomic_fetch_add(&fault->seen, 1);
        errno = fault->code;
        found = fault;
    }
    (void)pthread_mutex_unlock(&fault_lock);
    return found;
}

ssize_t
/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): libc's are reserved */
writev(int fd, const struct iovec *parts, int count)
{
    struct fault *fault = strike(CALL_WRITEV);
    if (fault == NULL)
        return syscall(SYS_writev, fd, parts, count);
    for (int i = 0; i < count && fault->torn_bytes > 0; i++) {
        size_t length = parts[i].iov_len < fault->torn_bytes ? parts[i].iov_len : fault->torn_bytes;
        assert_int_equal(write(fd, parts[i].iov_base, length), length);
        fault->torn_bytes -= length;
    }
    if (fault->watch != NULL)
        fault->watch(fault->watch_self);
    errno = fault->code;
    return -1;
}

int
/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): libc's are reserved */
fdatasync(int fd)
{
    return strike(CALL_FDATASYNC) != NULL ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int
ftruncate(int fd, off_t length)
{
    return strike(CALL_FTRUNCATE) != NULL ? -1 : (int)syscall(SYS_ftruncate, fd, length);
}

int
/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): libc's are reserved */
rename(const char *from, const char *to)
{
    return strike(CALL_RENAME) != NULL ? -1 : (int)syscall(SYS_rename, from, to);
}

int
/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): libc's are reserved */
madvise(void *at, size_t length, int advice)
{
    return strike(CALL_MADVISE) != NULL ? -1 : (int)syscall(SYS_madvise, at, length, advice);
}

static int
set_up(void **state)
{
    no_faults();
    *state = temp_directory_new();
    return 0;
}

static int
tear_down(void **state)
{
    no_faults();
    temp_directory_remove(*state);
    return 0;
}

/* Exactly `count` events, offsets 0, 1, 2 ..., and no damage. */
static void
expect_events(const char *directory, uint64_t count)
{
    struct error err = {0};
    struct tape *tape = test_open(directory);
    assert_ok(tape_verify(tape, &err));
    struct cursor_options options = {.order = CURSOR_BY_SEQ};
    struct cursor *cursor = cursor_new(tape, &options);
    struct event event;
    uint64_t n = 0;
    while (cursor_next(cursor, 0, &event, &err) == CURSOR_EVENT) {
        assert_int_equal(event.seq, n);
        assert_int_equal(event.offset, n);
        assert_made_event(&event);
        n++;
    }
    assert_int_equal(n, count);
    cursor_free(cursor);
    tape_close(tape);
}

static void
says_that_the_disk_is_full_and_goes_on_when_there_is_room(void **state)
{
    struct error err = {0};
    struct tape_writer *writer = test_writer(*state, 0);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    test_append(writer, orders, 0, 0, 40);
    struct batch *batch = test_batch(orders, 0, 40, 40);

    faults[0] = (struct fault){.call = CALL_WRITEV, .code = ENOSPC, .times = 3};
    for (int i = 0; i < 3; i++) {
        assert_false(tape_writer_append(writer, batch, &err));
        assert_int_equal(err.code, ERROR_DISK_FULL);
        assert_int_equal(tape_writer_end_seq(writer), 40);
    }
    expect_events(*state, 40);
    assert_ok(tape_writer_append(writer, batch, &err));
    batch_release(batch);
    expect_events(*state, 80);
    tape_writer_close(writer);
    expect_events(*state, 80);
}

/* A reader that looks between a torn write and its cut. */
static void
sees_only_what_is_acknowledged(void *self)
{
    struct error err = {0};
    struct tape *tape = self;
    const struct tape_damage *damage;
    assert_ok(tape_refresh(tape, &err));
    assert_int_equal(tape_end_seq(tape), 40);
    assert_int_equal(tape_damage(tape, &damage), 0);
}

static void
a_frame_torn_at_any_byte_is_never_seen(void **state)
{
    struct error err = {0};
    struct tape_writer *writer = test_writer(*state, 0);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    test_append(writer, orders, 0, 0, 40);
    struct tape *tape = test_open(*state);
    struct batch *batch = test_batch(orders, 0, 40, 5);
    size_t whole = 32 + batch_records(batch).length;

    for (size_t torn = 1; torn < whole; torn++) {
        faults[0] = (struct fault){.call = CALL_WRITEV,
            .code = torn % 2 == 0 ? ENOSPC : EIO,
            .times = 1,
            .torn_bytes = torn,
            .watch = sees_only_what_is_acknowledged,
            .watch_self = tape};
        assert_false(tape_writer_append(writer, batch, &err));
        assert_int_equal(err.code, torn % 2 == 0 ? ERROR_DISK_FULL : ERROR_SYSTEM);
        sees_only_what_is_acknowledged(tape);
    }
    assert_ok(tape_writer_append(writer, batch, &err));
    assert_ok(tape_refresh(tape, &err));
    assert_int_equal(tape_end_seq(tape), 45);
    tape_close(tape);
    batch_release(batch);
    tape_writer_close(writer);
    expect_events(*state, 45);
}

static void
nothing_is_appended_behind_a_torn_frame_that_cannot_be_cut(void **state)
{
    struct error err = {0};
    struct tape_writer *writer = test_writer(*state, 0);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    test_append(writer, orders, 0, 0, 40);
    struct batch *batch = test_batch(orders, 0, 40, 40);

    faults[0] = (struct fault){.call = CALL_WRITEV, .code = ENOSPC, .times = 1, .torn_bytes = 100};
    faults[1] = (struct fault){.call = CALL_FTRUNCATE, .code = EIO, .times = 2};
    assert_false(tape_writer_append(writer, batch, &err)); /* torn, and not cut */
    assert_false(tape_writer_append(writer, batch, &err)); /* still not */
    assert_int_equal(atomic_load(&faults[1].seen), 2);
    assert_ok(tape_writer_append(writer, batch, &err));
    batch_release(batch);

    /* What was acknowledged meanwhile survives that the next frame is torn and cut. */
    faults[0] = (struct fault){.call = CALL_WRITEV, .code = ENOSPC, .times = 1, .torn_bytes = 100};
    batch = test_batch(orders, 0, 80, 40);
    assert_false(tape_writer_append(writer, batch, &err));
    expect_events(*state, 80);
    assert_ok(tape_writer_append(writer, batch, &err));
    batch_release(batch);
    tape_writer_close(writer);
    expect_events(*state, 120);
}

/* Append until `count` events are acknowledged, trying what failed again; returns how often it did. */
static int
append_stubbornly(struct tape_writer *writer, const struct stream *stream, int64_t count)
{
    int failures = 0;
    for (int64_t from = 0; from < count; from += 40) {
        struct error err = {0};
        struct batch *batch = test_batch(stream, 0, from, 40);
        while (!tape_writer_append(writer, batch, &err)) {
            assert_true(err.code == ERROR_DISK_FULL || err.code == ERROR_SYSTEM);
            assert_true(++failures < 1000);
        }
        batch_release(batch);
    }
    struct error err = {0};
    while (!tape_writer_sync(writer, &err)) /* what was synced beside the last appends */
        assert_true(++failures < 1000);
    return failures;
}

static void
each_call_may_fail_once_while_journals_roll(void **state)
{
    static const enum call calls[] = {CALL_WRITEV, CALL_FDATASYNC, CALL_RENAME};
    for (size_t call = 0; call < 3; call++) {
        for (int passes = 0; passes < 12; passes++) {
            char *directory = alloc_format("%s/%zu-%d", (char *)*state, call, passes);
            struct tape_writer *writer = test_writer(directory, 10000);
            const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
            faults[0] = (struct fault){.call = calls[call],
                .code = passes % 2 == 0 ? ENOSPC : EIO,
                .passes = passes,
                .times = 1,
                .torn_bytes = 50};
            int failures = append_stubbornly(writer, orders, 800);
            assert_int_equal(failures, atomic_load(&faults[0].seen));
            no_faults();
            tape_writer_close(writer);
            expect_events(directory, 800);
            free(directory);
        }
    }
}

static void
with_durability_each_a_batch_that_was_not_synced_is_there_once(void **state)
{
    struct error err = {0};
    struct tape_writer_options options = {
        .durability = DURABILITY_EACH, .min_free = -1, .keep_journals = true};
    struct tape_writer *writer = tape_writer_open(*state, &options, &err);
    assert_non_null(writer);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    test_append(writer, orders, 0, 0, 40);
    struct batch *batch = test_batch(orders, 0, 40, 40);
    faults[0] = (struct fault){.call = CALL_FDATASYNC, .code = EIO, .times = 2};
    assert_false(tape_writer_append(writer, batch, &err));
    assert_false(tape_writer_append(writer, batch, &err));
    assert_int_equal(tape_writer_end_seq(writer), 40);
    expect_events(*state, 40);
    assert_ok(tape_writer_append(writer, batch, &err));
    batch_release(batch);
    tape_writer_close(writer);
    expect_events(*state, 80);
}

/* Two journals that wait to be sealed. */
static void
leave_journals(const char *directory)
{
    struct tape_writer *writer = test_writer(directory, 20000);
    append_stubbornly(writer, tape_writer_stream(writer, "shop", "orders"), 400);
    tape_writer_close(writer);
}

static void
await_trouble(struct tape_writer *writer, char *text, size_t size)
{
    int64_t deadline = clock_monotonic_ns() + 20 * NS_PER_S;
    while (!tape_writer_trouble(writer, text, size)) {
        if (clock_monotonic_ns() > deadline)
            fail_msg("after 20 s no trouble was told, and the call failed %d times",
                atomic_load(&faults[0].seen));
        clock_sleep_until_ns(clock_monotonic_ns() + 5 * NS_PER_MS);
    }
}

static bool
has_file(const char *directory, const char *name)
{
    char *path = alloc_format("%s/%s", directory, name);
    bool is_there = access(path, F_OK) == 0;
    free(path);
    return is_there;
}

static void
expect_first_is_sealed(const char *directory)
{
    assert_false(has_file(directory, "00000001.jnl"));
    assert_false(has_file(directory, "00000001.tmp"));
    assert_true(has_file(directory, "00000001.seg"));
}

/* An old kernel does not know how to read what is mapped at once; or the disk fails, and read() says so. */
static void
a_journal_that_cannot_be_mapped_is_read(void **state)
{
    struct error err = {0};
    leave_journals(*state);
    faults[0] = (struct fault){.call = CALL_MADVISE, .code = EINVAL, .times = 1000};
    assert_ok(sealer_seal_journal(*state, 1, BLOCK_ZSTD, &err));
    assert_ok(sealer_seal_journal(*state, 2, BLOCK_ZSTD, &err));
    assert_true(atomic_load(&faults[0].seen) >= 2);
    no_faults();
    expect_events(*state, 400);
}

/* A segment that does not get to the disk is found out by another thread than the one that sealed it: the journal
 * stays and is sealed again. */
static void
a_segment_that_is_not_synced_leaves_its_journal(void **state)
{
    char text[320] = "";
    leave_journals(*state);
    faults[0] = (struct fault){.call = CALL_FDATASYNC, .code = EIO, .times = 1000};
    struct tape_writer *writer = test_writer_sealing(*state, 0, true);
    await_trouble(writer, text, sizeof(text));
    assert_non_null(strstr(text, "cannot sync"));
    expect_events(*state, 400);
    no_faults();
    tape_writer_close(writer);
    expect_first_is_sealed(*state);
    expect_events(*state, 400);
}

static void
what_goes_wrong_with_sealing_is_told(void **state)
{
    char text[320] = "";
    leave_journals(*state);
    faults[0] = (struct fault){.call = CALL_RENAME, .code = EIO, .times = 1000};
    struct tape_writer *writer = test_writer_sealing(*state, 0, true);
    await_trouble(writer, text, sizeof(text));
    assert_non_null(strstr(text, "cannot rename"));
    assert_non_null(strstr(text, "to be sealed)"));
    no_faults();
    tape_writer_close(writer);
    expect_events(*state, 400);
}

struct told {
    struct tape_writer *writer;
    atomic_int times;
    atomic_int differs;
};

/* While a journal is being sealed. */
static void
look_at_trouble(void *self)
{
    struct told *told = self;
    char text[320] = "";
    if (!tape_writer_trouble(told->writer, text, sizeof(text)))
        return;
    atomic_fetch_add(&told->times, 1);
    if (strstr(text, "(2 journals wait to be sealed)") == NULL)
        atomic_fetch_add(&told->differs, 1);
}

/* It is logged when it changes: on a disk that stays full that must not be twice with each try. */
static void
what_is_told_of_sealing_is_the_same_during_the_next_try(void **state)
{
    char text[320] = "";
    leave_journals(*state);
    struct told told = {.writer = NULL};
    faults[0] = (struct fault){.call = CALL_WRITEV, .code = ENOSPC, .times = 1000};
    told.writer = test_writer_sealing(*state, 0, true);
    await_trouble(told.writer, text, sizeof(text));
    assert_non_null(strstr(text, "(2 journals wait to be sealed)"));
    no_faults();
    faults[0] = (struct fault){.call = CALL_WRITEV,
        .code = ENOSPC,
        .times = 1000,
        .watch = look_at_trouble,
        .watch_self = &told};
    tape_writer_close(told.writer); /* each is tried once more */
    assert_true(atomic_load(&told.times) > 0);
    assert_int_equal(atomic_load(&told.differs), 0);
    no_faults();
    expect_events(*state, 400);
}

static void
a_seal_that_fails_at_any_call_loses_nothing_and_is_done_again(void **state)
{
    static const enum call calls[] = {CALL_WRITEV, CALL_FDATASYNC, CALL_RENAME};
    for (size_t call = 0; call < 3; call++) {
        for (int passes = 0; passes < 4; passes++) {
            struct error err = {0};
            char *directory = alloc_format("%s/%zu-%d", (char *)*state, call, passes);
            leave_journals(directory);
            faults[0] = (struct fault){.call = calls[call],
                .code = ENOSPC,
                .passes = passes,
                .times = 1,
                .torn_bytes = 77};
            bool sealed = sealer_seal_journal(directory, 1, BLOCK_ZSTD, &err);
            assert_int_equal(sealed, atomic_load(&faults[0].seen) == 0);
            if (!sealed)
                assert_int_equal(err.code, ERROR_DISK_FULL);
            expect_events(directory, 400);
            no_faults();
            tape_writer_close(test_writer_sealing(directory, 0, true));
            expect_events(directory, 400);

            expect_first_is_sealed(directory);
            free(directory);
        }
    }
}

static void
recording_goes_on_while_nothing_can_be_sealed(void **state)
{
    struct tape_writer *writer = test_writer_sealing(*state, 10000, true);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    test_append(writer, orders, 0, 0, 40);
    /* A segment gets its name by a rename. */
    faults[0] = (struct fault){.call = CALL_RENAME, .code = EIO, .times = 1000000, .passes = 0};
    struct error err = {0};
    int appended = 40;
    for (; appended < 200; appended += 40) {
        struct batch *batch = test_batch(orders, 0, appended, 40);
        bool good = tape_writer_append(writer, batch, &err);
        batch_release(batch);
        if (!good)
            break; /* a new journal needs a rename too */
    }
    assert_true(appended > 40);
    expect_events(*state, (uint64_t)appended);
    no_faults();
    for (; appended < 400; appended += 40)
        test_append(writer, orders, 0, appended, 40);
    tape_writer_close(writer);
    expect_events(*state, (uint64_t)appended);
}

/* Four segments of 40 events; retention that keeps nothing but the newest. */
static bool
delete_old(const char *directory, struct retention_result *result, struct error *err)
{
    struct retention rules = {.keep_bytes = 1, .keep_newest = true};
    return retention_apply(directory, &rules, clock_now_ns(), false, result, err);
}

static void
make_segments(const char *directory)
{
    for (int64_t from = 0; from < 160; from += 40) {
        struct tape_writer *writer = test_writer_sealing(directory, 0, true);
        test_append(writer, tape_writer_stream(writer, "shop", "orders"), 0, from, 40);
        tape_writer_close(writer);
    }
}

/* What is not there of orders[0] is 0 .. to, deleted by retention; nothing is damaged. */
static void
expect_deleted_up_to(const char *directory, int64_t to)
{
    struct error err = {0};
    const struct tape_damage *damage;
    size_t count;
    struct tape *tape = test_open(directory);
    const struct lane_summary *lanes = tape_lanes(tape, &count, &err);
    assert_int_equal(tape_damage(tape, &damage), 0);
    assert_int_equal(count, 1);
    assert_int_equal(lanes[0].hole_count, to < 0 ? 0 : 1);
    if (to >= 0) {
        assert_int_equal(lanes[0].holes[0].reason, HOLE_RETENTION);
        assert_int_equal(lanes[0].holes[0].from, 0);
        assert_int_equal(lanes[0].holes[0].to, to);
    }
    tape_close(tape);
}

static void
nothing_is_deleted_that_cannot_be_recorded(void **state)
{
    static const enum call calls[] = {CALL_WRITEV, CALL_FDATASYNC, CALL_RENAME};
    struct retention_result result;
    struct error err = {0};
    make_segments(*state);
    for (size_t i = 0; i < 3; i++) {
        faults[0] = (struct fault){.call = calls[i], .code = EIO, .times = 1};
        assert_false(delete_old(*state, &result, &err));
        assert_int_equal(atomic_load(&faults[0].seen), 1);
        assert_int_equal(result.deleted_files, 0);
        no_faults();
        expect_deleted_up_to(*state, -1);
    }
    assert_ok(delete_old(*state, &result, &err));
    assert_int_equal(result.deleted_files, 3);
    expect_deleted_up_to(*state, 119);
}

static void
on_a_full_disk_deleting_makes_room_for_its_record(void **state)
{
    struct retention_result result;
    struct error err = {0};
    make_segments(*state);
    faults[0] = (struct fault){.call = CALL_WRITEV, .code = ENOSPC, .times = 1, .torn_bytes = 10};
    assert_ok(delete_old(*state, &result, &err));
    assert_int_equal(atomic_load(&faults[0].seen), 1);
    assert_int_equal(result.deleted_files, 3);
    no_faults();
    expect_deleted_up_to(*state, 119);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            says_that_the_disk_is_full_and_goes_on_when_there_is_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_frame_torn_at_any_byte_is_never_seen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            nothing_is_appended_behind_a_torn_frame_that_cannot_be_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            each_call_may_fail_once_while_journals_roll, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            with_durability_each_a_batch_that_was_not_synced_is_there_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_journal_that_cannot_be_mapped_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_segment_that_is_not_synced_leaves_its_journal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_goes_wrong_with_sealing_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            what_is_told_of_sealing_is_the_same_during_the_next_try, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_seal_that_fails_at_any_call_loses_nothing_and_is_done_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            recording_goes_on_while_nothing_can_be_sealed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            nothing_is_deleted_that_cannot_be_recorded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            on_a_full_disk_deleting_makes_room_for_its_record, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
