#include "index/seal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "base/file.h"
#include "index/event.h"
#include "index/header_shape.h"
#include "index/hole.h"
#include "index/lanes.h"
#include "index/part_file.h"
#include "index/record.h"
#include "index/seal_order.h"
#include "index/seal_pack.h"
#include "index/seal_tokens.h"
#include "index/segment_format.h"

#define WRITE_BYTES    ((size_t)1024 * 1024)
#define PREFETCH_AHEAD 6
#define PREFETCH_BYTES 384
#define BLOCK_ALIGN    64u
#define SECTION_ALIGN  8u

struct seal_room {
    struct seal_order order;
    struct seal_tokens *tokens;
};

struct seal_room *
seal_room_new(void)
{
    struct seal_room *room = alloc_zeroed(sizeof(*room));
    room->tokens = seal_tokens_new();
    return room;
}

void
seal_room_free(struct seal_room *room)
{
    if (room == NULL)
        return;
    seal_order_done(&room->order);
    seal_tokens_free(room->tokens);
    free(room);
}

/* One segment being written. `out` is what was not yet written of the file, which ends at `at` +
 * out.length; `rows` is the section table so far. */
struct sealing {
    const struct seal_input *input;
    const struct seal_order *order; /* this and the tokens are in the room */
    struct seal_packer *packer;
    uint32_t block_count; /* ended; they may still be on their way into the trailer */
    struct seal_tokens *tokens;
    struct lanes *lanes; /* of the events sealed so far, and the holes */
    uint32_t *first_blocks;
    int fd;
    uint64_t at;
    struct buffer out;
    struct buffer index;
    struct buffer rows;
    struct segment_trailer trailer;
    struct seal_result result;
};

static bool
flush(struct sealing *sealing, struct error *err)
{
    struct iovec part = {.iov_base = sealing->out.data, .iov_len = sealing->out.length};
    if (!file_write_all(sealing->fd, &part, 1, err))
        return false;
    /* The disk begins now with what the sync at the end would wait for. */
    (void)sync_file_range(
        sealing->fd, (off_t)sealing->at, (off_t)sealing->out.length, SYNC_FILE_RANGE_WRITE);
    sealing->at += sealing->out.length;
    sealing->out.length = 0;
    if (sealing->out.capacity > 8 * WRITE_BYTES) /* a large event was in it */
        buffer_done(&sealing->out);
    return true;
}

static void
pad(struct sealing *sealing, size_t alignment)
{
    while ((sealing->at + sealing->out.length) % alignment != 0)
        buffer_append_byte(&sealing->out, 0);
}

static void
note_block(struct sealing *sealing, const struct block_info *info)
{
    struct segment_trailer *trailer = &sealing->trailer;
    struct seal_result *result = &sealing->result;
    trailer->block_count++;
    trailer->event_count += info->event_count;
    trailer->record_bytes += info->record_bytes;
    if (info->min_time_ns < trailer->min_time_ns)
        trailer->min_time_ns = info->min_time_ns;
    if (info->max_time_ns > trailer->max_time_ns)
        trailer->max_time_ns = info->max_time_ns;
    if (info->min_received_ns < trailer->min_received_ns)
        trailer->min_received_ns = info->min_received_ns;
    if (info->max_received_ns > trailer->max_received_ns)
        trailer->max_received_ns = info->max_received_ns;
    for (size_t i = 0; i < BLOCK_SECTIONS; i++) {
        result->decoded[i] += info->sections[i].decoded;
        result->stored[i] += info->sections[i].stored;
    }
}

/* The block is the last one in `out`. */
static bool
take_block(void *self, const struct block_info *info, struct error *err)
{
    struct sealing *sealing = self;
    block_info_put(info, buffer_reserve(&sealing->index, BLOCK_HEADER_BYTES));
    sealing->index.length += BLOCK_HEADER_BYTES;
    note_block(sealing, info);
    return sealing->out.length < WRITE_BYTES || flush(sealing, err);
}

static bool
end_block(struct sealing *sealing, struct error *err)
{
    seal_tokens_end_block(sealing->tokens);
    sealing->block_count++;
    return seal_packer_end_block(sealing->packer, err);
}

