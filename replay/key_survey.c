#include "replay/key_survey.h"

#include <stdbool.h>
#include <stdlib.h>
#include <xxhash.h>

#include "base/alloc.h"
#include "replay/plan.h"

#define FIRST_SLOTS 1024u

struct key {
    uint64_t hash;
    int32_t target; /* where its first event goes */
    bool used;
    bool moved;
    bool split;
};

/* An open table, a power of two of slots, at most half full. */
struct key_survey {
    struct key *slots;
    size_t slot_count;
    struct plan_order order;
};

struct key_survey *
key_survey_new(void)
{
    struct key_survey *survey = alloc_zeroed(sizeof(*survey));
    survey->slot_count = FIRST_SLOTS;
    survey->slots = alloc_zeroed(FIRST_SLOTS * sizeof(survey->slots[0]));
    survey->order.keys_complete = true;
    return survey;
}

void
key_survey_free(struct key_survey *survey)
{
    if (survey == NULL)
        return;
    free(survey->slots);
    free(survey);
}

static struct key *
find(struct key *slots, size_t slot_count, uint64_t hash)
{
    size_t at = (size_t)hash & (slot_count - 1);
    while (slots[at].used && slots[at].hash != hash)
        at = (at + 1) & (slot_count - 1);
    return &slots[at];
}

static void
grow(struct key_survey *survey)
{
    size_t wanted = survey->slot_count * 2;
    struct key *slots = alloc_zeroed(wanted * sizeof(slots[0]));
    for (size_t i = 0; i < survey->slot_count; i++)
        if (survey->slots[i].used)
            *find(slots, wanted, survey->slots[i].hash) = survey->slots[i];
    free(survey->slots);
    survey->slots = slots;
    survey->slot_count = wanted;
}

void
key_survey_add(
    struct key_survey *survey, struct bytes key, int32_t partition, int32_t target_partition)
{
    struct plan_order *order = &survey->order;
    bool moves = partition != target_partition;
    order->moved_events += moves;
    if (key.data == NULL) {
        order->null_keys++;
        return;
    }

    uint64_t hash = XXH3_64bits(key.data, key.length);
    struct key *slot = find(survey->slots, survey->slot_count, hash);
    if (!slot->used) {
        if (order->keys >= KEY_SURVEY_MAX) {
            order->keys_complete = false;
            return;
        }
        order->keys++;
        *slot = (struct key){.hash = hash, .target = target_partition, .used = true};
    }
    if (moves && !slot->moved)
        order->moved_keys++;
    if (slot->target != target_partition && !slot->split) {
        order->split_keys++;
        slot->split = true;
    }
    slot->moved = slot->moved || moves;
    if (order->keys * 2 > survey->slot_count)
        grow(survey);
}

void
key_survey_result(const struct key_survey *survey, struct plan_order *order)
{
    *order = survey->order;
}
