#include "ui/lag_row.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "index/event.h"

struct lag_row *
lag_row_new(const char *tap, struct bytes key)
{
    struct lag_row *row = alloc_zeroed(sizeof(*row));
    row->tap = alloc_text(tap);
    if (key.data != NULL) {
        row->key_memory = alloc_copy(key.data, key.length);
        row->key = bytes_make(row->key_memory, key.length);
    }
    row->at_ns = CLOCK_NONE;
    return row;
}

void
lag_row_free(struct lag_row *row)
{
    free(row->tap);
    free(row->key_memory);
    free(row->group);
    free(row->stream);
    free(row->reason);
    free(row->next);
    free(row);
}

void
lag_row_forget(struct lag_row *row)
{
    row->newest_slot = -1;
    for (size_t i = 0; i < LAG_SLOTS; i++) {
        row->lags[i] = -1.0F;
        row->ages[i] = -1.0F;
    }
}

/* A new slot is empty, and so are those that were skipped on the way to it. */
static void
move_slots(struct lag_row *row, int64_t slot)
{
    int64_t skipped = slot - row->newest_slot;
    if (skipped > (int64_t)LAG_SLOTS)
        skipped = LAG_SLOTS;
    for (int64_t i = 0; i < skipped; i++) {
        row->lags[(slot - i) % LAG_SLOTS] = -1.0F;
        row->ages[(slot - i) % LAG_SLOTS] = -1.0F;
    }
    row->newest_slot = slot;
}

void
lag_row_note_slot(struct lag_row *row, const struct lag_sample *sample, int64_t when_ns)
{
    int64_t slot = when_ns / LAG_SLOT_NS;
    if (slot > row->newest_slot)
        move_slots(row, slot);
    if (slot < 0 || slot <= row->newest_slot - (int64_t)LAG_SLOTS)
        return;
    float *lag = &row->lags[slot % LAG_SLOTS];
    float *age = &row->ages[slot % LAG_SLOTS];
    if ((float)sample->lag > *lag)
        *lag = (float)sample->lag;
    if ((float)sample->seconds > *age)
        *age = (float)sample->seconds;
}

/* Lanes share the bars when there are more of them: the worst of each share is drawn. */
static void
note_bars(struct lag_row *row, const struct lag_sample *sample)
{
    int64_t most = 0;
    size_t bars = sample->lane_count < LAG_BARS ? sample->lane_count : LAG_BARS;

    for (size_t i = 0; i < sample->lane_count; i++)
        if (sample->lanes[i].lag > most)
            most = sample->lanes[i].lag;
    memset(row->bars, -1, sizeof(row->bars));
    for (size_t i = 0; i < sample->lane_count; i++) {
        int8_t *bar = &row->bars[i * bars / sample->lane_count];
        int64_t lag = sample->lanes[i].lag;
        int level = most > 0 ? (int)((double)lag / (double)most * 8.0 + 0.5) : 0;
        if (lag > 0 && level == 0)
            level = 1;
        if (lag >= 0 && level > *bar)
            *bar = (int8_t)level;
    }
}

static void
replace_text(char **text, const char *with)
{
    if (*text != NULL && strcmp(*text, with) == 0)
        return;
    free(*text);
    *text = alloc_text(with);
}

void
lag_row_note_newest(struct lag_row *row, const struct lag_sample *sample, const struct event *event)
{
    row->seq = event->seq;
    row->at_ns = event->received_ns;
    row->is_gone = false;
    replace_text(&row->group, sample->group);
    if (row->stream == NULL || strcmp(row->stream, sample->stream) != 0) {
        replace_text(&row->stream, sample->stream);
        row->source = NULL;
        row->streams_seen = 0;
    }
    row->state = sample->state;
    replace_text(&row->reason, sample->reason);
    replace_text(&row->next, sample->next);
    row->lag = sample->lag;
    row->seconds = sample->seconds;
    row->in_rate = sample->in_rate;
    row->out_rate = sample->out_rate;
    row->drain_seconds = sample->drain_seconds;
    row->retention_seconds = sample->retention_seconds;
    row->members = sample->members;
    row->lane_count = sample->lane_count;
    note_bars(row, sample);
}

void
lag_row_note_gone(struct lag_row *row, const struct event *event)
{
    row->seq = event->seq;
    row->at_ns = event->received_ns;
    row->is_gone = true;
}

/* What was read in the slot itself. */
static float
slot_value(const struct lag_row *row, int64_t slot, bool in_seconds)
{
    if (slot < 0 || slot > row->newest_slot || slot <= row->newest_slot - (int64_t)LAG_SLOTS)
        return -1.0F;
    return in_seconds ? row->ages[slot % LAG_SLOTS] : row->lags[slot % LAG_SLOTS];
}

bool
lag_row_has_slot(const struct lag_row *row, int64_t slot)
{
    return slot_value(row, slot, false) >= 0.0F || slot_value(row, slot, true) >= 0.0F;
}

bool
lag_row_is_current(const struct lag_row *row, int64_t head_ns)
{
    return row->at_ns != CLOCK_NONE && !row->is_gone && head_ns - row->at_ns < LAG_WINDOW_NS;
}

enum lag_state
lag_row_state(const struct lag_row *row, int64_t head_ns)
{
    return head_ns - row->at_ns >= LAG_STALE_NS ? LAG_UNKNOWN : row->state;
}

float
lag_row_value(const struct lag_row *row, int64_t slot, bool in_seconds)
{
    for (int64_t back = 0; back < LAG_HOLD_SLOTS; back++) {
        float value = slot_value(row, slot - back, in_seconds);
        if (value >= 0.0F)
            return value;
        if (slot_value(row, slot - back, !in_seconds) >= 0.0F)
            break; /* it was sampled then, and this was not known */
    }
    return -1.0F;
}

bool
lag_row_has_ages(const struct lag_row *row)
{
    for (size_t i = 0; i < LAG_SLOTS; i++)
        if (row->ages[i] >= 0.0F)
            return true;
    return false;
}

static int
compare_numbers(double a, double b)
{
    return a < b ? 1 : a > b ? -1 : 0;
}

int
lag_row_compare(const struct lag_row *a, const struct lag_row *b, int64_t head_ns)
{
    enum lag_state state = lag_row_state(a, head_ns);
    int order = (int)lag_row_state(b, head_ns) - (int)state;
    if (order == 0 && lag_is_problem(state)) {
        order = compare_numbers(a->seconds, b->seconds);
        if (order == 0)
            order = compare_numbers((double)a->lag, (double)b->lag);
    }
    if (order == 0)
        order = strcmp(a->group, b->group);
    if (order == 0)
        order = strcmp(a->stream, b->stream);
    return order != 0 ? order : strcmp(a->tap, b->tap);
}
