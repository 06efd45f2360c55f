#include "index/seal_journal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "index/hole.h"
#include "index/hole_record.h"
#include "index/journal.h"
#include "index/journal_spare.h"
#include "index/part_file.h"
#include "index/places.h"
#include "index/stream_table.h"
#include "index/tape_internal.h"

/* A journal on its way into a segment. Frame i becomes regions[i]. */
struct content {
    struct journal *journal;
    struct journal_map map;
    struct seal_region *regions;
    struct stream_table streams;
    struct hole *holes;
    size_t hole_count;
    size_t hole_capacity;
};

static void
content_done(struct content *content)
{
    journal_unmap(&content->map);
    free(content->regions);
    free(content->holes);
    stream_table_done(&content->streams);
}

static void
take_control(void *self, const struct record *record)
{
    struct content *content = self;
    struct hole hole;
    if (record->type == RECORD_STREAM && record->stream_id < STREAM_ID_LIMIT) {
        if (stream_table_at(&content->streams, record->stream_id) == NULL)
            (void)stream_table_add(
                &content->streams, record->stream_id, record->key, record->payload);
    } else if (record->type == RECORD_HOLE && hole_record_read(record, &hole)) {
        content->holes = alloc_grow(
            content->holes, content->hole_count, &content->hole_capacity, sizeof(*content->holes));
        content->holes[content->hole_count++] = hole;
    }
}

static void
lay_out_frames(struct content *content)
{
    const struct journal *journal = content->journal;
    content->regions = alloc_array(journal->frame_count, sizeof(*content->regions));
    for (size_t i = 0; i < journal->frame_count; i++) {
        const struct frame *frame = &journal->frames[i];
        const unsigned char *records = content->map.data + frame->at + FRAME_HEADER_BYTES;
        content->regions[i] = (struct seal_region){
            .records = bytes_make(records, frame->body_bytes),
            .first_seq = frame->first_seq,
            .event_count = frame->event_count,
        };
    }
}

/* Just before the frame is looked at, so that it is in the processor's cache for both. */
static bool
check(void *self, size_t region, struct error *err)
{
    const struct content *content = self;
    const struct journal *journal = content->journal;
    return journal_check_frame(journal, &journal->frames[region], &content->map, err);
}

static bool
seal_content(const char *directory, struct content *content, const struct seal_options *options,
    struct seal_file *file, struct error *err)
{
    const struct journal *journal = content->journal;
    struct seal_input input = {
        .id = journal->header.id,
        .first_seq = journal->header.base_seq,
        .end_seq = journal->end_seq,
        .created_ns = clock_now_ns(),
        .regions = content->regions,
        .region_count = journal->frame_count,
        .fetch = check,
        .fetch_self = content,
        .streams = content->streams.streams,
        .stream_count = content->streams.count,
        .holes = content->holes,
        .hole_count = content->hole_count,
    };
    struct places places;
    const char *headers[PLACES_HEADERS_MAX];
    /* Without them nothing is lost: what is not in a filter is looked for in the blocks. */
    struct error ignored;
    (void)places_read(directory, &places, &ignored);
    static_assert(sizeof(input.uuid) == sizeof(journal->header.uuid), "both are the tape's");
    memcpy(input.uuid, journal->header.uuid, sizeof(input.uuid));
    struct seal_options all = *options;
    all.token_headers = headers;
    all.token_header_count = places_headers(&places, PLACE_COUNT, headers, PLACES_HEADERS_MAX);
    struct seal_result result;
    bool good = seal_write(directory, &input, &all, &result, file, err);
    places_done(&places);
    return good;
}

/* The journal is open. */
static bool
seal_opened(const char *directory, uint64_t id, const struct seal_options *options,
    struct content *content, struct seal_file *file, struct error *err)
{
    struct journal *journal = content->journal;
    /* Under another number it could take the place of a segment that is right. */
    if (journal->header.id != id)
        return error_set(
            err, ERROR_DAMAGED, "journal %s has another number in its header", journal->path);
    if (!journal_scan(journal, false, true, take_control, content, err))
        return false;
    if (journal->damage_count > 0)
        return error_set(
            err, ERROR_DAMAGED, "journal %s is damaged and is kept as it is", journal->path);
    if (!journal_map(journal, &content->map, err))
        return false;
    lay_out_frames(content);
    return seal_content(directory, content, options, file, err);
}

bool
seal_journal(const char *directory, uint64_t id, const struct seal_options *options,
    struct seal_file *file, struct error *err)
{
    char *path = part_file_path(directory, id, "jnl");
    struct journal journal;
    struct content content = {.journal = &journal};
    bool good = journal_open(&journal, path, err);
    if (good) {
        good = seal_opened(directory, id, options, &content, file, err);
        journal_close(&journal);
    }
    content_done(&content);
    free(path);
    return good;
}

bool
seal_journal_commit(const char *directory, uint64_t id, struct seal_file *file,
    struct journal_spare *spare, struct error *err)
{
    if (!seal_commit(directory, file, err))
        return false;
    if (journal_spare_give(spare, id))
        return true;
    char *path = part_file_path(directory, id, "jnl");
    bool good =
        unlink(path) == 0 || error_set_system(err, "cannot remove the sealed journal %s", path);
    free(path);
    return good;
}
