#include "console/lag_book.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/sorted.h"
#include "collectors/groups_sample.h"
#include "console/lag_look.h"

/* How long the JSON of a flow is as a rule, until it was written once. */
#define BYTES_OF_FLOW 400
#define BYTES_OF_LANE 230

/* One group on one stream. `figures` is a digest of all that a change of is worth an event. */
struct entry {
    char *group;
    char *stream;
    enum lag_state state;
    uint64_t figures;
    int64_t seen_ns;
    size_t bytes;
    int64_t written_ns; /* 0: never */
    enum lag_state written_state;
    uint64_t written_figures;
    int64_t written_waits_ns;
    bool is_chosen;
    struct live_group row;
};

/* Sorted by group and stream. `left` of the last budget; below 0: what was written was more, which the next one pays. */
struct lag_book {
    struct entry *entries;
    size_t count;
    size_t capacity;
    int64_t left;
};

struct lag_book *
lag_book_new(void)
{
    return alloc_zeroed(sizeof(struct lag_book));
}

void
lag_book_free(struct lag_book *book)
{
    if (book == NULL)
        return;
    for (size_t i = 0; i < book->count; i++) {
        free(book->entries[i].group);
        free(book->entries[i].stream);
    }
    free(book->entries);
    free(book);
}

static int
compare(const void *a, const void *b)
{
    const struct lag_flow *flow = a;
    const struct entry *entry = b;
    int order = strcmp(flow->group->name, entry->group);
    return order != 0 ? order : strcmp(flow->lanes[0].topic, entry->stream);
}

/* Where the flow is, or where it would be put. */
static bool
find(const struct lag_book *book, const struct lag_flow *flow, size_t *at)
{
    return sorted_find(flow, book->entries, book->count, sizeof(*book->entries), compare, at);
}

static struct entry *
entry_of(struct lag_book *book, const struct lag_flow *flow)
{
    size_t at;
    if (find(book, flow, &at))
        return &book->entries[at];
    book->entries = alloc_grow(book->entries, book->count, &book->capacity, sizeof(*book->entries));
    memmove(
        &book->entries[at + 1], &book->entries[at], (book->count - at) * sizeof(*book->entries));
    book->count++;
    book->entries[at] = (struct entry){.group = alloc_text(flow->group->name),
        .stream = alloc_text(flow->lanes[0].topic),
        .bytes = BYTES_OF_FLOW + BYTES_OF_LANE * flow->count,
        .row = {.committed = -1}};
    return &book->entries[at];
}

/* FNV-1a over 64-bit words; a collision only delays an event. */
static uint64_t
mix(uint64_t digest, int64_t value)
{
    return (digest ^ (uint64_t)value) * UINT64_C(0x100000001b3);
}

static uint64_t
digest(const struct lag_flow *flow)
{
    uint64_t sum = UINT64_C(0xcbf29ce484222325);
    sum = mix(sum, flow->group->member_count);
    for (size_t i = 0; i < flow->count; i++) {
        sum = mix(sum, flow->lanes[i].committed);
        sum = mix(sum, flow->lanes[i].end);
        sum = mix(sum, flow->lanes[i].log_start);
        sum = mix(sum, flow->lane_verdicts[i].state);
    }
    return sum;
}

/* The sum of what `value` reads over the partitions; -1 when one is unknown. */
static int64_t
sum_of(const struct lag_flow *flow, int64_t (*value)(const struct group_lane *lane))
{
    int64_t sum = 0;
    for (size_t i = 0; i < flow->count; i++) {
        int64_t one = value(&flow->lanes[i]);
        if (one < 0)
            return -1;
        sum += one;
    }
    return sum;
}

static int64_t
committed_of(const struct group_lane *lane)
{
    return lane->committed;
}

static int64_t
end_of(const struct group_lane *lane)
{
    return lane->end;
}

static void
fill_row(struct live_group *row, const struct lag_flow *flow, uint32_t stream_id)
{
    int64_t committed = sum_of(flow, committed_of);
    const struct lag_verdict *verdict = &flow->verdict;
    if (committed >= 0 && committed > row->committed)
        row->last_advance_ns = flow->sampled_ns;
    row->stream_id = stream_id;
    row->state = verdict->state;
    row->committed = committed;
    row->end = sum_of(flow, end_of);
    row->lag = verdict->lag;
    row->sampled_ns = flow->sampled_ns;
    row->waits_ns = verdict->seconds < 0 ? -1 : (int64_t)(verdict->seconds * (double)NS_PER_S);
    live_set_name(row->name, flow->group->name);
}

void
lag_book_see(struct lag_book *book, const struct lag_flow *flow, uint32_t stream_id)
{
    struct entry *entry = entry_of(book, flow);
    entry->state = flow->verdict.state;
    entry->figures = digest(flow);
    entry->seen_ns = flow->sampled_ns;
    entry->is_chosen = false;
    fill_row(&entry->row, flow, stream_id);
}

