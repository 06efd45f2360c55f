#include "index/tape_behind.h"

#include <stddef.h>

#include "base/bytes.h"
#include "index/catalogue.h"
#include "index/lanes.h"
#include "index/tape_internal.h"

void
tape_behind_done(struct tape_behind *behind)
{
    lanes_free(behind->lanes);
    *behind = (struct tape_behind){0};
}

struct learning {
    struct tape_behind *behind;
    struct tape *tape;
    const struct catalogue *catalogue;
    uint64_t first_id; /* rows before it are of no interest */
};

/* Of catalogue_each(), which comes to the newest last. */
static void
take_row(void *self, const struct catalogue_row *row)
{
    const struct learning *learning = self;
    struct tape_behind *behind = learning->behind;
    if (row->info.id < learning->first_id)
        return;
    struct lanes *lanes = catalogue_row_lanes(bytes_make(row->content.data, row->content.length));
    if (lanes != NULL && catalogue_define_streams(learning->catalogue, row, learning->tape)) {
        if (behind->lanes == NULL)
            behind->lanes = lanes_new();
        lanes_merge(behind->lanes, lanes);
        behind->end_seq = row->info.end_seq;
        behind->id = row->info.id;
    }
    lanes_free(lanes);
}

void
tape_behind_learn(struct tape_behind *behind, struct tape *tape, const struct catalogue *catalogue)
{
    struct learning learning = {.behind = behind, .tape = tape, .catalogue = catalogue};
    for (size_t i = 0; i < tape_part_count(tape); i++) {
        const struct part *part = tape_part(tape, i);
        uint64_t next = part->is_salvaged ? part->id : part->id + 1;
        learning.first_id = next > learning.first_id ? next : learning.first_id;
    }
    catalogue_each(catalogue, take_row, &learning);
}
