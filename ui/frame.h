/* frame.h - the two rows above every screen and the two below it. */
#ifndef UI_FRAME_H
#define UI_FRAME_H

struct canvas;
struct stage;

/* Row 1: tabs, taps, rate, transport, clock. Row 2: tape, filter, where the head is, losses. */
void frame_draw(const struct stage *stage, struct canvas *canvas);

/* One plain sentence or the prompt, and the keys that are useful now. */
void frame_draw_foot(const struct stage *stage, struct canvas *canvas);

void frame_draw_too_small(struct canvas *canvas);

#endif
