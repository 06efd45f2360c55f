/* stage_internal.h - the stage's state, for stage.c and frame.c. */
#ifndef UI_STAGE_INTERNAL_H
#define UI_STAGE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ui/help.h"
#include "ui/prompt.h"
#include "ui/screen.h"

/* All screens are open all the time, so that each is as it was left; only the current one ticks. */
struct stage {
    struct deck *deck;
    char *banner;
    const struct screen_ops *const *screens;
    size_t screen_count;
    void **states;
    size_t current;
    size_t previous;
    struct prompt prompt;
    struct help help;
    bool is_help;
    bool is_pasting;
    bool asks_to_leave; /* the last key was a q at the bottom */
    bool asked_to_leave;
    int64_t cancelled_ns; /* monotonic; 0: never */
};

#endif
