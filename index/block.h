/* block.h - about 128 KiB of events of a segment, in four columns that are compressed on their own.
 *
 * docs/FORMAT.md, "Order and blocks". META holds what most questions are about (lane, offset, times,
 * lengths); KEY, HDR and PAY are decoded when they are asked for. A block is written from records
 * in the order of (stream, partition, offset, seq) and gives back every one of them byte by byte.
 *
 * Decoding distrusts its input: sizes are checked against limits before memory is taken, and what
 * the parts say about each other must agree.
 *
 * Threads: one owner each.
 */
#ifndef INDEX_BLOCK_H
#define INDEX_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "index/record.h"

struct error;
struct event;
struct header_list;
struct stream;

/* A block ends before the event that would make its records larger than this. */
#define BLOCK_TARGET_BYTES ((size_t)128 * 1024)
#define BLOCK_MAX_EVENTS   65535u
/* A decoded section is never larger: one event of the largest size, and the shapes of its headers. */
#define BLOCK_SECTION_MAX  (RECORD_MAX_BYTES + 4u * 1024 * 1024)
#define BLOCK_HEADER_BYTES 208u

enum block_section {
    BLOCK_META,
    BLOCK_KEY,
    BLOCK_HDR,
    BLOCK_PAY,
    BLOCK_SECTIONS,
};

enum block_codec {
    BLOCK_RAW = 0,
    BLOCK_LZ4 = 1,
    BLOCK_ZSTD = 2,
};

struct block_extent {
    uint32_t stored; /* bytes in the file */
    uint32_t decoded;
    uint32_t checksum;
    enum block_codec codec;
};

/* What is known of a block without reading it. All ranges are inclusive. */
struct block_info {
    uint32_t event_count;
    uint32_t record_bytes; /* of its events, as records */
    uint64_t at;           /* of its header in the file */
    uint64_t min_seq;
    uint64_t max_seq;
    int64_t min_time_ns; /* event_time() */
    int64_t max_time_ns;
    int64_t min_received_ns;
    int64_t max_received_ns;
    uint32_t first_stream; /* of the first event; events are sorted by stream, partition, offset */
    int32_t first_partition;
    int64_t first_offset;
    uint32_t last_stream;
    int32_t last_partition;
    int64_t last_offset;
    int64_t min_offset; /* over all lanes in it */
    int64_t max_offset;
    uint32_t min_size; /* event_size() */
    uint32_t max_size;
    uint32_t filter; /* first filter block, and how many */
    uint32_t filter_blocks;
    struct block_extent sections[BLOCK_SECTIONS];
};

void block_info_put(const struct block_info *info, unsigned char to[BLOCK_HEADER_BYTES]);

/* False when the bytes are not a header, or say what no block can be. */
bool block_info_get(const unsigned char from[BLOCK_HEADER_BYTES], struct block_info *info);

/* ---- writing ---- */

struct block_writer;

struct block_writer *block_writer_new(enum block_codec codec);
void block_writer_free(struct block_writer *writer);

/* True when the next record, of `size` bytes, belongs into the next block. */
bool block_writer_is_full(const struct block_writer *writer, size_t size);

/* Bytes of the records in it. */
size_t block_writer_bytes(const struct block_writer *writer);

/* Add the next event record, whose payload must stay where it is until block_writer_finish(). Returns
 * what header_writer_add() does for its headers. */
unsigned block_writer_add(struct block_writer *writer, const struct record *record, uint64_t seq,
    struct header_list *list);

/* Append header and sections of the block to `to` and begin the next one. The caller filled
 * info->at, filter and filter_blocks; everything else in *info is filled here. */
void block_writer_finish(struct block_writer *writer, struct block_info *info, struct buffer *to);

/* ---- reading ---- */

#define BLOCK_BIT(section) (1u << (section))
#define BLOCK_ALL          15u

/* Gives the stream with this id, or NULL when there is none: then the block is damaged. */
typedef const struct stream *block_stream_lookup(void *self, uint32_t id);

struct block_streams {
    block_stream_lookup *lookup;
    void *self;
};

/* Events of one lane that stand side by side: up to number `end`, exclusive, from the end of the one before. */
struct block_lane {
    uint32_t end;
    uint32_t stream_id;
    int32_t partition;
    const struct stream *stream;
};

/* Beside RECORD_FLAG_*, whose bits end below. */
#define BLOCK_FLAG_NULL_KEY     (UINT32_C(1) << 24)
#define BLOCK_FLAG_NULL_PAYLOAD (UINT32_C(1) << 25)

