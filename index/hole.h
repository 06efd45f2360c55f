/* hole.h - why offsets of a lane are not on the tape. */
#ifndef INDEX_HOLE_H
#define INDEX_HOLE_H

#include <stdbool.h>
#include <stdint.h>

enum hole_reason {
    HOLE_UNKNOWN,
    HOLE_RETENTION, /* deleted: by the broker before we read them, or later by the tape (was_here) */
    HOLE_NOT_RECORDED, /* nobody recorded then, or recording was asked to start later */
    HOLE_DROPPED,      /* we received or should have received them and could not keep them */
    HOLE_DAMAGED,      /* they were on the tape and the bytes are broken */
    HOLE_COMPACTED_OR_ABORTED, /* no event is at these offsets: compaction, aborted, control records */
    HOLE_RECREATED, /* the topic was deleted and made again, or cut: what it had here is not known */
};

#define HOLE_REASON_COUNT 7

/* "RETENTION", ... as in JSON and on screens. */
const char *hole_reason_text(enum hole_reason reason);

struct hole {
    uint32_t stream_id;
    int32_t partition;
    int64_t from; /* first offset that is missing */
    int64_t to;   /* last one, inclusive; -1: not known how many */
    int64_t noticed_ns;
    int64_t
        first_ns; /* event_time() of the oldest and newest of them; meaningless without was_here */
    int64_t last_ns;
    enum hole_reason reason;
    bool was_here; /* the events were on this tape, which deleted them, the last at noticed_ns */
};

#endif
