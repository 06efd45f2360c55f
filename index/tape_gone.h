/* tape_gone.h - what the catalogue knows of segments that no file has: behind all that can be read, and between.
 *
 * A file that is missing between two others leaves a gap in the seqs, and the offsets beside it tell what it held of lanes
 * that go on. Of lanes that begin or end in it, and of everything where the newest files are missing or the last one is
 * damaged, only the catalogue tells, as long as it has their rows.
 *
 * Threads: those of the tape.
 */
#ifndef INDEX_TAPE_GONE_H
#define INDEX_TAPE_GONE_H

#include <stddef.h>
#include <stdint.h>

#include "index/part.h"

struct catalogue;
struct lanes;
struct tape;

/* All of these segments together. Zero-initialise. */
struct tape_gone {
    struct lanes *lanes; /* NULL: the catalogue knows none */
    uint64_t end_seq;    /* of the newest behind all parts; 0: there is none */
    uint64_t id;         /* its number */
    enum part_gap gap;   /* why: behind the last part, or else between; tape_fit() says */
};

void tape_gone_done(struct tape_gone *gone);

/* Take from the catalogue the segments with higher numbers than the tape's parts, and a salvaged last part as it was. The
 * tape is told their streams. */
void tape_gone_learn_end(
    struct tape_gone *gone, struct tape *tape, const struct catalogue *catalogue);

/* Take those whose seqs are missing in front of one of these parts, which know their gaps, and say why they are where
 * nothing is missing at the end. Reads the catalogue, if there is such a gap. */
void tape_gone_learn_between(
    struct tape_gone *gone, struct tape *tape, struct part *const *parts, size_t count);

#endif
