/* seal.h - turn what waits in journals into one immutable, indexed segment.
 *
 * docs/FORMAT.md, "Segment files". The records stay where they are (batches, journal frames); sealing
 * sorts references to them, writes block after block to NNNNNNNN.tmp, syncs, and renames to
 * NNNNNNNN.seg. A crash leaves the .tmp, which means nothing. Besides the input it needs about 40 bytes
 * per event, 8 per token, and a few MiB.
 *
 * Threads: any; a call touches nothing but its arguments and the two files.
 */
#ifndef INDEX_SEAL_H
#define INDEX_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "index/block.h"
#include "index/bloom.h"

struct error;
struct hole;
struct seal_help;
struct seal_room;
struct stream;

/* Event records one behind the other, in the order of their seqs: first_seq, first_seq + 1 ... */
struct seal_region {
    struct bytes records;
    uint64_t first_seq;
    uint32_t event_count;
};

struct seal_input {
    unsigned char uuid[BLOOM_UUID_BYTES]; /* of the tape */
    uint64_t id;                          /* number in the file's name */
    uint64_t
        first_seq; /* the segment stands for seqs first_seq .. end_seq - 1; where no region has */
    uint64_t end_seq; /* one of them, it is lost */
    int64_t created_ns;
    const struct seal_region *regions; /* by seq, not overlapping */
    size_t region_count;
    /* Brings the records of a region to where it says. Called once for each, in their order, before it is
     * looked at; NULL: they are there. All stay until seal_segment() returns. */
    bool (*fetch)(void *fetch_self, size_t region, struct error *err);
    void *fetch_self;
    struct stream *const
        *streams; /* may have NULLs; streams that it does not have are sealed too */
    size_t stream_count;
    const struct hole *holes;
    size_t hole_count;
};

#define SEAL_TOKEN_HEADERS_MAX 64u

struct seal_options {
    enum block_codec codec;           /* BLOCK_ZSTD unless scans matter more than size: BLOCK_LZ4 */
    const char *const *token_headers; /* names whose values are indexed, besides the known ones */
    size_t token_header_count;
    struct seal_room *room; /* NULL: memory of its own for the one segment */
    struct seal_help *help; /* who may help to pack; NULL: nobody */
};

struct seal_result {
    uint64_t file_bytes;
    uint64_t event_count;
    uint64_t record_bytes;
    uint32_t block_count;
    uint32_t lane_count;
    uint64_t filter_bytes;
    uint64_t decoded[BLOCK_SECTIONS];
    uint64_t stored[BLOCK_SECTIONS];
};

/* Memory for what is known of the events while they are sealed. Whoever seals one segment after another keeps
 * it, since fresh memory costs page faults. It has what the largest of them needed. One at a time may use it. */
struct seal_room *seal_room_new(void);
void seal_room_free(struct seal_room *room); /* NULL is allowed */

/* A segment that is complete under its temporary name, but not known to be on the disk. Used up by seal_commit(). */
struct seal_file {
    int fd;
    char *temporary;
    char *path;
};

/* Write DIRECTORY/NNNNNNNN.tmp. `options` may be NULL. *result and *file are valid on success only; the regions are
 * not needed any more then.
 *
 * Fails like seal_segment(), and leaves nothing. */
bool seal_write(const char *directory, const struct seal_input *input,
    const struct seal_options *options, struct seal_result *result, struct seal_file *file,
    struct error *err);

/* Bring it to the disk under its own name, replacing a segment that is there. What fails leaves
 * nothing of it. */
bool seal_commit(const char *directory, struct seal_file *file, struct error *err);

/* Both steps. *result is written on success only.
 *
 * False with ERROR_SYSTEM or ERROR_DISK_FULL; ERROR_ARGUMENT for more than SEAL_TOKEN_HEADERS_MAX names;
 * ERROR_FORMAT when the input is not what it says (a region is no row of event records, regions overlap or
 * are outside of first_seq .. end_seq); what input->fetch() said. Then there is no .tmp left, and an old .seg is
 * as it was unless all that failed was to sync the directory. */
bool seal_segment(const char *directory, const struct seal_input *input,
    const struct seal_options *options, struct seal_result *result, struct error *err);

#endif
