#include "collectors/kafka_member_start.h"

#include "base/clock.h"
#include "base/error.h"
#include "collectors/kafka_member.h"
#include "collectors/kafka_offsets.h"
#include "collectors/outlet.h"
#include "collectors/source.h"

#define COMMITTED_MS 5000
#define OFFSETS_MS   2000

static rd_kafka_topic_partition_list_t *
copy_with(const rd_kafka_topic_partition_list_t *list, int64_t offset)
{
    rd_kafka_topic_partition_list_t *copy = rd_kafka_topic_partition_list_copy(list);
    for (int i = 0; i < copy->cnt; i++)
        copy->elems[i].offset = offset;
    return copy;
}

void
member_bounds_done(struct member_bounds *bounds)
{
    rd_kafka_topic_partition_list_destroy(bounds->committed);
    rd_kafka_topic_partition_list_destroy(bounds->begin);
    rd_kafka_topic_partition_list_destroy(bounds->end);
    if (bounds->at_time != NULL)
        rd_kafka_topic_partition_list_destroy(bounds->at_time);
}

/* What has no answer is left to librdkafka, under its word for beginning or end. */
static void
ask_words(struct kafka_client *client, rd_kafka_topic_partition_list_t *list, int64_t word)
{
    struct error ignored;
    (void)kafka_offsets_ask(client, list, NULL, OFFSETS_MS, &ignored);
    for (int i = 0; i < list->cnt; i++)
        if (list->elems[i].offset == RD_KAFKA_OFFSET_INVALID)
            list->elems[i].offset = word;
}

bool
member_bounds_ask(struct kafka_member *member, const rd_kafka_topic_partition_list_t *list,
    struct member_bounds *bounds, struct error *err)
{
    struct kafka_client *client = member->client;
    *bounds = (struct member_bounds){
        .committed = copy_with(list, RD_KAFKA_OFFSET_INVALID),
        .begin = copy_with(list, RD_KAFKA_OFFSET_BEGINNING),
        .end = copy_with(list, RD_KAFKA_OFFSET_END),
    };
    rd_kafka_resp_err_t code = rd_kafka_committed(client->rk, bounds->committed, COMMITTED_MS);
    for (int i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && i < bounds->committed->cnt; i++)
        code = bounds->committed->elems[i].err;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return error_set(err, ERROR_REMOTE, "cannot learn the offsets of group '%.100s' on %s: %s",
            member->config->group, client->address, rd_kafka_err2str(code));
    ask_words(client, bounds->begin, RD_KAFKA_OFFSET_BEGINNING);
    ask_words(client, bounds->end, RD_KAFKA_OFFSET_END);
    if (member->config->from != FROM_TIME)
        return true;
    int64_t ms = member->config->from_ns / NS_PER_MS;
    if (ms * NS_PER_MS < member->config->from_ns)
        ms++; /* Kafka counts milliseconds: nothing before the moment */
    bounds->at_time = copy_with(list, ms < 0 ? 0 : ms);
    return kafka_offsets_ask(client, bounds->at_time, NULL, OFFSETS_MS, err);
}

/* Where a lane begins that neither the group nor the tape knows: an offset, or one of librdkafka's words
 * for beginning and end. */
static int64_t
first_start(const struct kafka_member *member, const struct member_topic *topic,
    const struct member_bounds *bounds, int i)
{
    int64_t begin = bounds->begin->elems[i].offset;
    int64_t end = bounds->end->elems[i].offset;
    bool is_younger = bounds->begin->elems[i].partition >= topic->known_count;
    bool is_on_tape = member->config->from == FROM_RESUME &&
                      outlet_stream_is_known(member->outlet, topic->log.stream);
    if (is_younger || is_on_tape || member->config->from == FROM_BEGINNING)
        return begin;
    if (bounds->at_time == NULL)
        return end;
    int64_t at_time = bounds->at_time->elems[i].offset;
    return at_time < 0 ? end : at_time;
}

void
member_lane_place(struct kafka_member *member, struct member_lane *lane,
    const struct member_bounds *bounds, int i, rd_kafka_topic_partition_t *to)
{
    struct outlet *outlet = member->outlet;
    struct tap_lane *tape = lane->lane;
    int64_t begin = bounds->begin->elems[i].offset;
    int64_t start = bounds->committed->elems[i].offset;
    lane->committed = start < 0 ? -1 : start;
    if (tape->next < 0) {
        if (start < 0)
            start = first_start(member, lane->topic, bounds, i);
        if (start >= 0)
            outlet_begin_at(outlet, tape, begin >= 0 && begin < start ? begin : start);
    }
    if (start >= 0)
        outlet_skip_to(outlet, tape, start, HOLE_NOT_RECORDED);
    if (tape->next >= 0 && begin > tape->next)
        outlet_skip_to(outlet, tape, begin, HOLE_RETENTION);
    lane->position = tape->next;
    lane->safe = -1;
    lane->marked = -1;
    if (member->config->until == UNTIL_END || member->ends_known)
        lane->end = bounds->end->elems[i].offset;
    int64_t end = bounds->end->elems[i].offset;
    to->offset = start;
    if (end >= 0 && tape->next > end) {
        lane->is_misplaced = member->must_mend = true;
        to->offset = end; /* what comes is not recorded before the lane is mended */
    } else if (tape->next >= 0) {
        to->offset = kafka_proof_begin(&member->prover, &lane->proof, tape, begin);
    }
}