/* Groups that were not asked this time, or in part, may be there. */
static bool
is_gone(const struct entry *entry, const struct groups_sample *sample)
{
    if (entry->seen_ns == sample->sampled_ns)
        return false;
    const struct group_state *group = groups_sample_find(sample, entry->group);
    return group == NULL || group->problem[0] == '\0';
}

void
lag_book_miss(struct lag_book *book, const struct groups_sample *sample,
    bool (*take)(void *self, const char *group, const char *stream), void *self)
{
    if (sample->passed > 0 || sample->problem_count > 0)
        return;
    size_t kept = 0;
    for (size_t i = 0; i < book->count; i++) {
        struct entry *entry = &book->entries[i];
        if (is_gone(entry, sample) &&
            (entry->written_ns == 0 || take(self, entry->group, entry->stream))) {
            free(entry->group);
            free(entry->stream);
            continue;
        }
        book->entries[kept++] = *entry;
    }
    book->count = kept;
}

static bool
has_news(const struct entry *entry)
{
    return entry->written_ns == 0 || entry->state != entry->written_state;
}

/* What stands still gets older: what is on the tape of it is never much too young. */
static bool
has_aged(const struct entry *entry)
{
    return entry->row.waits_ns > entry->written_waits_ns + entry->written_waits_ns / 10;
}

static bool
is_due(const struct entry *entry, int64_t sampled_ns)
{
    return has_news(entry) || entry->figures != entry->written_figures || has_aged(entry) ||
           sampled_ns - entry->written_ns >= LAG_BOOK_WRITE_NS;
}

/* News before figures; of news what asks for most attention, of figures what waits longest. */
static int
compare_urgency(const void *a, const void *b)
{
    const struct entry *one = *(struct entry *const *)a;
    const struct entry *other = *(struct entry *const *)b;
    bool is_news = has_news(one);
    if (is_news != has_news(other))
        return is_news ? -1 : 1;
    if (is_news && one->state != other->state)
        return one->state > other->state ? -1 : 1;
    return (one->written_ns > other->written_ns) - (one->written_ns < other->written_ns);
}

void
lag_book_choose(struct lag_book *book, int64_t sampled_ns, size_t budget)
{
    struct entry **due = alloc_array(book->count + 1, sizeof(struct entry *));
    size_t count = 0;
    for (size_t i = 0; i < book->count; i++) {
        book->entries[i].is_chosen = false;
        if (book->entries[i].seen_ns == sampled_ns && is_due(&book->entries[i], sampled_ns))
            due[count++] = &book->entries[i];
    }
    qsort(due, count, sizeof(struct entry *), compare_urgency);
    book->left = (book->left < 0 ? book->left : 0) + (int64_t)budget;
    int64_t left = book->left;
    for (size_t i = 0; i < count && left > 0 && (i == 0 || (int64_t)due[i]->bytes <= left); i++) {
        due[i]->is_chosen = true;
        left -= (int64_t)due[i]->bytes;
    }
    free(due);
}

bool
lag_book_is_chosen(const struct lag_book *book, const struct lag_flow *flow)
{
    size_t at;
    return find(book, flow, &at) && book->entries[at].is_chosen;
}

void
lag_book_written(struct lag_book *book, const struct lag_flow *flow, size_t bytes)
{
    struct entry *entry = entry_of(book, flow);
    entry->written_ns = flow->sampled_ns;
    entry->written_state = entry->state;
    entry->written_figures = entry->figures;
    entry->written_waits_ns = entry->row.waits_ns;
    entry->bytes = bytes;
    entry->is_chosen = false;
    book->left -= (int64_t)bytes;
}

static int
compare_trouble(const void *a, const void *b)
{
    const struct live_group *one = a;
    const struct live_group *other = b;
    if (one->state != other->state)
        return one->state > other->state ? -1 : 1;
    return (one->lag < other->lag) - (one->lag > other->lag);
}

void
lag_book_sort_rows(struct live_group *rows, size_t count)
{
    qsort(rows, count, sizeof(*rows), compare_trouble);
}

uint32_t
lag_book_rows(struct lag_book *book, int64_t now_ns, struct live_group *rows, uint32_t limit)
{
    struct live_group *all = alloc_array(book->count + 1, sizeof(*all));
    size_t kept = 0;
    size_t count = 0;
    for (size_t i = 0; i < book->count; i++) {
        struct entry *entry = &book->entries[i];
        if (now_ns - entry->seen_ns > LAG_BOOK_FORGET_NS) {
            free(entry->group);
            free(entry->stream);
            continue;
        }
        if (entry->row.stream_id != UINT32_MAX)
            all[count++] = entry->row;
        book->entries[kept++] = *entry;
    }
    book->count = kept;
    lag_book_sort_rows(all, count);
    uint32_t copied = count < limit ? (uint32_t)count : limit;
    memcpy(rows, all, copied * sizeof(*rows));
    free(all);
    return copied;
}
