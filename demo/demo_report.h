/* demo_report.h - what a run of the shop left on the tape, as text and as JSON.  Threads: any. */
#ifndef DEMO_DEMO_REPORT_H
#define DEMO_DEMO_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "demo/faults_seen.h"
#include "demo/lag_watch.h"
#include "demo/shop.h"

struct buffer;
struct error;
struct tape;

/* One stream as the tape has it, next to what the shop says. */
struct demo_stream {
    char *tap;
    char *name;
    char *label;
    int partitions; /* that hold events */
    uint64_t events;
    uint64_t bytes;   /* keys, headers, payloads */
    int64_t first_ns; /* received */
    int64_t last_ns;
    uint64_t produced;  /* acknowledged by the broker, or published */
    bool must_be_whole; /* recorded from the beginning, by offset: nothing may be missing */
};

struct demo_group {
    const char *name;
    const char *stream; /* label */
    int64_t committed;  /* -1: unknown, like the next two */
    int64_t end;
    int64_t lag;
    int64_t sampled_ns;
    char error[160]; /* why it is unknown */
    bool has_stalled;
    struct lag_stall stall;
};

struct demo_report {
    int64_t ran_ns;
    struct demo_stream *streams;
    size_t stream_count;
    struct demo_group groups[SHOP_GROUP_COUNT];
    uint64_t happened[FAULT_COUNT]; /* what the shop says; compared, never used to look */
    struct faults_seen seen;
};

/* Fill the streams and the faults from the tape; groups and `happened` must be there already. */
bool demo_report_read(struct demo_report *report, struct tape *tape, struct error *err);

void demo_report_done(struct demo_report *report);

/* The first thing that is not as it should be: a fault that happened and is not visible, an event
 * that is not on the tape. False when there is none. */
bool demo_report_complaint(const struct demo_report *report, char *text, size_t size);

/* Tables for people. */
void demo_report_text(const struct demo_report *report, struct buffer *text);

/* One object and a line feed. `kept` is the tape's directory when it stays, or NULL. */
void demo_report_json(const struct demo_report *report, const char *kept, struct buffer *text);

#endif
