/* faults_seen.h - which faults can be seen on a tape, with the events that show it.
 *
 * Looks at what was recorded and at how the groups' lag went, nothing else: it does not know what
 * the shop did. Each check is the plain one for its fault; it reads the whole tape once.
 *
 * Threads: the thread that owns the tape.
 */
#ifndef DEMO_FAULTS_SEEN_H
#define DEMO_FAULTS_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "demo/faults.h"
#include "demo/lag_watch.h"

struct error;
struct tape;

/* An event on the tape. */
struct fault_witness {
    char stream[136]; /* its label, cut to fit */
    int32_t partition;
    int64_t offset;
    uint64_t seq;
};

/* What was seen of one kind of fault. Witnesses and text are those of the first time. */
struct fault_sighting {
    uint64_t count; /* 0: not visible */
    size_t witness_count;
    struct fault_witness witnesses[2];
    char text[200]; /* safe to print */
};

struct faults_seen {
    struct fault_sighting sightings[FAULT_COUNT];
};

/* A group's longest stall, from samples. */
struct group_stall {
    const char *group;
    const char *stream; /* the label on the tape: "shop/payments" */
    struct lag_stall stall;
};

/* Distinct keys and ids that a scan can tell apart, about: 128 MB of memory. */
#define FAULTS_SEEN_MAX (UINT32_C(3) * 1024 * 1024)

/* Read the tape as of its last refresh and fill *seen:
 *
 *   duplicate  an id that two events of one stream carry
 *   key-move   a key that is in another partition of its stream than before
 *   gap        a number missing between the `seq` of two events, in lanes without offsets of their own
 *   poison     a payload with control bytes, or that is no UTF-8
 *   stall      one of `stalls`; its witness is the event that the group did not come to
 *
 * False with ERROR_LIMIT beyond FAULTS_SEEN_MAX, or when the tape cannot be read. */
bool faults_seen_scan(struct tape *tape, const struct group_stall *stalls, size_t stall_count,
    struct faults_seen *seen, struct error *err);

#endif
