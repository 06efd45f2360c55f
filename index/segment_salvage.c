/* Opening a segment whose header, footer or trailer is broken, by the headers of its blocks.
 *
 * What the file says about itself in a place with a right checksum is believed: header, trailer, the rows
 * of the section table whose sections are right. Blocks are taken from the index when that is right,
 * else looked for one behind the other, and behind a broken place by the next header that names its own
 * place in the file. Each block's META is decoded, which tells the seqs that are there: a block with a
 * seq that another one has, or that is out of order, is not one of this segment. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "index/event.h"
#include "index/lanes.h"
#include "index/segment.h"
#include "index/segment_internal.h"

#define SEARCH_BYTES  ((size_t)64 * 1024)
#define SECTION_LIMIT (UINT64_C(64) * 1024 * 1024)

/* seen has a bit per seq from `first_seq` on. */
struct salvage {
    struct segment *segment;
    size_t block_capacity;
    bool has_header;
    bool has_trailer;
    struct segment_trailer trailer;
    unsigned char *seen;
    uint64_t seen_count;
    uint64_t unreadable; /* events of blocks that are there and cannot be decoded */
};

/* ---- header, trailer, sections ---- */

/* False: of a newer version, or reading failed. */
static bool
read_ends(struct salvage *self, uint64_t id, struct error *err)
{
    struct segment_info *info = &self->segment->info;
    unsigned char bytes[SEGMENT_TRAILER_BYTES];
    self->has_header = segment_read_header(self->segment, err);
    if (!self->has_header && err->code != ERROR_DAMAGED)
        return false;
    if (!self->has_header)
        info->id = id;
    if (info->file_bytes < SEGMENT_HEADER_BYTES + SEGMENT_TRAILER_BYTES)
        return true;
    if (!segment_read_at(
            self->segment, bytes, sizeof(bytes), info->file_bytes - sizeof(bytes), err))
        return false;
    self->has_trailer = segment_trailer_get(bytes, &self->trailer, err);
    if (!self->has_trailer && err->code == ERROR_NEWER)
        return false;
    self->has_trailer = self->has_trailer && self->trailer.end_seq >= self->trailer.first_seq &&
                        self->trailer.end_seq - self->trailer.first_seq <= SEGMENT_SPAN_MAX &&
                        self->trailer.file_bytes == info->file_bytes &&
                        (!self->has_header || self->trailer.first_seq == info->first_seq);
    return true;
}

/* Read a section into `content`; false unless it is as its row says. */
static bool
read_checked(const struct segment *segment, const struct section_row *row, struct buffer *content)
{
    struct error ignored;
    content->length = 0;
    if (row->codec != 0 || row->stored > SECTION_LIMIT || row->stored != row->decoded ||
        row->at > segment->info.file_bytes || row->stored > segment->info.file_bytes - row->at)
        return false;
    unsigned char *to = buffer_reserve(content, (size_t)row->stored + 1);
    if (!segment_read_at(segment, to, (size_t)row->stored, row->at, &ignored))
        return false;
    content->length = (size_t)row->stored;
    return crc32c(0, to, content->length) == row->checksum;
}

/* The table stands in front of the trailer; a row whose section has the checksum that it says is right,
 * whatever is around it. LANES is counted anew. */
static void
read_sections(struct salvage *self)
{
    static const enum segment_section wanted[] = {
        SECTION_STREAMS, SECTION_HOLES, SECTION_BLOCK_INDEX};
    unsigned char table[(SECTION_KNOWN - 1) * SECTION_ROW_BYTES];
    struct segment *segment = self->segment;
    struct error ignored;
    struct buffer content = {0};
    uint64_t behind = sizeof(table) + SEGMENT_TRAILER_BYTES;
    if (segment->info.file_bytes < behind || !segment_read_at(segment, table, sizeof(table),
                                                 segment->info.file_bytes - behind, &ignored))
        return;
    for (size_t w = 0; w < sizeof(wanted) / sizeof(wanted[0]); w++) {
        for (size_t at = 0; at < sizeof(table); at += SECTION_ROW_BYTES) {
            struct section_row row;
            section_row_get(table + at, &row);
            if (row.type != wanted[w] || !read_checked(segment, &row, &content))
                continue;
            /* The index is a list of blocks to look at, each of which must prove itself. */
            if (wanted[w] == SECTION_BLOCK_INDEX)
                segment->sections[SECTION_BLOCK_INDEX] = row;
            else
                (void)segment_take_section(
                    segment, wanted[w], bytes_make(content.data, content.length));
            break;
        }
    }
    buffer_done(&content);
}

