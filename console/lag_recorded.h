/* lag_recorded.h - what a recorder knows about consumer groups, read from its tape.
 *
 * The newest event of @lag for each group and stream: judged with the recorder's long past, and there
 * at once.  Threads: one owner.
 */
#ifndef CONSOLE_LAG_RECORDED_H
#define CONSOLE_LAG_RECORDED_H

#include <stddef.h>
#include <stdint.h>

struct lag_recorded;
struct lag_saved;

/* Each flow is on the tape at least once a minute, or a few where there are very many. */
#define LAG_RECORDED_BACK_NS (INT64_C(180) * 1000000000)

/* Read them, sorted by group and stream. `group`: only this one; NULL: all. NULL when no recorder holds the
 * tape in `directory`, its tape cannot be read, or it knows no such group. */
struct lag_recorded *lag_recorded_read(const char *directory, const char *group);
void lag_recorded_free(struct lag_recorded *recorded);

size_t lag_recorded_count(const struct lag_recorded *recorded);
const struct lag_saved *lag_recorded_at(const struct lag_recorded *recorded, size_t index);

/* How many groups the recorder did not ask about in that time, when there are more than it asks in one sample. */
uint32_t lag_recorded_unseen(const struct lag_recorded *recorded);

/* When the recorder last saw the groups. */
int64_t lag_recorded_sampled_ns(const struct lag_recorded *recorded);

#endif
