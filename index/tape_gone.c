#include "index/tape_gone.h"

#include "base/bytes.h"
#include "base/error.h"
#include "index/catalogue.h"
#include "index/lanes.h"
#include "index/tape.h"
#include "index/tape_internal.h"

void
tape_gone_done(struct tape_gone *gone)
{
    lanes_free(gone->lanes);
    *gone = (struct tape_gone){0};
}

struct learning {
    struct tape_gone *gone;
    struct tape *tape;
    const struct catalogue *catalogue;
    uint64_t first_id; /* at the end: rows before it are of no interest */
    struct part *const *parts;
    size_t count;
};

/* False when the catalogue's row cannot be understood. */
static bool
take_lanes(const struct learning *learning, const struct catalogue_row *row)
{
    struct tape_gone *gone = learning->gone;
    struct lanes *lanes = catalogue_row_lanes(bytes_make(row->content.data, row->content.length));
    bool is_known =
        lanes != NULL && catalogue_define_streams(learning->catalogue, row, learning->tape);
    if (is_known) {
        if (gone->lanes == NULL)
            gone->lanes = lanes_new();
        lanes_merge(gone->lanes, lanes);
    }
    lanes_free(lanes);
    return is_known;
}

/* ---- at the end ---- */

/* Of catalogue_each(), which comes to the newest last. */
static void
take_newer(void *self, const struct catalogue_row *row)
{
    const struct learning *learning = self;
    if (row->info.id < learning->first_id || !take_lanes(learning, row))
        return;
    learning->gone->end_seq = row->info.end_seq;
    learning->gone->id = row->info.id;
}

void
tape_gone_learn_end(struct tape_gone *gone, struct tape *tape, const struct catalogue *catalogue)
{
    struct learning learning = {.gone = gone, .tape = tape, .catalogue = catalogue};
    for (size_t i = 0; i < tape_part_count(tape); i++) {
        const struct part *part = tape_part(tape, i);
        uint64_t next = part->is_salvaged ? part->id : part->id + 1;
        learning.first_id = next > learning.first_id ? next : learning.first_id;
    }
    catalogue_each(catalogue, take_newer, &learning);
}

/* ---- between ---- */

static bool
is_missing(enum part_gap gap)
{
    return gap == PART_GAP_GONE || gap == PART_GAP_DAMAGED;
}

/* Had the segment seqs that are missing in front of a part? */
static bool
is_in_gap(const struct learning *learning, const struct segment_info *info)
{
    uint64_t first_seq = 0;
    for (size_t i = 0; i < learning->count; i++) {
        const struct part *part = learning->parts[i];
        if (is_missing(part->gap) && info->first_seq < part->first_seq && info->end_seq > first_seq)
            return true;
        first_seq = part->end_seq;
    }
    return false;
}

/* Of catalogue_each(). */
static void
take_between(void *self, const struct catalogue_row *row)
{
    const struct learning *learning = self;
    if (is_in_gap(learning, &row->info))
        (void)take_lanes(learning, row);
}

void
tape_gone_learn_between(
    struct tape_gone *gone, struct tape *tape, struct part *const *parts, size_t count)
{
    enum part_gap gap = PART_NO_GAP;
    for (size_t i = 0; i < count && gap == PART_NO_GAP; i++)
        gap = is_missing(parts[i]->gap) ? parts[i]->gap : PART_NO_GAP;
    struct error ignored; /* without it they are not known */
    struct catalogue *catalogue =
        gap == PART_NO_GAP ? NULL : catalogue_read(tape_directory(tape), &ignored);
    if (catalogue == NULL)
        return;
    struct learning learning = {
        .gone = gone, .tape = tape, .catalogue = catalogue, .parts = parts, .count = count};
    catalogue_each(catalogue, take_between, &learning);
    catalogue_free(catalogue);
    if (!is_missing(gone->gap))
        gone->gap = gap;
}
