/* Writing blocks: records are split into columns as they come, then each section is compressed. */
#include <assert.h>
#include <lz4.h>
#include <stdlib.h>
#include <string.h>
#define ZSTD_STATIC_LINKING_ONLY /* for ZSTD_c_literalCompressionMode */
#include <zstd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "index/block_internal.h"
#include "index/column.h"
#include "index/header_shape.h"

/* Level 1, with a step more between the places where a match is looked for, and with the table and the matches that it
 * has for inputs of more than 256 KiB: faster to write and to read, and about as small. */
#define ZSTD_LEVEL     1
#define ZSTD_TABLE_LOG 14
#define ZSTD_MATCH     7
#define ZSTD_STEP      2

/* LZ4 makes headers smaller by this part when there is text in them. */
#define TEXT_SAVES 8

/* `info` widens with each record; the lane run that is not yet written is that of the last one. */
struct block_writer {
    enum block_codec codec;
    ZSTD_CCtx *zstd;
    struct block_info info;
    uint64_t *columns[COLUMN_COUNT];
    size_t capacity;
    struct buffer runs;
    uint32_t run_length;
    struct buffer sections[BLOCK_SECTIONS];
    struct bytes large; /* the payload of the only event so far, where it lies; null: none */
    struct header_writer *headers;
};

/* With such a step zstd leaves what matches nothing as it is unless it is told not to, which makes text a third
 * larger. A version that does not know how to be told gets level 1 and nothing more. */
static ZSTD_CCtx *
new_compressor(void)
{
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    if (ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_literalCompressionMode, 1)))
        return zstd;
    (void)ZSTD_CCtx_setParameter(zstd, ZSTD_c_hashLog, ZSTD_TABLE_LOG);
    (void)ZSTD_CCtx_setParameter(zstd, ZSTD_c_minMatch, ZSTD_MATCH);
    (void)ZSTD_CCtx_setParameter(zstd, ZSTD_c_targetLength, ZSTD_STEP);
    return zstd;
}

struct block_writer *
block_writer_new(enum block_codec codec)
{
    struct block_writer *writer = alloc_zeroed(sizeof(*writer));
    writer->codec = codec;
    writer->zstd = new_compressor();
    writer->headers = header_writer_new();
    return writer;
}

void
block_writer_free(struct block_writer *writer)
{
    if (writer == NULL)
        return;
    (void)ZSTD_freeCCtx(writer->zstd);
    header_writer_free(writer->headers);
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        free(writer->columns[i]);
    for (size_t i = 0; i < BLOCK_SECTIONS; i++)
        buffer_done(&writer->sections[i]);
    buffer_done(&writer->runs);
    free(writer);
}

bool
block_writer_is_full(const struct block_writer *writer, size_t size)
{
    const struct block_info *info = &writer->info;
    return info->event_count > 0 && (info->record_bytes + size > BLOCK_TARGET_BYTES ||
                                        info->event_count == BLOCK_MAX_EVENTS);
}

size_t
block_writer_bytes(const struct block_writer *writer)
{
    return writer->info.event_count > 0 ? writer->info.record_bytes : 0;
}

static void
append_varint(struct buffer *to, uint64_t value)
{
    to->length += varint_put(buffer_reserve(to, VARINT_MAX), value);
}

static void
end_run(struct block_writer *writer)
{
    append_varint(&writer->runs, writer->run_length);
    append_varint(&writer->runs, writer->info.last_stream);
    append_varint(&writer->runs, (uint32_t)writer->info.last_partition);
    writer->run_length = 0;
}

static void
widen(int64_t *low, int64_t *high, int64_t value)
{
    *low = value < *low ? value : *low;
    *high = value > *high ? value : *high;
}

