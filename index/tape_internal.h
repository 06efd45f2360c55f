/* tape_internal.h - what parts and cursors ask of the tape they belong to. */
#ifndef INDEX_TAPE_INTERNAL_H
#define INDEX_TAPE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "index/journal.h"

struct block_info;
struct block_pool;
struct deletions;
struct error;
struct part;
struct places;
struct record;
struct segment_pool;
struct stream;
struct tape;
struct tape_gone;
struct tape_damage;

/* Stream ids are small numbers given out one by one; a larger one in a file is damage. */
#define STREAM_ID_LIMIT (1u << 24)

/* As tape_open(), for the one who holds the tape's lock and has not begun to write. */
struct tape *tape_open_locked(const char *directory, struct error *err);

/* A part defines stream `id`. A second definition with other names is damage and is named. */
void tape_define_stream(struct tape *tape, uint32_t id, struct bytes tap, struct bytes name);

/* The stream with this id; one that no readable part defines is called "?/stream-ID". */
const struct stream *tape_stream_by_id(struct tape *tape, uint32_t id);

/* Remember damage that a reader met; the same place is kept once. */
void tape_note_damage(struct tape *tape, uint64_t first_seq, uint64_t end_seq, const char *format,
    ...) __attribute__((format(printf, 4, 5)));

/* The same where it is known that `events` of the seqs between are lost. */
void tape_note_lost(struct tape *tape, uint64_t first_seq, uint64_t end_seq, uint64_t events,
    const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The same for one block of a segment: what was in it is known from the index. */
void tape_note_block(struct tape *tape, const struct block_info *block, const char *text);

/* The same that another reader of this tape met, which may be closed by now. */
void tape_take_damage(struct tape *tape, const struct tape_damage *damage);

/* Something was to be read in the part, and its file was gone. */
void tape_note_missed(struct tape *tape, struct part *part);

/* The part that holds `seq`, else the next one behind it; NULL when there is none. With
 * `downward`, else the one before it. */
struct part *tape_part_at(struct tape *tape, uint64_t seq);
struct part *tape_part_below(struct tape *tape, uint64_t end_seq);

/* Is the tape looked at again and again? */
bool tape_is_followed(const struct tape *tape);

/* Where the events of its streams have what. Lives until the next tape_refresh(). */
const struct places *tape_places(const struct tape *tape);

/* What its retention deleted. The same. */
const struct deletions *tape_deletions(const struct tape *tape);

/* What its catalogue knows of segments that no file has. The same. */
struct tape_gone *tape_gone(struct tape *tape);

/* Does a file with this uuid belong to the tape? False with ERROR_DAMAGED that says what to do. */
bool tape_is_own(const struct tape *tape, const char *path,
    const unsigned char uuid[TAPE_UUID_BYTES], struct error *err);

/* The tape's own number, out of its files; false when no file says one. */
bool tape_uuid(const struct tape *tape, unsigned char uuid[TAPE_UUID_BYTES]);

/* Why the system did not read one of the tape's files; NULL: it read all of them. What is in it is not known, so
 * nobody may write behind it. */
const char *tape_unreadable(const struct tape *tape);

/* Where the tape's walks have their blocks from. */
struct block_pool *tape_block_pool(struct tape *tape);

/* The segment files that are open and idle. */
struct segment_pool *tape_segment_pool(struct tape *tape);

size_t tape_part_count(const struct tape *tape);
struct part *tape_part(const struct tape *tape, size_t index);

#endif
