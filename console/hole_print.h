/* hole_print.h - how `tape holes` shows a hole: a row for people, a line of JSON for programs.
 *
 * Threads: any; nothing is shared.
 */
#ifndef CONSOLE_HOLE_PRINT_H
#define CONSOLE_HOLE_PRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer;
struct hole_explain_result;
struct hole_row;
struct hole_rows;
struct hole_sum;

/* Spans of a hole that a line of JSON has; their counts are of all. */
#define HOLE_PRINT_SPANS_MAX 1000u

/* The columns' heads, and how wide the first one is. */
size_t hole_print_width(const struct hole_rows *rows);
void hole_print_heads(struct buffer *to, size_t width);

/* A row, and below it one for each cause. */
void hole_print_row(struct buffer *to, const struct hole_row *row, size_t width);

/* "3 holes with 12 offsets: 9 aborted, 3 control record or compacted" */
void hole_print_sum(
    struct buffer *to, const struct hole_rows *rows, const struct hole_sum *sum, bool has_causes);

void hole_print_json(struct buffer *to, const struct hole_row *row);

/* The line that says that nothing was cut off; `result` is NULL when nobody was asked. */
void hole_print_json_done(struct buffer *to, const struct hole_rows *rows,
    const struct hole_sum *sum, const struct hole_explain_result *result, bool is_complete,
    int64_t duration_ns);

#endif
