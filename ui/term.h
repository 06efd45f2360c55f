/* term.h - the terminal: shows canvases, hands out keys, and is given back as it was.
 *
 * One frame is one write: curses draws into a memory file, which is then sent to the terminal by a
 * descriptor that never blocks, so that a terminal which does not read cannot hold the program. Each
 * frame ends with a question that every terminal answers (CSI 5n); frames that only show newer data
 * wait for the answer, so that on a slow line nothing is queued in front of a key's effect.
 *
 * However the program ends, the terminal is restored: by term_close(), or by a handler of the
 * signals that a crash raises. Threads: one thread owns the terminal; there is one per process.
 */
#ifndef UI_TERM_H
#define UI_TERM_H

#include <stdbool.h>
#include <stdint.h>

struct canvas;
struct error;
struct term;

struct term_options {
    const char *color; /* auto|always|never; NULL: auto */
    bool ascii;        /* draw only ASCII */
    bool for_test;     /* UI_KEY_FENCE and UI_KEY_TEST_TICK exist */
};

/* Take over the terminal. NULL with ERROR_ARGUMENT when there is none that can be drawn on: the text
 * names what gives the same data without one. */
struct term *term_open(const struct term_options *options, struct error *err);

/* Give it back. NULL is allowed. */
void term_close(struct term *term);

/* Rows and columns as the kernel knows them now. */
void term_size(const struct term *term, int *rows, int *columns);

/* Take the present size over and draw everything anew with the next frame. */
void term_refit(struct term *term);

/* Draw all cells again with the next frame. */
void term_repaint(struct term *term);

/* True when a frame of this kind may be shown now. Data frames wait for the terminal's answer to
 * the frame before (at most 1.5 s); no frame is begun while one is still being written. */
bool term_is_ready(const struct term *term, bool is_data, int64_t monotonic_ns);

/* Show a canvas of the terminal's size. False when the terminal is gone. */
bool term_show(struct term *term, const struct canvas *canvas, int64_t monotonic_ns);

/* The next key that was pressed, UI_KEY_NONE when there is no more for now. */
uint32_t term_key(struct term *term);

/* What to poll: keys come from *input (POLLIN); while term_is_writing(), *output (POLLOUT) and then
 * term_write_on(), which is false when the terminal is gone. */
int term_input_fd(const struct term *term);
int term_output_fd(const struct term *term);
bool term_is_writing(const struct term *term);
bool term_write_on(struct term *term);

/* Answer a test's fence, behind everything that was shown. */
void term_answer_fence(struct term *term, int count);

/* Give the terminal back, stop this process group, and take it again when it is continued. */
void term_suspend(struct term *term);

#endif
