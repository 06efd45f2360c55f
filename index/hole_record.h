/* hole_record.h - holes and stream definitions as records; docs/FORMAT.md, "Control records". */
#ifndef INDEX_HOLE_RECORD_H
#define INDEX_HOLE_RECORD_H

#include <stdbool.h>

struct buffer;
struct hole;
struct record;
struct stream;

/* Append the hole, or the stream's definition, as one encoded record. */
void hole_record_append(struct buffer *buffer, const struct hole *hole);
void stream_record_append(struct buffer *buffer, const struct stream *stream);

/* Read a decoded RECORD_HOLE. False when its payload is not a hole. */
bool hole_record_read(const struct record *record, struct hole *hole);

#endif
