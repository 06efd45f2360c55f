/* record.h - the encoding of one event in a batch, a journal and on the wire between them.
 *
 * docs/FORMAT.md, "Record": 48 bytes and then key, headers, payload. The same bytes wait in the
 * queue, lie in the journal and are decoded for each reader. Records that are not events define a
 * stream or a hole; they say so in the top byte of their flags.  Threads: any.
 */
#ifndef INDEX_RECORD_H
#define INDEX_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct error;
struct event;

#define RECORD_HEADER_BYTES 48u
/* The largest event that is taken; larger ones are refused, counted and shown. */
#define RECORD_MAX_BYTES 67108864u /* 64 MiB */

enum record_type {
    RECORD_EVENT = 0,
    RECORD_STREAM = 1, /* stream_id is `tap` (in key) / `name` (in payload) */
    RECORD_HOLE = 2,   /* offsets of a lane that are not on the tape, and why */
};

/* A record as it lies in memory, decoded; views into the encoded bytes. */
struct record {
    enum record_type type;
    int64_t time_ns;
    int64_t received_ns;
    uint64_t position; /* the offset */
    uint32_t stream_id;
    uint32_t partition;
    uint32_t flags; /* RECORD_FLAG_* */
    struct bytes key;
    struct bytes headers;
    struct bytes payload;
};

#define RECORD_FLAG_TIME_MASK 3u /* enum time_type */
#define RECORD_FLAG_SYNTHETIC 4u /* the offset was counted by the recorder */

/* Bytes that `record` takes when encoded. */
size_t record_size(const struct record *record);

/* Write record_size() bytes to `to`. */
void record_encode(const struct record *record, unsigned char *to);

/* Decode the record at *at in `from` and move *at behind it. Every length is checked against what
 * is there; the header list inside is walked with bounds by event_next_header(), which stops at the
 * first byte that makes no sense. False when the bytes are not a record. */
bool record_decode(struct bytes from, size_t *at, struct record *record);

/* The event that an event record holds; seq and stream are left for the caller to fill. */
void record_to_event(const struct record *record, struct event *event);

#endif
