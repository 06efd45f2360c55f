/* tape_merge.h - the tapes of several recorders as one: each (tap, stream, partition, offset) once.
 *
 * Lane by lane, all tapes at once in the order of offsets, so that memory holds one event of each tape
 * whatever their size. What several have is taken from the first of them. An offset that none has gets
 * the reason of whoever knows most: an event that one did not record is no hole where another has it,
 * and one that was aborted is that, though another did not look.
 *
 * Threads: the one that owns the tapes and the writer.
 */
#ifndef INDEX_TAPE_MERGE_H
#define INDEX_TAPE_MERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct tape;
struct tape_writer;

/* Tapes in one merge. */
#define TAPE_MERGE_MAX 64u

struct tape_merge_options {
    struct tape *const *tapes;
    size_t tape_count;         /* at most TAPE_MERGE_MAX */
    const char *into_tap;      /* call the tap of all lanes this; NULL: as they are called */
    bool (*should_stop)(void); /* asked now and then; NULL: never */
};

struct tape_merge_counts {
    uint64_t taken;      /* acknowledged by the writer */
    uint64_t skipped;    /* the writer's tape had their lane as far as that when it was opened */
    uint64_t duplicates; /* further copies of events that were taken or skipped */
    uint64_t conflicts;  /* those of them whose key, headers or payload are others */
    uint64_t holes;
};

/* Merge all lanes but those of internal streams. Merging the same again takes nothing twice. Events of a file that
 * retention deletes before they are read are a hole: tape_missed_files() of its tape tells.
 *
 * False with ERROR_ARGUMENT when two tapes have a lane whose offsets a recorder counted itself (they say
 * nothing about another's), ERROR_SYSTEM when it was stopped, and what reading and writing can fail with;
 * *counts says what was done until then. */
bool tape_merge(struct tape_writer *writer, const struct tape_merge_options *options,
    struct tape_merge_counts *counts, struct error *err);

#endif
