/* event_row.h - what a line of the Events screen keeps of an event: a copy, cut to what can be shown. */
#ifndef UI_EVENT_ROW_H
#define UI_EVENT_ROW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "index/event.h"

struct event_gap;

#define EVENT_ROW_KEY_BYTES     96u
#define EVENT_ROW_TYPE_BYTES    96u
#define EVENT_ROW_PAYLOAD_BYTES 640u

struct event_row {
    uint64_t seq;
    int64_t received_ns;
    int64_t offset;
    const struct stream *stream;
    int32_t partition;
    size_t size;
    struct event_gap
        *gap;         /* what is missing of its lane in front of it; NULL: nothing that is known */
    uint64_t hidden;  /* matches between the row above and this one that were not drawn */
    struct bytes key; /* null is kept apart from empty */
    struct bytes type;
    struct bytes payload;
    unsigned char text[]; /* what the three views point into */
};

/* Copy. */
struct event_row *event_row_new(const struct event *event);
void event_row_free(struct event_row *row);

#endif
