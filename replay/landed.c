#include "replay/landed.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/sorted.h"
#include "index/event.h"
#include "replay/plan.h"
#include "replay/provenance.h"
#include "replay/run_journal.h"
#include "replay/target_reader.h"

#define STEP_MS 100

struct landing {
    uint64_t index;
    int64_t offset;
    int32_t partition;
};

/* Sorted by index once the scan is over, each index once (its first place). */
struct landed {
    struct landing *rows;
    size_t count;
    size_t capacity;
    uint64_t *per_partition;
};

void
landed_free(struct landed *landed)
{
    if (landed == NULL)
        return;
    free(landed->rows);
    free(landed->per_partition);
    free(landed);
}

/* Where the part of a partition that may hold events in doubt begins, and add it to the reader. */
static bool
add_tail(const struct plan *plan, int32_t partition, struct run_journal *journal,
    struct target_reader *reader, struct error *err)
{
    const struct run_lane *lane = &run_journal_lanes(journal)[partition];
    int64_t first;
    int64_t end;
    if (lane->acknowledged >= plan->landing[partition])
        return true;
    if (!target_reader_offsets(reader, partition, &first, &end, err))
        return false;
    if (!lane->started) {
        run_journal_start(journal, partition, end);
        return true;
    }
    int64_t from = lane->acknowledged > 0 ? lane->last_offset + 1 : lane->start_offset;
    if (first > from)
        return error_set(err, ERROR_REFUSED,
            "'%s' partition %d begins at offset %" PRId64
            " now: what an interrupted run left from %" PRId64
            " on was deleted and cannot be told from what was never sent; make a new plan",
            plan->target.name, (int)partition, first, from);
    return target_reader_add(reader, partition, from, end, err);
}

static bool
add_tails(const struct plan *plan, struct run_journal *journal, struct target_reader *reader,
    struct error *err)
{
    for (int32_t i = 0; i < plan->preflight.partitions; i++)
        if (plan->landing[i] > 0 && !add_tail(plan, i, journal, reader, err))
            return false;
    return run_journal_sync(journal, err);
}

static void
note(struct landed *landed, const struct plan *plan, const struct event *event)
{
    struct provenance provenance;
    if (!provenance_parse(event, &provenance) || !bytes_equal_text(provenance.replay, plan->id) ||
        provenance.index >= plan->events)
        return;
    landed->rows =
        alloc_grow(landed->rows, landed->count, &landed->capacity, sizeof(landed->rows[0]));
    landed->rows[landed->count++] = (struct landing){
        .index = provenance.index, .offset = event->offset, .partition = event->partition};
}

static int
compare(const void *left, const void *right)
{
    const struct landing *a = left;
    const struct landing *b = right;
    int order = (a->index > b->index) - (a->index < b->index);
    return order != 0 ? order : (a->offset > b->offset) - (a->offset < b->offset);
}

static void
settle(struct landed *landed)
{
    size_t kept = 0;
    if (landed->count > 0)
        qsort(landed->rows, landed->count, sizeof(landed->rows[0]), compare);
    for (size_t i = 0; i < landed->count; i++) {
        if (kept > 0 && landed->rows[kept - 1].index == landed->rows[i].index)
            continue;
        landed->rows[kept++] = landed->rows[i];
        landed->per_partition[landed->rows[i].partition]++;
    }
    landed->count = kept;
}

struct landed *
landed_scan(const struct plan *plan, struct run_journal *journal, struct target_reader *reader,
    bool (*is_stopped)(void *self), void *self, struct error *err)
{
    struct landed *landed = alloc_zeroed(sizeof(*landed));
    landed->per_partition =
        alloc_zeroed((size_t)plan->preflight.partitions * sizeof(landed->per_partition[0]));
    if (!add_tails(plan, journal, reader, err))
        goto fail;

    while (true) {
        struct event event;
        switch (target_reader_next(reader, STEP_MS, &event, err)) {
        case TARGET_EVENT:
            note(landed, plan, &event);
            break;
        case TARGET_IDLE:
            if (is_stopped != NULL && is_stopped(self)) {
                error_set(err, ERROR_REFUSED, "stopped before anything was sent");
                goto fail;
            }
            break;
        case TARGET_END:
            settle(landed);
            return landed;
        case TARGET_FAILED:
            goto fail;
        }
    }

fail:
    landed_free(landed);
    return NULL;
}

uint64_t
landed_count(const struct landed *landed, int32_t partition)
{
    return landed->per_partition[partition];
}

uint64_t
landed_total(const struct landed *landed)
{
    return landed->count;
}

int64_t
landed_find(const struct landed *landed, uint64_t index)
{
    struct landing wanted = {.index = index, .offset = INT64_MIN};
    size_t at;
    (void)sorted_find(&wanted, landed->rows, landed->count, sizeof(*landed->rows), compare, &at);
    return at < landed->count && landed->rows[at].index == index ? landed->rows[at].offset : -1;
}
