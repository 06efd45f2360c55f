/* key_survey.h - how many keys a plan touches, and which of them would come to other partitions.
 *
 * Remembers a 64-bit hash per key, 24 bytes each; beyond KEY_SURVEY_MAX keys no new ones are
 * counted and the result is "at least".  Threads: one thread owns an instance.
 */
#ifndef REPLAY_KEY_SURVEY_H
#define REPLAY_KEY_SURVEY_H

#include <stdint.h>

#include "base/bytes.h"

struct key_survey;
struct plan_order;

#define KEY_SURVEY_MAX (UINT64_C(4) * 1024 * 1024)

struct key_survey *key_survey_new(void);
void key_survey_free(struct key_survey *survey);

/* An event with this key goes from `partition` to `target_partition`. */
void key_survey_add(
    struct key_survey *survey, struct bytes key, int32_t partition, int32_t target_partition);

/* What was seen so far. */
void key_survey_result(const struct key_survey *survey, struct plan_order *order);

#endif