/* Events of one block, in columns: block_event() makes one out of them. What the columns have is valid once META
 * is loaded. All of it lives in the block until it is used for another one or freed. */
struct block {
    uint64_t owner; /* with index: which block it is; 0: none */
    uint32_t index;
    unsigned unpacked; /* BLOCK_BIT of each section whose bytes are there */
    unsigned loaded;   /* and of each that the events say */
    uint32_t count;
    uint64_t *seqs;
    int64_t *received_ns;
    int64_t *times_ns; /* what it is, the flags say */
    int64_t *offsets;
    uint32_t *flags;  /* RECORD_FLAG_* and BLOCK_FLAG_* */
    uint32_t *key_at; /* count + 1 places in `keys`, known before those are loaded */
    uint32_t *headers_at;
    uint32_t *payload_at;
    struct block_lane *lanes;
    uint32_t lane_count;
    struct bytes
        keys; /* of all events, one behind the other, once BLOCK_KEY is loaded; else null */
    struct bytes headers;  /* likewise, once BLOCK_HDR is */
    struct bytes payloads; /* likewise, once BLOCK_PAY is */
    struct block_memory *memory;
};

/* Make *event the event number `i`. What it points to lives as long as the block has it. Of a section that is not loaded, key,
 * headers or payload have their length and no bytes: they are null views with a length. */
void block_event(const struct block *block, uint32_t i, struct event *event);

/* Have fetched into the processor's cache what block_event() will need. */
void block_expect_event(const struct block *block, uint32_t i);

/* Parts of it, for those who look at many: its lane, event_time(), its key. */
const struct block_lane *block_lane(const struct block *block, uint32_t i);
int64_t block_time(const struct block *block, uint32_t i);
struct bytes block_key(const struct block *block, uint32_t i);

/* What is needed only while a section is decoded. The blocks of one thread share it; it must outlive
 * them. */
struct block_scratch;
struct block_scratch *block_scratch_new(void);
void block_scratch_free(struct block_scratch *scratch);

struct block *block_new(void); /* with a scratch of its own */
struct block *block_new_sharing(struct block_scratch *scratch);
void block_free(struct block *block);

/* Forget which block it is; its memory stays. */
void block_clear(struct block *block);

/* Memory that the block keeps, roughly. */
size_t block_memory_bytes(const struct block *block);

/* Check and decompress one section, in any order, without looking into it. False with ERROR_DAMAGED,
 * and then the block holds nothing. */
bool block_unpack(struct block *block, const struct block_info *info, enum block_section section,
    struct bytes stored, struct error *err);

/* Let the events say what an unpacked section has; META first. False as block_unpack(). */
bool block_load(struct block *block, const struct block_info *info, enum block_section section,
    const struct block_streams *streams, struct error *err);

/* The header list of event number `i` alone, of a block whose HDR is unpacked and not loaded: cheaper than loading
 * it when few of its events are wanted. *headers lives until the next call. False as block_unpack(). */
bool block_load_headers_of(
    struct block *block, uint32_t i, struct bytes *headers, struct error *err);

/* Both. */
bool block_decode(struct block *block, const struct block_info *info, enum block_section section,
    struct bytes stored, const struct block_streams *streams, struct error *err);

/* The record that event number `i` was made from, as far as it is loaded. */
void block_record(const struct block *block, uint32_t i, struct record *record);

/* The first event at or behind number `from` that has the bytes (1 or more) somewhere in its key
 * (BLOCK_KEY), header list (BLOCK_HDR) or payload (BLOCK_PAY); block->count when there is none. The section
 * must be loaded. Searches all of them in one go: to skip what cannot match, before looking closely. */
uint32_t block_find(
    const struct block *block, enum block_section section, struct bytes wanted, uint32_t from);

/* The numbers of the events whose header lists may have the value (1 byte or more) as block_may_hold() means it, into
 * `found`, which has room for all events: how many. HDR is unpacked, META loaded. */
uint32_t block_find_headers(const struct block *block, struct bytes value, uint32_t *found);

/* False: no event of the block has the bytes somewhere in its key (BLOCK_KEY) or payload (BLOCK_PAY), or as
 * a header's value or the trace id of a traceparent (BLOCK_HDR). For sections that are unpacked, loaded or
 * not: most blocks that are searched have no match, and need not be taken apart to see it. */
bool block_may_hold(const struct block *block, const struct block_info *info,
    enum block_section section, struct bytes wanted);

#endif
