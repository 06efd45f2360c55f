/* progress.h - how far a long search is, on stderr.
 *
 * Nothing in the first second. On a terminal one line that is drawn over, else a line every 5 s.
 * Threads: one.
 */
#ifndef CONSOLE_PROGRESS_H
#define CONSOLE_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cursor_progress;

/* Fits a line of 80 columns, which is never broken when it is drawn over. */
#define PROGRESS_TEXT_MAX 80

struct progress {
    bool is_off;
    bool is_terminal;
    bool is_drawn;
    int64_t started_ns; /* monotonic */
    int64_t drawn_ns;
};

/* "searched 43 %: 120 of 1000 blocks read, 310 skipped, 812 MB/s, 5 matches", after so long. */
void progress_text(
    const struct cursor_progress *done, int64_t elapsed_ns, char text[PROGRESS_TEXT_MAX]);

void progress_start(struct progress *progress, bool is_off);

/* Draw when it is time to. */
void progress_show(struct progress *progress, const struct cursor_progress *done);

/* Take the line away before something else is printed, and at the end. */
void progress_clear(struct progress *progress);

#endif