static bool
write_lane(struct sealing *sealing, size_t number, bool *in_block, struct error *err)
{
    const struct seal_lane *lane = &sealing->order->lanes[number];
    const struct seal_ref *refs = sealing->order->refs;
    size_t ref_count = sealing->order->ref_count;
    struct header_list list;
    for (size_t i = lane->first; i < (size_t)lane->first + lane->count; i++) {
        struct record record;
        if (i + PREFETCH_AHEAD < ref_count) {
            const unsigned char *later = refs[i + PREFETCH_AHEAD].at;
            for (size_t line = 0; line < PREFETCH_BYTES; line += 64)
                __builtin_prefetch(later + line);
        }
        seal_ref_record(&refs[i], &record);
        if (block_writer_is_full(seal_packer_block(sealing->packer), record_size(&record)) &&
            !end_block(sealing, err))
            return false;
        *in_block = true;
        if (i == lane->first)
            sealing->first_blocks[number] = sealing->block_count;
        unsigned shape =
            block_writer_add(seal_packer_block(sealing->packer), &record, refs[i].seq, &list);
        seal_tokens_add(sealing->tokens, &record, shape, &list);
        lanes_add_event(sealing->lanes, &record);
    }
    return true;
}

static bool
write_blocks(struct sealing *sealing, struct error *err)
{
    bool in_block = false;
    for (size_t i = 0; i < sealing->order->lane_count; i++) {
        if (!write_lane(sealing, i, &in_block, err))
            return false;
    }
    if ((in_block && !end_block(sealing, err)) || !seal_packer_drain(sealing->packer, err))
        return false;
    pad(sealing, BLOCK_ALIGN);
    return true;
}

/* Put a footer section into the file and its row into the table. */
static bool
put_section(struct sealing *sealing, enum segment_section type, const struct buffer *content,
    struct error *err)
{
    struct section_row row = {
        .type = (uint16_t)type,
        .checksum = crc32c(0, content->data, content->length),
        .at = sealing->at + sealing->out.length,
        .stored = content->length,
        .decoded = content->length,
    };
    section_row_put(&row, buffer_reserve(&sealing->rows, SECTION_ROW_BYTES));
    sealing->rows.length += SECTION_ROW_BYTES;
    buffer_append(&sealing->out, content->data, content->length);
    pad(sealing, SECTION_ALIGN);
    return sealing->out.length < WRITE_BYTES || flush(sealing, err);
}

static void
append_text(struct buffer *to, const char *text)
{
    size_t length = strlen(text);
    to->length += varint_put(buffer_reserve(to, VARINT_MAX), length);
    buffer_append(to, text, length);
}

static void
append_varint(struct buffer *to, uint64_t value)
{
    to->length += varint_put(buffer_reserve(to, VARINT_MAX), value);
}

static void
encode_streams(const struct sealing *sealing, struct buffer *to)
{
    const struct seal_input *input = sealing->input;
    uint64_t count = 0;
    for (size_t i = 0; i < input->stream_count; i++)
        count += input->streams[i] != NULL;
    append_varint(to, count);
    for (size_t i = 0; i < input->stream_count; i++) {
        const struct stream *stream = input->streams[i];
        if (stream == NULL)
            continue;
        append_varint(to, stream->id);
        append_text(to, stream->tap);
        append_text(to, stream->name);
    }
}

static void
encode_tokens(const struct seal_options *options, struct buffer *to)
{
    append_varint(to, options->token_header_count);
    for (size_t i = 0; i < options->token_header_count; i++)
        append_text(to, options->token_headers[i]);
}

static unsigned char *
append_rows(struct buffer *to, uint32_t row_bytes, size_t count)
{
    unsigned char *at = buffer_reserve(to, ROWS_HEAD_BYTES + row_bytes * count);
    store_u32(at, row_bytes);
    store_u32(at + 4, (uint32_t)count);
    to->length += ROWS_HEAD_BYTES + row_bytes * count;
    return at + ROWS_HEAD_BYTES;
}

/* lanes_add_event() met the lanes in the order of sealing->order->lanes, so the numbers are the same;
 * lanes that only have holes come behind them and are left to HOLES. */
