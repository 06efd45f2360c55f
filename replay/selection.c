#include "replay/selection.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "index/query.h"
#include "index/tape.h"
#include "replay/plan.h"

/* So that a signal or a due event never waits long for a search. */
#define SELECTION_BUDGET 4096

struct selection {
    struct tape *tape;
    struct query *query;
    struct cursor *cursor;
};

struct selection *
selection_open(const char *tape, const char *query, int64_t now_ns, uint64_t first_seq,
    uint64_t end_seq, struct error *err)
{
    struct selection *selection = alloc_zeroed(sizeof(*selection));

    selection->query = query_compile(query, now_ns, NULL, err);
    if (selection->query == NULL)
        goto fail;
    selection->tape = tape_open(tape, err);
    if (selection->tape == NULL)
        goto fail;

    struct cursor_options options = {
        .query = selection->query,
        .order = CURSOR_BY_SEQ,
        .first_seq = first_seq,
        .end_seq = end_seq != 0 ? end_seq : tape_end_seq(selection->tape),
    };
    selection->cursor = cursor_new(selection->tape, &options);
    return selection;

fail:
    selection_close(selection);
    return NULL;
}

struct selection *
selection_of_plan(const struct plan *plan, const char *tape, struct error *err)
{
    struct selection *selection =
        selection_open(tape, plan->query, plan->made_ns, plan->first_seq, plan->end_seq, err);
    if (selection == NULL)
        return NULL;

    uint64_t first = tape_first_seq(selection->tape);
    uint64_t end = tape_end_seq(selection->tape);
    if (first <= plan->first_seq && plan->end_seq <= end)
        return selection;
    error_set(err, ERROR_REFUSED,
        "tape '%s' holds events %llu to %llu, the plan needs %llu to %llu; make a new plan", tape,
        (unsigned long long)first, (unsigned long long)end - (end > first),
        (unsigned long long)plan->first_seq, (unsigned long long)plan->end_seq - 1);
    selection_close(selection);
    return NULL;
}

void
selection_close(struct selection *selection)
{
    if (selection == NULL)
        return;
    if (selection->cursor != NULL)
        cursor_free(selection->cursor);
    if (selection->tape != NULL)
        tape_close(selection->tape);
    if (selection->query != NULL)
        query_free(selection->query);
    free(selection);
}

enum cursor_step
selection_next(struct selection *selection, struct event *event, struct error *err)
{
    enum cursor_step step;
    do
        step = cursor_next(selection->cursor, SELECTION_BUDGET, event, err);
    while (step == CURSOR_EVENT && event->stream->name[0] == '@');
    return step;
}

uint64_t
selection_gave_up(const struct selection *selection)
{
    return cursor_gave_up(selection->cursor);
}

struct tape *
selection_tape(const struct selection *selection)
{
    return selection->tape;
}

const struct query *
selection_query(const struct selection *selection)
{
    return selection->query;
}
