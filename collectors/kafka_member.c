#include "collectors/kafka_member.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "collectors/kafka_member_start.h"
#include "collectors/kafka_offsets.h"
#include "collectors/outlet.h"
#include "collectors/source.h"

#define COMMIT_NS   NS_PER_S
#define FLUSH_MS    5000
#define ANSWER_MS   5000
#define AGAIN_MS    100 /* before a commit that was refused is tried again */
#define OFFSETS_MS  2000
#define LANES_SHOWN 12

/* ---- topics and lanes ---- */

static struct member_topic *
find_topic(const struct kafka_member *member, const char *name)
{
    for (size_t i = 0; i < member->topic_count; i++)
        if (strcmp(member->topics[i]->name, name) == 0)
            return member->topics[i];
    return NULL;
}

static struct member_topic *
have_topic(struct kafka_member *member, const char *name)
{
    struct member_topic *topic = find_topic(member, name);
    if (topic != NULL)
        return topic;
    topic = alloc_zeroed(sizeof(*topic));
    topic->name = alloc_text(name);
    topic->rkt = rd_kafka_topic_new(member->client->rk, name, NULL);
    topic->log = kafka_generation_newest(member->outlet, name);
    member->topics = alloc_grow(member->topics, member->topic_count, &member->topic_capacity,
        sizeof(struct member_topic *));
    member->topics[member->topic_count++] = topic;
    return topic;
}

static struct member_lane *
have_lane(struct member_topic *topic, int32_t partition)
{
    if (partition >= topic->lane_count) {
        int32_t count = partition + 1;
        topic->lanes = alloc_resize(topic->lanes, (size_t)count * sizeof(struct member_lane));
        memset(topic->lanes + topic->lane_count, 0,
            (size_t)(count - topic->lane_count) * sizeof(struct member_lane));
        topic->lane_count = count;
    }
    return &topic->lanes[partition];
}

/* The lane, when it was ours once. */
static struct member_lane *
find_lane(const struct kafka_member *member, const rd_kafka_topic_partition_t *partition)
{
    struct member_topic *topic = find_topic(member, partition->topic);
    return topic == NULL || partition->partition >= topic->lane_count
               ? NULL
               : &topic->lanes[partition->partition];
}

void
kafka_member_open(struct kafka_member *member)
{
    member->commits = rd_kafka_queue_new(member->client->rk);
}

void
kafka_member_close(struct kafka_member *member)
{
    for (size_t i = 0; i < member->topic_count; i++) {
        struct member_topic *topic = member->topics[i];
        rd_kafka_topic_destroy(topic->rkt);
        free(topic->lanes);
        kafka_generation_done(&topic->log);
        free(topic->name);
        free(topic);
    }
    free(member->topics);
    kafka_prover_close(&member->prover);
    if (member->commits != NULL)
        rd_kafka_queue_destroy(member->commits);
    *member = (struct kafka_member){0};
}

void
kafka_member_know(struct kafka_member *member, const rd_kafka_metadata_topic_t *topic)
{
    have_topic(member, topic->topic)->known_count = topic->partition_cnt;
}

struct member_lane *
kafka_member_lane(struct kafka_member *member, const rd_kafka_message_t *message)
{
    if (message->rkt == NULL || message->partition < 0)
        return NULL;
    struct member_topic *topic = member->last;
    if (topic == NULL || topic->rkt != message->rkt)
        topic = find_topic(member, rd_kafka_topic_name(message->rkt));
    if (topic == NULL || message->partition >= topic->lane_count)
        return NULL;
    member->last = topic;
    struct member_lane *lane = &topic->lanes[message->partition];
    return lane->is_ours ? lane : NULL;
}

/* All lanes that are ours, with `offset`. */
static rd_kafka_topic_partition_list_t *
list_ours(const struct kafka_member *member, int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
    for (size_t i = 0; i < member->topic_count; i++)
        for (int32_t p = 0; p < member->topics[i]->lane_count; p++)
            if (member->topics[i]->lanes[p].is_ours)
                rd_kafka_topic_partition_list_add(list, member->topics[i]->name, p)->offset =
                    offset;
    return list;
}

