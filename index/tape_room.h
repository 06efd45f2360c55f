/* tape_room.h - how much more the disk of a tape may take.
 *
 * Two things stay free: the share that the user wants (min_free), and what sealing needs. A journal goes only after its
 * segment is on the disk, and retention deletes segments only: a disk without that room would be full for ever.
 *
 * Invariant: after an append that tape_room_takes() allowed, the largest journal that is not sealed can be sealed, and
 * then each of the others, since a segment takes no more than its journal did.
 *
 * Threads: one owner.
 */
#ifndef INDEX_TAPE_ROOM_H
#define INDEX_TAPE_ROOM_H

#include <stdbool.h>
#include <stdint.h>

struct error;

/* Zero-initialise, but for the first two. */
struct tape_room {
    const char *directory; /* of the caller */
    double min_free;       /* share of the disk; 0 or less: none */
    uint64_t free_bytes;   /* as it was, less what was taken since */
    uint64_t disk_bytes;   /* 0: not known, and then everything fits */
    uint64_t taken;        /* since it was looked at */
    int64_t looked_ns;     /* monotonic; 0: never */
};

/* What waits to be sealed, or is written now. */
struct tape_room_load {
    uint64_t largest; /* journal, in bytes */
    uint64_t all;
};

/* What sealing a journal of so many bytes may need. */
uint64_t tape_room_to_seal(uint64_t journal_bytes);

/* Ask the system again when that is due. */
void tape_room_look(struct tape_room *room, int64_t now_monotonic_ns);

/* May `bytes` more be written? `load` is as it will be then. False with ERROR_DISK_FULL that says what is missing. */
bool tape_room_takes(struct tape_room *room, uint64_t bytes, const struct tape_room_load *load,
    int64_t now_monotonic_ns, struct error *err);

/* They were written. */
void tape_room_took(struct tape_room *room, uint64_t bytes);

/* The size behind which a journal ends: `wanted`, or less where little is free, so that one can be written while the
 * last one is sealed. */
uint64_t tape_room_journal_bytes(const struct tape_room *room, uint64_t wanted);

#endif
