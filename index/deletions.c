#include "index/deletions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "base/file.h"
#include "index/event.h"
#include "index/lanes.h"
#include "index/segment.h"
#include "index/segment_format.h"
#include "index/tape_internal.h"

#define MAX_BYTES   ((size_t)256 * 1024 * 1024)
#define VERSION     1u
#define MAGIC_BYTES 7u
#define HEAD_BYTES  44u
#define HEAD_UUID   8u
#define HEAD_STREAM 24u
#define HEAD_RUNS   28u
#define HEAD_LENGTH 32u
#define HEAD_CRC    40u
#define RUN_BYTES   32u

static const unsigned char magic[MAGIC_BYTES] = {'T', 'D', 'D', 'E', 'L', 'E', 0};

static char *
path_of(const char *directory)
{
    return alloc_format("%s/deletions", directory);
}

void
deletions_done(struct deletions *deletions)
{
    for (size_t i = 0; i < deletions->count; i++)
        lanes_free(deletions->runs[i].lanes);
    free(deletions->runs);
    stream_table_done(&deletions->streams);
    *deletions = (struct deletions){0};
}

/* ---- reading ---- */

static bool
take_name(struct bytes body, size_t *at, struct bytes *name)
{
    uint64_t length;
    if (!varint_get(body, at, &length) || length > body.length - *at)
        return false;
    *name = bytes_make(body.data + *at, (size_t)length);
    *at += (size_t)length;
    return true;
}

static bool
take_stream(struct deletions *deletions, struct bytes body, size_t *at)
{
    uint64_t id;
    struct bytes tap;
    struct bytes name;
    if (!varint_get(body, at, &id) || id >= STREAM_ID_LIMIT || !take_name(body, at, &tap) ||
        !take_name(body, at, &name) || stream_table_at(&deletions->streams, (uint32_t)id) != NULL)
        return false;
    (void)stream_table_add(&deletions->streams, (uint32_t)id, tap, name);
    return true;
}

static bool
take_run(struct deletions *deletions, struct bytes body, size_t *at)
{
    if (body.length - *at < RUN_BYTES)
        return false;
    const unsigned char *from = body.data + *at;
    struct deletion_run run = {
        .first_seq = load_u64(from),
        .end_seq = load_u64(from + 8),
        .deleted_ns = (int64_t)load_u64(from + 16),
    };
    uint32_t lane_count = load_u32(from + 24);
    *at += RUN_BYTES;
    if (run.first_seq >= run.end_seq || lane_count > (body.length - *at) / LANE_ROW_BYTES ||
        (deletions->count > 0 && run.first_seq <= deletions_end_seq(deletions)))
        return false;
    run.lanes = lanes_new();
    for (uint32_t i = 0; i < lane_count; i++, *at += LANE_ROW_BYTES) {
        struct lane lane;
        lane_row_get(body.data + *at, &lane);
        lanes_merge_lane(run.lanes, &lane);
    }
    deletions->runs = alloc_grow(
        deletions->runs, deletions->count, &deletions->capacity, sizeof(*deletions->runs));
    deletions->runs[deletions->count++] = run;
    return true;
}

static bool
take_body(struct deletions *deletions, struct bytes body, uint32_t stream_count, uint32_t run_count)
{
    size_t at = 0;
    for (uint32_t i = 0; i < stream_count; i++) {
        if (!take_stream(deletions, body, &at))
            return false;
    }
    for (uint32_t i = 0; i < run_count; i++) {
        if (!take_run(deletions, body, &at))
            return false;
    }
    return at == body.length;
}