/* ---- committing ---- */

/* Remember where each lane is: that much is safe once the tape has acknowledged the ticket. */
static void
mark(struct kafka_member *member)
{
    for (size_t i = 0; i < member->topic_count; i++)
        for (int32_t p = 0; p < member->topics[i]->lane_count; p++) {
            struct member_lane *lane = &member->topics[i]->lanes[p];
            if (lane->is_ours && !lane->is_misplaced && !lane->proof.is_proving)
                lane->marked = lane->lane->next;
        }
    member->mark = outlet_ticket(member->outlet) + 1; /* 0 is none */
}

/* True when the tape has come to the mark: then what was marked is safe. */
static bool
reach_mark(struct kafka_member *member)
{
    if (member->mark == 0 || outlet_acknowledged(member->outlet) + 1 < member->mark)
        return false;
    for (size_t i = 0; i < member->topic_count; i++)
        for (int32_t p = 0; p < member->topics[i]->lane_count; p++) {
            struct member_lane *lane = &member->topics[i]->lanes[p];
            if (lane->is_ours && lane->marked > lane->safe)
                lane->safe = lane->marked;
        }
    member->mark = 0;
    return true;
}

/* What is safe and what the group does not know yet, of the lanes in `among`, or of all (NULL). */
static rd_kafka_topic_partition_list_t *
list_uncommitted(const struct kafka_member *member, const rd_kafka_topic_partition_list_t *among)
{
    rd_kafka_topic_partition_list_t *ours = list_ours(member, RD_KAFKA_OFFSET_INVALID);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
    const rd_kafka_topic_partition_list_t *from = among == NULL ? ours : among;
    for (int i = 0; i < from->cnt; i++) {
        const struct member_lane *lane = find_lane(member, &from->elems[i]);
        if (lane != NULL && lane->is_ours && lane->safe >= 0 && lane->safe != lane->committed)
            rd_kafka_topic_partition_list_add(list, from->elems[i].topic, from->elems[i].partition)
                ->offset = lane->safe;
    }
    rd_kafka_topic_partition_list_destroy(ours);
    return list;
}

/* What a commit came to. One that failed is tried again with the next. */
static void
take_answer(struct kafka_member *member, rd_kafka_event_t *event)
{
    member->is_committing = false;
    const rd_kafka_topic_partition_list_t *list = rd_kafka_event_topic_partition_list(event);
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR || list == NULL)
        return;
    for (int i = 0; i < list->cnt; i++) {
        struct member_lane *lane = find_lane(member, &list->elems[i]);
        if (lane != NULL && list->elems[i].err == RD_KAFKA_RESP_ERR_NO_ERROR)
            lane->committed = list->elems[i].offset;
        else if (lane != NULL && list->elems[i].err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
            lane->safe = -1; /* the topic is away: there is nothing to insist on */
    }
}

/* False: no answer within timeout_ms. */
static bool
await_answer(struct kafka_member *member, int timeout_ms)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(member->commits, timeout_ms);
    if (event == NULL)
        return false;
    if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_OFFSET_COMMIT)
        take_answer(member, event);
    rd_kafka_event_destroy(event);
    return true;
}

static void
send_commit(struct kafka_member *member, const rd_kafka_topic_partition_list_t *among)
{
    rd_kafka_topic_partition_list_t *list = list_uncommitted(member, among);
    if (list->cnt > 0)
        member->is_committing = rd_kafka_commit_queue(member->client->rk, list, member->commits,
                                    NULL, NULL) == RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_topic_partition_list_destroy(list);
}

void
kafka_member_tick(struct kafka_member *member)
{
    while (await_answer(member, 0))
        ;
    if (reach_mark(member) && !member->is_committing)
        send_commit(member, NULL);
    int64_t now = clock_monotonic_ns();
    if (member->mark != 0 || member->is_committing || now < member->mark_ns)
        return;
    mark(member);
    member->mark_ns = now + COMMIT_NS;
}

