#include "analysis/lag_table.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/sorted.h"

struct series {
    char *group;
    char *stream;
    int32_t partition;
    size_t count;
    size_t capacity;
    struct lag_point *points; /* oldest first, at most LAG_POINTS_MAX */
};

/* Sorted by group, stream and partition: samples come in that order, so that what is new is
 * appended, as a rule. */
struct lag_table {
    struct series *series;
    size_t count;
    size_t capacity;
};

struct lag_table *
lag_table_new(void)
{
    return alloc_zeroed(sizeof(struct lag_table));
}

static void
free_series(struct series *series)
{
    free(series->group);
    free(series->stream);
    free(series->points);
}

void
lag_table_free(struct lag_table *table)
{
    if (table == NULL)
        return;
    for (size_t i = 0; i < table->count; i++)
        free_series(&table->series[i]);
    free(table->series);
    free(table);
}

struct series_key {
    const char *group;
    const char *stream;
    int32_t partition;
};

static int
compare(const void *a, const void *b)
{
    const struct series_key *key = a;
    const struct series *series = b;
    int order = strcmp(key->group, series->group);
    if (order == 0)
        order = strcmp(key->stream, series->stream);
    if (order == 0)
        order = (key->partition > series->partition) - (key->partition < series->partition);
    return order;
}

/* Where the partition is, or where it would be put. */
static bool
find(const struct lag_table *table, const char *group, const char *stream, int32_t partition,
    size_t *at)
{
    const struct series_key key = {group, stream, partition};
    return sorted_find(&key, table->series, table->count, sizeof(*table->series), compare, at);
}

/* How many points of one partition there is room for; there is one at least. */
static size_t
points_limit(const struct lag_table *table)
{
    size_t limit = LAG_TABLE_POINTS / table->count;
    if (limit > LAG_POINTS_MAX)
        return LAG_POINTS_MAX;
    return limit < LAG_POINTS_MIN ? LAG_POINTS_MIN : limit;
}

static bool
says_the_same(const struct lag_point *a, const struct lag_point *b)
{
    return a->committed == b->committed && a->end == b->end && a->log_start == b->log_start &&
           a->stable == b->stable && a->not_events == b->not_events &&
           a->oldest_ns == b->oldest_ns && a->members == b->members && a->phase == b->phase &&
           a->nothing_waits == b->nothing_waits;
}

static void
append(struct series *series, size_t limit, const struct lag_point *point)
{
    struct lag_point *points = series->points;
    size_t count = series->count;
    if (count >= 2 && says_the_same(&points[count - 1], point) &&
        says_the_same(&points[count - 2], point)) {
        points[count - 1] = *point; /* when it began and how it is now say all of it */
        return;
    }
    if (count >= limit) {
        size_t excess = count - limit + 1;
        memmove(points, points + excess, (count - excess) * sizeof(*point));
        series->count -= excess;
    }
    series->points =
        alloc_grow(series->points, series->count, &series->capacity, sizeof(*series->points));
    series->points[series->count++] = *point;
}

void
lag_table_add(struct lag_table *table, const char *group, const char *stream, int32_t partition,
    const struct lag_point *point)
{
    size_t at;
    if (!find(table, group, stream, partition, &at)) {
        table->series =
            alloc_grow(table->series, table->count, &table->capacity, sizeof(*table->series));
        memmove(&table->series[at + 1], &table->series[at],
            (table->count - at) * sizeof(*table->series));
        table->series[at] = (struct series){
            .group = alloc_text(group), .stream = alloc_text(stream), .partition = partition};
        table->count++;
    }
    struct series *series = &table->series[at];
    if (series->count > 0 && point->at_ns <= series->points[series->count - 1].at_ns)
        return;
    append(series, points_limit(table), point);
}

void
lag_table_forget(struct lag_table *table, int64_t before_ns)
{
    size_t kept = 0;
    for (size_t i = 0; i < table->count; i++) {
        struct series *series = &table->series[i];
        if (series->count > 0 && series->points[series->count - 1].at_ns < before_ns) {
            free_series(series);
            continue;
        }
        table->series[kept++] = *series;
    }
    table->count = kept;
}

const struct lag_point *
lag_table_points(const struct lag_table *table, const char *group, const char *stream,
    int32_t partition, size_t *count)
{
    size_t at;
    if (!find(table, group, stream, partition, &at)) {
        *count = 0;
        return NULL;
    }
    *count = table->series[at].count;
    return table->series[at].points;
}
