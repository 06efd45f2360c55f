/* stage_internal.h - the stage's state, for stage.c and frame.c. */
#ifndef UI_STAGE_INTERNAL_H
#define UI_STAGE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ui/deck.h"
#include "ui/help.h"
#include "ui/prompt.h"
#include "ui/screen.h"

/* Where a key that led to another screen was pressed, so that q comes back to it: `filters` and `moves`
 * are the deck's right after, and what was changed since then stays as it is. */
struct place_before {
    bool is_known;
    char *filter;
    unsigned filters;
    enum transport transport;
    uint64_t head_seq;
    int64_t head_ns;
    unsigned moves;
    bool has_moved;
};

/* All screens are open all the time, so that each is as it was left; only the current one ticks. */
struct stage {
    struct deck *deck;
    char *banner;
    const struct screen_ops *const *screens;
    size_t screen_count;
    void **states;
    size_t current;
    size_t previous;
    struct place_before before;
    struct prompt prompt;
    struct help help;
    bool is_help;
    bool is_pasting;
    bool asks_to_leave; /* the last key was a q at the bottom */
    bool asked_to_leave;
    int64_t cancelled_ns; /* monotonic; 0: never */
};

#endif
