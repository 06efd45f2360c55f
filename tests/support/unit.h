/* unit.h - cmocka with the headers it needs in front of it, and what most tests want. */
#ifndef TESTS_SUPPORT_UNIT_H
#define TESTS_SUPPORT_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/error.h"

/* Make an empty temporary directory; removed with everything in it by temp_directory_remove(). */
char *temp_directory_new(void);
void temp_directory_remove(char *path);

/* The same around a test whose state it is. */
int temp_directory_set_up(void **state);
int temp_directory_tear_down(void **state);

/* Compare with a file of tests/golden. TAPEDECK_UPDATE_GOLDEN=1 writes it instead, so that what changed is seen in
 * review. The other one is of bytes, 32 to a line in hex. */
void assert_golden(const char *path, const char *text);
void assert_golden_bytes(const char *path, struct bytes bytes);

/* Write the bytes of such a file, decoded, to `path`. */
void golden_bytes_copy(const char *golden, const char *path);

/* End the test without a verdict: what it needs is not there, and why. */
void unit_skip(const char *test, const char *why);

/* Fail the test with the error's text. */
#define assert_ok(call)                          \
    do {                                         \
        if (!(call))                             \
            fail_msg("%s: %s", #call, err.text); \
    } while (0)

#endif
