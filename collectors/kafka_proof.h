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
 * Part of the Kafka sources: one thread.
 */
#ifndef COLLECTORS_KAFKA_PROOF_H
#define COLLECTORS_KAFKA_PROOF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event;
struct tap_lane;
struct tape_witness;

/* What all lanes of a tap share. Begin with only `directory` set. */
struct kafka_prover {
    const char *directory;     /* of the tape; NULL: nobody can read it */
    struct tape_witness *tape; /* what the tape has; NULL: not open */
    size_t proving;            /* lanes that wait for their witness */
};

/* Of one lane. Zero-initialise. */
struct kafka_proof {
    int64_t witness;      /* an offset whose event is on the tape, when has_witness */
    uint64_t fingerprint; /* of that event, when has_fingerprint */
    bool has_witness;
    bool has_fingerprint;
    bool is_proven;  /* its log is the one that the tape has, or nobody can tell */
    bool is_proving; /* reading begins at the witness, which has not come yet */
};

/* The offset to read from, for a lane that goes on at lane->next in a log that begins at `begin` (negative: nobody
 * knows). */
int64_t kafka_proof_begin(struct kafka_prover *prover, struct kafka_proof *proof,
    const struct tap_lane *lane, int64_t begin);

/* The first event of a lane that is_proving: false when it is not the one that the tape has at its
 * offset. Ends the proof. */
bool kafka_proof_judge(struct kafka_prover *prover, struct kafka_proof *proof,
    const struct tap_lane *lane, const struct event *event);

/* There is nothing to wait for (any more). */
void kafka_proof_end(struct kafka_prover *prover, struct kafka_proof *proof);

/* The log may be another one by now: it has to be proven again. */
void kafka_proof_doubt(struct kafka_prover *prover, struct kafka_proof *proof);

/* The event was taken: it is the lane's witness from now on. */
void kafka_proof_note(struct kafka_proof *proof, const struct event *event);

/* True when so much lies between the witness and `position` that the lane should be started there. */
bool kafka_proof_is_far(const struct kafka_proof *proof, int64_t position);

void kafka_prover_close(struct kafka_prover *prover);

#endif
