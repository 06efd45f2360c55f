/* Opening a segment: from the trailer to the section table to the sections that tell what is there. */
#include "index/segment.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "base/file.h"
#include "index/event.h"
#include "index/hole.h"
#include "index/lanes.h"
#include "index/segment_internal.h"
#include "index/segment_probe.h"

/* One read of this much gets everything that opening a segment of 64 MiB needs. */
#define TAIL_BYTES          ((size_t)128 * 1024)
#define TABLE_MAX_BYTES     (64u * 1024)
#define SECTION_MAX_BYTES   (UINT64_C(512) * 1024 * 1024)
#define TOKEN_HEADERS_LIMIT 4096u
#define SERIAL_FIRST        1

static atomic_uint_fast64_t next_serial = SERIAL_FIRST;

/* The end of the file as it was read at once: file bytes start .. start + bytes.length. */
struct tail {
    struct buffer bytes;
    uint64_t start;
};

static bool
damaged(struct error *err, const char *what)
{
    return error_set(err, ERROR_DAMAGED, "%s", what);
}

bool
segment_read_at(
    const struct segment *segment, void *to, size_t length, uint64_t at, struct error *err)
{
    size_t got;
    if (!file_read_at(segment->fd, to, length, at, &got, err))
        return false;
    return got == length || damaged(err, "is shorter than it says");
}

static bool
is_inside(const struct segment *segment, uint64_t at, uint64_t length)
{
    return at <= segment->info.file_bytes && length <= segment->info.file_bytes - at;
}

/* A footer section, out of the tail when it lies there; checked. */
static bool
read_section(const struct segment *segment, enum segment_section type, const struct tail *tail,
    struct buffer *to, struct error *err)
{
    const struct section_row *row = &segment->sections[type];
    to->length = 0;
    if (row->type == 0)
        return damaged(err, "a section is missing");
    if (row->stored > SECTION_MAX_BYTES)
        return error_set(err, ERROR_LIMIT, "section %d is too large to read", (int)type);
    unsigned char *at = buffer_reserve(to, (size_t)row->stored + 1);
    if (tail != NULL && tail->bytes.data != NULL && row->at >= tail->start)
        memcpy(at, tail->bytes.data + (row->at - tail->start), (size_t)row->stored);
    else if (!segment_read_at(segment, at, (size_t)row->stored, row->at, err))
        return false;
    to->length = (size_t)row->stored;
    if (crc32c(0, to->data, to->length) != row->checksum)
        return error_set(err, ERROR_DAMAGED, "the checksum of section %d differs", (int)type);
    return true;
}

bool
segment_read_section(
    const struct segment *segment, enum segment_section type, struct buffer *to, struct error *err)
{
    return read_section(segment, type, NULL, to, err);
}

static bool
take_section_row(struct segment *segment, const struct section_row *row, struct error *err)
{
    if (row->type == 0 || row->type >= SECTION_KNOWN) {
        if ((row->flags & SECTION_FLAG_REQUIRED) == 0)
            return true;
        return error_set(err, ERROR_NEWER,
            "needs section type %u, which this tapedeck does not know; read it with a newer one",
            row->type);
    }
    if (row->codec != 0)
        return error_set(err, ERROR_NEWER,
            "section type %u has codec %u, which this tapedeck does not know; read it with a newer "
            "one",
            row->type, row->codec);
    if (!is_inside(segment, row->at, row->stored) || row->stored != row->decoded)
        return damaged(err, "a section lies outside of the file");
    segment->sections[row->type] = *row;
    return true;
}

static bool
read_table(struct segment *segment, const struct segment_trailer *trailer, const struct tail *tail,
    struct error *err)
{
    if (trailer->table_bytes > TABLE_MAX_BYTES || trailer->table_bytes % SECTION_ROW_BYTES != 0 ||
        trailer->table_at < tail->start ||
        !is_inside(segment, trailer->table_at, trailer->table_bytes))
        return damaged(err, "the section table is not where it should be");
    const unsigned char *table = tail->bytes.data + (trailer->table_at - tail->start);
    if (crc32c(0, table, trailer->table_bytes) != trailer->table_checksum)
        return damaged(err, "the checksum of the section table differs");
    for (uint32_t at = 0; at < trailer->table_bytes; at += SECTION_ROW_BYTES) {
        struct section_row row;
        section_row_get(table + at, &row);
        if (!take_section_row(segment, &row, err))
            return false;
    }
    return true;
}

