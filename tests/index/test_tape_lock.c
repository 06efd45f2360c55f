/* tape_lock: one writer per tape, and who it is. */
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "index/tape_lock.h"
#include "tests/support/unit.h"

static void
is_held_by_one_until_it_is_closed(void **state)
{
    const char *directory = *state;
    struct error err = {0};
    pid_t holder;
    assert_false(tape_lock_is_held(directory));
    int fd = tape_lock_take(directory, &holder, &err);
    assert_ok(fd >= 0);
    assert_true(tape_lock_is_held(directory));
    (void)close(fd);
    assert_false(tape_lock_is_held(directory));
}

static void
tells_the_second_who_holds_it(void **state)
{
    const char *directory = *state;
    struct error err = {0};
    pid_t holder = -1;
    int fd = tape_lock_take(directory, &holder, &err);
    assert_ok(fd >= 0);
    assert_ok(tape_lock_sign(fd, directory, &err));
    assert_int_equal(tape_lock_take(directory, &holder, &err), -1);
    assert_int_equal(err.code, ERROR_REFUSED);
    assert_int_equal(holder, getpid());
    (void)close(fd);
}

static void
knows_no_holder_that_has_not_signed(void **state)
{
    const char *directory = *state;
    struct error err = {0};
    pid_t holder = -1;
    int fd = tape_lock_take(directory, &holder, &err);
    assert_ok(fd >= 0);
    assert_int_equal(tape_lock_take(directory, &holder, &err), -1);
    assert_int_equal(holder, 0);
    (void)close(fd);
}

static void
says_which_directory_cannot_be_written(void **state)
{
    (void)state;
    struct error err = {0};
    pid_t holder;
    assert_int_equal(tape_lock_take("/no/such/tape", &holder, &err), -1);
    assert_int_equal(err.code, ERROR_SYSTEM);
    assert_non_null(strstr(err.text, "/no/such/tape"));
    assert_false(tape_lock_is_held("/no/such/tape"));
}

#define LOCK_TEST(name) \
    cmocka_unit_test_setup_teardown(name, temp_directory_set_up, temp_directory_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        LOCK_TEST(is_held_by_one_until_it_is_closed),
        LOCK_TEST(tells_the_second_who_holds_it),
        LOCK_TEST(knows_no_holder_that_has_not_signed),
        LOCK_TEST(says_which_directory_cannot_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
