/* outlet.h - what a source pours events into: batches for the indexer, one outlet per tap.
 *
 * The outlet knows how far each lane of the tap has come, so that no event is recorded twice and each
 * jump in the offsets becomes a hole on the tape. It decides what `until` lets through, encodes
 * into the batch, hands batches over, and keeps the tap's counters and state.
 *
 * When the tape is behind, an outlet that can wait waits, so that the transport keeps our place; one
 * that cannot counts what is lost and records which offsets they would have had.
 *
 * Threads: the collector's thread owns an outlet. outlet_describe(), outlet_state(),
 * outlet_has_answer(), outlet_refused() and outlet_stop() may be called from any thread.
 */
#ifndef COLLECTORS_OUTLET_H
#define COLLECTORS_OUTLET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "collectors/recorder.h"
#include "index/hole.h"
#include "index/live.h"

struct batch;
struct diary;
struct event;
struct outlet;
struct stream;
struct tape_writer;

struct outlet_options {
    struct tape_writer *writer;
    bool (*push)(void *self, struct batch **batch, int timeout_ms); /* indexer_push() */
    void *push_self;
    bool (*is_over)(void *push_self); /* nothing will be taken any more; NULL: never */
    const char *tap;
    const char *url;
    bool can_wait;
    enum recorder_until until;
    int64_t until_ns;
    uint64_t max_bytes_per_second; /* to be shown; the source keeps to it */
    struct diary *diary;           /* where the tap's changes are told; NULL: nowhere */
    atomic_uint_fast64_t *budget;  /* UNTIL_EVENTS: how many more, shared by all taps; else NULL */
};

/* One lane of the tap. Sources read it and pass it back; only outlet functions change it. */
struct tap_lane {
    const struct stream *stream;
    int32_t partition;
    int64_t next;      /* offset behind the last that is on the tape or in a hole; -1: none yet */
    int64_t lost_from; /* first offset of a loss that no hole tells of yet; -1: there is none */
    enum hole_reason gap; /* what a jump of the next event's offset means */
};

/* What became of an event. */
enum outlet_step {
    OUTLET_GO_ON,
    OUTLET_DONE, /* `until` is reached or the recorder stops: the event was not taken */
};

struct outlet *outlet_new(const struct outlet_options *options);
void outlet_free(struct outlet *outlet);

/* --- for sources --- */

/* The lane, made when it is new: then `next` tells where the tape ends, or is -1. The pointer lives
 * as long as the outlet, longer than one connection. */
struct tap_lane *outlet_lane(struct outlet *outlet, const char *stream, int32_t partition);

/* True when the tape has the stream at all; outlet_lane() makes it. */
bool outlet_has_stream(struct outlet *outlet, const char *stream);

/* True when the tape had events of this stream when the recorder opened it. */
bool outlet_stream_is_known(struct outlet *outlet, const char *stream);

/* The events that follow were received at this moment. */
void outlet_mark_received(struct outlet *outlet);

/* The other side answered what it was asked: whatever is missing from now on, somebody is there. */
void outlet_mark_answer(struct outlet *outlet);

/* Take the event: offset, times, key, headers and payload are the source's, all else is filled in
 * here. What is below lane->next is there already and is ignored. Nothing is kept of what the event
 * points to. */
enum outlet_step outlet_event(struct outlet *outlet, struct tap_lane *lane, struct event *event);

/* The transport had an event that was too large or broken for it: count it; the next jump in the
 * lane's offsets is the loss. */
void outlet_count_lost(struct outlet *outlet, struct tap_lane *lane);

/* The same where we count the offsets ourselves: the event gets the next one, which becomes part of a
 * hole. */
void outlet_lose(struct outlet *outlet, struct tap_lane *lane);

/* The transport tells that `missing` events before the next one never reached us: counted as dropped, and
 * the lane goes on behind a hole of exactly that size. */
void outlet_miss(
    struct outlet *outlet, struct tap_lane *lane, uint64_t missing, enum hole_reason reason);

/* An outlet that cannot wait may yet wait for room in the queue, for budget_ns in all until this is
 * called again: as long as the transport has room for what comes meanwhile. 0 at first. */
void outlet_allow_wait(struct outlet *outlet, int64_t budget_ns);

/* Offsets `from` to `to` (-1: nobody knows how many) will not come. Does not move the lane. */
void outlet_hole(struct outlet *outlet, const struct tap_lane *lane, int64_t from, int64_t to,
    enum hole_reason reason);

/* A lane that the tape does not know begins at `next`. */
void outlet_begin_at(struct outlet *outlet, struct tap_lane *lane, int64_t next);

/* Everything before `next` was seen: what is not on the tape is not there, or was lost. It becomes a hole now and
 * not with the next event, which may never come; but what came too late for `until` is none. */
void outlet_reach(struct outlet *outlet, struct tap_lane *lane, int64_t next);

/* The lane goes on at `next`; offsets from where it was, if that is less, become a hole. */
void outlet_skip_to(
    struct outlet *outlet, struct tap_lane *lane, int64_t next, enum hole_reason reason);

/* How far the tape is behind the source: a ticket stands for everything that was given to the outlet
 * until now, and is on the tape when outlet_acknowledged() has come to it. For a source that must tell
 * the other side what it may forget. */
uint64_t outlet_ticket(const struct outlet *outlet);
uint64_t outlet_acknowledged(const struct outlet *outlet);

/* Hand over what there is and wait until the tape has it; false when that took longer than timeout_ms. */
bool outlet_flush(struct outlet *outlet, int timeout_ms);

/* The other side sent so many bytes more, counted as they came over the wire. A source that never says so,
 * does not know. */
void outlet_count_wire(struct outlet *outlet, uint64_t bytes);

/* Tell the console how the tap is. TAP_LIVE takes no text and clears the last one. */
void outlet_set_state(struct outlet *outlet, enum tap_state state, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Tell what is worth a note on the internal stream @taps: its word ("rebalance", "topic") and a sentence. */
void outlet_tell(struct outlet *outlet, const char *kind, const char *what);

/* TAP_RETRYING, and of what kind the trouble is: ERROR_REMOTE, or ERROR_REFUSED when somebody must act. */
void outlet_set_trouble(struct outlet *outlet, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Put a text beside a state that stays as it is. */
void outlet_warn(struct outlet *outlet, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Readable from outlet_stop() on; for the source's poll(). */
int outlet_stop_fd(const struct outlet *outlet);
bool outlet_is_stopping(const struct outlet *outlet);

/* --- for the collector --- */

/* Between two polls: hand over a batch that is old, or behind which nothing came for a moment. */
void outlet_tick(struct outlet *outlet);

/* How long the next poll may wait: short while events wait for the hand-over. */
int outlet_wait_ms(const struct outlet *outlet);

/* `until` needs nothing more from any tap. */
bool outlet_is_done(const struct outlet *outlet);

/* Hand over what is left. Waits up to timeout_ms when the queue is full; false when that was not
 * enough (then an outlet that cannot wait has counted the loss). */
bool outlet_finish(struct outlet *outlet, int timeout_ms);

void outlet_count_retry(struct outlet *outlet);

/* --- from any thread --- */

void outlet_stop(struct outlet *outlet);
enum tap_state outlet_state(struct outlet *outlet, struct error *why);
bool outlet_has_answer(const struct outlet *outlet);
void outlet_describe(struct outlet *outlet, struct live_tap *tap);

/* Events that were larger than the tape takes. */
uint64_t outlet_refused(const struct outlet *outlet);

#endif
