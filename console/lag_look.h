/* lag_look.h - samples of a broker's groups and the verdicts on them, for `lag` and `stuck`.
 *
 * Threads: one owner.
 */
#ifndef CONSOLE_LAG_LOOK_H
#define CONSOLE_LAG_LOOK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analysis/lag.h"

struct error;
struct group_lane;
struct group_state;
struct groups_broker;
struct groups_sample;
struct invocation;
struct lag_look;
struct recorder_tap;
struct stream;

struct lag_look_options {
    const struct recorder_tap *tap; /* its url and properties; name NULL: a URL without a tap */
    const char *group;              /* NULL: all */
    const char *directory;          /* a tape that may hold the topics; NULL: none */
    struct lag_rules rules;

    /* As in struct groups_broker_options. */
    const char *pattern;
    size_t groups_at_a_time;
    int wait_ms;
    const atomic_bool *is_cancelled;

    /* Where samples come from instead of a broker that is asked for them; NULL: from the broker. */
    bool (*sample)(void *self, struct groups_sample *sample, struct error *err);
    void *sample_self;
};

/* NULL with the reason; nothing is connected yet. What `options` points to must outlive it. */
struct lag_look *lag_look_open(const struct lag_look_options *options, struct error *err);
void lag_look_close(struct lag_look *look);

/* Go on with what the tap's properties are now; what was seen before stays. */
void lag_look_renew(struct lag_look *look);

/* Does the newest sample have all topics that the URL names? False with ERROR_LIMIT that names the first that it has not: a name
 * that is mistyped must not look like one without groups. */
bool lag_look_has_topics(const struct lag_look *look, struct error *err);

/* Take one more sample. False when the broker gave none; what was seen before stays. */
bool lag_look_again(struct lag_look *look, struct error *err);

/* The newest sample; NULL before the first. */
const struct groups_sample *lag_look_sample(const struct lag_look *look);

/* The stream of the tape that is the topic, or NULL: nothing of it was recorded. */
const struct stream *lag_look_stream(const struct lag_look *look, const char *topic);

/* NULL where samples come from elsewhere. */
struct groups_broker *lag_look_broker(struct lag_look *look);

/* A group on one stream, with the verdict on each partition (count of them) and on all together. */
struct lag_flow {
    const char *tap; /* NULL: a URL without a tap */
    const struct group_state *group;
    const struct group_lane *lanes;
    size_t count;
    const struct lag_verdict *lane_verdicts;
    struct lag_verdict verdict;
    int64_t sampled_ns;
};

/* Walk the flows of the newest sample; `flow` lives during the call. */
void lag_look_flows(
    struct lag_look *look, void (*take)(void *self, const struct lag_flow *flow), void *self);

/* The taps a command is to look at: the URL that was given, or the configured ones of Kafka,
 * or those of the recorder that runs. */
struct lag_taps;
struct lag_taps *lag_taps_find(const struct invocation *invocation, struct error *err);
size_t lag_taps_count(const struct lag_taps *taps);
const struct recorder_tap *lag_taps_at(const struct lag_taps *taps, size_t index);
/* The tape to look things up on; NULL: a URL was given and no --tape, so that no tape is known to
 * be of that broker. */
const char *lag_taps_directory(const struct lag_taps *taps);
void lag_taps_free(struct lag_taps *taps);

#endif
