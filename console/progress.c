#include "console/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "index/cursor.h"

#define SILENT_NS (1 * NS_PER_S)
#define REDRAW_NS (200 * NS_PER_MS)
#define LINE_NS   (5 * NS_PER_S)

void
progress_start(struct progress *progress, bool is_off)
{
    *progress = (struct progress){
        .is_off = is_off,
        .is_terminal = isatty(STDERR_FILENO) == 1,
        .started_ns = clock_monotonic_ns(),
    };
}

void
progress_show(struct progress *progress, const struct cursor_progress *done)
{
    int64_t now_ns = clock_monotonic_ns();
    int64_t pause_ns = progress->is_terminal ? REDRAW_NS : LINE_NS;
    int64_t last_ns = progress->drawn_ns == 0 ? progress->started_ns : progress->drawn_ns;
    bool is_early = progress->drawn_ns == 0 && progress->is_terminal
                        ? now_ns - progress->started_ns < SILENT_NS
                        : now_ns - last_ns < pause_ns;
    if (progress->is_off || is_early)
        return;

    uint64_t looked_at = done->scanned_blocks + done->pruned_blocks;
    unsigned percent = done->total_blocks == 0
                           ? 0
                           : (unsigned)(100.0 * (double)looked_at / (double)done->total_blocks);
    if (percent > 100)
        percent = 100;
    (void)fprintf(stderr, "%ssearched %u %%, %" PRIu64 " events, %" PRIu64 " matches%s",
        progress->is_terminal ? "\r" : "tapedeck: ", percent, done->scanned_events, done->matched,
        progress->is_terminal ? "\033[K" : "\n");
    (void)fflush(stderr);
    progress->is_drawn = progress->is_terminal;
    progress->drawn_ns = now_ns;
}

void
progress_clear(struct progress *progress)
{
    if (!progress->is_drawn)
        return;
    (void)fputs("\r\033[K", stderr);
    (void)fflush(stderr);
    progress->is_drawn = false;
}
