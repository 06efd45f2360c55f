/* console_tape.h - a small tape with known events for the tests of commands. */
#ifndef TESTS_SUPPORT_CONSOLE_TAPE_H
#define TESTS_SUPPORT_CONSOLE_TAPE_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct tape_writer;

/* One event to be written. A zero time_ns counts on from 2026-11-23T14:29:31 by one millisecond. */
struct sample {
    const char *stream;
    int32_t partition;
    int64_t offset;
    struct bytes key;
    struct bytes payload;
    const char *type; /* header ce_type; NULL: no headers */
    int64_t time_ns;
};

/* The time of the first sample without one: 2026-11-23T14:29:31Z. */
#define SAMPLE_TIME_NS (INT64_C(1795444171) * 1000000000)

/* Write samples as tap "shop" into the tape of `directory`, which is made when it is not there. */
void sample_tape_write(const char *directory, const struct sample *samples, size_t count);

/* Four events of a shop: two streams, three lanes; a payload that would drive a terminal, one that is not UTF-8, a null
 * key and a null payload. */
const struct sample *sample_shop(size_t *count);
void sample_shop_write(const char *directory);

/* The same on a tape that the test holds open. `first` numbers the times. */
void sample_tape_append(
    struct tape_writer *writer, const struct sample *samples, size_t count, size_t first);

/* Like sample_tape_write(), and then a hole of offsets `from` to `to` that were dropped. */
void sample_tape_write_hole(const char *directory, const char *stream, int64_t from, int64_t to);

/* The same, `count` times: one offset each, with one between them. */
void sample_tape_write_holes(const char *directory, const char *stream, int64_t from, int count);

#endif
