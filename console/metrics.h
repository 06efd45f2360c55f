/* metrics.h - what the recorder does, as Prometheus reads it (text format 0.0.4).
 *
 * Threads: any; nothing is shared.
 */
#ifndef CONSOLE_METRICS_H
#define CONSOLE_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "index/hole.h"

struct buffer;
struct live_status;
struct stream;

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* What the live page does not say of a stream; the index is struct stream.id. */
struct metrics_stream {
    const struct stream *stream;       /* NULL: its name is not known, and it is left out */
    uint64_t holes[HOLE_REASON_COUNT]; /* on the whole tape, by enum hole_reason */
};

struct metrics_view {
    const struct live_status *status;
    const struct metrics_stream *streams;
    size_t stream_count;
    int64_t now_ns;
};

/* Append every family that has a sample. What is unknown has none: never 0 for "nobody knows". */
void metrics_text(struct buffer *to, const struct metrics_view *view);

#endif
