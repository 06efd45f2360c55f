/* lag_pane.h - one consumer group in full, below the table of the Lag screen. */
#ifndef UI_LAG_PANE_H
#define UI_LAG_PANE_H

#include "ui/number.h"

struct canvas;
struct deck;
struct lag_full;
struct lag_row;

/* Draw into `rows` rows: with room for it the chart, then what is known in words. `full` may belong to
 * another row or be unknown. */
void lag_pane_draw(const struct lag_row *row, const struct lag_full *full, const struct deck *deck,
    struct canvas *canvas, int first_row, int rows);

/* Until nothing waits any more: a time, `never` when what is wrong does not get better, `-` when nothing
 * waits or nothing is wrong, `?` when it is not known. */
char *lag_drain_text(const struct lag_row *row, char text[NUMBER_TEXT_MAX]);

#endif
