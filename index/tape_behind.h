/* tape_behind.h - what the catalogue knows of segments behind all that can be read.
 *
 * A file that is missing between two others leaves a gap in the seqs. Where the newest ones are missing, or the last one is
 * damaged, nothing but the catalogue says that there was more.
 *
 * Threads: those of the tape.
 */
#ifndef INDEX_TAPE_BEHIND_H
#define INDEX_TAPE_BEHIND_H

#include <stdint.h>

#include "index/part.h"

struct catalogue;
struct lanes;
struct tape;

/* All of these segments together. Zero-initialise. */
struct tape_behind {
    struct lanes *lanes; /* NULL: the catalogue knows none */
    uint64_t end_seq;
    uint64_t id;       /* of the newest */
    enum part_gap gap; /* what is missing of them; tape_fit() says */
};

void tape_behind_done(struct tape_behind *behind);

/* Take from the catalogue the segments with higher numbers than the tape's parts, and a salvaged last part as it was. The
 * tape is told their streams. */
void tape_behind_learn(
    struct tape_behind *behind, struct tape *tape, const struct catalogue *catalogue);

#endif