static void
encode_lanes(const struct sealing *sealing, struct buffer *to)
{
    size_t count = sealing->order->lane_count;
    unsigned char *at = append_rows(to, LANE_ROW_BYTES, count);
    for (size_t i = 0; i < count; i++, at += LANE_ROW_BYTES)
        lane_row_put(lanes_at(sealing->lanes, i), sealing->first_blocks[i], at);
}

static void
encode_holes(const struct sealing *sealing, struct buffer *to)
{
    const struct seal_input *input = sealing->input;
    unsigned char *at = append_rows(to, HOLE_ROW_BYTES, input->hole_count);
    for (size_t i = 0; i < input->hole_count; i++, at += HOLE_ROW_BYTES)
        hole_row_put(&input->holes[i], at);
}

static void
encode_index(const struct sealing *sealing, struct buffer *to)
{
    unsigned char *at = append_rows(to, BLOCK_HEADER_BYTES, sealing->trailer.block_count);
    if (sealing->index.length > 0)
        memcpy(at, sealing->index.data, sealing->index.length);
}

/* What every open reads stands last, so that one read gets it. */
static bool
write_footer(struct sealing *sealing, const struct seal_options *options, struct error *err)
{
    struct buffer content = {0};
    seal_tokens_finish(sealing->tokens, &content);
    sealing->result.filter_bytes = content.length;
    bool good = put_section(sealing, SECTION_TOKEN_INDEX, &content, err);
    content.length = 0;
    encode_streams(sealing, &content);
    good = good && put_section(sealing, SECTION_STREAMS, &content, err);
    content.length = 0;
    encode_tokens(options, &content);
    good = good && put_section(sealing, SECTION_TOKENS, &content, err);
    content.length = 0;
    encode_lanes(sealing, &content);
    good = good && put_section(sealing, SECTION_LANES, &content, err);
    content.length = 0;
    encode_holes(sealing, &content);
    good = good && put_section(sealing, SECTION_HOLES, &content, err);
    content.length = 0;
    encode_index(sealing, &content);
    good = good && put_section(sealing, SECTION_BLOCK_INDEX, &content, err);
    buffer_done(&content);
    return good;
}

static bool
write_end(struct sealing *sealing, struct error *err)
{
    struct segment_trailer *trailer = &sealing->trailer;
    trailer->table_at = sealing->at + sealing->out.length;
    trailer->table_bytes = (uint32_t)sealing->rows.length;
    trailer->table_checksum = crc32c(0, sealing->rows.data, sealing->rows.length);
    buffer_append(&sealing->out, sealing->rows.data, sealing->rows.length);
    trailer->file_bytes = sealing->at + sealing->out.length + SEGMENT_TRAILER_BYTES;
    segment_trailer_put(trailer, buffer_reserve(&sealing->out, SEGMENT_TRAILER_BYTES));
    sealing->out.length += SEGMENT_TRAILER_BYTES;
    return flush(sealing, err);
}

static bool
write_all(struct sealing *sealing, const struct seal_options *options, struct error *err)
{
    const struct seal_input *input = sealing->input;
    struct segment_header header = {.id = input->id, .first_seq = input->first_seq};
    memcpy(header.uuid, input->uuid, sizeof(header.uuid));
    segment_header_put(&header, buffer_reserve(&sealing->out, SEGMENT_HEADER_BYTES));
    sealing->out.length += SEGMENT_HEADER_BYTES;
    return write_blocks(sealing, err) && write_footer(sealing, options, err) &&
           write_end(sealing, err);
}

static void
begin(struct sealing *sealing, const struct seal_options *options)
{
    const struct seal_input *input = sealing->input;
    struct seal_pack_target target = {&sealing->out, &sealing->at, take_block, sealing};
    sealing->packer = seal_packer_new(options->codec, options->help, &target);
    seal_tokens_begin(
        sealing->tokens, input->uuid, options->token_headers, options->token_header_count);
    sealing->lanes = lanes_new();
    sealing->first_blocks = alloc_array(sealing->order->lane_count, sizeof(*sealing->first_blocks));
    sealing->trailer = (struct segment_trailer){
        .first_seq = input->first_seq,
        .end_seq = input->end_seq,
        .created_ns = input->created_ns,
        .min_time_ns = INT64_MAX,
        .max_time_ns = INT64_MIN,
        .min_received_ns = INT64_MAX,
        .max_received_ns = INT64_MIN,
    };
}

