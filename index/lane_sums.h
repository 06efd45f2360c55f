/* lane_sums.h - what all files of a tape have together of each lane, and which of its offsets are in none.
 *
 * The parts are gone through in the order of their seqs. What retention deleted between them is a hole with
 * that reason; where seqs are missing and it did not, each lane that goes on behind has one that nobody
 * recorded.
 *
 * Threads: those of the tape.
 */
#ifndef INDEX_LANE_SUMS_H
#define INDEX_LANE_SUMS_H

#include <stddef.h>

struct error;
struct lane_summary;
struct lanes;
struct tape;
struct tape_stretch;

/* Zero-initialise. */
struct lane_sums {
    struct lanes *lanes;
    struct lane_summary *rows;
};

/* As tape_lanes(). */
const struct lane_summary *lane_sums_make(
    struct lane_sums *sums, struct tape *tape, size_t *count, struct error *err);

/* As tape_holes(). */
const struct lane_summary *lane_sums_make_holes(struct lane_sums *sums, struct tape *tape,
    struct tape_stretch *stretch, size_t *count, struct error *err);

void lane_sums_done(struct lane_sums *sums);

#endif
