/* lag_screen.h - the state of the Lag screen, shared by the file that changes it and those that draw
 * it. */
#ifndef UI_LAG_SCREEN_H
#define UI_LAG_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ui/lag_board.h"

struct deck;
struct query_matcher;

/* Groups whose partitions are shown at the same time. */
#define LAG_OPEN_MAX 16u

enum lag_order {
    LAG_BY_TROUBLE,
    LAG_BY_EVENTS,
    LAG_BY_SECONDS,
    LAG_BY_GROUP,
    LAG_ORDER_COUNT,
};

/* A sample in full: the partitions of a row, those that are worst first. */
struct lag_full {
    const struct lag_row *row; /* NULL: free */
    uint64_t seq;
    bool is_known;
    struct lag_sample sample;
};

/* A line of the table: a group, or one of its partitions below it. */
struct lag_line {
    size_t row;  /* index into shown */
    size_t lane; /* LAG_NO_LANE: the group itself */
};
#define LAG_NO_LANE SIZE_MAX

/* What is shown, in its order, as of the last tick. The cursor is a row and a partition of it, not a
 * place: it stays on them when the order changes. Without has_cursor it is on the first line. */
struct lag_screen {
    struct lag_row **shown;
    size_t shown_count;
    size_t capacity;
    size_t all_count; /* current ones, before filter and `o` */
    size_t problem_counts[LAG_STATE_COUNT];
    bool is_stale;        /* a key may have changed what is shown */
    int64_t collected_ns; /* the head then */
    bool has_stream;      /* there is a stream of samples on the tape */

    enum lag_order order;
    bool only_problems;
    bool is_zoomed;
    char search[128];
    struct query_matcher *matcher; /* of the deck's filter; NULL: none */
    unsigned filters;

    struct lag_full open[LAG_OPEN_MAX];
    struct lag_full under_cursor;
    bool has_cursor;
    const struct lag_row *cursor_row;
    int32_t cursor_partition; /* -1: the group's line */
    size_t cursor;            /* line number */
    size_t line_count;
    size_t top;
    size_t page; /* lines that were drawn */
};

/* Choose the rows by filter and `o`, and order them. */
void lag_screen_collect(struct lag_screen *screen, const struct deck *deck);

/* Bring partitions and lines up to date; the cursor stays on its row, or in its place when that is gone. */
void lag_screen_lay_out(struct lag_screen *screen, struct deck *deck);
void lag_screen_put_cursor(struct lag_screen *screen, struct deck *deck, size_t line);

/* Show the partitions of a row, or not; says why when they cannot be shown. */
void lag_screen_unfold(struct lag_screen *screen, struct deck *deck, struct lag_row *row);
void lag_screen_fold(struct lag_screen *screen, struct lag_row *row);

/* The sample of a row whose partitions are shown; NULL when they are not. */
const struct lag_full *lag_screen_open(const struct lag_screen *screen, const struct lag_row *row);

/* Line number `line`, 0 .. line_count - 1. */
struct lag_line lag_screen_line(const struct lag_screen *screen, size_t line);

bool lag_row_has_text(const struct lag_row *row, const char *text);

#endif
