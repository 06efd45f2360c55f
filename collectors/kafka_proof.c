#include "collectors/kafka_proof.h"

#include "base/error.h"
#include "collectors/kafka_lanes.h"
#include "collectors/outlet.h"
#include "collectors/source.h"
#include "collectors/tape_witness.h"
#include "index/event.h"

/* Markers of transactions and the like are read over; a larger distance is not worth it. */
#define FAR 64

/* The tape's last event of the lane, where this process has not taken one. */
static void
find_witness(struct kafka_lanes *lanes, struct kafka_lane *lane)
{
    struct error ignored; /* a tape that cannot be read proves nothing */
    if (lane->has_fingerprint || lane->lane->next < 0)
        return;
    if (lanes->tape == NULL && lanes->config->tape != NULL)
        lanes->tape = tape_witness_open(lanes->config->tape, &ignored);
    if (lanes->tape != NULL)
        lane->witness = tape_witness_offset(lanes->tape, lane->lane->stream, lane->lane->partition);
}

int64_t
kafka_proof_begin(struct kafka_lanes *lanes, struct kafka_lane *lane, int64_t begin)
{
    if (!lane->is_proven)
        find_witness(lanes, lane);
    lane->is_proving = !lane->is_proven && lane->witness >= begin && lane->witness < lane->position;
    lane->is_proven = !lane->is_proving;
    lanes->proving += lane->is_proving;
    return lane->is_proving ? lane->witness : lane->position;
}

void
kafka_proof_end(struct kafka_lanes *lanes, struct kafka_lane *lane)
{
    if (!lane->is_proving)
        return;
    lane->is_proving = false;
    if (--lanes->proving == 0)
        kafka_proof_close(lanes);
}

bool
kafka_proof_judge(struct kafka_lanes *lanes, struct kafka_lane *lane, const struct event *event)
{
    uint64_t wanted = lane->fingerprint;
    uint64_t seen = event_fingerprint(event);
    bool is_known =
        event->offset == lane->witness &&
        (lane->has_fingerprint ||
            (lanes->tape != NULL && tape_witness_read(lanes->tape, lane->lane->stream,
                                        lane->lane->partition, event->offset, &wanted)));
    lane->is_proven = true;
    kafka_proof_end(lanes, lane);
    return !is_known || seen == wanted;
}

void
kafka_proof_note(struct kafka_lane *lane, const struct event *event)
{
    lane->witness = event->offset;
    lane->fingerprint = event_fingerprint(event);
    lane->has_fingerprint = true;
}

bool
kafka_proof_is_far(const struct kafka_lane *lane)
{
    return lane->position - lane->witness > FAR;
}

void
kafka_proof_close(struct kafka_lanes *lanes)
{
    tape_witness_close(lanes->tape);
    lanes->tape = NULL;
}
