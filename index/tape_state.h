/* tape_state.h - what a tape's reading end is, for the files that it is written in.
 *
 * tape.c opens it, and sees what is new; tape_files.c makes parts of what lies in the directory; tape_told.c keeps
 * what parts say of streams and damage. Nobody else includes this.
 *
 * Threads: those of the tape.
 */
#ifndef INDEX_TAPE_STATE_H
#define INDEX_TAPE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "index/deletions.h"
#include "index/lane_sums.h"
#include "index/places.h"
#include "index/segment_file.h"
#include "index/stream_table.h"
#include "index/tape.h"
#include "index/tape_gone.h"
#include "index/tape_internal.h"

struct unread_file;

/* parts[] is sorted by id; first_seq and end_seq rise with it. A part stays alive while a walk uses
 * it, also when its file is gone. */
struct tape {
    char *directory;
    int notify_fd;      /* -1: no notification, look each time */
    bool is_watched;    /* or it was tried */
    unsigned refreshes; /* until it is watched */
    bool must_list;
    struct part **parts;
    size_t part_count;
    size_t part_capacity;
    struct stream_table streams;
    struct stream **known; /* those that a part defined, in the order of their ids */
    size_t known_count;
    size_t known_capacity;
    struct lane_sums sums;
    struct lane_sums holes; /* of the stretch that was asked for last */
    struct tape_damage *damage;
    size_t damage_count;
    size_t damage_capacity;
    struct segment_pool segments;
    struct block_pool *blocks;
    struct places places;
    struct stat places_file; /* that they were read from; zeros: none */
    struct deletions deletions;
    struct stat deletions_file;  /* the same */
    char catalogue_problem[256]; /* as of the last time that it was read; "": none */
    unsigned char uuid[TAPE_UUID_BYTES];
    bool has_uuid;
    struct unread_file *unread; /* as of the last listing */
    size_t unread_count;
    size_t unread_capacity;
    char unreadable[256]; /* the first of them that the system did not read, and why */
    bool has_unreadable;
    struct tape_gone gone;
    uint64_t missed_files;
    bool is_ours;     /* its lock is the caller's own, who writes nothing yet */
    bool is_outdated; /* what was listed last had changed before all of it was open */
    bool must_fit;    /* the parts are others than when it was seen whether they fit together */
};

/* Make parts[] agree with the directory; see whether they fit once they know their ends. */
bool tape_list_parts(struct tape *tape, struct error *err);
void tape_drop_parts(struct tape *tape);

/* Is it the name of a journal or a segment? SQLite's files come and go with every reader that looks at them. */
bool tape_is_file_name(const char *name);

#endif
