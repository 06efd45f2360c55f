/* diary.h - what the recorder writes onto the tape itself: the internal streams @lag and @taps.
 *
 * Whoever has something to tell writes it here; it lies on the tape like any other event, and readers
 * see it only when their query names the stream (docs/QUERY.md). Offsets are counted here, partition
 * 0, without headers.
 *
 * It never waits: what the queue to the tape has no room for is kept up to one batch (128 KiB), and
 * what is beyond is lost, counted, and a hole in its stream.
 *
 * Threads: diary_write(), diary_flush() and diary_lost() may be called from any; a lock is held while
 * an event is copied and while a batch is handed over without waiting.
 */
#ifndef COLLECTORS_DIARY_H
#define COLLECTORS_DIARY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct batch;
struct diary;
struct tape_writer;

struct diary_options {
    struct tape_writer *writer;
    bool (*push)(void *self, struct batch **batch, int timeout_ms); /* indexer_push() */
    void *push_self;
};

struct diary_entry {
    const char *tap;    /* what it is about */
    const char *stream; /* "@lag" */
    struct bytes key;
    struct bytes payload;
    int64_t when_ns;
};

struct diary *diary_new(const struct diary_options *options);

/* NULL is allowed. What was not handed over is lost. */
void diary_free(struct diary *diary);

/* Write an entry; everything is copied. It is on its way to the tape after the next diary_flush(), or
 * when a batch is full. False: it is lost, and counted. */
bool diary_write(struct diary *diary, const struct diary_entry *entry);

/* Hand over what was written. Waits up to timeout_ms (0: not at all) for room in the queue; false when
 * there was none: it is kept for the next time. */
bool diary_flush(struct diary *diary, int timeout_ms);

/* Entries lost so far. */
uint64_t diary_lost(struct diary *diary);

#endif
