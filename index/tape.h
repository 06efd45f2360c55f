/* tape.h - the reading end of a tape: any number per directory, while it is recorded or not.
 *
 * A struct tape is one reader's view of the directory: its files (journals, segments) and streams as
 * of the last tape_refresh(). What was on the tape below tape_end_seq() never changes under a
 * reader, except that retention may delete the oldest.
 *
 * Threads: one thread owns a struct tape and everything made from it. Open one per thread.
 */
#ifndef INDEX_TAPE_H
#define INDEX_TAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index/event.h"
#include "index/hole.h"

struct error;
struct tape;

/* Open the tape in `directory` for reading. It must exist, but may still be empty.
 *
 * NULL with ERROR_ARGUMENT when there is no such directory, it is not one, or it holds no tape (the
 * text says how to make one); ERROR_DAMAGED for an unknown newer format version; ERROR_SYSTEM. */
struct tape *tape_open(const char *directory, struct error *err);
void tape_close(struct tape *tape);

/* Of sealed files readers keep decoded blocks in memory, so that what lies near each other is decoded once: at most
 * so many bytes over all cursors of `tape`, and the block that each of them is at in any case, which has one
 * event if that is large. At first TAPE_BLOCK_BYTES, more than a whole segment of the usual size; with little, events of
 * many lanes cost up to a block each. May be called at any time. The memory is given back by the second
 * tape_refresh() behind the last cursor. */
#define TAPE_BLOCK_BYTES ((uint64_t)80 * 1024 * 1024)
void tape_keep_blocks(struct tape *tape, uint64_t bytes);

const char *tape_directory(const struct tape *tape);

/* See what was recorded since tape_open(), which saw all that was there, or since the last call. True also when
 * nothing was. Events handed out by cursors stay valid by their own rules. */
bool tape_refresh(struct tape *tape, struct error *err);

/* Take out files that cursors and scans came too late for: retention had deleted them by then. They gave nothing of
 * them, or not all, and tape_lanes() names them as holes from now on. What else the tape has stays as it was at the last
 * tape_refresh(), which does this too. What is gone for no such reason is damage. */
void tape_leave_missed(struct tape *tape);

/* How many of these files there were since tape_open(). */
uint64_t tape_missed_files(const struct tape *tape);

/* Be told by the system what changes, from now on, instead of listing the directory in each tape_refresh(); what
 * changed before is seen by the next one. Whoever waits, or refreshes again and again, does so by itself. Whoever only looks
 * once should not: on Linux it takes 10 ms or more to end it. */
void tape_watch(struct tape *tape);

/* Wait until the directory changes, but at most timeout_ms. Returns at once when it changed since
 * the last call. Follow a tape with: refresh, read to the end, wait. */
void tape_wait(struct tape *tape, int timeout_ms);

/* A descriptor that polls readable when the directory changed; tape_wait(tape, 0) clears it. */
int tape_wait_fd(struct tape *tape);

/* Seqs on the tape as of the last refresh: first .. end - 1; equal when it is empty. */
uint64_t tape_first_seq(const struct tape *tape);
uint64_t tape_end_seq(const struct tape *tape);

/* Streams in the order in which they were first seen; pointers live until tape_close(). */
size_t tape_stream_count(const struct tape *tape);
const struct stream *tape_stream(const struct tape *tape, size_t index);

/* What is on the tape of one lane, and what is not. */
struct lane_summary {
    const struct stream *stream;
    int32_t partition;
    uint64_t events;
    uint64_t bytes; /* keys, headers, payloads */
    int64_t first_offset;
    int64_t last_offset;
    int64_t first_ns; /* event_time() */
    int64_t last_ns;
    int64_t first_received_ns;
    int64_t last_received_ns;
    bool offsets_are_synthetic;
    const struct hole *holes; /* sorted by offset; inferred and recorded ones */
    size_t hole_count;
    uint64_t holes_not_kept; /* further ones, of which only this is known (LANE_HOLES_MAX) */
};

/* The summaries of all lanes as of the last refresh, by stream and partition. The array lives until
 * the next tape_refresh(), tape_lanes() or tape_close(). NULL with *count 0 and *err set on failure;
 * an empty tape gives a non-NULL array. The first call may read every journal. */
const struct lane_summary *tape_lanes(struct tape *tape, size_t *count, struct error *err);

/* The one of them for the partition of the stream, or NULL. */
const struct lane_summary *tape_find_lane(
    const struct lane_summary *lanes, size_t count, const struct stream *stream, int32_t partition);

/* Seqs first_seq .. end_seq - 1. */
struct tape_stretch {
    uint64_t first_seq;
    uint64_t end_seq;
};

/* The holes that belong to a stretch of the tape, for who looks at it again and again: only the files that have its seqs are
 * asked, and no event is read, unless files are missing there. Of the summaries only stream, partition and holes
 * mean something; of a lane with events there is at least an event at first_offset, and none is known without. *stretch
 * becomes what was looked at: more than was asked for, or its end where very many lanes would have to be kept in memory. At
 * the end of the tape it holds what is known there. The array lives until the next tape_holes() or tape_close(). NULL with
 * *err as with tape_lanes(). */
const struct lane_summary *tape_holes(
    struct tape *tape, struct tape_stretch *stretch, size_t *count, struct error *err);

/* A place in a lane. */
struct tape_place {
    const struct stream *stream; /* the tape's; NULL: not known */
    uint32_t stream_id;
    int32_t partition;
    int64_t offset;
};

/* Damage that readers met so far: files, blocks or frames that could not be read, named in `text`. A file that is gone is
 * damage from the beginning: between two files by the gap, and behind the last one, while nobody records, by the catalogue. */
struct tape_damage {
    char text[256];
    uint64_t
        first_seq; /* seqs that cannot be read are in first_seq .. end_seq - 1; equal: not known */
    uint64_t end_seq;
    uint64_t events;         /* how many of them; 0: all, or not known */
    struct tape_place first; /* they lie between these, by stream number, partition and offset */
    struct tape_place last;
};
size_t tape_damage(const struct tape *tape, const struct tape_damage **damage);

/* Why the catalogue was not used though it is there, or NULL: the files were read instead, and
 * `tapedeck tape rebuild` mends it. */
const char *tape_catalogue_problem(const struct tape *tape);

/* Read the whole of what is there and verify every checksum. True when all is well; false with ERROR_DAMAGED, and
 * tape_damage() lists each place. */
bool tape_verify(struct tape *tape, struct error *err);

/* The tape's directory of the given options: --tape, else TAPEDECK_TAPE, else `configured`, else
 * $XDG_DATA_HOME/tapedeck/default, else ~/.local/share/tapedeck/default. Freed by the caller. */
char *tape_default_directory(const char *option, const char *configured);

#endif