/* ---- blocks ---- */

static uint64_t
end_of(const struct block_info *info)
{
    uint64_t end = info->at + BLOCK_HEADER_BYTES;
    for (size_t i = 0; i < BLOCK_SECTIONS; i++)
        end += info->sections[i].stored;
    return end;
}

/* Does `info` begin where a block `before` ends, in (stream, partition, offset)? */
static bool
is_behind(const struct block_info *before, const struct block_info *info)
{
    if (before->last_stream != info->first_stream)
        return before->last_stream < info->first_stream;
    if (before->last_partition != info->first_partition)
        return (uint32_t)before->last_partition < (uint32_t)info->first_partition;
    return before->last_offset <= info->first_offset;
}

static bool
fits(const struct salvage *self, const struct block_info *info)
{
    const struct segment *segment = self->segment;
    uint32_t count = segment->info.block_count;
    const struct block_info *before = count > 0 ? &segment->blocks[count - 1] : NULL;
    return (before == NULL || (info->at >= end_of(before) && is_behind(before, info))) &&
           (!self->has_header || info->min_seq >= segment->info.first_seq) &&
           (!self->has_trailer ||
               (info->min_seq >= self->trailer.first_seq && info->max_seq < self->trailer.end_seq));
}

static void
add_block(struct salvage *self, const struct block_info *info)
{
    struct segment *segment = self->segment;
    segment->blocks = alloc_grow(segment->blocks, segment->info.block_count, &self->block_capacity,
        sizeof(*segment->blocks));
    segment->blocks[segment->info.block_count++] = *info;
}

/* The blocks of the index. False: there is none that can be trusted. */
static bool
take_index(struct salvage *self)
{
    const struct section_row *row = &self->segment->sections[SECTION_BLOCK_INDEX];
    struct buffer content = {0};
    bool good = row->type != 0 && read_checked(self->segment, row, &content) &&
                content.length >= ROWS_HEAD_BYTES;
    uint32_t bytes = good ? load_u32(content.data) : 0;
    uint32_t count = good ? load_u32(content.data + 4) : 0;
    good = good && bytes >= BLOCK_HEADER_BYTES &&
           (uint64_t)bytes * count == content.length - ROWS_HEAD_BYTES;
    for (uint32_t i = 0; good && i < count; i++) {
        struct block_info info;
        if (block_info_get(content.data + ROWS_HEAD_BYTES + (size_t)i * bytes, &info) &&
            fits(self, &info))
            add_block(self, &info);
    }
    buffer_done(&content);
    return good;
}

/* The part of the file that is looked through: `length` bytes at file offset `at`. Each byte of the file is read about
 * once, however many places look like a header. */
struct search {
    const struct segment *segment;
    unsigned char *bytes; /* SEARCH_BYTES */
    uint64_t at;
    size_t length;
};

/* The bytes from `at` on, *length of them, a header's at least; NULL where there are fewer, or reading failed. */
static const unsigned char *
look(struct search *search, uint64_t at, size_t *length)
{
    struct error ignored;
    uint64_t file_bytes = search->segment->info.file_bytes;
    if (at + BLOCK_HEADER_BYTES > file_bytes)
        return NULL;
    if (at < search->at || at + BLOCK_HEADER_BYTES > search->at + search->length) {
        uint64_t left = file_bytes - at;
        search->at = at;
        search->length = left < SEARCH_BYTES ? (size_t)left : SEARCH_BYTES;
        if (!segment_read_at(search->segment, search->bytes, search->length, at, &ignored)) {
            search->length = 0;
            return NULL;
        }
    }
    *length = search->length - (size_t)(at - search->at);
    return search->bytes + (at - search->at);
}

