/* kafka_proof.h - is the log behind a lane still the one whose events are on the tape?
 *
 * A lane that the tape knows is not read from where the tape ends, but from the last event on it, the
 * witness. When the same event comes back from the log, it is the same log; when another one comes, the topic was
 * made anew. That costs no request of its own, and one event per lane and start. While it records, the
 * witness is remembered as a fingerprint; after a start it is read from the tape.
 *
 * When the witness is gone from the log (retention, compaction, or a lane that has only holes), nothing can
 * be told, and the log is taken for the old one.
 *
 * Part of the Kafka source: one thread.
 */
#ifndef COLLECTORS_KAFKA_PROOF_H
#define COLLECTORS_KAFKA_PROOF_H

#include <stdbool.h>
#include <stdint.h>

struct event;
struct kafka_lane;
struct kafka_lanes;

/* The offset to read from, for a lane that goes on at lane->position in a log that begins at `begin`. */
int64_t kafka_proof_begin(struct kafka_lanes *lanes, struct kafka_lane *lane, int64_t begin);

/* The first event of a lane that is_proving: false when it is not the one that the tape has at its
 * offset. Ends the proof. */
bool kafka_proof_judge(
    struct kafka_lanes *lanes, struct kafka_lane *lane, const struct event *event);

/* There is nothing to wait for (any more). */
void kafka_proof_end(struct kafka_lanes *lanes, struct kafka_lane *lane);

/* The event was taken: it is the lane's witness from now on. */
void kafka_proof_note(struct kafka_lane *lane, const struct event *event);

/* True when so much lies between the witness and lane->position that the lane should be started there. */
bool kafka_proof_is_far(const struct kafka_lane *lane);

void kafka_proof_close(struct kafka_lanes *lanes);

#endif