static void
begin_info(struct block_info *info, const struct record *record)
{
    *info = (struct block_info){
        .min_seq = UINT64_MAX,
        .min_time_ns = INT64_MAX,
        .max_time_ns = INT64_MIN,
        .min_received_ns = INT64_MAX,
        .max_received_ns = INT64_MIN,
        .first_stream = record->stream_id,
        .first_partition = (int32_t)record->partition,
        .first_offset = (int64_t)record->position,
        .last_stream = record->stream_id,
        .last_partition = (int32_t)record->partition,
        .min_offset = INT64_MAX,
        .max_offset = INT64_MIN,
        .min_size = UINT32_MAX,
    };
}

static void
widen_info(struct block_info *info, const struct record *record, uint64_t seq)
{
    int64_t time_ns = record->time_ns == CLOCK_NONE ? record->received_ns : record->time_ns;
    uint32_t size =
        (uint32_t)(record->key.length + record->headers.length + record->payload.length);
    info->event_count++;
    info->record_bytes += RECORD_HEADER_BYTES + size;
    info->min_seq = seq < info->min_seq ? seq : info->min_seq;
    info->max_seq = seq > info->max_seq ? seq : info->max_seq;
    widen(&info->min_time_ns, &info->max_time_ns, time_ns);
    widen(&info->min_received_ns, &info->max_received_ns, record->received_ns);
    widen(&info->min_offset, &info->max_offset, (int64_t)record->position);
    info->last_stream = record->stream_id;
    info->last_partition = (int32_t)record->partition;
    info->last_offset = (int64_t)record->position;
    info->min_size = size < info->min_size ? size : info->min_size;
    info->max_size = size > info->max_size ? size : info->max_size;
}

static void
grow_columns(struct block_writer *writer)
{
    writer->capacity = writer->capacity == 0 ? 1024 : writer->capacity * 2;
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        writer->columns[i] =
            alloc_resize(writer->columns[i], writer->capacity * sizeof(*writer->columns[i]));
}

static uint64_t
length_plus_one(struct bytes bytes)
{
    return bytes.data == NULL ? 0 : (uint64_t)bytes.length + 1;
}

/* A payload that is as large as a block is compressed from where it lies. The next event, if one comes
 * after all, needs it copied. */
static void
add_payload(struct block_writer *writer, struct bytes payload)
{
    struct buffer *payloads = &writer->sections[BLOCK_PAY];
    if (writer->large.data != NULL) {
        buffer_append(payloads, writer->large.data, writer->large.length);
        writer->large = BYTES_NULL;
    }
    if (writer->info.event_count == 1 && payload.length >= BLOCK_TARGET_BYTES)
        writer->large = payload;
    else
        buffer_append(payloads, payload.data, payload.length);
}

unsigned
block_writer_add(struct block_writer *writer, const struct record *record, uint64_t seq,
    struct header_list *list)
{
    struct block_info *info = &writer->info;
    size_t row = info->event_count;
    if (row == 0)
        begin_info(info, record);
    else if (record->stream_id != info->last_stream ||
             (int32_t)record->partition != info->last_partition)
        end_run(writer);
    if (row == writer->capacity)
        grow_columns(writer);

    writer->run_length++;
    widen_info(info, record, seq);
    writer->columns[COLUMN_SEQ][row] = seq;
    writer->columns[COLUMN_RECEIVED][row] = (uint64_t)record->received_ns;
    writer->columns[COLUMN_TIME][row] = (uint64_t)record->time_ns;
    writer->columns[COLUMN_OFFSET][row] = record->position;
    writer->columns[COLUMN_KEY_LENGTH][row] = length_plus_one(record->key);
    writer->columns[COLUMN_HEADERS_LENGTH][row] = record->headers.length;
    writer->columns[COLUMN_PAYLOAD_LENGTH][row] = length_plus_one(record->payload);
    writer->columns[COLUMN_FLAGS][row] = record->flags;
    buffer_append(&writer->sections[BLOCK_KEY], record->key.data, record->key.length);
    add_payload(writer, record->payload);
    return header_writer_add(writer->headers, record->headers, list);
}

