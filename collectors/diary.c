#include "collectors/diary.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "index/batch.h"
#include "index/event.h"
#include "index/hole.h"
#include "index/tape_writer.h"

/* One internal stream. `lost_from` is the first offset of a loss that no hole tells of yet; -1: none. */
struct diary_lane {
    const struct stream *stream;
    int64_t next;
    int64_t lost_from;
};

/* All of it is guarded by `lock`. `batch` is what is being filled, or NULL. */
struct diary {
    struct diary_options options;
    pthread_mutex_t lock;
    struct batch *batch;
    struct diary_lane *lanes; /* a few for each tap */
    size_t lane_count;
    size_t lane_capacity;
    uint64_t lost;
};

struct diary *
diary_new(const struct diary_options *options)
{
    struct diary *diary = alloc_zeroed(sizeof(*diary));
    diary->options = *options;
    (void)pthread_mutex_init(&diary->lock, NULL);
    return diary;
}

void
diary_free(struct diary *diary)
{
    if (diary == NULL)
        return;
    batch_release(diary->batch);
    free(diary->lanes);
    (void)pthread_mutex_destroy(&diary->lock);
    free(diary);
}

static struct diary_lane *
lane_of(struct diary *diary, const struct diary_entry *entry)
{
    struct tape_writer *writer = diary->options.writer;
    const struct stream *stream = tape_writer_stream(writer, entry->tap, entry->stream);
    for (size_t i = 0; i < diary->lane_count; i++)
        if (diary->lanes[i].stream == stream)
            return &diary->lanes[i];
    diary->lanes =
        alloc_grow(diary->lanes, diary->lane_count, &diary->lane_capacity, sizeof(*diary->lanes));
    struct diary_lane *lane = &diary->lanes[diary->lane_count++];
    *lane = (struct diary_lane){
        .stream = stream, .next = tape_writer_checkpoint(writer, stream, 0) + 1, .lost_from = -1};
    return lane;
}

/* Call with the lock. */
static bool
hand_over(struct diary *diary, int timeout_ms)
{
    return diary->batch == NULL ||
           diary->options.push(diary->options.push_self, &diary->batch, timeout_ms);
}

static void
lose(struct diary *diary, struct diary_lane *lane)
{
    if (lane->lost_from < 0)
        lane->lost_from = lane->next;
    lane->next++;
    diary->lost++;
}

static void
tell_loss(struct diary *diary, struct diary_lane *lane)
{
    struct hole hole = {.stream_id = lane->stream->id,
        .from = lane->lost_from,
        .to = lane->next - 1,
        .reason = HOLE_DROPPED,
        .noticed_ns = clock_now_ns()};
    batch_add_hole(diary->batch, &hole);
    lane->lost_from = -1;
}

static bool
add(struct diary *diary, struct diary_lane *lane, const struct diary_entry *entry)
{
    if (diary->batch != NULL && batch_is_full(diary->batch) && !hand_over(diary, 0))
        return false;
    if (diary->batch == NULL) {
        diary->batch = batch_new();
        batch_set_internal(diary->batch);
    }
    if (lane->lost_from >= 0)
        tell_loss(diary, lane);
    struct event event = {.stream = lane->stream,
        .offset = lane->next,
        .offset_is_synthetic = true,
        .time_type = TIME_CREATE,
        .time_ns = entry->when_ns,
        .received_ns = clock_now_ns(),
        .key = entry->key,
        .payload = entry->payload};
    struct error ignored; /* it is too large: as lost as any other */
    if (!batch_add(diary->batch, &event, &ignored))
        return false;
    lane->next++;
    return true;
}

bool
diary_write(struct diary *diary, const struct diary_entry *entry)
{
    (void)pthread_mutex_lock(&diary->lock);
    struct diary_lane *lane = lane_of(diary, entry);
    bool is_written = add(diary, lane, entry);
    if (!is_written)
        lose(diary, lane);
    (void)pthread_mutex_unlock(&diary->lock);
    return is_written;
}

bool
diary_flush(struct diary *diary, int timeout_ms)
{
    (void)pthread_mutex_lock(&diary->lock);
    bool is_done = hand_over(diary, timeout_ms);
    (void)pthread_mutex_unlock(&diary->lock);
    return is_done;
}

uint64_t
diary_lost(struct diary *diary)
{
    (void)pthread_mutex_lock(&diary->lock);
    uint64_t lost = diary->lost;
    (void)pthread_mutex_unlock(&diary->lock);
    return lost;
}
