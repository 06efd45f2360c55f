/* fuzz_block.c - arbitrary bytes as the sections of a block.
 *
 * The first bytes say how many events and how long each section is; checksums are made to fit, since
 * whoever can write a file can do that too. Whatever decodes must stay within its own bytes, and
 * must be the same after it was written and read once more. */
#include <stdint.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "index/block.h"
#include "index/event.h"
#include "index/header_shape.h"
#include "index/record.h"

/* events - 1, bytes as records, codecs of the sections, bytes of META KEY HDR, decoded bytes of all four */
#define HEAD_BYTES 18

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct stream *
any_stream(void *self, uint32_t id)
{
    (void)id;
    return self;
}

static void
require(bool is_so)
{
    if (!is_so)
        abort();
}

/* Every byte of the event is looked at, for the sanitizers. */
static void
touch(const struct event *event)
{
    uint32_t crc = crc32c(0, event->key.data, event->key.length);
    crc = crc32c(crc, event->payload.data, event->payload.length);
    crc = crc32c(crc, event->headers.data, event->headers.length);
    struct event_identity identity;
    event_identify(event, &identity);
    volatile uint32_t sink = crc;
    (void)sink;
}

static void
compare(const struct block *a, const struct block *b)
{
    require(a->count == b->count);
    for (uint32_t i = 0; i < a->count; i++) {
        struct record left;
        struct record right;
        block_record(a, i, &left);
        block_record(b, i, &right);
        require(a->seqs[i] == b->seqs[i] && left.time_ns == right.time_ns &&
                left.received_ns == right.received_ns && left.position == right.position &&
                left.stream_id == right.stream_id && left.partition == right.partition &&
                left.flags == right.flags && bytes_equal(left.key, right.key) &&
                bytes_equal(left.payload, right.payload) &&
                left.headers.length == right.headers.length &&
                bytes_equal(left.headers, right.headers));
    }
}

/* Decode all sections out of `bytes`, which hold them one behind the other. */
static bool
decode(struct block *block, const struct block_info *info, const unsigned char *bytes)
{
    static const struct stream stream;
    union {
        const struct stream *in;
        void *out;
    } self = {.in = &stream};
    const struct block_streams streams = {any_stream, self.out};
    struct error err;
    for (int i = 0; i < BLOCK_SECTIONS; i++) {
        struct bytes stored = {bytes, info->sections[i].stored};
        if (!block_decode(block, info, (enum block_section)i, stored, &streams, &err))
            return false;
        bytes += stored.length;
    }
    return true;
}

/* A header list that is made alone must be the one that comes with all of them. */
static void
compare_alone(const struct block *whole, const struct block_info *info, const unsigned char *bytes)
{
    static const struct stream stream;
    union {
        const struct stream *in;
        void *out;
    } self = {.in = &stream};
    const struct block_streams streams = {any_stream, self.out};
    struct error err;
    struct block *block = block_new();
    struct bytes meta = {bytes, info->sections[BLOCK_META].stored};
    struct bytes hdr = {
        bytes + meta.length + info->sections[BLOCK_KEY].stored, info->sections[BLOCK_HDR].stored};
    require(block_decode(block, info, BLOCK_META, meta, &streams, &err) &&
            block_unpack(block, info, BLOCK_HDR, hdr, &err));
    for (uint32_t i = 0; i < whole->count; i++) {
        struct bytes headers;
        struct event event;
        block_event(whole, i, &event);
        require(
            block_load_headers_of(block, i, &headers, &err) && bytes_equal(headers, event.headers));
    }
    block_free(block);
}

static void
write_and_compare(const struct block *block)
{
    struct block_writer *writer = block_writer_new(BLOCK_ZSTD);
    struct block *again = block_new();
    struct buffer bytes = {0};
    struct header_list list;
    struct block_info info = {0};
    for (uint32_t i = 0; i < block->count; i++) {
        struct record record;
        block_record(block, i, &record);
        struct event event;
        block_event(block, i, &event);
        touch(&event);
        (void)block_writer_add(writer, &record, block->seqs[i], &list);
    }
    block_writer_finish(writer, &info, &bytes);
    require(decode(again, &info, bytes.data + BLOCK_HEADER_BYTES));
    compare(block, again);
    buffer_done(&bytes);
    block_free(again);
    block_writer_free(writer);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEAD_BYTES)
        return 0;
    struct block_info info = {
        .event_count = data[0] + 1u,
        .record_bytes = load_u16(data + 1),
        .max_seq = UINT32_MAX - 1,
    };
    unsigned codecs = data[3];
    const unsigned char *bytes = data + HEAD_BYTES;
    size_t left = size - HEAD_BYTES;
    size_t at = 0;
    for (size_t i = 0; i < BLOCK_SECTIONS; i++) {
        struct block_extent *extent = &info.sections[i];
        size_t wanted = i == BLOCK_PAY ? left : load_u16(data + 4 + 2 * i);
        extent->stored = (uint32_t)(wanted < left ? wanted : left);
        extent->codec = (enum block_codec)((codecs >> 2 * i & 3) % 3);
        extent->decoded = extent->codec == BLOCK_RAW ? extent->stored : load_u16(data + 10 + 2 * i);
        extent->checksum = crc32c(0, bytes + at, extent->stored);
        at += extent->stored;
        left -= extent->stored;
    }
    struct block *block = block_new();
    if (decode(block, &info, bytes)) {
        compare_alone(block, &info, bytes);
        write_and_compare(block);
    }
    block_free(block);
    return 0;
}
