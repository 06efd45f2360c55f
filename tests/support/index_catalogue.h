/* index_catalogue.h - tapes of many small segments, and what they say with and without their catalogue. */
#ifndef TESTS_SUPPORT_INDEX_CATALOGUE_H
#define TESTS_SUPPORT_INDEX_CATALOGUE_H

#include <stdbool.h>
#include <stdint.h>

struct tape;

#define TEST_SEGMENTS       12
#define TEST_SEGMENT_EVENTS INT64_C(20)

/* Record `count` segments of TEST_SEGMENT_EVENTS events, in partition number % 3, every fourth of the stream "refunds" and the
 * others of "orders", every third with a hole behind its events. */
void test_record_segments(const char *directory, int count);

/* DIRECTORY/NAME; freed by the caller. */
char *test_path_in(const char *directory, const char *name);

/* All that a tape says about itself; freed by the caller. The second reads each event as well. */
char *test_describe(struct tape *tape);
char *test_describe_directory(const char *directory);

/* How many segments have a row that is good and fits the file. */
uint64_t test_count_rows(const char *directory);

void test_remove_catalogue(const char *directory);

/* Change the catalogue, or any other database. */
void test_run_sql(const char *path, const char *text);

/* The tape, with the catalogue as it is now, says what it says without, and of why it was not used. */
void test_expect_same(const char *directory, const char *expected, bool has_problem);

#endif
