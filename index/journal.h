/* journal.h - the file of raw frames just received, NNNNNNNN.jnl; docs/FORMAT.md, "Journal".
 *
 * One writer appends whole frames; readers in other processes look at the same file while it grows
 * and take a short or broken last frame for "not yet there". A frame that is broken with good ones
 * behind it is damage: it is stepped over and named.
 *
 * Threads: a struct journal (reading) belongs to one thread, a struct journal_file (writing) to one.
 */
#ifndef INDEX_JOURNAL_H
#define INDEX_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "index/record.h"

struct error;
struct journal_spare;
struct lanes;

#define JOURNAL_HEADER_BYTES 64u
#define FRAME_HEADER_BYTES   32u
#define FRAME_MAX_BODY       (RECORD_MAX_BYTES + 1024u * 1024)
#define TAPE_UUID_BYTES      16

struct journal_header {
    unsigned char uuid[TAPE_UUID_BYTES]; /* of the tape */
    uint64_t id;                         /* the number in the file's name */
    uint64_t base_seq;                   /* seq of its first event */
    int64_t created_ns;
    bool
        is_reused; /* the file was another journal's before: what is behind the end mark means nothing */
};

/* ---- writing ---- */

struct journal_file {
    int fd;
    uint64_t size; /* bytes that are acknowledged; what is behind them is cut */
    bool is_torn;  /* and could not be cut yet: nothing may be appended behind it */
    uint64_t rest; /* where ends what another journal left; not above `size`: no more */
    bool is_named; /* its name is on the disk, or whoever syncs it was told to bring it there */
    struct journal_header header;
    char *path;
};

/* Make DIRECTORY/ID.jnl with its header, of the file in `spare` when there is one (NULL: of none). Neither it nor its
 * name is on the disk then: file_sync_parent(). */
bool journal_create(struct journal_file *file, const char *directory,
    const struct journal_header *header, struct journal_spare *spare, struct error *err);

/* Append one frame with one writev: `event_count` is 0 for control records. On failure what was
 * written of it is cut off again. In a file that was used before, an end mark goes with it. */
bool journal_append(struct journal_file *file, uint32_t event_count, uint64_t first_seq,
    struct bytes body, struct error *err);

/* Cut everything behind `size` bytes off again. */
void journal_take_back(struct journal_file *file, uint64_t size);

/* Give back the room that another journal took in this file, and this one does not need. */
void journal_trim(struct journal_file *file);

void journal_file_close(struct journal_file *file);

/* ---- reading ---- */

struct frame {
    uint64_t at; /* of its header in the file */
    uint32_t body_bytes;
    uint32_t event_count;
    uint64_t first_seq;
    bool verified; /* its checksum was found right */
    bool zoned;    /* the six below are known */
    int64_t min_time_ns;
    int64_t max_time_ns;
    int64_t min_received_ns;
    int64_t max_received_ns;
};

/* Damage between frames or in one. */
struct journal_damage {
    uint64_t at;
    uint64_t bytes;
    uint64_t first_seq; /* events lost: first_seq .. end_seq - 1; equal: not known to be any */
    uint64_t end_seq;
};

struct journal {
    int fd;
    char *path;
    struct journal_header header;
    struct frame *frames; /* event frames only, by seq */
    size_t frame_count;
    size_t frame_capacity;
    uint64_t scanned; /* the file was understood up to here */
    uint64_t end_seq; /* behind the last complete frame */
    struct journal_damage *damage;
    size_t damage_count;
    size_t damage_capacity;
    bool
        is_followed; /* set by the owner: it is looked at again and again, which must not take long */
    uint64_t written_ns;   /* wall clock: the file was changed last, when it was looked at last */
    uint64_t unfinished;   /* where a frame was not whole when it was looked at last; 0: nowhere */
    int64_t unfinished_ns; /* monotonic: it was found there, or behind it was searched, last */
    uint64_t searched_ns;  /* `written_ns` when behind it was searched, in vain; 0: never */
    uint64_t
        in_vain; /* bytes of what looked like frames behind broken ones, and had wrong checksums */
};

/* What a scan calls for each control record; views die after the call. */
typedef void journal_control(void *self, const struct record *record);

/* Open for reading and read the header. ERROR_DAMAGED when it is not a journal of a version that we
 * know; ERROR_SYSTEM with errno ENOENT left when it is gone. */
bool journal_open(struct journal *journal, const char *path, struct error *err);
void journal_close(struct journal *journal);

/* The same where the header is broken: what it says is taken from the first whole frame and from `id`; the
 * uuid is not known (zeros). ERROR_DAMAGED also when there is no whole frame. */
bool journal_open_headless(
    struct journal *journal, const char *path, uint64_t id, struct error *err);

/* Look at what was appended since the last scan. With `verify` each frame's checksum is checked;
 * without, only that of the last one, the others when they are read. `is_final`: nobody appends any
 * more, so a broken tail is damage (or a torn write) and not "not yet". */
bool journal_scan(struct journal *journal, bool verify, bool is_final, journal_control *control,
    void *self, struct error *err);

/* Are the bytes at `at`, behind the last whole frame, a frame that was whole once? A recorder that was stopped in the
 * middle leaves the beginning of one (or zeros, where the power failed), and nothing in that was acknowledged. */
bool journal_end_is_broken(
    struct journal *journal, uint64_t at, bool *is_broken, struct error *err);

/* Read a frame's body into `buffer` (its content is replaced) and check it. False with ERROR_DAMAGED
 * when the checksum differs. */
bool journal_read_frame(
    struct journal *journal, struct frame *frame, struct buffer *buffer, struct error *err);

/* The whole file as far as it was scanned, in memory. */
struct journal_map {
    unsigned char *data;
    size_t length;
};

/* Map the file: its pages are in the page cache anyway, and are not copied. All of them are read before this
 * returns; where the kernel cannot do that, or the disk fails, they are read into memory of our own. What is mapped must
 * not be cut off by anybody while it is used: the kernel would end the process. */
bool journal_map(const struct journal *journal, struct journal_map *map, struct error *err);

void journal_unmap(struct journal_map *map); /* zeros are allowed */

/* Check a frame that lies in `map`. False with ERROR_DAMAGED when the checksum differs. */
bool journal_check_frame(const struct journal *journal, struct frame *frame,
    const struct journal_map *map, struct error *err);

#endif
