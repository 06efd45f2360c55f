/* lag_row.h - one consumer group on one stream: its newest sample up to the head, and 15 minutes of lag.
 *
 * Threads: none of its own.
 */
#ifndef UI_LAG_ROW_H
#define UI_LAG_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "ui/lag_sample.h"

struct event;
struct stream;

#define LAG_WINDOW_NS (INT64_C(900) * NS_PER_S)
#define LAG_SLOTS     60u
#define LAG_SLOT_NS   (LAG_WINDOW_NS / LAG_SLOTS)
/* Samples are written when figures change, else once a minute: so long a value holds for the slots behind
 * it, and a group that was not seen for three times as long is told with the age of what is known. */
#define LAG_HOLD_SLOTS 5
#define LAG_STALE_NS   (INT64_C(180) * NS_PER_S)
/* One block per partition, as far as there is room. */
#define LAG_BARS 12u

/* One group and stream. Numbers below 0 are unknown. */
struct lag_row {
    char *tap;
    struct bytes key; /* of the events: "GROUP STREAM" */
    void *key_memory;
    char *group; /* as the newest sample says, and so on */
    char *stream;
    const struct stream *source; /* what it reads, where that is on the tape too; else NULL */
    size_t streams_seen;         /* streams of the tape that were compared with it */
    uint64_t seq;                /* of the newest sample up to the head */
    int64_t at_ns;               /* when that was received; CLOCK_NONE: there is none */
    bool is_gone;                /* the newest sample says that there is no such flow any more */
    enum lag_state state;
    char *reason;
    char *next;
    int64_t lag;
    double seconds;
    double in_rate;
    double out_rate;
    double drain_seconds;
    double retention_seconds;
    int64_t members;
    size_t lane_count;
    int8_t bars[LAG_BARS]; /* share of the partition that is worst, 0 .. 8; -1: unknown */
    /* Worst value that was read of each slot of the window; slot s is at s % LAG_SLOTS, for s in newest_slot -
     * LAG_SLOTS + 1 .. newest_slot. */
    int64_t newest_slot;
    float lags[LAG_SLOTS];
    float ages[LAG_SLOTS];

    bool is_open; /* for the screen: its partitions are shown */
};

struct lag_row *lag_row_new(const char *tap, struct bytes key);
void lag_row_free(struct lag_row *row);

/* No slot is known any more. */
void lag_row_forget(struct lag_row *row);
/* The sample is the newest up to the head. */
void lag_row_note_newest(
    struct lag_row *row, const struct lag_sample *sample, const struct event *event);
/* An event without a sample, the newest up to the head: the flow is gone. */
void lag_row_note_gone(struct lag_row *row, const struct event *event);
/* What it says of the slot that it was taken in. */
void lag_row_note_slot(struct lag_row *row, const struct lag_sample *sample, int64_t when_ns);
/* A sample of this slot was noted. */
bool lag_row_has_slot(const struct lag_row *row, int64_t slot);

/* False when the group has no sample in the window before the head, or is gone: then it is not to be shown. */
bool lag_row_is_current(const struct lag_row *row, int64_t head_ns);

/* What is to be said of a group at the head: its state, or UNKNOWN when its newest sample is old. */
enum lag_state lag_row_state(const struct lag_row *row, int64_t head_ns);

/* The lag in slot `slot` (a moment divided by LAG_SLOT_NS), in seconds or in events: the worst that was
 * read there, else the last before it; below 0: unknown. */
float lag_row_value(const struct lag_row *row, int64_t slot, bool in_seconds);
/* True when the age is known anywhere in the window: then it is what a trend shows. */
bool lag_row_has_ages(const struct lag_row *row);

/* Order by how much attention is asked for, then by name: less than 0 when `a` comes first. What is
 * well is ordered by name alone, so that it stays in its place. */
int lag_row_compare(const struct lag_row *a, const struct lag_row *b, int64_t head_ns);

#endif
