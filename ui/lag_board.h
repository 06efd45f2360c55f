/* lag_board.h - every consumer group as it was at the tape's head, and its last 15 minutes.
 *
 * Built from the samples on the stream @lag: read backwards from the head until the window is covered,
 * then forwards with the head. Each look has a budget of time, so a board fills while it is shown; the
 * newest sample of every group comes first. Memory is bounded: LAG_BOARD_MAX_ROWS rows of a fixed size
 * and two texts each.
 * Threads: the thread that owns the deck.
 */
#ifndef UI_LAG_BOARD_H
#define UI_LAG_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ui/lag_row.h"

struct deck;
struct lag_board;

#define LAG_BOARD_MAX_ROWS 20000u

struct lag_board *lag_board_new(void);
void lag_board_free(struct lag_board *board);

/* Bring the board to where the deck's head is; sets deck->is_busy when there is more to read. True when
 * a row is new or has a newer sample: the past that is filled in behind it changes no order. */
bool lag_board_tick(struct lag_board *board, struct deck *deck);

/* The rows in the order in which they were met, also those that are not current. A row stays where it
 * is until lag_board_free(). */
size_t lag_board_count(const struct lag_board *board);
struct lag_row *lag_board_row(const struct lag_board *board, size_t index);

bool lag_board_is_loading(const struct lag_board *board);
/* Samples that could not be understood, and groups beyond LAG_BOARD_MAX_ROWS. */
uint64_t lag_board_left_out(const struct lag_board *board);
/* Why the samples cannot be read; NULL when they can. */
const char *lag_board_failure(const struct lag_board *board);

#endif
