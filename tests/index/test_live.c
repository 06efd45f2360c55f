#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "index/live.h"
#include "tests/support/unit.h"

#define VERSION_AT 7 /* of the magic */

struct setting {
    char *directory;
    struct live *writer;
    struct live_status *status;
};

static int
set_up(void **state)
{
    struct error err;
    struct setting *setting = alloc_zeroed(sizeof(*setting));
    setting->directory = temp_directory_new();
    setting->writer = live_create(setting->directory, &err);
    assert_ok(setting->writer != NULL);
    setting->status = alloc_zeroed(sizeof(*setting->status));
    setting->status->pid = getpid();
    setting->status->published_ns = clock_now_ns();
    *state = setting;
    return 0;
}

static int
tear_down(void **state)
{
    struct setting *setting = *state;
    live_close(setting->writer);
    temp_directory_remove(setting->directory);
    free(setting->status);
    free(setting);
    return 0;
}

static void
shows_taps_as_they_were_published(void **state)
{
    struct setting *setting = *state;
    struct error err;
    setting->status->tap_count = 2;
    setting->status->taps[1] = (struct live_tap){.name = "shop",
        .wire_bytes = INT64_C(1) << 40,
        .wire_bytes_per_second = -1,
        .max_bytes_per_second = UINT64_MAX,
        .state = TAP_ENDED};
    live_publish(setting->writer, setting->status);

    struct live *reader = live_open(setting->directory, &err);
    assert_ok(reader != NULL);
    struct live_status *seen = alloc_zeroed(sizeof(*seen));
    bool recording = false;
    assert_true(live_read(reader, seen, &recording));
    assert_true(recording);
    assert_string_equal(seen->taps[1].name, "shop");
    assert_int_equal(seen->taps[1].wire_bytes, INT64_C(1) << 40);
    assert_int_equal(seen->taps[1].wire_bytes_per_second, -1);
    assert_true(seen->taps[1].max_bytes_per_second == UINT64_MAX);
    assert_int_equal(seen->taps[1].state, TAP_ENDED);
    free(seen);
    live_close(reader);
}

static void
refuses_a_page_of_another_version(void **state)
{
    struct setting *setting = *state;
    struct error err;
    char *path = alloc_format("%s/live", setting->directory);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    unsigned char version = 0;
    assert_int_equal(pread(fd, &version, 1, VERSION_AT), 1);
    assert_int_equal(version, 2);
    version = 1;
    assert_int_equal(pwrite(fd, &version, 1, VERSION_AT), 1);
    (void)close(fd);
    assert_null(live_open(setting->directory, &err));
    assert_int_equal(err.code, ERROR_FORMAT);
    assert_non_null(strstr(err.text, "another version"));
    free(path);
}

static void
says_when_nobody_ever_recorded(void **state)
{
    struct setting *setting = *state;
    struct error err;
    char *elsewhere = alloc_format("%s/nothing", setting->directory);
    assert_null(live_open(elsewhere, &err));
    assert_int_equal(err.code, ERROR_ARGUMENT);
    free(elsewhere);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(shows_taps_as_they_were_published, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_a_page_of_another_version, set_up, tear_down),
        cmocka_unit_test_setup_teardown(says_when_nobody_ever_recorded, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