static bool
has_uncommitted(const struct kafka_member *member, const rd_kafka_topic_partition_list_t *among)
{
    rd_kafka_topic_partition_list_t *list = list_uncommitted(member, among);
    bool has_some = list->cnt > 0;
    rd_kafka_topic_partition_list_destroy(list);
    return has_some;
}

/* Commit until the group knows all that is safe. A coordinator that is just changing the group refuses: then
 * once more; what it does not know in the end, the next owner records a second time. */
static void
commit_all(struct kafka_member *member, const rd_kafka_topic_partition_list_t *among)
{
    int64_t deadline = clock_monotonic_ns() + ANSWER_MS * NS_PER_MS;
    for (bool is_first = true;; is_first = false) {
        if (member->is_committing)
            (void)await_answer(member, ANSWER_MS);
        member->is_committing = false;
        if (!has_uncommitted(member, among) || clock_monotonic_ns() >= deadline)
            return;
        if (!is_first)
            (void)poll(NULL, 0, AGAIN_MS);
        send_commit(member, among);
    }
}

/* Before lanes go: have the tape take what is under way, and commit as much as it has acknowledged. */
static void
settle(struct kafka_member *member, const rd_kafka_topic_partition_list_t *among)
{
    (void)reach_mark(member);
    if (outlet_flush(member->outlet, FLUSH_MS)) {
        mark(member);
        (void)reach_mark(member);
    }
    commit_all(member, among);
}

/* ---- partitions come and go ---- */

static void
place_all(struct kafka_member *member, rd_kafka_topic_partition_list_t *list,
    const struct member_bounds *bounds)
{
    for (int i = 0; i < list->cnt; i++) {
        struct member_topic *topic = have_topic(member, list->elems[i].topic);
        struct member_lane *lane = have_lane(topic, list->elems[i].partition);
        *lane = (struct member_lane){
            .topic = topic,
            .lane = outlet_lane(member->outlet, topic->log.stream, list->elems[i].partition),
            .is_ours = true,
            .end = -1,
            .proof = lane->proof,
        };
        member_lane_place(member, lane, bounds, i, &list->elems[i]);
        member->lane_count++;
    }
}

/* "group 'rec' gave us orders[0], orders[1]: 3 partitions are ours" */
static void
tell(struct kafka_member *member, const char *what, const rd_kafka_topic_partition_list_t *list)
{
    struct buffer text = {0};
    if (list->cnt == 0 && member->lane_count > 0)
        return; /* each round of the protocol tells everybody, also who keeps what he has */
    buffer_printf(&text, "group '%.100s' %s", member->config->group, what);
    if (list->cnt == 0)
        buffer_append_text(&text, " nothing");
    for (int i = 0; i < list->cnt && i < LANES_SHOWN; i++)
        buffer_printf(&text, "%s %.100s[%d]", i == 0 ? "" : ",", list->elems[i].topic,
            list->elems[i].partition);
    if (list->cnt > LANES_SHOWN)
        buffer_printf(&text, " and %d more", list->cnt - LANES_SHOWN);
    buffer_printf(&text, "; %zu partition%s now ours", member->lane_count,
        member->lane_count == 1 ? " is" : "s are");
    outlet_tell(member->outlet, "rebalance", buffer_text(&text));
    outlet_warn(member->outlet, "%s", buffer_text(&text));
    buffer_done(&text);
}

static void
apply(struct kafka_member *member, rd_kafka_error_t *failed)
{
    if (failed == NULL)
        return;
    error_set(&member->failure, ERROR_REMOTE, "group '%.100s': %s", member->config->group,
        rd_kafka_error_string(failed));
    rd_kafka_error_destroy(failed);
}

/* What cannot be placed is accepted, as the protocol wants it, but not read: the failure ends the
 * membership. */
