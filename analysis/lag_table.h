/* lag_table.h - the recent past of every partition that any group reads.
 *
 * Threads: one owner.
 */
#ifndef ANALYSIS_LAG_TABLE_H
#define ANALYSIS_LAG_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "analysis/lag.h"

struct lag_table;

/* Points kept per partition: a quarter of an hour at one sample in 5 s, and much more of one that
 * stands, since points between two that say the same are left out. Where there are so many partitions
 * that all points together would be more than LAG_TABLE_POINTS (64 bytes each), fewer are kept of
 * each, down to LAG_POINTS_MIN. */
#define LAG_POINTS_MAX   180
#define LAG_POINTS_MIN   20
#define LAG_TABLE_POINTS 400000

struct lag_table *lag_table_new(void);
void lag_table_free(struct lag_table *table);

/* Add a point behind those of the partition. One that is not later than the last is left out. */
void lag_table_add(struct lag_table *table, const char *group, const char *stream,
    int32_t partition, const struct lag_point *point);

/* Forget partitions without a point since `before_ns`: their group or topic is gone. */
void lag_table_forget(struct lag_table *table, int64_t before_ns);

/* The points of a partition, oldest first; count 0 when there are none. They live until the next
 * lag_table_add(). */
const struct lag_point *lag_table_points(const struct lag_table *table, const char *group,
    const char *stream, int32_t partition, size_t *count);

#endif