static void
end(struct sealing *sealing)
{
    seal_packer_free(sealing->packer);
    lanes_free(sealing->lanes);
    free(sealing->first_blocks);
    buffer_done(&sealing->out);
    buffer_done(&sealing->index);
    buffer_done(&sealing->rows);
}

static void
drop_file(struct seal_file *file)
{
    free(file->temporary);
    free(file->path);
    *file = (struct seal_file){.fd = -1};
}

static void
abandon(struct seal_file *file)
{
    if (file->fd >= 0)
        (void)close(file->fd);
    if (file->temporary != NULL)
        (void)unlink(file->temporary);
    drop_file(file);
}

bool
seal_commit(const char *directory, struct seal_file *file, struct error *err)
{
    bool good =
        fdatasync(file->fd) == 0 || error_set_system(err, "cannot sync %s", file->temporary);
    if (close(file->fd) != 0 && good)
        good = error_set_system(err, "cannot close %s", file->temporary);
    file->fd = -1;
    if (good && rename(file->temporary, file->path) != 0)
        good = error_set_system(err, "cannot rename %s to %s", file->temporary, file->path);
    if (!good) {
        abandon(file);
        return false;
    }
    drop_file(file);
    return file_sync_directory(directory, err);
}

/* Write the segment of what is in the order. */
static bool
write_segment(struct sealing *sealing, const char *directory, const struct seal_options *options,
    struct seal_file *file, struct error *err)
{
    uint64_t id = sealing->input->id;
    *file = (struct seal_file){
        .temporary = part_file_path(directory, id, "tmp"),
        .path = part_file_path(directory, id, "seg"),
    };
    file->fd = open(file->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    sealing->fd = file->fd;
    bool good = file->fd >= 0
                    ? write_all(sealing, options, err) || error_wrap(err, "%s", file->temporary)
                    : error_set_system(err, "cannot make %s", file->temporary);
    if (!good)
        abandon(file);
    return good;
}

static bool
write_in_room(struct seal_room *room, const char *directory, const struct seal_input *input,
    const struct seal_options *options, struct seal_result *result, struct seal_file *file,
    struct error *err)
{
    if (!seal_order_make(&room->order, input, err))
        return false;
    struct sealing sealing = {.input = input, .order = &room->order, .tokens = room->tokens};
    begin(&sealing, options);
    bool good = write_segment(&sealing, directory, options, file, err);
    if (good) {
        *result = sealing.result;
        result->file_bytes = sealing.trailer.file_bytes;
        result->event_count = sealing.trailer.event_count;
        result->record_bytes = sealing.trailer.record_bytes;
        result->block_count = sealing.trailer.block_count;
        result->lane_count = (uint32_t)sealing.order->lane_count;
    }
    end(&sealing);
    return good;
}

bool
seal_write(const char *directory, const struct seal_input *input,
    const struct seal_options *options, struct seal_result *result, struct seal_file *file,
    struct error *err)
{
    static const struct seal_options defaults = {.codec = BLOCK_ZSTD};
    if (options == NULL)
        options = &defaults;
    if (options->token_header_count > SEAL_TOKEN_HEADERS_MAX)
        return error_set(err, ERROR_ARGUMENT, "no more than %u headers can be indexed, not %zu",
            SEAL_TOKEN_HEADERS_MAX, options->token_header_count);
    struct seal_room *own = options->room == NULL ? seal_room_new() : NULL;
    struct seal_room *room = own != NULL ? own : options->room;
    bool good = write_in_room(room, directory, input, options, result, file, err);
    seal_room_free(own);
    return good;
}

bool
seal_segment(const char *directory, const struct seal_input *input,
    const struct seal_options *options, struct seal_result *result, struct error *err)
{
    struct seal_file file = {.fd = -1};
    return seal_write(directory, input, options, result, &file, err) &&
           seal_commit(directory, &file, err);
}
