/* start_offsets.h - where single partitions begin, as a user writes it for `from`.
 *
 *     orders[0]@1200,payments[3]@77    TOPIC[PARTITION]@OFFSET, as queries name events
 *     0=1200,3=77                      PARTITION=OFFSET, where a tap has one topic
 *
 * Blanks around the commas are skipped. A list is at most as long as its text, and is searched from front to end.
 * Threads: immutable once it is made.
 */
#ifndef COLLECTORS_START_OFFSETS_H
#define COLLECTORS_START_OFFSETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

#define START_OFFSETS_SHAPE "TOPIC[PARTITION]@OFFSET, or PARTITION=OFFSET of one topic"

struct start_offset {
    char *topic; /* NULL: the only topic of the tap */
    int32_t partition;
    int64_t offset;
};

struct start_offsets {
    struct start_offset *items;
    size_t count;
    size_t capacity;
};

/* True when the text is meant as such a list, right or wrong: no time and no word looks like one. */
bool start_offsets_is(const char *text);

/* Read the list. False with ERROR_ARGUMENT that quotes the item that is wrong, and says what was
 * expected: then *offsets is as it was. */
bool start_offsets_parse(struct start_offsets *offsets, const char *text, struct error *err);

/* Free the items; a zeroed struct is allowed. */
void start_offsets_done(struct start_offsets *offsets);

/* The offset of a partition of `topic`, or -1 when the list does not name it. */
int64_t start_offsets_find(
    const struct start_offsets *offsets, const char *topic, int32_t partition);

#endif
