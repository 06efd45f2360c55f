/* part.h - one file of the tape as readers see it: a journal or a sealed segment.
 *
 * A tape is its parts in the order of their numbers, which is the order of their seqs. Everything
 * above this header (tape, cursor, coverage) works on parts and does not know which kind one is. To
 * add a kind of store: one file that defines a `struct part_ops`, and a row in tape_files.c's list of
 * suffixes.
 *
 * Threads: those of the tape that opened them.
 */
#ifndef INDEX_PART_H
#define INDEX_PART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index/cursor.h"

struct catalogue_row;
struct error;
struct event;
struct ordered_walk_ops;
struct lanes;
struct query;
struct stream;
struct tape;

struct part_walk_options {
    const struct query *query; /* what need not be looked at; NULL: everything is wanted */
    uint64_t first_seq;
    uint64_t end_seq; /* exclusive */
    bool newest_first;
    bool by_time;      /* in the order of (event_time(), seq), oldest first; kinds with `by_time` */
    unsigned unwanted; /* as in struct cursor_options, less what the query looks at */
    struct cursor_progress *progress; /* counts what is looked at and skipped */
    uint32_t first_block; /* kinds with `cut`: only blocks from this one on, and of those only */
    uint32_t share;       /* each `shares`th, beginning with the `share`th; shares 0: all of them */
    uint32_t shares;
};

/* How much there is to look at. */
struct part_extent {
    uint64_t blocks; /* as struct cursor_progress counts them */
    uint64_t bytes;  /* of records */
    uint64_t events; /* these three: of kinds with `by_time` only */
    int64_t min_time_ns;
    int64_t max_time_ns;
};

/* Walks through one part, by seq. */
struct part_walk;

struct part;

struct part_ops {
    const char *suffix; /* of the file's name, without the dot */

    /* Open the file, read what is needed to know first_seq and end_seq, tell the tape its streams. */
    struct part *(*open)(struct tape *tape, const char *path, struct error *err);

    /* The same from what the catalogue says, without the file; takes the row's content. NULL for kinds
     * that the catalogue does not know. */
    struct part *(*open_known)(struct tape *tape, const char *path, struct catalogue_row *row);
    void (*close)(struct part *part);

    /* Open what open() found damaged, for `why`, by what is whole in it, and tell the tape what is not. `id`
     * is the number in the file's name. NULL with ERROR_DAMAGED when nothing can be had. */
    struct part *(*salvage)(
        struct tape *tape, const char *path, uint64_t id, const char *why, struct error *err);

    /* See what was appended. `is_final`: a newer part exists, so nobody appends here any more. */
    bool (*refresh)(struct part *part, struct tape *tape, bool is_final, struct error *err);

    /* The lanes of the part with counts and holes, up to its end_seq. Owned by the part. */
    const struct lanes *(*lanes)(struct part *part, struct tape *tape, struct error *err);

    /* The same without reading events for it: all holes that are recorded in the part, and of counts and offsets only
     * what is known by now. */
    const struct lanes *(*holes)(struct part *part, struct tape *tape, struct error *err);

    struct part_walk *(*walk)(
        struct part *part, struct tape *tape, const struct part_walk_options *options);

    /* A walk with the query will begin soon: have the system read what it asks first. Returns whether there was
     * something to read. NULL: nothing to do. */
    bool (*expect)(struct part *part, struct tape *tape, const struct query *query);

    /* And then, unless what was read says that there is no match, what it asks next. Returns whether it did. NULL: nothing
     * to do. */
    bool (*expect_open)(struct part *part, struct tape *tape, const struct query *query);

    /* The next event that may match: everything that does is among them. Takes what it looked at from
     * *budget and pauses at 0. CURSOR_END may become CURSOR_EVENT after the part has grown. Damaged
     * places are told to the tape and stepped over. */
    enum cursor_step (*next)(
        struct part_walk *walk, uint64_t *budget, struct event *event, struct error *err);
    void (*walk_free)(struct part_walk *walk);

    /* Leave the blocks that the walk has not looked at yet to others: returns the first of them, and the
     * walk ends before it. NULL: the blocks of this kind cannot be shared out. */
    uint32_t (*cut)(struct part_walk *walk);

    void (*extent)(const struct part *part, struct part_extent *extent);

    /* Bytes of records in the largest of its blocks. What is surely not above `enough` need not be looked up:
     * then any number that is not above it either. */
    uint64_t (*largest)(struct part *part, uint64_t enough);

    /* The event with this seq; the walk is only a place to keep what was read. CURSOR_END when the part
     * has none. */
    enum cursor_step (*fetch_seq)(
        struct part_walk *walk, uint64_t seq, struct event *event, struct error *err);

    /* The oldest event of the lane with an offset >= `offset`. CURSOR_END when the part has none. */
    enum cursor_step (*fetch_offset)(struct part_walk *walk, uint32_t stream_id, int32_t partition,
        int64_t offset, struct event *event, struct error *err);

    /* Walks in the order of (stream, partition, offset); NULL: its events do not lie in it. */
    const struct ordered_walk_ops *by_lane;

    /* Walks in the order of (event_time(), seq); NULL: they are to be sorted. */
    const struct ordered_walk_ops *by_time;

    /* Check everything in the file; tells the tape about damage. False only when reading fails. */
    bool (*verify)(struct part *part, struct tape *tape, struct error *err);
};

/* Are there seqs between the part before and this one? tape_fit() says. */
enum part_gap {
    PART_NO_GAP,
    PART_GAP_DELETED, /* all of them are those that retention deleted */
    PART_GAP_GONE,    /* the file that had them is not there */
    PART_GAP_DAMAGED, /* it cannot be opened */
};

/* What every kind of part begins with. */
struct part {
    const struct part_ops *ops;
    uint64_t id;      /* by its own header; rises from part to part */
    uint64_t name_id; /* by its file's name: the same, unless somebody renamed it */
    uint64_t first_seq;
    uint64_t end_seq;
    enum part_gap gap;
    unsigned references; /* the tape's, and one per walk */
    bool is_final;
    bool is_missed;   /* something was to be read in it, and its file was gone */
    bool is_salvaged; /* its ends may be others than they were */
    bool is_detached; /* no longer of the tape: sealed into a segment, or deleted */
};

struct part_walk {
    struct part *part;
};

extern const struct part_ops journal_part;
extern const struct part_ops segment_part;

void part_release(struct part *part);

#endif
