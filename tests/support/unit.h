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

#include "base/error.h"

/* Make an empty temporary directory; removed with everything in it by temp_directory_remove(). */
char *temp_directory_new(void);
void temp_directory_remove(char *path);

/* End the test without a verdict: what it needs is not there, and why. */
void unit_skip(const char *test, const char *why);

/* Fail the test with the error's text. */
#define assert_ok(call)                          \
    do {                                         \
        if (!(call))                             \
            fail_msg("%s: %s", #call, err.text); \
    } while (0)

#endif