static void
take_over(struct kafka_member *member, rd_kafka_topic_partition_list_t *list)
{
    struct member_bounds bounds = {0};
    if (member_bounds_ask(member, list, &bounds, &member->failure))
        place_all(member, list, &bounds);
    member_bounds_done(&bounds);
    apply(member, rd_kafka_incremental_assign(member->client->rk, list));
    member->was_dealt = true;
    tell(member, "gave us", list);
}

static void
forget(struct kafka_member *member, const rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < list->cnt; i++) {
        struct member_lane *lane = find_lane(member, &list->elems[i]);
        if (lane == NULL || !lane->is_ours)
            continue;
        kafka_proof_doubt(&member->prover, &lane->proof);
        lane->is_ours = false;
        lane->is_refused = false;
        lane->is_misplaced = false;
        member->lane_count--;
    }
}

/* Lost lanes have another owner already: it would be wrong to commit. */
static void
give_back(struct kafka_member *member, rd_kafka_topic_partition_list_t *list)
{
    bool is_lost = rd_kafka_assignment_lost(member->client->rk) != 0;
    if (!is_lost)
        settle(member, list);
    forget(member, list);
    apply(member, rd_kafka_incremental_unassign(member->client->rk, list));
    tell(member, is_lost ? "took away, without asking," : "took back", list);
}

void
kafka_member_rebalance(struct kafka_member *member, rd_kafka_resp_err_t why,
    rd_kafka_topic_partition_list_t *partitions)
{
    switch ((int)why) {
    case RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS:
        take_over(member, partitions);
        return;
    case RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS:
        give_back(member, partitions);
        return;
    default:
        error_set(&member->failure, ERROR_REMOTE, "group '%.100s': %s", member->config->group,
            rd_kafka_err2str(why));
        (void)rd_kafka_assign(member->client->rk, NULL);
        return;
    }
}

void
kafka_member_leave(struct kafka_member *member)
{
    if (member->lane_count > 0)
        settle(member, NULL);
    (void)rd_kafka_consumer_close(member->client->rk);
}

/* ---- reading from another place ---- */

void
kafka_member_fetch(struct kafka_member *member, const struct member_lane *lane, int64_t offset)
{
    rd_kafka_topic_partition_list_t *one = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(one, lane->topic->name, lane->lane->partition);
    apply(member, rd_kafka_incremental_unassign(member->client->rk, one));
    one->elems[0].offset = offset;
    apply(member, rd_kafka_incremental_assign(member->client->rk, one));
    rd_kafka_topic_partition_list_destroy(one);
}

/* ---- ends ---- */

bool
kafka_member_take_ends(struct kafka_member *member, struct error *err)
{
    rd_kafka_topic_partition_list_t *list = list_ours(member, RD_KAFKA_OFFSET_END);
    member->ends_known =
        list->cnt == 0 || kafka_offsets_ask(member->client, list, NULL, OFFSETS_MS, err);
    for (int i = 0; member->ends_known && i < list->cnt; i++) {
        struct member_lane *lane = find_lane(member, &list->elems[i]);
        if (lane != NULL)
            lane->end = list->elems[i].offset;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return member->ends_known;
}

bool
kafka_member_is_at_end(const struct kafka_member *member)
{
    if (!member->was_dealt || (member->config->until != UNTIL_END && !member->ends_known))
        return false;
    for (size_t i = 0; i < member->topic_count; i++)
        for (int32_t p = 0; p < member->topics[i]->lane_count; p++) {
            const struct member_lane *lane = &member->topics[i]->lanes[p];
            bool is_placed = !lane->is_misplaced && !lane->proof.is_proving;
            if (lane->is_ours && (!is_placed || lane->end < 0 || lane->position < lane->end))
                return false;
        }
    return true;
}

const char *
kafka_member_refused(const struct kafka_member *member)
{
    for (size_t i = 0; i < member->topic_count; i++)
        for (int32_t p = 0; p < member->topics[i]->lane_count; p++)
            if (member->topics[i]->lanes[p].is_refused)
                return member->topics[i]->name;
    return NULL;
}
