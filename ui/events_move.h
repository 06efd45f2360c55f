/* events_move.h - which rows the Events screen has, and where its cursor is.
 *
 * Threads: the UI's.
 */
#ifndef UI_EVENTS_MOVE_H
#define UI_EVENTS_MOVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct deck;
struct event_gap;
struct events;

/* The gap in front of the row of this index; `count` is behind the last one. NULL: there is none. */
struct event_gap *events_gap(const struct events *events, size_t index);

/* The gap that the cursor is on, or NULL. */
struct event_gap *events_cursor_gap(const struct events *events);

/* Load for a while what the deck's head and filter want, and keep the cursor on its event. True when rows changed;
 * deck->is_busy when there is more to load. */
bool events_load(struct events *events, struct deck *deck, int64_t monotonic_ns);

/* Stand still with the cursor on the same event. */
void events_hold(struct events *events, struct deck *deck);

/* Move the cursor by so many rows and gaps. Down: true when it moved; behind the last row of a head that stands there is
 * nothing. */
void events_up(struct events *events, struct deck *deck, size_t rows);
bool events_down(struct events *events, size_t rows);

/* One event forward, past a gap: behind the last row the head itself moves on to the next match. */
void events_step(struct events *events, struct deck *deck);

/* One event back. */
void events_step_back(struct events *events, struct deck *deck);

/* To the oldest event; with a filter, to the oldest match that is loaded. */
void events_top(struct events *events, struct deck *deck);

/* To the next or previous row with the searched text. */
void events_find(struct events *events, struct deck *deck, bool forward);

#endif
