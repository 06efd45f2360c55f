/* stage.h - which screen is on, what a key does to it, and the frame around it. No terminal: keys
 * and moments go in, a canvas comes out, so that tests and `tapedeck screen` use the same code.
 *
 * Threads: one thread owns a stage.
 */
#ifndef UI_STAGE_H
#define UI_STAGE_H

#include <stdbool.h>
#include <stdint.h>

struct canvas;
struct deck;
struct error;
struct stage;

/* Smaller terminals get one sentence. */
#define STAGE_MIN_ROWS    16
#define STAGE_MIN_COLUMNS 60

struct stage_options {
    const char *directory;
    const char *title;  /* NULL: the directory's last component */
    const char *banner; /* shown until the first key; NULL: none */
    const char *screen; /* NULL: the first of screens.def */
    int64_t now_ns;
};

/* What the owner of the terminal is to do after a key. */
enum stage_effect {
    STAGE_GOES_ON,
    STAGE_QUIT,
    STAGE_SUSPEND,
    STAGE_REDRAW,
};

/* NULL with tape_open()'s errors, or ERROR_ARGUMENT for an unknown screen. */
struct stage *stage_open(const struct stage_options *options, struct error *err);
void stage_close(struct stage *stage);

enum stage_effect stage_key(struct stage *stage, uint32_t key, int64_t monotonic_ns);

/* See what is new on the tape. True when the canvas may differ. */
bool stage_tick(struct stage *stage, int64_t now_ns, int64_t monotonic_ns);

/* There is more to do than fitted into the last tick: tick again soon. */
bool stage_is_busy(const struct stage *stage);

/* How often new data is worth a frame. */
int stage_interval_ms(const struct stage *stage);

/* A descriptor that is readable when the tape has changed; stage_tick() clears it. */
int stage_wait_fd(const struct stage *stage);

/* Draw everything. */
void stage_draw(struct stage *stage, struct canvas *canvas);

#endif
