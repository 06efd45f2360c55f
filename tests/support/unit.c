#include "tests/support/unit.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/file.h"

char *
temp_directory_new(void)
{
    const char *parent = getenv("TMPDIR"); /* NOLINT(concurrency-mt-unsafe) */
    char *path = alloc_format("%s/tapedeck-test.XXXXXX", parent != NULL ? parent : "/tmp");
    if (mkdtemp(path) == NULL)
        fail_msg("cannot make a temporary directory in %s", path);
    return path;
}

void
temp_directory_remove(char *path)
{
    file_remove_tree(path);
    free(path);
}

int
temp_directory_set_up(void **state)
{
    *state = temp_directory_new();
    return 0;
}

int
temp_directory_tear_down(void **state)
{
    temp_directory_remove(*state);
    return 0;
}

void
assert_golden(const char *path, const char *text)
{
    struct error err = {0};
    struct buffer golden = {0};

    if (getenv("TAPEDECK_UPDATE_GOLDEN") != NULL) { /* NOLINT(concurrency-mt-unsafe) */
        assert_ok(file_replace(path, text, strlen(text), &err));
    } else {
        if (!file_read_whole(path, (size_t)1024 * 1024, &golden, &err))
            fail_msg("%s (TAPEDECK_UPDATE_GOLDEN=1 makes it)", err.text);
        if (strcmp(buffer_text(&golden), text) != 0)
            fail_msg("%s differs.\n--- golden\n%s+++ now\n%s", path, buffer_text(&golden), text);
    }
    buffer_done(&golden);
}

void
assert_golden_bytes(const char *path, struct bytes bytes)
{
    struct buffer hex = {0};
    for (size_t at = 0; at < bytes.length; at += 32) {
        size_t left = bytes.length - at;
        struct bytes line = bytes_make(bytes.data + at, left < 32 ? left : 32);
        hex_put((char *)buffer_reserve(&hex, 2 * line.length), line);
        hex.length += 2 * line.length;
        buffer_append_byte(&hex, '\n');
    }
    assert_golden(path, buffer_text(&hex));
    buffer_done(&hex);
}

void
golden_bytes_copy(const char *golden, const char *path)
{
    struct error err = {0};
    struct buffer hex = {0};
    struct buffer bytes = {0};
    assert_ok(file_read_whole(golden, (size_t)1024 * 1024, &hex, &err));
    const char *at = buffer_text(&hex);
    while (*at != '\0') {
        int high = hex_value(at[0]);
        int low = hex_value(at[1]);
        if (high < 0 || low < 0)
            fail_msg("%s: there is no byte at %zu", golden, (size_t)(at - buffer_text(&hex)));
        buffer_append_byte(&bytes, (unsigned char)(high << 4 | low));
        at += at[2] == '\n' ? 3 : 2;
    }
    assert_ok(file_replace(path, bytes.data, bytes.length, &err));
    buffer_done(&hex);
    buffer_done(&bytes);
}

/* ./dev check finds this line, shows and counts it. */
void
unit_skip(const char *test, const char *why)
{
    print_message("skipped: %s: %s\n", test, why);
    skip();
}
