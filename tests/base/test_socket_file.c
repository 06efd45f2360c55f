#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/socket_file.h"
#include "tests/support/unit.h"

/* A socket at the path, not yet listening. */
static int
bind_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0 && strlen(path) < sizeof(address.sun_path));
    memcpy(address.sun_path, path, strlen(path) + 1);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void
a_socket_is_free_when_nobody_listens(void **state)
{
    struct error err;
    char *path = alloc_format("%s/sock", (char *)*state);
    assert_ok(socket_file_is_free(path, &err)); /* nothing is there */
    int fd = bind_at(path);
    assert_int_equal(listen(fd, 1), 0);
    assert_false(socket_file_is_free(path, &err));
    assert_int_equal(err.code, ERROR_SYSTEM);
    assert_false(socket_file_is_free(path, &err)); /* also when too many wait */
    assert_false(socket_file_is_free(path, &err));
    assert_false(socket_file_is_free(path, &err));
    (void)close(fd);
    assert_ok(socket_file_is_free(path, &err)); /* it was left behind */
    free(path);
}

static void
what_is_no_socket_is_not_free(void **state)
{
    struct error err;
    char *path = alloc_format("%s/file", (char *)*state);
    char *link = alloc_format("%s/link", (char *)*state);
    assert_int_equal(close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
    assert_int_equal(symlink(path, link), 0);
    assert_false(socket_file_is_free(path, &err));
    assert_int_equal(err.code, ERROR_ARGUMENT);
    assert_false(socket_file_is_free(link, &err));
    assert_false(socket_file_is_free(*state, &err));
    free(path);
    free(link);
}

#define SOCKET_TEST(name) \
    cmocka_unit_test_setup_teardown(name, temp_directory_set_up, temp_directory_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SOCKET_TEST(a_socket_is_free_when_nobody_listens),
        SOCKET_TEST(what_is_no_socket_is_not_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
