/* Checking all of a segment, for those who want to know before they need it. */
#include <stdio.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/error.h"
#include "index/segment.h"
#include "index/segment_internal.h"

struct verification {
    struct segment *segment;
    segment_damage *damage;
    void *self;
};

/* Tell about damage and go on; false when it was not damage but a failure to read. */
static bool
tell(
    const struct verification *verification, const struct block_info *lost, const struct error *err)
{
    if (err->code != ERROR_DAMAGED && err->code != ERROR_LIMIT)
        return false;
    verification->damage(verification->self, lost, err->text);
    return true;
}

/* No event is lost with a filter: it only takes longer to find them. */
static bool
verify_section(
    const struct verification *verification, enum segment_section type, struct error *err)
{
    const struct segment *segment = verification->segment;
    if (segment->sections[type].type == 0)
        return true;
    struct buffer content = {0};
    bool good = segment_read_section(segment, type, &content, err);
    buffer_done(&content);
    if (good)
        return true;
    (void)error_wrap(err, "segment %s", segment->path);
    return tell(verification, NULL, err);
}

/* The header in front of the block must be what the index says. */
static bool
verify_header(const struct verification *verification, uint32_t index, struct error *err)
{
    const struct segment *segment = verification->segment;
    const struct block_info *info = &segment->blocks[index];
    unsigned char there[BLOCK_HEADER_BYTES];
    unsigned char expected[BLOCK_HEADER_BYTES];
    block_info_put(info, expected);
    if (!segment_read_at(segment, there, sizeof(there), info->at, err)) {
        (void)error_wrap(err, "segment %s", segment->path);
        return tell(verification, NULL, err);
    }
    if (memcmp(there, expected, sizeof(there)) == 0)
        return true;
    (void)error_set(err, ERROR_DAMAGED, "segment %s: the header of block %u differs from the index",
        segment->path, index);
    return tell(verification, NULL, err);
}

bool
segment_verify(struct segment *segment, segment_damage *damage, void *self, struct error *err)
{
    struct verification verification = {segment, damage, self};
    bool good = true;
    for (int type = SECTION_STREAMS; good && type < SECTION_KNOWN; type++)
        good = verify_section(&verification, (enum segment_section)type, err);

    struct block *block = block_new();
    for (uint32_t i = 0; good && i < segment->info.block_count; i++) {
        const struct block_info *info = segment_block(segment, i);
        good = verify_header(&verification, i, err);
        if (good && !segment_read_block(segment, i, BLOCK_ALL, block, err))
            good = tell(&verification, info, err);
    }
    block_free(block);
    return good;
}
