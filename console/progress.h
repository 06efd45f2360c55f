/* progress.h - how far a long search is, on stderr.
 *
 * Nothing in the first second. On a terminal one line that is drawn over, else a line every 5 s.
 * Threads: one.
 */
#ifndef CONSOLE_PROGRESS_H
#define CONSOLE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct cursor_progress;

struct progress {
    bool is_off;
    bool is_terminal;
    bool is_drawn;
    int64_t started_ns; /* monotonic */
    int64_t drawn_ns;
};

void progress_start(struct progress *progress, bool is_off);

/* Draw when it is time to. */
void progress_show(struct progress *progress, const struct cursor_progress *done);

/* Take the line away before something else is printed, and at the end. */
void progress_clear(struct progress *progress);

#endif