/* Is there a header at `at`? One that says another place is a copy in somebody's payload. */
static bool
header_at(const struct salvage *self, struct search *search, uint64_t at, struct block_info *info)
{
    size_t length;
    const unsigned char *bytes = look(search, at, &length);
    return bytes != NULL && block_info_get(bytes, info) && info->at == at && fits(self, info);
}

/* The next place at or behind `from` that may be a header; the end of the file when there is none. */
static uint64_t
find_magic(struct search *search, uint64_t from)
{
    static const unsigned char magic[4] = {'T', 'D', 'B', 'K'};
    const unsigned char *bytes;
    size_t length;
    while ((bytes = look(search, from, &length)) != NULL) {
        const unsigned char *found = memmem(bytes, length, magic, sizeof(magic));
        if (found != NULL)
            return from + (uint64_t)(found - bytes);
        from += length - (sizeof(magic) - 1);
    }
    return search->segment->info.file_bytes;
}

static void
walk_blocks(struct salvage *self)
{
    struct search search = {.segment = self->segment, .bytes = alloc_array(SEARCH_BYTES, 1)};
    uint64_t at = SEGMENT_HEADER_BYTES;
    while (at < self->segment->info.file_bytes) {
        struct block_info info;
        if (header_at(self, &search, at, &info)) {
            add_block(self, &info);
            at = end_of(&info);
        } else {
            at = find_magic(&search, at + 1);
        }
    }
    free(search.bytes);
}

/* ---- what is in them ---- */

/* False: the segment's seqs cannot be told. */
static bool
know_span(struct salvage *self, struct error *err)
{
    struct segment *segment = self->segment;
    struct segment_info *info = &segment->info;
    uint64_t low = UINT64_MAX;
    uint64_t high = 0;
    for (uint32_t i = 0; i < info->block_count; i++) {
        low = segment->blocks[i].min_seq < low ? segment->blocks[i].min_seq : low;
        high = segment->blocks[i].max_seq > high ? segment->blocks[i].max_seq : high;
    }
    if (!self->has_header)
        info->first_seq = self->has_trailer ? self->trailer.first_seq : low;
    info->end_seq = self->has_trailer ? self->trailer.end_seq : high + 1;
    info->version = SEGMENT_VERSION;
    info->created_ns = self->has_trailer ? self->trailer.created_ns : 0;
    if (info->block_count == 0)
        return error_set(err, ERROR_DAMAGED, "no block of it is left");
    if (info->end_seq <= info->first_seq || info->end_seq - info->first_seq > SEGMENT_SPAN_MAX)
        return error_set(err, ERROR_DAMAGED, "its blocks contradict each other");
    return true;
}

static bool
is_seen(const struct salvage *self, uint64_t place)
{
    return (self->seen[place / 8] >> (place % 8) & 1) != 0;
}

/* Note the seqs of a block. False: one of them is there already. */
static bool
see(struct salvage *self, const struct block *block)
{
    uint64_t first = self->segment->info.first_seq;
    for (uint32_t i = 0; i < block->count; i++) {
        uint64_t place = block->seqs[i] - first;
        if (is_seen(self, place)) {
            while (i-- > 0) {
                place = block->seqs[i] - first;
                self->seen[place / 8] &= (unsigned char)~(1u << (place % 8));
            }
            return false;
        }
        self->seen[place / 8] |= (unsigned char)(1u << (place % 8));
    }
    self->seen_count += block->count;
    return true;
}

static void
count_block(struct salvage *self, const struct block_info *block)
{
    struct segment_info *info = &self->segment->info;
    if (info->event_count == 0) {
        info->min_time_ns = info->min_received_ns = INT64_MAX;
        info->max_time_ns = info->max_received_ns = INT64_MIN;
    }
    info->event_count += block->event_count;
    info->record_bytes += block->record_bytes;
    if (block->min_time_ns < info->min_time_ns)
        info->min_time_ns = block->min_time_ns;
    if (block->max_time_ns > info->max_time_ns)
        info->max_time_ns = block->max_time_ns;
    if (block->min_received_ns < info->min_received_ns)
        info->min_received_ns = block->min_received_ns;
    if (block->max_received_ns > info->max_received_ns)
        info->max_received_ns = block->max_received_ns;
}