static bool
take_view(struct bytes from, size_t *at, struct bytes *view)
{
    uint64_t length;
    if (!varint_get(from, at, &length) || length > from.length - *at)
        return false;
    *view = bytes_make(from.data + *at, (size_t)length);
    *at += (size_t)length;
    return true;
}

/* Where the stream with this id is, or would be. */
static size_t
stream_place(const struct segment *segment, uint32_t id)
{
    size_t low = 0;
    size_t high = segment->stream_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (segment->streams[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct stream *
segment_own_stream(const struct segment *segment, uint32_t id)
{
    size_t place = stream_place(segment, id);
    if (place == segment->stream_count || segment->streams[place]->id != id)
        return NULL;
    return segment->streams[place];
}

/* Add a stream; `tap` and `name` become the segment's. */
static void
add_stream(struct segment *segment, uint32_t id, char *tap, char *name)
{
    size_t place = stream_place(segment, id);
    struct stream *stream = alloc_zeroed(sizeof(*stream));
    stream->id = id;
    stream->tap = tap;
    stream->name = name;
    stream->label = alloc_format("%s/%s", tap, name);
    segment->streams = alloc_grow((void *)segment->streams, segment->stream_count,
        &segment->stream_capacity, sizeof(struct stream *));
    memmove((void *)(segment->streams + place + 1), (void *)(segment->streams + place),
        (segment->stream_count - place) * sizeof(struct stream *));
    segment->streams[place] = stream;
    segment->stream_count++;
}

static bool
read_streams(struct segment *segment, struct bytes section)
{
    size_t at = 0;
    uint64_t count;
    if (!varint_get(section, &at, &count))
        return false;
    for (; count > 0; count--) {
        uint64_t id;
        struct bytes tap;
        struct bytes name;
        if (!varint_get(section, &at, &id) || id > UINT32_MAX || !take_view(section, &at, &tap) ||
            !take_view(section, &at, &name) || segment_own_stream(segment, (uint32_t)id) != NULL)
            return false;
        add_stream(segment, (uint32_t)id, alloc_text_of(tap.data, tap.length),
            alloc_text_of(name.data, name.length));
    }
    return at == section.length;
}

static bool
read_tokens(struct segment *segment, struct bytes section)
{
    size_t at = 0;
    uint64_t count;
    if (!varint_get(section, &at, &count) || count > TOKEN_HEADERS_LIMIT)
        return false;
    segment->token_headers = alloc_array((size_t)count, sizeof(char *));
    for (; count > 0; count--) {
        struct bytes name;
        if (!take_view(section, &at, &name))
            return false;
        segment->token_headers[segment->token_header_count++] =
            alloc_text_of(name.data, name.length);
    }
    return at == section.length;
}

/* The rows of a section of rows: where the first is, how long each and how many. */
struct rows {
    const unsigned char *first;
    size_t bytes;
    uint32_t count;
};

static bool
read_rows(struct bytes section, uint32_t least, struct rows *rows)
{
    if (section.length < ROWS_HEAD_BYTES)
        return false;
    rows->first = section.data + ROWS_HEAD_BYTES;
    rows->bytes = load_u32(section.data);
    rows->count = load_u32(section.data + 4);
    return rows->bytes >= least &&
           (uint64_t)rows->bytes * rows->count == section.length - ROWS_HEAD_BYTES;
}

void
segment_know_stream(struct segment *segment, uint32_t id)
{
    if (segment_own_stream(segment, id) == NULL)
        add_stream(segment, id, alloc_text("?"), alloc_format("stream-%u", id));
}

static bool
read_lanes(struct segment *segment, struct bytes section)
{
    struct rows rows;
    if (!read_rows(section, LANE_ROW_BYTES, &rows))
        return false;
    for (uint32_t i = 0; i < rows.count; i++) {
        struct lane lane;
        lane_row_get(rows.first + i * rows.bytes, &lane);
        segment_know_stream(segment, lane.stream_id);
        lanes_merge_lane(segment->lanes, &lane);
    }
    return true;
}

static bool
read_holes(struct segment *segment, struct bytes section)
{
    struct rows rows;
    if (!read_rows(section, HOLE_ROW_BYTES, &rows))
        return false;
    for (uint32_t i = 0; i < rows.count; i++) {
        struct hole hole;
        hole_row_get(rows.first + i * rows.bytes, &hole);
        segment_know_stream(segment, hole.stream_id);
        lanes_add_hole(segment->lanes, &hole);
    }
    return true;
}

static bool
is_block_inside(const struct segment *segment, const struct block_info *info)
{
    const struct section_row *filters = &segment->sections[SECTION_BLOCK_FILTERS];
    uint64_t length = BLOCK_HEADER_BYTES;
    for (size_t i = 0; i < BLOCK_SECTIONS; i++)
        length += info->sections[i].stored;
    return is_inside(segment, info->at, length) && info->min_seq >= segment->info.first_seq &&
           info->max_seq < segment->info.end_seq &&
           (filters->type == 0 ||
               (info->filter_blocks > 0 &&
                   ((uint64_t)info->filter + info->filter_blocks) * BLOOM_BLOCK_BYTES <=
                       filters->stored));
}

static bool
read_index(struct segment *segment, struct bytes section)
{
    struct rows rows;
    if (!read_rows(section, BLOCK_HEADER_BYTES, &rows) || rows.count != segment->info.block_count)
        return false;
    segment->blocks = alloc_array(rows.count, sizeof(*segment->blocks));
    uint64_t events = 0;
    for (uint32_t i = 0; i < rows.count; i++) {
        struct block_info *info = &segment->blocks[i];
        if (!block_info_get(rows.first + i * rows.bytes, info) || !is_block_inside(segment, info))
            return false;
        events += info->event_count;
    }
    return events == segment->info.event_count;
}

/* What opening reads; lanes after streams, because they name streams that nobody defined. */
static const struct {
    enum segment_section type;
    bool (*read)(struct segment *segment, struct bytes section);
    const char *name;
} readers[] = {
    {SECTION_STREAMS, read_streams, "STREAMS"},
    {SECTION_TOKENS, read_tokens, "TOKENS"},
    {SECTION_LANES, read_lanes, "LANES"},
    {SECTION_HOLES, read_holes, "HOLES"},
    {SECTION_BLOCK_INDEX, read_index, "BLOCK_INDEX"},
};

bool
segment_take_section(struct segment *segment, enum segment_section type, struct bytes content)
{
    for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
        if (readers[i].type == type)
            return readers[i].read(segment, content);
    }
    return false;
}

static bool
read_sections(struct segment *segment, const struct tail *tail, struct error *err)
{
    struct buffer section = {0};
    bool good = true;
    for (size_t i = 0; good && i < sizeof(readers) / sizeof(readers[0]); i++) {
        good = read_section(segment, readers[i].type, tail, &section, err);
        if (good && !readers[i].read(segment, bytes_make(section.data, section.length)))
            good = damaged(err, "its content contradicts itself");
        if (!good)
            (void)error_wrap(err, "section %s", readers[i].name);
    }
    buffer_done(&section);
    return good;
}

static bool
take_trailer(struct segment *segment, const struct segment_trailer *trailer, struct error *err)
{
    struct segment_info *info = &segment->info;
    if (trailer->file_bytes != info->file_bytes)
        return damaged(err, "is not as long as it says");
    if (trailer->first_seq != info->first_seq || trailer->end_seq < trailer->first_seq ||
        trailer->event_count > trailer->end_seq - trailer->first_seq)
        return damaged(err, "its header and its trailer contradict each other");
    if (trailer->end_seq - trailer->first_seq > SEGMENT_SPAN_MAX)
        return damaged(err, "it says that it has more seqs than a segment can have");
    info->version = SEGMENT_VERSION;
    info->end_seq = trailer->end_seq;
    info->event_count = trailer->event_count;
    info->record_bytes = trailer->record_bytes;
    info->min_time_ns = trailer->min_time_ns;
    info->max_time_ns = trailer->max_time_ns;
    info->min_received_ns = trailer->min_received_ns;
    info->max_received_ns = trailer->max_received_ns;
    info->created_ns = trailer->created_ns;
    info->block_count = trailer->block_count;
    return true;
}

bool
segment_read_header(struct segment *segment, struct error *err)
{
    unsigned char bytes[SEGMENT_HEADER_BYTES];
    struct segment_header header;
    if (!segment_read_at(segment, bytes, sizeof(bytes), 0, err) ||
        !segment_header_get(bytes, &header, err))
        return false;
    memcpy(segment->info.uuid, header.uuid, sizeof(header.uuid));
    segment->info.id = header.id;
    segment->info.first_seq = header.first_seq;
    segment->tape_seed = bloom_tape_seed(header.uuid);
    return true;
}

static bool
read_tail(struct segment *segment, struct tail *tail, struct error *err)
{
    uint64_t size = segment->info.file_bytes;
    if (size < SEGMENT_HEADER_BYTES + SEGMENT_TRAILER_BYTES)
        return damaged(err, "is too short to be one");
    size_t length = size < TAIL_BYTES ? (size_t)size : TAIL_BYTES;
    tail->start = size - length;
    tail->bytes.length = 0;
    unsigned char *to = buffer_reserve(&tail->bytes, length);
    tail->bytes.length = length;
    return segment_read_at(segment, to, length, tail->start, err);
}

static bool
read_file(struct segment *segment, struct tail *tail, struct error *err)
{
    struct segment_trailer trailer;
    return segment_read_header(segment, err) && read_tail(segment, tail, err) &&
           segment_trailer_get(
               tail->bytes.data + tail->bytes.length - SEGMENT_TRAILER_BYTES, &trailer, err) &&
           take_trailer(segment, &trailer, err) && read_table(segment, &trailer, tail, err) &&
           read_sections(segment, tail, err);
}

struct segment *
segment_begin(const char *path, int fd, struct error *err)
{
    if (fd < 0)
        fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        (void)error_set_system(err, "cannot open segment %s", path);
        return NULL;
    }
    struct segment *segment = alloc_zeroed(sizeof(*segment));
    segment->serial = atomic_fetch_add_explicit(&next_serial, 1, memory_order_relaxed);
    segment->fd = fd;
    segment->path = alloc_text(path);
    segment->lanes = lanes_new();

    struct stat status;
    if (fstat(fd, &status) == 0) {
        segment->info.file_bytes = (uint64_t)status.st_size;
        return segment;
    }
    (void)error_set_system(err, "cannot look at segment %s", path);
    segment_close(segment);
    return NULL;
}

struct segment *
segment_open(const char *path, struct error *err)
{
    return segment_open_as(path, -1, err);
}

struct segment *
segment_open_as(const char *path, int fd, struct error *err)
{
    struct segment *segment = segment_begin(path, fd, err);
    if (segment == NULL)
        return NULL;
    struct tail tail = {0};
    bool good = read_file(segment, &tail, err);
    buffer_done(&tail.bytes);
    if (good)
        return segment;
    (void)error_wrap(err, "segment %s", path);
    segment_close(segment);
    return NULL;
}

void
segment_close(struct segment *segment)
{
    if (segment == NULL)
        return;
    for (size_t i = 0; i < segment->stream_count; i++) {
        free(segment->streams[i]->tap);
        free(segment->streams[i]->name);
        free(segment->streams[i]->label);
        free(segment->streams[i]);
    }
    free((void *)segment->streams);
    for (size_t i = 0; i < segment->token_header_count; i++)
        free(segment->token_headers[i]);
    free((void *)segment->token_headers);
    lanes_free(segment->lanes);
    free(segment->blocks);
    segment_probe_close(segment->probe);
    buffer_done(&segment->filters);
    buffer_done(&segment->io);
    file_close_read(segment->fd);
    free(segment->path);
    free(segment);
}

const char *
segment_path(const struct segment *segment)
{
    return segment->path;
}

const struct segment_info *
segment_info(const struct segment *segment)
{
    return &segment->info;
}

size_t
segment_stream_count(const struct segment *segment)
{
    return segment->stream_count;
}

const struct stream *
segment_stream(const struct segment *segment, size_t index)
{
    return segment->streams[index];
}

void
segment_use_streams(struct segment *segment, block_stream_lookup *lookup, void *self)
{
    segment->lookup = lookup;
    segment->lookup_self = self;
}

const struct lanes *
segment_lanes(const struct segment *segment)
{
    return segment->lanes;
}

const struct block_info *
segment_block(const struct segment *segment, uint32_t index)
{
    return &segment->blocks[index];
}
