/* cursor_internal.h - how a scan takes a cursor's work over. */
#ifndef INDEX_CURSOR_INTERNAL_H
#define INDEX_CURSOR_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

struct cursor;
struct part;
struct tape;

/* What a cursor will not look at: of `part`, the blocks from first_block on (of kinds that cannot be shared
 * out, and when it has planned them all: none), and behind it the other parts between the two seqs. */
struct cursor_rest {
    struct part *part;
    bool shares_part; /* first_block says something */
    uint32_t first_block;
    uint64_t first_seq; /* what the cursor was asked for, with what the query says about seqs */
    uint64_t end_seq;
};

/* Let the cursor end with what it has begun: the file that it is in, up to the block it is at. False, and
 * nothing is changed, when it is not inside a file or does not walk by seq. */
bool cursor_hand_over(struct cursor *cursor, struct cursor_rest *rest);

/* Bytes of records that the cursor has looked at. */
uint64_t cursor_scanned_bytes(const struct cursor *cursor);

#endif
