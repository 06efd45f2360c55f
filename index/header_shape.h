/* header_shape.h - the header lists of a block, written once as shapes and then as values.
 *
 * docs/FORMAT.md, "HDR". The events of a block share a few sets of header names; a shape is such a
 * list of names with how each value is packed. Values that are hex in disguise (traceparent, UUIDs,
 * ids of 16 or 32 digits) are stored in binary, when that gives back the same bytes: this is checked
 * for each value. A list that is not encoded as headers_add() does, or that comes when there are
 * already 255 shapes, is stored as it is.
 *
 * Threads: one owner.
 */
#ifndef INDEX_HEADER_SHAPE_H
#define INDEX_HEADER_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "index/event.h"

/* Lists with more headers are stored as they are. */
#define HEADER_SHAPE_HEADERS 64u

/* What a list holds; views into it. */
struct header_list {
    size_t count;
    struct event_header headers[HEADER_SHAPE_HEADERS];
};

/* ---- writing ---- */

struct header_writer;

struct header_writer *header_writer_new(void);
void header_writer_free(struct header_writer *writer);

/* Add the next event's list. Returns the number of its shape, with what it holds in *list; 0 when it
 * is stored as it is, and *list says nothing. */
unsigned header_writer_add(
    struct header_writer *writer, struct bytes headers, struct header_list *list);

/* Append the section of the events added so far and begin the next block. */
void header_writer_finish(struct header_writer *writer, struct buffer *to);

/* ---- reading ---- */

struct header_reader;

struct header_reader *header_reader_new(void);
void header_reader_free(struct header_reader *reader);

/* Begin the section of `count` events; it must live until the last header_reader_next(). False when
 * it is not one. */
bool header_reader_begin(struct header_reader *reader, struct bytes section, uint32_t count);

/* Write the next event's list, which takes `length` bytes, to `to`. False when it does not. */
bool header_reader_next(struct header_reader *reader, unsigned char *to, size_t length);

/* Pass over the next event's list, which takes `length` bytes: several times as fast. False when it cannot be. */
bool header_reader_skip(struct header_reader *reader, size_t length);

/* True when every byte of the section was used. */
bool header_reader_at_end(const struct header_reader *reader);

/* False: no list of the section has the value, nor a traceparent with it as its trace id. Begins the reader
 * anew. What is not a section may hold anything. */
bool header_section_may_hold(
    struct header_reader *reader, struct bytes section, uint32_t count, struct bytes value);

/* The numbers of the lists that may have the value (1 byte or more), in rising order, into `found`, which has room for
 * all: surely those that have it as above. List number `i` takes places[i + 1] - places[i] bytes. Returns how
 * many; UINT32_MAX: it is not a section. Several times as fast as making the lists. */
uint32_t header_section_find(struct header_reader *reader, struct bytes section,
    const uint32_t *places, uint32_t count, struct bytes value, uint32_t *found);

#endif
