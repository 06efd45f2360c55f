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
progress_text(const struct cursor_progress *done, int64_t elapsed_ns, char text[PROGRESS_TEXT_MAX])
{
    uint64_t looked_at = done->scanned_blocks + done->pruned_blocks;
    double share = done->total_blocks == 0 ? 0 : (double)looked_at / (double)done->total_blocks;
    double seconds = (double)(elapsed_ns > 0 ? elapsed_ns : 1) / NS_PER_S;
    (void)snprintf(text, PROGRESS_TEXT_MAX,
        "searched %u %%: %" PRIu64 " of %" PRIu64 " blocks read, %" PRIu64
        " skipped, %.0f MB/s, %" PRIu64 " match%s",
        share > 1 ? 100u : (unsigned)(100 * share), done->scanned_blocks, done->total_blocks,
        done->pruned_blocks, (double)done->scanned_bytes / 1e6 / seconds, done->matched,
        done->matched == 1 ? "" : "es");
}

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

    char text[PROGRESS_TEXT_MAX];
    progress_text(done, now_ns - progress->started_ns, text);
    (void)fprintf(stderr, "%s%s%s", progress->is_terminal ? "\r" : "tapedeck: ", text,
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
