#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/file.h"
#include "tests/support/unit.h"

static void
replaces_a_file_whole(void **state)
{
    (void)state;
    struct error err = {0};
    char *directory = temp_directory_new();
    char *path = alloc_format("%s/file", directory);
    assert_ok(file_replace(path, "old", 3, &err));
    assert_ok(file_replace(path, "newer", 5, &err));
    struct buffer content = {0};
    assert_ok(file_read_whole(path, 100, &content, &err));
    assert_string_equal(buffer_text(&content), "newer");
    content.length = 0;
    assert_false(file_read_whole(path, 4, &content, &err));
    assert_int_equal(err.code, ERROR_LIMIT);
    buffer_done(&content);
    free(path);
    temp_directory_remove(directory);
}

static void
writes_to_a_pipe_and_leaves_it_there(void **state)
{
    (void)state;
    struct error err = {0};
    char *directory = temp_directory_new();
    char *path = alloc_format("%s/pipe", directory);
    assert_int_equal(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(reader >= 0);

    assert_ok(file_replace(path, "plan", 4, &err));

    char got[8] = "";
    assert_int_equal(read(reader, got, sizeof(got)), 4);
    assert_memory_equal(got, "plan", 4);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_true(S_ISFIFO(status.st_mode));
    (void)close(reader);

    assert_false(file_replace(directory, "x", 1, &err));
    assert_int_equal(stat(directory, &status), 0);
    assert_true(S_ISDIR(status.st_mode));
    free(path);
    temp_directory_remove(directory);
}

static void
makes_directories_with_their_parents(void **state)
{
    (void)state;
    struct error err = {0};
    char *directory = temp_directory_new();
    char *path = alloc_format("%s/a/b/c", directory);
    assert_ok(file_make_directory(path, &err));
    assert_ok(file_make_directory(path, &err));
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);

    char *file = alloc_format("%s/file", directory);
    char *below = alloc_format("%s/file/x", directory);
    assert_ok(file_replace(file, "", 0, &err));
    assert_false(file_make_directory(file, &err));
    assert_int_equal(err.code, ERROR_ARGUMENT);
    assert_false(file_make_directory(below, &err));
    assert_int_equal(err.code, ERROR_ARGUMENT);
    free(file);
    free(below);
    free(path);
    temp_directory_remove(directory);
    assert_int_equal(access(directory, F_OK), -1);
}

static void
says_why_in_one_line(void **state)
{
    (void)state;
    struct error err = {0};
    struct buffer content = {0};
    assert_false(file_read_whole("/nowhere/x", 10, &content, &err));
    assert_string_equal(err.text, "cannot open /nowhere/x: No such file or directory");
    (void)error_wrap(&err, "tape\n'%s'", "a\033b");
    assert_string_equal(err.text, "tape 'a b': cannot open /nowhere/x: No such file or directory");
    errno = ENOSPC;
    (void)error_set_system(&err, "cannot write");
    assert_int_equal(err.code, ERROR_DISK_FULL);
    assert_int_equal(error_exit_code(&err), 7);
}

/* A descriptor of a file of ours, which is deleted or not. */
static int
open_file(const char *path, bool is_deleted)
{
    struct error err = {0};
    assert_ok(file_replace(path, "bytes", 5, &err));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    if (is_deleted)
        assert_int_equal(unlink(path), 0);
    return fd;
}

static void
closes_what_was_read_whether_deleted_or_not(void **state)
{
    (void)state;
    char *directory = temp_directory_new();
    char *path = alloc_format("%s/file", directory);
    int fd = open_file(path, false);
    file_close_read(fd);
    assert_int_equal(fcntl(fd, F_GETFD), -1); /* at once */

    fd = open_file(path, true);
    int64_t deadline = clock_monotonic_ns() + 10 * NS_PER_S;
    file_close_read(fd);
    while (fcntl(fd, F_GETFD) != -1 && clock_monotonic_ns() < deadline)
        clock_sleep_until_ns(clock_monotonic_ns() + NS_PER_MS);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    free(path);
    temp_directory_remove(directory);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replaces_a_file_whole),
        cmocka_unit_test(writes_to_a_pipe_and_leaves_it_there),
        cmocka_unit_test(makes_directories_with_their_parents),
        cmocka_unit_test(closes_what_was_read_whether_deleted_or_not),
        cmocka_unit_test(says_why_in_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
