#include "collectors/kafka_proof.h"

#include "base/error.h"
#include "collectors/outlet.h"
#include "collectors/tape_witness.h"
#include "index/event.h"

/* Markers of transactions and the like are read over; a larger distance is not worth it. */
#define FAR 64

/* The tape's last event of the lane, where this process has not taken one. */
static void
find_witness(struct kafka_prover *prover, struct kafka_proof *proof, const struct tap_lane *lane)
{
    struct error ignored; /* a tape that cannot be read proves nothing */
    if (proof->has_fingerprint || lane->next < 0)
        return;
    if (prover->tape == NULL && prover->directory != NULL)
        prover->tape = tape_witness_open(prover->directory, &ignored);
    if (prover->tape == NULL)
        return;
    proof->witness = tape_witness_offset(prover->tape, lane->stream, lane->partition);
    proof->has_witness = proof->witness >= 0;
}

int64_t
kafka_proof_begin(struct kafka_prover *prover, struct kafka_proof *proof,
    const struct tap_lane *lane, int64_t begin)
{
    kafka_proof_end(prover, proof);
    if (!proof->is_proven)
        find_witness(prover, proof, lane);
    proof->is_proving = !proof->is_proven && proof->has_witness && proof->witness >= begin &&
                        proof->witness < lane->next;
    proof->is_proven = !proof->is_proving;
    prover->proving += proof->is_proving;
    return proof->is_proving ? proof->witness : lane->next;
}

void
kafka_proof_end(struct kafka_prover *prover, struct kafka_proof *proof)
{
    if (!proof->is_proving)
        return;
    proof->is_proving = false;
    if (--prover->proving == 0)
        kafka_prover_close(prover);
}

void
kafka_proof_doubt(struct kafka_prover *prover, struct kafka_proof *proof)
{
    kafka_proof_end(prover, proof);
    proof->is_proven = false;
}

bool
kafka_proof_judge(struct kafka_prover *prover, struct kafka_proof *proof,
    const struct tap_lane *lane, const struct event *event)
{
    uint64_t wanted = proof->fingerprint;
    uint64_t seen = event_fingerprint(event);
    bool is_known = event->offset == proof->witness &&
                    (proof->has_fingerprint ||
                        (prover->tape != NULL && tape_witness_read(prover->tape, lane->stream,
                                                     lane->partition, event->offset, &wanted)));
    proof->is_proven = true;
    kafka_proof_end(prover, proof);
    return !is_known || seen == wanted;
}

void
kafka_proof_note(struct kafka_proof *proof, const struct event *event)
{
    proof->witness = event->offset;
    proof->has_witness = true;
    proof->fingerprint = event_fingerprint(event);
    proof->has_fingerprint = true;
}

bool
kafka_proof_is_far(const struct kafka_proof *proof, int64_t position)
{
    return position - proof->witness > FAR;
}

void
kafka_prover_close(struct kafka_prover *prover)
{
    tape_witness_close(prover->tape);
    prover->tape = NULL;
}