bool
deletions_decode(
    struct deletions *deletions, const char *path, struct bytes file, struct error *err)
{
    *deletions = (struct deletions){0};
    if (file.length > MAGIC_BYTES && memcmp(file.data, magic, sizeof(magic)) == 0 &&
        file.data[MAGIC_BYTES] > VERSION)
        return error_set(err, ERROR_FORMAT, "%s was written by a newer tapedeck", path);
    struct bytes body = BYTES_NULL;
    if (file.length >= HEAD_BYTES)
        body = bytes_make(file.data + HEAD_BYTES, file.length - HEAD_BYTES);
    if (file.length >= HEAD_BYTES && memcmp(file.data, magic, sizeof(magic)) == 0 &&
        file.data[MAGIC_BYTES] == VERSION && load_u64(file.data + HEAD_LENGTH) == body.length &&
        crc32c(crc32c(0, file.data, HEAD_CRC), body.data, body.length) ==
            load_u32(file.data + HEAD_CRC)) {
        memcpy(deletions->uuid, file.data + HEAD_UUID, sizeof(deletions->uuid));
        if (take_body(deletions, body, load_u32(file.data + HEAD_STREAM),
                load_u32(file.data + HEAD_RUNS)))
            return true;
    }
    deletions_done(deletions);
    return error_set(err, ERROR_DAMAGED,
        "%s is broken: what retention deleted is not known; the next deletion writes it anew",
        path);
}

bool
deletions_read(const char *directory, struct deletions *deletions, struct error *err)
{
    *deletions = (struct deletions){0};
    char *path = path_of(directory);
    struct buffer file = {0};
    bool good = true;
    if (access(path, F_OK) == 0 || errno != ENOENT)
        good = file_read_whole(path, MAX_BYTES, &file, err) &&
               deletions_decode(deletions, path, bytes_make(file.data, file.length), err);
    buffer_done(&file);
    free(path);
    return good;
}

/* ---- writing ---- */

static void
append_varint(struct buffer *to, uint64_t value)
{
    to->length += varint_put(buffer_reserve(to, VARINT_MAX), value);
}

static void
append_name(struct buffer *to, const char *name)
{
    append_varint(to, strlen(name));
    buffer_append_text(to, name);
}

static uint32_t
append_streams(struct buffer *to, const struct stream_table *streams)
{
    uint32_t count = 0;
    for (size_t i = 0; i < streams->count; i++) {
        const struct stream *stream = streams->streams[i];
        if (stream == NULL)
            continue;
        append_varint(to, stream->id);
        append_name(to, stream->tap);
        append_name(to, stream->name);
        count++;
    }
    return count;
}

static void
append_run(struct buffer *to, const struct deletion_run *run)
{
    size_t lane_count = lanes_count(run->lanes);
    unsigned char *head = buffer_reserve(to, RUN_BYTES);
    store_u64(head, run->first_seq);
    store_u64(head + 8, run->end_seq);
    store_u64(head + 16, (uint64_t)run->deleted_ns);
    store_u32(head + 24, (uint32_t)lane_count);
    store_u32(head + 28, 0);
    to->length += RUN_BYTES;
    for (size_t i = 0; i < lane_count; i++) {
        lane_row_put(lanes_at(run->lanes, i), 0, buffer_reserve(to, LANE_ROW_BYTES));
        to->length += LANE_ROW_BYTES;
    }
}

bool
deletions_write(const char *directory, const struct deletions *deletions, struct error *err)
{
    struct buffer file = {0};
    unsigned char *head = buffer_reserve(&file, HEAD_BYTES);
    memset(head, 0, HEAD_BYTES);
    file.length = HEAD_BYTES;
    uint32_t stream_count = append_streams(&file, &deletions->streams);
    for (size_t i = 0; i < deletions->count; i++)
        append_run(&file, &deletions->runs[i]);

    head = file.data;
    memcpy(head, magic, sizeof(magic));
    head[MAGIC_BYTES] = VERSION;
    memcpy(head + HEAD_UUID, deletions->uuid, sizeof(deletions->uuid));
    store_u32(head + HEAD_STREAM, stream_count);
    store_u32(head + HEAD_RUNS, (uint32_t)deletions->count);
    store_u64(head + HEAD_LENGTH, file.length - HEAD_BYTES);
    uint32_t checksum = crc32c(0, head, HEAD_CRC);
    store_u32(head + HEAD_CRC, crc32c(checksum, file.data + HEAD_BYTES, file.length - HEAD_BYTES));

    char *path = path_of(directory);
    bool good = file.length <= MAX_BYTES
                    ? file_replace(path, file.data, file.length, err)
                    : error_set(err, ERROR_LIMIT, "%s would be too large", path);
    free(path);
    buffer_done(&file);
    return good;
}