static void
put_meta(struct block_writer *writer)
{
    struct buffer *meta = &writer->sections[BLOCK_META];
    end_run(writer);
    buffer_append(meta, writer->runs.data, writer->runs.length);
    writer->runs.length = 0;
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        if (i < STEP_COLUMNS)
            column_put_steps(meta, writer->columns[i], writer->info.event_count);
        else
            column_put_plain(meta, writer->columns[i], writer->info.event_count);
    }
}

/* Compress to `to`, which has room; 0 when the codec could not. */
static size_t
compress_lz4(struct bytes from, unsigned char *to, size_t room)
{
    int length =
        LZ4_compress_default((const char *)from.data, (char *)to, (int)from.length, (int)room);
    return length < 0 ? 0 : (size_t)length;
}

static size_t
compress_zstd(struct block_writer *writer, struct bytes from, unsigned char *to, size_t room)
{
    size_t length = ZSTD_compress2(writer->zstd, to, room, from.data, from.length);
    return ZSTD_isError(length) ? 0 : length;
}

/* The columns of META are already as narrow as they get byte by byte, and headers are often ids in binary: zstd
 * makes them at most a few per cent smaller than LZ4 does, for four times the work, and both are read for
 * nearly every question. Headers that LZ4 makes clearly smaller are text, which is zstd's. */
static size_t
compress(struct block_writer *writer, enum block_section section, struct bytes from,
    unsigned char *to, size_t room, enum block_codec *codec)
{
    *codec = writer->codec;
    if (writer->codec == BLOCK_ZSTD && section != BLOCK_META && section != BLOCK_HDR)
        return compress_zstd(writer, from, to, room);
    *codec = BLOCK_LZ4;
    size_t length = compress_lz4(from, to, room);
    if (writer->codec == BLOCK_LZ4 || section == BLOCK_META ||
        (length != 0 && length >= from.length - from.length / TEXT_SAVES))
        return length;
    *codec = BLOCK_ZSTD;
    return compress_zstd(writer, from, to, room);
}

/* Append a section, compressed where that saves 3 % or more. */
static void
put_section(struct block_writer *writer, enum block_section section, struct buffer *to)
{
    struct buffer *buffer = &writer->sections[section];
    struct bytes from = {buffer->data, buffer->length};
    if (section == BLOCK_PAY && writer->large.data != NULL)
        from = writer->large;
    struct block_extent *extent = &writer->info.sections[section];
    assert(from.length <= BLOCK_SECTION_MAX);

    size_t enough = from.length - from.length / 32;
    size_t room = ZSTD_compressBound(from.length);
    unsigned char *at = buffer_reserve(to, room);
    size_t length = 0;
    enum block_codec codec = writer->codec;
    if (writer->codec != BLOCK_RAW && from.length > 0)
        length = compress(writer, section, from, at, room, &codec);
    extent->codec = codec;
    if (length == 0 || length >= enough) {
        extent->codec = BLOCK_RAW;
        length = from.length;
        if (length > 0)
            memcpy(at, from.data, length);
    }
    extent->stored = (uint32_t)length;
    extent->decoded = (uint32_t)from.length;
    extent->checksum = crc32c(0, at, length);
    to->length += length;
    buffer->length = 0;
}

void
block_writer_finish(struct block_writer *writer, struct block_info *info, struct buffer *to)
{
    assert(writer->info.event_count > 0);

    put_meta(writer);
    header_writer_finish(writer->headers, &writer->sections[BLOCK_HDR]);
    size_t head = to->length;
    (void)buffer_reserve(to, BLOCK_HEADER_BYTES);
    to->length += BLOCK_HEADER_BYTES;
    for (int i = 0; i < BLOCK_SECTIONS; i++)
        put_section(writer, (enum block_section)i, to);

    writer->info.at = info->at;
    writer->info.filter = info->filter;
    writer->info.filter_blocks = info->filter_blocks;
    *info = writer->info;
    block_info_put(info, to->data + head);
    writer->large = BYTES_NULL;
    writer->info.event_count = 0;
    writer->info.record_bytes = 0;
}
