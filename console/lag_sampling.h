/* lag_sampling.h - the watchers of consumer groups of a recorder: one for each tap of Kafka.
 *
 *     sampling = lag_sampling_new();                    before the recorder, which asks for rows
 *     lag_sampling_start(sampling, &options, &err);     once it runs
 *     lag_sampling_stop(sampling);                      before it stops: nothing is written any more
 *     lag_sampling_free(sampling);                      after it has stopped
 *
 * Threads: one thread calls them in this order; lag_sampling_rows() and lag_sampling_unseen() may be called from any.
 */
#ifndef CONSOLE_LAG_SAMPLING_H
#define CONSOLE_LAG_SAMPLING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct groups_sample;
struct lag_rules;
struct lag_sampling;
struct live_group;
struct recorder;
struct recorder_tap;

#define LAG_SAMPLING_INTERVAL_NS (INT64_C(5) * 1000000000)

struct lag_sampling_options {
    struct recorder *recorder;
    const struct recorder_tap *taps; /* those of the recorder, in its order; outlive the sampling */
    size_t tap_count;
    const char *directory;
    const char *pattern; /* of groups; NULL: all */
    int64_t interval_ns; /* 0: LAG_SAMPLING_INTERVAL_NS */

    /* As in struct lag_sampler_options; all NULL as a rule. */
    const struct lag_rules *rules;
    bool (*sample)(void *self, struct groups_sample *sample, struct error *err);
    void *sample_self;
};

struct lag_sampling *lag_sampling_new(void);

/* Start a sampler for each tap of Kafka. False with the reason when one cannot be started; the others
 * go on. */
bool lag_sampling_start(
    struct lag_sampling *sampling, const struct lag_sampling_options *options, struct error *err);

/* recorder_options.groups with the sampling as `self`. */
uint32_t lag_sampling_rows(void *self, struct live_group *rows, uint32_t limit);

/* How many groups no sample asked about of late, all taps together. */
uint32_t lag_sampling_unseen(void *self);

/* End the threads, within a second. */
void lag_sampling_stop(struct lag_sampling *sampling);

/* NULL is allowed. */
void lag_sampling_free(struct lag_sampling *sampling);

#endif
