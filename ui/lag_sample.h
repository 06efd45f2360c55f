/* lag_sample.h - one event of the stream @lag: how far a consumer group was behind in one stream.
 *
 * The payload is the JSON object "lag" of tapedeck-json(7). It comes from a tape that anybody may have
 * made: every member may be missing, of another type or out of range, and is unknown then, never 0.
 * Threads: none of its own.
 */
#ifndef UI_LAG_SAMPLE_H
#define UI_LAG_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analysis/lag.h"
#include "base/bytes.h"
#include "ui/canvas.h"

struct json_t;

/* Larger payloads, and partitions beyond this many, are not looked at. */
#define LAG_SAMPLE_MAX_BYTES ((size_t)8 * 1024 * 1024)
#define LAG_SAMPLE_MAX_LANES 20000u

/* One partition. Numbers below 0 are unknown; texts are "" when there is none. */
struct lag_lane {
    int32_t partition;
    enum lag_state state;
    int64_t committed;
    int64_t lag;
    double seconds;
    const char *member;
    const char *reason;
};

/* Zero-initialise it, decode into it as often as wanted, end it with lag_sample_done(). Texts and lanes
 * live until the next decoding. */
struct lag_sample {
    const char *group;
    const char *stream;
    enum lag_state state;
    const char *reason;
    const char *next;
    int64_t lag;
    double seconds;
    double in_rate;
    double out_rate;
    double drain_seconds;
    double retention_seconds;
    int64_t members;
    struct lag_lane *lanes;
    size_t lane_count;
    size_t lane_capacity;
    struct json_t *root;
};

/* False, and an empty sample, when it is no JSON object with a group and a stream. */
bool lag_sample_decode(struct lag_sample *sample, struct bytes payload);
void lag_sample_done(struct lag_sample *sample);

/* The sign, the word and the role that a state has on every screen; the word is its name in JSON. */
struct lag_face {
    const char *word;
    uint32_t sign;
    enum role role;
};
const struct lag_face *lag_face_of(enum lag_state state);

/* WARN and everything that asks for more attention. */
bool lag_is_problem(enum lag_state state);

#endif
