/* lag_draw.h - what the Lag screen looks like. */
#ifndef UI_LAG_DRAW_H
#define UI_LAG_DRAW_H

#include <stdint.h>

#include "ui/canvas.h"
#include "ui/screen.h"

struct buffer;
struct lag_row;

void lag_draw(void *self, const struct deck *deck, struct canvas *canvas, struct screen_area area);
void lag_sentence(const void *self, const struct deck *deck, struct buffer *text);

/* The window before head_ns as blocks, scaled to the worst of it, in `columns` cells. */
void lag_draw_trend(const struct lag_row *row, int64_t head_ns, struct canvas *canvas, int at_row,
    int column, int columns, enum role role);

/* The same, `rows` high, with axes; the last row is that of the times. */
void lag_draw_chart(const struct lag_row *row, int64_t head_ns, struct canvas *canvas,
    int first_row, int rows, int columns);

#endif
