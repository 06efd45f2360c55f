#include "console/lag_sampling.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "collectors/diary.h"
#include "collectors/recorder.h"
#include "console/lag_book.h"
#include "console/lag_sampler.h"
#include "console/log.h"
#include "index/live.h"

/* One tap of Kafka; `tap` is the recorder's, with the name that the recorder gave it. */
struct sampled_tap {
    struct recorder_tap tap;
    char *name;
    struct lag_sampler *sampler;
};

/* Samplers below `count` are whole: stored with release, loaded with acquire. */
struct lag_sampling {
    struct sampled_tap taps[LIVE_TAPS];
    atomic_size_t count;
};

struct lag_sampling *
lag_sampling_new(void)
{
    return alloc_zeroed(sizeof(struct lag_sampling));
}

static bool
note(void *self, const struct diary_entry *entry)
{
    return recorder_note(self, entry);
}

static void
flush(void *self)
{
    recorder_flush_notes(self);
}

static void
tell(void *self, const char *tap, const char *text)
{
    (void)self;
    struct buffer pairs = {0};
    log_add_text(&pairs, "tap", tap);
    log_add_text(&pairs, "groups", text);
    log_say("warn", &pairs);
    buffer_done(&pairs);
}

static bool
start_one(struct lag_sampling *sampling, const struct lag_sampling_options *options,
    const struct recorder_tap *tap, const char *name, struct error *err)
{
    size_t count = atomic_load(&sampling->count);
    struct sampled_tap *sampled = &sampling->taps[count];
    sampled->name = alloc_text(name);
    sampled->tap = *tap;
    sampled->tap.name = sampled->name;
    sampled->sampler =
        lag_sampler_start(&(struct lag_sampler_options){.tap = &sampled->tap,
                              .directory = options->directory,
                              .pattern = options->pattern,
                              .interval_ns = options->interval_ns > 0 ? options->interval_ns
                                                                      : LAG_SAMPLING_INTERVAL_NS,
                              .rules = options->rules,
                              .sample = options->sample,
                              .sample_self = options->sample_self,
                              .note = note,
                              .flush = flush,
                              .note_self = options->recorder,
                              .tell = tell},
            err);
    if (sampled->sampler == NULL) {
        free(sampled->name);
        return error_wrap(err, "tap '%.60s': its consumer groups are not watched", name);
    }
    atomic_store_explicit(&sampling->count, count + 1, memory_order_release);
    return true;
}

bool
lag_sampling_start(
    struct lag_sampling *sampling, const struct lag_sampling_options *options, struct error *err)
{
    struct live_status *status = alloc_zeroed(sizeof(*status));
    recorder_status(options->recorder, status);
    bool is_well = true;
    for (size_t i = 0; i < options->tap_count && i < status->tap_count; i++)
        if (strncmp(options->taps[i].url, "kafka://", strlen("kafka://")) == 0)
            is_well = start_one(sampling, options, &options->taps[i], status->taps[i].name, err) &&
                      is_well;
    free(status);
    return is_well;
}

uint32_t
lag_sampling_rows(void *self, struct live_group *rows, uint32_t limit)
{
    struct lag_sampling *sampling = self;
    size_t count = atomic_load_explicit(&sampling->count, memory_order_acquire);
    if (count == 1)
        return lag_sampler_rows(sampling->taps[0].sampler, rows, limit);
    struct live_group *all = alloc_array(count * limit + 1, sizeof(*all));
    size_t have = 0;
    for (size_t i = 0; i < count; i++)
        have += lag_sampler_rows(sampling->taps[i].sampler, all + have, limit);
    lag_book_sort_rows(all, have);
    uint32_t copied = have < limit ? (uint32_t)have : limit;
    memcpy(rows, all, copied * sizeof(*rows));
    free(all);
    return copied;
}

uint32_t
lag_sampling_unseen(void *self)
{
    struct lag_sampling *sampling = self;
    size_t count = atomic_load_explicit(&sampling->count, memory_order_acquire);
    uint32_t unseen = 0;
    for (size_t i = 0; i < count; i++)
        unseen += lag_sampler_unseen(sampling->taps[i].sampler);
    return unseen;
}

void
lag_sampling_stop(struct lag_sampling *sampling)
{
    size_t count = atomic_load(&sampling->count);
    for (size_t i = 0; i < count; i++)
        lag_sampler_cancel(sampling->taps[i].sampler);
    for (size_t i = 0; i < count; i++)
        lag_sampler_stop(sampling->taps[i].sampler);
}

void
lag_sampling_free(struct lag_sampling *sampling)
{
    if (sampling == NULL)
        return;
    size_t count = atomic_load(&sampling->count);
    for (size_t i = 0; i < count; i++) {
        lag_sampler_free(sampling->taps[i].sampler);
        free(sampling->taps[i].name);
    }
    free(sampling);
}
