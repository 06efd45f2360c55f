#include "index/journal_format.h"

#include <string.h>

#include "base/crc32c.h"
#include "base/error.h"

static const unsigned char journal_magic[7] = {'T', 'D', 'J', 'R', 'N', 'L', 0};

#define MAGIC_STEM_BYTES 6u
#define VERSION_PLAIN    1
#define VERSION_REUSED   2 /* the frames end at a mark, or at the end of the file */

/* File header; docs/FORMAT.md. */
enum {
    AT_MAGIC = 0,
    AT_VERSION = 7,
    AT_HEADER_SIZE = 8,
    AT_INCOMPATIBLE = 12,
    AT_UUID = 20,
    AT_ID = 36,
    AT_BASE_SEQ = 44,
    AT_CREATED = 52,
    AT_CHECKSUM = 60,
};

void
journal_header_encode(const struct journal_header *header, unsigned char to[JOURNAL_HEADER_BYTES])
{
    memset(to, 0, JOURNAL_HEADER_BYTES);
    memcpy(to + AT_MAGIC, journal_magic, sizeof(journal_magic));
    to[AT_VERSION] = header->is_reused ? VERSION_REUSED : VERSION_PLAIN;
    store_u16(to + AT_HEADER_SIZE, JOURNAL_HEADER_BYTES);
    memcpy(to + AT_UUID, header->uuid, TAPE_UUID_BYTES);
    store_u64(to + AT_ID, header->id);
    store_u64(to + AT_BASE_SEQ, header->base_seq);
    store_u64(to + AT_CREATED, (uint64_t)header->created_ns);
    store_u32(to + AT_CHECKSUM, crc32c(0, to, AT_CHECKSUM));
}

bool
journal_header_decode(const unsigned char from[JOURNAL_HEADER_BYTES], struct journal_header *header,
    struct error *err)
{
    if (memcmp(from + AT_MAGIC, journal_magic, MAGIC_STEM_BYTES) != 0)
        return error_set(err, ERROR_DAMAGED, "it is not a journal of tapedeck");
    /* First, so that a flipped bit does not pass for a newer version. */
    if (load_u32(from + AT_CHECKSUM) != crc32c(0, from, AT_CHECKSUM))
        return error_set(err, ERROR_DAMAGED, "the checksum of its header differs");
    if (memcmp(from + AT_MAGIC, journal_magic, sizeof(journal_magic)) != 0 ||
        (from[AT_VERSION] != VERSION_PLAIN && from[AT_VERSION] != VERSION_REUSED) ||
        load_u32(from + AT_INCOMPATIBLE) != 0)
        return error_set(err, ERROR_NEWER,
            "it was written by a newer tapedeck in a format that this one (%s) does not know",
            TAPEDECK_VERSION);

    memcpy(header->uuid, from + AT_UUID, TAPE_UUID_BYTES);
    header->id = load_u64(from + AT_ID);
    header->base_seq = load_u64(from + AT_BASE_SEQ);
    header->created_ns = (int64_t)load_u64(from + AT_CREATED);
    header->is_reused = from[AT_VERSION] == VERSION_REUSED;
    return true;
}

uint32_t
journal_frame_checksum(const unsigned char head[FRAME_HEADER_BYTES], struct bytes body)
{
    uint32_t crc = crc32c(0, head, FRAME_AT_CHECKSUM);
    crc = crc32c(crc, head + FRAME_AT_SEQ, FRAME_HEADER_BYTES - FRAME_AT_SEQ);
    return crc32c(crc, body.data, body.length);
}

void
journal_end_mark(unsigned char to[FRAME_HEADER_BYTES], uint64_t end_seq)
{
    memset(to, 0, FRAME_HEADER_BYTES);
    store_u32(to + FRAME_AT_MAGIC, FRAME_MAGIC);
    store_u64(to + FRAME_AT_SEQ, end_seq);
    store_u32(to + FRAME_AT_CHECKSUM, journal_frame_checksum(to, BYTES_NULL));
}
