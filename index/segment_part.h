/* segment_part.h - what the walks through a segment share.  Threads: those of the tape. */
#ifndef INDEX_SEGMENT_PART_H
#define INDEX_SEGMENT_PART_H

struct lane_walk_ops;
struct part;
struct segment_file;

/* The file of a part that is a segment. */
struct segment_file *segment_part_file(struct part *part);

extern const struct lane_walk_ops segment_lane_walk;

#endif
