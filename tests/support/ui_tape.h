/* ui_tape.h - a canned tape for the screens: fixed times, awkward bytes, and a live page. */
#ifndef TESTS_SUPPORT_UI_TAPE_H
#define TESTS_SUPPORT_UI_TAPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "index/hole.h"

struct live;
struct stream;
struct tape_writer;

/* 2026-11-23T14:32:07Z, the moment at which the screens look at the canned tape. */
#define UI_TAPE_NOW_NS INT64_C(1795444327000000000)

struct ui_tape {
    char *directory;            /* .../shop-tape */
    struct tape_writer *writer; /* held: the tape is being recorded */
    struct live *live;
    char *parent;
    int64_t lag_samples; /* written so far */
};

/* Write 60 events of three streams within the minute before UI_TAPE_NOW_NS. With `recording` the writer
 * stays open and a live page says what a recorder would. */
void ui_tape_open(struct ui_tape *tape, bool recording);

/* The same, recorded, and in front of the events 15 minutes of samples of consumer groups, one in 5
 * seconds, the last at UI_TAPE_NOW_NS - 2 s: `shipping` stands still on payments for 182 s, at events that
 * are on the tape; `ledger` reads payments well, `billing` orders; of `fraud` nothing is known;
 * `audit-old` has no member and waits for a stream that is not on the tape. */
void ui_tape_open_with_groups(struct ui_tape *tape);

void ui_tape_close(struct ui_tape *tape);

/* Append one event to an open writer, to partition `offset` % 3. */
void ui_tape_add(struct ui_tape *tape, const char *stream, int64_t received_ns, int64_t offset,
    struct bytes key, struct bytes payload);

/* The same without headers, so without a type. */
void ui_tape_add_bare(struct ui_tape *tape, const char *stream, int64_t received_ns, int64_t offset,
    struct bytes key, struct bytes payload);

/* Append a hole of the partition that offset `from` is in. `to` -1: how many is not known. */
void ui_tape_add_hole(struct ui_tape *tape, const char *stream, int64_t noticed_ns, int64_t from,
    int64_t to, enum hole_reason reason);

/* Append one sample of a consumer group, taken at `received_ns`: `json` is the payload. */
void ui_tape_add_lag(struct ui_tape *tape, int64_t received_ns, const char *group,
    const char *stream, const char *json);

#endif