/* ---- runs ---- */

/* Make runs[index] and the one behind it one, whatever is between them. */
static void
join_next(struct deletions *deletions, size_t index)
{
    struct deletion_run *run = &deletions->runs[index];
    const struct deletion_run *next = run + 1;
    if (next->end_seq > run->end_seq)
        run->end_seq = next->end_seq;
    if (next->deleted_ns > run->deleted_ns)
        run->deleted_ns = next->deleted_ns;
    lanes_merge(run->lanes, next->lanes);
    lanes_free(next->lanes);
    deletions->count--;
    memmove(run + 1, run + 2, (deletions->count - index - 1) * sizeof(*run));
}

void
deletions_add_run(struct deletions *deletions, const struct deletion_run *run)
{
    size_t at = 0;
    while (at < deletions->count && deletions->runs[at].first_seq <= run->first_seq)
        at++;
    deletions->runs = alloc_grow(
        deletions->runs, deletions->count, &deletions->capacity, sizeof(*deletions->runs));
    memmove(&deletions->runs[at + 1], &deletions->runs[at],
        (deletions->count - at) * sizeof(*deletions->runs));
    deletions->runs[at] = *run;
    deletions->count++;
    if (at > 0 && deletions->runs[at - 1].end_seq >= run->first_seq)
        join_next(deletions, --at);
    while (at + 1 < deletions->count &&
           deletions->runs[at + 1].first_seq <= deletions->runs[at].end_seq)
        join_next(deletions, at);
    while (deletions->count > DELETIONS_RUNS_MAX)
        join_next(deletions, 0);
}

static void
add_streams(struct deletions *deletions, const struct segment *segment)
{
    for (size_t i = 0; i < segment_stream_count(segment); i++) {
        const struct stream *stream = segment_stream(segment, i);
        if (strcmp(stream->tap, "?") != 0 &&
            stream_table_at(&deletions->streams, stream->id) == NULL)
            (void)stream_table_add(
                &deletions->streams, stream->id, bytes_of(stream->tap), bytes_of(stream->name));
    }
}

void
deletions_add(struct deletions *deletions, const struct segment *segment, int64_t now_ns)
{
    const struct segment_info *info = segment_info(segment);
    const struct lanes *lanes = segment_lanes(segment);
    if (info->end_seq <= info->first_seq)
        return;
    struct deletion_run run = {info->first_seq, info->end_seq, now_ns, lanes_new()};
    for (size_t i = 0; i < lanes_count(lanes); i++) {
        struct lane lane = *lanes_at(lanes, i);
        lane.hole_count = 0;
        lane.holes_not_kept = 0;
        if (lane.events > 0)
            lanes_merge_lane(run.lanes, &lane);
    }
    add_streams(deletions, segment);
    deletions_add_run(deletions, &run);
}

void
deletions_close_front(struct deletions *deletions, uint64_t end_seq)
{
    while (deletions->count > 1 && deletions->runs[1].end_seq <= end_seq)
        join_next(deletions, 0);
    if (deletions->count > 0 && deletions->runs[0].end_seq >= end_seq)
        deletions->runs[0].first_seq = 0;
}

bool
deletions_leave(const struct deletions *deletions, uint64_t *first_seq, uint64_t *end_seq)
{
    for (size_t i = 0; i < deletions->count; i++) {
        const struct deletion_run *run = &deletions->runs[i];
        if (run->first_seq <= *first_seq && run->end_seq > *first_seq)
            *first_seq = run->end_seq;
        if (run->first_seq < *end_seq && run->end_seq >= *end_seq)
            *end_seq = run->first_seq;
    }
    return *first_seq < *end_seq;
}

uint64_t
deletions_end_seq(const struct deletions *deletions)
{
    return deletions->count == 0 ? 0 : deletions->runs[deletions->count - 1].end_seq;
}
