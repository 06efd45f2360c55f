/* events_draw.h - how the Events screen looks. */
#ifndef UI_EVENTS_DRAW_H
#define UI_EVENTS_DRAW_H

#include <stdbool.h>

#include "ui/screen.h"

struct event_row;

void events_draw(
    void *self, const struct deck *deck, struct canvas *canvas, struct screen_area area);
void events_sentence(const void *self, const struct deck *deck, struct buffer *text);

/* True when the row shows `text` somewhere, upper and lower case alike unless it has capitals. */
bool events_row_matches(const struct event_row *row, const char *text);

#endif
