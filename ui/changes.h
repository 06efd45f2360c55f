/* changes.h - what happened since the console was opened: taps, silence, losses, damage, in plain lines.
 *
 * Compares each state of the live page with the one before, and the damage of the tape. Threads: the one that owns the deck.
 */
#ifndef UI_CHANGES_H
#define UI_CHANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ui/canvas.h"

struct deck;
struct changes;

#define CHANGES_MAX 64u

struct change {
    int64_t when_ns;
    enum role role;
    uint32_t sign;
    const char *word;
    char text[240];
};

struct changes *changes_new(void);
void changes_free(struct changes *changes);

/* Look at the deck; true when there is something new. */
bool changes_see(struct changes *changes, const struct deck *deck);

/* The newest first: 0 .. changes_count() - 1. */
size_t changes_count(const struct changes *changes);
const struct change *changes_get(const struct changes *changes, size_t index);

/* What the live page says of a stream, judged alike everywhere. */
enum stream_state {
    STREAM_OK,
    STREAM_IDLE,   /* nothing yet, or nothing for long */
    STREAM_SILENT, /* stopped though events came at a steady rate */
    STREAM_LOSS,   /* events of it could not be kept */
    STREAM_DOWN,   /* its tap is not connected: nothing is known */
    STREAM_ENDED,  /* its tap has stopped reading, as it was told to */
    STREAM_UNKNOWN,
};
enum stream_state stream_state(const struct deck *deck, uint32_t stream_id, const char *tap);

#endif
