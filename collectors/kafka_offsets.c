#include "collectors/kafka_offsets.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "collectors/kafka_client.h"

/* Partitions in one question: the library looks through the list once for each of them. */
#define ENTRIES_MAX 2000

/* Where others wait for their turn. A broker answers behind the fetch that it holds, for 500 ms. */
#define TURN_MS 900

/* An entry of the list that is asked for. Places of one leader stand together. */
struct place {
    int32_t leader;
    uint32_t turn; /* of its leader */
    int entry;
};

/* What has no answer, and why the first of it has none. */
struct asking {
    struct kafka_client *client;
    rd_kafka_topic_partition_list_t *list;
    int64_t deadline_ns;
    int limit_ms; /* for one question */
    size_t unanswered;
    struct place first;
    rd_kafka_resp_err_t code;
};

/* Nobody said anything, which need not be so for other leaders. */
static bool
is_silence(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__TRANSPORT ||
           code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN ||
           code == RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT;
}

static void
give_up(struct asking *asking, const struct place *place, rd_kafka_resp_err_t code)
{
    asking->list->elems[place->entry].offset = RD_KAFKA_OFFSET_INVALID;
    asking->list->elems[place->entry].err = code;
    if (asking->unanswered++ > 0)
        return;
    asking->first = *place;
    asking->code = code;
}

/* One question. The answers are in the list unless it failed as a whole. */
static rd_kafka_resp_err_t
ask(struct asking *asking, const struct place *places, size_t count)
{
    if (clock_monotonic_ns() >= asking->deadline_ns)
        return RD_KAFKA_RESP_ERR__TIMED_OUT;
    rd_kafka_topic_partition_list_t *some = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++) {
        const rd_kafka_topic_partition_t *entry = &asking->list->elems[places[i].entry];
        rd_kafka_topic_partition_list_add(some, entry->topic, entry->partition)->offset =
            entry->offset;
    }
    rd_kafka_resp_err_t code =
        rd_kafka_offsets_for_times(asking->client->rk, some, asking->limit_ms);
    for (size_t i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && i < count; i++) {
        /* A partition without a leader in the library's eyes was not asked for. */
        if (some->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR)
            give_up(asking, &places[i], some->elems[i].err);
        else
            asking->list->elems[places[i].entry].offset = some->elems[i].offset;
    }
    rd_kafka_topic_partition_list_destroy(some);
    return code;
}

static size_t
count_of_first_leader(const struct place *places, size_t count)
{
    size_t same = 1;
    while (same < count && places[same].leader == places[0].leader)
        same++;
    return same;
}

static void
ask_places(struct asking *asking, const struct place *places, size_t count)
{
    rd_kafka_resp_err_t code = ask(asking, places, count);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    size_t half = is_silence(code) ? count_of_first_leader(places, count) : count / 2;
    if (half > 0 && half < count) {
        ask_places(asking, places, half);
        ask_places(asking, places + half, count - half);
        return;
    }
    for (size_t i = 0; i < count; i++)
        give_up(asking, &places[i], code);
}

static int
compare_places(const void *a, const void *b)
{
    const struct place *one = a;
    const struct place *other = b;
    if (one->turn != other->turn)
        return one->turn < other->turn ? -1 : 1;
    return (one->entry > other->entry) - (one->entry < other->entry);
}

/* Leaders come in another order each time: silent ones in front must not keep the last one waiting for
 * ever. A product with an odd number is another one for each leader. */
static struct place *
place_entries(struct kafka_client *client, const rd_kafka_topic_partition_list_t *list,
    kafka_leader_of *leader_of, size_t *count)
{
    struct place *places = alloc_array((size_t)list->cnt + 1, sizeof(*places));
    uint32_t order = (2 * client->rounds++ + 1) * UINT32_C(2654435769);
    *count = 0;
    for (int i = 0; i < list->cnt; i++) {
        if (list->elems[i].offset == RD_KAFKA_OFFSET_INVALID)
            continue;
        int32_t leader = leader_of == NULL ? -1 : leader_of(&list->elems[i]);
        places[(*count)++] =
            (struct place){.leader = leader, .turn = ((uint32_t)leader + 1) * order, .entry = i};
    }
    qsort(places, *count, sizeof(*places), compare_places);
    return places;
}

/* Why something has no answer: what the connection said when somebody must act, else who did not answer, or
 * what was answered. */
static bool
tell(struct asking *asking, struct error *err)
{
    (void)kafka_client_fail(asking->client, asking->code, err);
    bool is_silent = is_silence(asking->code);
    if (err->code != ERROR_REMOTE || (is_silent && asking->first.leader < 0))
        return false;
    const rd_kafka_topic_partition_t *entry = &asking->list->elems[asking->first.entry];
    const char *address = asking->client->address;
    char others[40] = "";
    if (asking->unanswered > 1)
        (void)snprintf(others, sizeof(others), " and %zu more", asking->unanswered - 1);
    if (is_silent)
        return error_set(err, ERROR_REMOTE, "%s[%d]%s on %s: broker %d does not answer",
            entry->topic, entry->partition, others, address, asking->first.leader);
    return error_set(err, ERROR_REMOTE, "%s[%d]%s on %s: %s", entry->topic, entry->partition,
        others, address, rd_kafka_err2str(asking->code));
}

bool
kafka_offsets_ask(struct kafka_client *client, rd_kafka_topic_partition_list_t *list,
    kafka_leader_of *leader_of, int timeout_ms, struct error *err)
{
    struct asking asking = {
        .client = client,
        .list = list,
        .deadline_ns = clock_monotonic_ns() + timeout_ms * NS_PER_MS,
    };
    size_t count;
    struct place *places = place_entries(client, list, leader_of, &count);
    bool is_one = count == 0 || count_of_first_leader(places, count) == count;
    asking.limit_ms = is_one || timeout_ms < TURN_MS ? timeout_ms : TURN_MS;
    for (size_t at = 0; at < count; at += ENTRIES_MAX)
        ask_places(&asking, places + at, count - at < ENTRIES_MAX ? count - at : ENTRIES_MAX);
    free(places);
    return asking.unanswered == 0 || tell(&asking, err);
}