/* Streams that no section names are nameless, but a block is not damaged because of that. */
static const struct stream *
any_stream(void *self, uint32_t id)
{
    segment_know_stream(self, id);
    return segment_own_stream(self, id);
}

/* Read META of block `index`. Its lanes are counted, and what cannot be read is left to be named by
 * whoever reads it. False: it is not of this segment. */
static bool
look_into(struct salvage *self, uint32_t index, struct block *block, struct buffer *bytes)
{
    struct segment *segment = self->segment;
    const struct block_info *info = &segment->blocks[index];
    const struct block_streams streams = {any_stream, segment};
    const struct block_extent *meta = &info->sections[BLOCK_META];
    struct error ignored;
    bytes->length = 0;
    uint64_t at = info->at + BLOCK_HEADER_BYTES;
    bool good = at + meta->stored <= segment->info.file_bytes;
    unsigned char *to = good ? buffer_reserve(bytes, (size_t)meta->stored + 1) : NULL;
    good = good && segment_read_at(segment, to, meta->stored, at, &ignored);
    block->loaded = 0;
    if (!good ||
        !block_decode(block, info, BLOCK_META, bytes_make(to, meta->stored), &streams, &ignored)) {
        self->unreadable += info->event_count;
        segment_know_stream(segment, info->first_stream);
        segment_know_stream(segment, info->last_stream);
        count_block(self, info);
        return true;
    }
    if (!see(self, block))
        return false;
    count_block(self, info);
    for (uint32_t i = 0; i < block->count; i++) {
        struct record record;
        block_record(block, i, &record);
        lanes_add_event(segment->lanes, &record);
    }
    return true;
}

static void
look_into_all(struct salvage *self)
{
    struct segment *segment = self->segment;
    struct block *block = block_new();
    struct buffer bytes = {0};
    uint32_t kept = 0;
    for (uint32_t i = 0; i < segment->info.block_count; i++) {
        if (look_into(self, i, block, &bytes))
            segment->blocks[kept++] = segment->blocks[i];
    }
    segment->info.block_count = kept;
    block_free(block);
    buffer_done(&bytes);
}

/* Both look at no more places than have an event, whatever span a broken trailer claims. Some place of
 * the span must have none. */
static uint64_t
first_unseen(const struct salvage *self)
{
    uint64_t place = 0;
    while (is_seen(self, place))
        place++;
    return place;
}

static uint64_t
last_unseen(const struct salvage *self, uint64_t span)
{
    uint64_t place = span - 1;
    while (is_seen(self, place))
        place--;
    return place;
}

static void
tell_loss(const struct salvage *self, struct segment_loss *loss)
{
    const struct segment_info *info = &self->segment->info;
    uint64_t span = info->end_seq - info->first_seq;
    uint64_t there = self->seen_count + self->unreadable;
    *loss = (struct segment_loss){.has_uuid = self->has_header};
    if (there >= span)
        return;
    loss->events = span - there;
    loss->first_seq = info->first_seq + first_unseen(self);
    loss->end_seq = info->first_seq + last_unseen(self, span) + 1;
}

static bool
salvage(struct salvage *self, uint64_t id, struct segment_loss *loss, struct error *err)
{
    if (!read_ends(self, id, err))
        return false;
    read_sections(self);
    if (!take_index(self))
        walk_blocks(self);
    /* It has no filters: its tokens need the uuid, and a search that looks at all is never wrong. */
    memset(self->segment->sections, 0, sizeof(self->segment->sections));
    if (!know_span(self, err))
        return false;
    const struct segment_info *info = &self->segment->info;
    self->seen = alloc_array((size_t)((info->end_seq - info->first_seq) / 8 + 1), 1);
    look_into_all(self);
    tell_loss(self, loss);
    free(self->seen);
    return true;
}

struct segment *
segment_salvage(const char *path, uint64_t id, struct segment_loss *loss, struct error *err)
{
    struct salvage self = {.segment = segment_begin(path, -1, err)};
    if (self.segment == NULL)
        return NULL;
    if (salvage(&self, id, loss, err))
        return self.segment;
    (void)error_wrap(err, "segment %s", path);
    segment_close(self.segment);
    return NULL;
}
