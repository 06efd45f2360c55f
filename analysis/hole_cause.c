#include "analysis/hole_cause.h"

#include <assert.h>
#include <stdbool.h>

#include "base/alloc.h"

const char *
hole_cause_text(enum hole_cause cause)
{
    switch (cause) {
    case HOLE_CAUSE_ABORTED:
        return "ABORTED";
    case HOLE_CAUSE_NO_EVENT:
        return "NO_EVENT";
    case HOLE_CAUSE_DELETED:
        return "DELETED";
    case HOLE_CAUSE_NOT_RECORDED:
        return "NOT_RECORDED";
    case HOLE_CAUSE_UNDECIDED:
        return "UNDECIDED";
    case HOLE_CAUSE_UNKNOWN:
        return "UNKNOWN";
    }
    return "UNKNOWN";
}

const char *
hole_cause_words(enum hole_cause cause)
{
    switch (cause) {
    case HOLE_CAUSE_ABORTED:
        return "aborted";
    case HOLE_CAUSE_NO_EVENT:
        return "control record or compacted";
    case HOLE_CAUSE_DELETED:
        return "deleted by retention";
    case HOLE_CAUSE_NOT_RECORDED:
        return "there now, not recorded";
    case HOLE_CAUSE_UNDECIDED:
        return "in a transaction that is open";
    case HOLE_CAUSE_UNKNOWN:
        return "unknown";
    }
    return "unknown";
}

/* Whether `offset` is in the set, and how far that goes on; *to is only made smaller. */
static bool
is_in(const struct offset_ranges *ranges, int64_t offset, int64_t *to)
{
    const struct offset_range *range = offset_ranges_from(ranges, offset);
    bool is_there = range != NULL && range->first <= offset;
    int64_t last = is_there ? range->last : range != NULL ? range->first - 1 : INT64_MAX;
    *to = last < *to ? last : *to;
    return is_there;
}

/* True in front of `border`, up to which that goes on. */
static bool
is_before(int64_t border, int64_t offset, int64_t *to)
{
    if (offset >= border)
        return false;
    *to = border - 1 < *to ? border - 1 : *to;
    return true;
}

static enum hole_cause
judge_at(const struct hole_evidence *evidence, int64_t offset, int64_t *to)
{
    if (evidence->log_start < 0)
        return HOLE_CAUSE_UNKNOWN;
    if (is_before(evidence->log_start, offset, to))
        return HOLE_CAUSE_DELETED;
    if (!is_before(evidence->end, offset, to))
        return HOLE_CAUSE_UNKNOWN;
    if (is_in(evidence->committed, offset, to))
        return HOLE_CAUSE_NOT_RECORDED;
    bool is_decided = is_before(evidence->stable_end, offset, to);
    bool was_asked = is_before(evidence->committed_to + 1, offset, to);
    if (is_in(evidence->all, offset, to))
        return !is_decided ? HOLE_CAUSE_UNDECIDED
               : was_asked ? HOLE_CAUSE_ABORTED
                           : HOLE_CAUSE_UNKNOWN;
    return is_before(evidence->all_to + 1, offset, to) ? HOLE_CAUSE_NO_EVENT : HOLE_CAUSE_UNKNOWN;
}

struct hole_span *
hole_cause_judge(const struct hole_evidence *evidence, int64_t from, int64_t to, size_t *count)
{
    assert(from <= to);
    struct hole_span *spans = NULL;
    size_t capacity = 0;
    *count = 0;
    for (int64_t at = from;;) {
        int64_t behind = to;
        enum hole_cause cause = judge_at(evidence, at, &behind);
        if (*count > 0 && spans[*count - 1].cause == cause) {
            spans[*count - 1].to = behind;
        } else {
            spans = alloc_grow(spans, *count, &capacity, sizeof(*spans));
            spans[(*count)++] = (struct hole_span){at, behind, cause};
        }
        if (behind == to)
            return spans;
        at = behind + 1;
    }
}
