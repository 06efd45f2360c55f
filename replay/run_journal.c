#include "replay/run_journal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "base/file.h"

#define RECORD_BYTES 48u
#define MAGIC_BYTES  8u
static const unsigned char magic[MAGIC_BYTES] = {'T', 'D', 'R', 'U', 'N', 0, 0, 1};

enum record_kind {
    KIND_START = 1,
    KIND_ACKNOWLEDGED = 2,
    KIND_END = 3,
};

/* `pending` holds start and end records that sync must write; acknowledgements are written from the
 * lanes marked dirty, so that a fast run writes one record per partition and sync, not one per
 * event. */
struct run_journal {
    int fd;
    char *path;
    int32_t lane_count;
    struct run_lane *lanes;
    bool *dirty;
    struct buffer pending;
};

static void
apply(struct run_lane *lane, uint32_t kind, const unsigned char *record)
{
    int64_t value = (int64_t)load_u64(record + 16);
    switch (kind) {
    case KIND_START:
        lane->started = true;
        lane->start_offset = value;
        break;
    case KIND_ACKNOWLEDGED:
        lane->acknowledged = (uint64_t)value;
        lane->last_offset = (int64_t)load_u64(record + 24);
        lane->last_index = load_u64(record + 32);
        break;
    case KIND_END:
        lane->ended = true;
        lane->end_offset = value;
        break;
    default: /* a kind of a later version: nothing that this one needs to know */
        break;
    }
}

/* Read all records; *good is the length up to which the file is sound. */
static bool
load(struct run_journal *journal, uint64_t *good, struct error *err)
{
    unsigned char record[RECORD_BYTES];
    size_t got;
    if (!file_read_at(journal->fd, record, MAGIC_BYTES, 0, &got, err))
        return error_wrap(err, "run journal '%s'", journal->path);
    *good = 0;
    if (got < MAGIC_BYTES && memcmp(record, magic, got) == 0)
        return true; /* new, or killed before its first write was whole */
    if (memcmp(record, magic, MAGIC_BYTES) != 0)
        return error_set(err, ERROR_FORMAT, "'%s' is not the journal of a replay", journal->path);

    uint64_t at = MAGIC_BYTES;
    while (true) {
        if (!file_read_at(journal->fd, record, RECORD_BYTES, at, &got, err))
            return error_wrap(err, "run journal '%s'", journal->path);
        if (got < RECORD_BYTES || load_u32(record) != crc32c(0, record + 4, RECORD_BYTES - 4))
            break;
        uint32_t partition = load_u32(record + 8);
        if (partition >= (uint32_t)journal->lane_count)
            return error_set(err, ERROR_FORMAT,
                "run journal '%s' speaks of partition %u, the plan has %d", journal->path,
                partition, (int)journal->lane_count);
        apply(&journal->lanes[partition], load_u32(record + 4), record);
        at += RECORD_BYTES;
    }
    *good = at;
    return true;
}

static struct run_journal *
journal_new(const char *path, int32_t lane_count, int flags)
{
    assert(lane_count > 0);
    struct run_journal *journal = alloc_zeroed(sizeof(*journal));
    journal->path = alloc_text(path);
    journal->lane_count = lane_count;
    journal->lanes = alloc_zeroed((size_t)lane_count * sizeof(journal->lanes[0]));
    journal->dirty = alloc_zeroed((size_t)lane_count * sizeof(journal->dirty[0]));
    for (int32_t i = 0; i < lane_count; i++)
        journal->lanes[i].last_offset = -1;
    journal->fd = open(path, flags | O_CLOEXEC, 0600);
    return journal;
}

/* Cut what a killed run left torn, so that appending goes on behind the last sound record. */
static bool
repair(struct run_journal *journal, uint64_t good, struct error *err)
{
    if (good == 0) {
        struct iovec part = {.iov_len = MAGIC_BYTES};
        unsigned char copy[MAGIC_BYTES];
        memcpy(copy, magic, MAGIC_BYTES);
        part.iov_base = copy;
        if (ftruncate(journal->fd, 0) != 0 || lseek(journal->fd, 0, SEEK_SET) != 0)
            return error_set_system(err, "cannot start run journal '%s'", journal->path);
        return file_write_all(journal->fd, &part, 1, err) ||
               error_wrap(err, "run journal '%s'", journal->path);
    }
    if (ftruncate(journal->fd, (off_t)good) != 0 || lseek(journal->fd, 0, SEEK_END) < 0)
        return error_set_system(err, "cannot go on in run journal '%s'", journal->path);
    return true;
}

struct run_journal *
run_journal_open(const char *path, int32_t lane_count, struct error *err)
{
    struct run_journal *journal = journal_new(path, lane_count, O_RDWR | O_CREAT);
    uint64_t good = 0;

    if (journal->fd < 0) {
        error_set_system(err, "cannot open run journal '%s'", path);
        goto fail;
    }
    if (flock(journal->fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            error_set(err, ERROR_REFUSED, "this replay is being run by another process");
        else
            error_set_system(err, "cannot lock run journal '%s'", path);
        goto fail;
    }
    if (!load(journal, &good, err) || !repair(journal, good, err))
        goto fail;
    return journal;

fail:
    run_journal_close(journal);
    return NULL;
}

struct run_journal *
run_journal_read(const char *path, int32_t lane_count, struct error *err)
{
    struct run_journal *journal = journal_new(path, lane_count, O_RDONLY);
    uint64_t good;

    if (journal->fd < 0)
        error_set_system(err, "cannot open run journal '%s'", path);
    else if (load(journal, &good, err))
        return journal;
    run_journal_close(journal);
    return NULL;
}

void
run_journal_close(struct run_journal *journal)
{
    if (journal == NULL)
        return;
    struct error ignored; /* whoever needs to know has called run_journal_sync() */
    if (journal->fd >= 0) {
        run_journal_sync(journal, &ignored);
        close(journal->fd);
    }
    buffer_done(&journal->pending);
    free(journal->lanes);
    free(journal->dirty);
    free(journal->path);
    free(journal);
}

const struct run_lane *
run_journal_lanes(const struct run_journal *journal)
{
    return journal->lanes;
}

static void
put_record(struct run_journal *journal, enum record_kind kind, int32_t partition, uint64_t value)
{
    const struct run_lane *lane = &journal->lanes[partition];
    bool acknowledged = kind == KIND_ACKNOWLEDGED;
    unsigned char *record = buffer_reserve(&journal->pending, RECORD_BYTES);

    memset(record, 0, RECORD_BYTES);
    store_u32(record + 4, kind);
    store_u32(record + 8, (uint32_t)partition);
    store_u64(record + 16, value);
    store_u64(record + 24, acknowledged ? (uint64_t)lane->last_offset : 0);
    store_u64(record + 32, acknowledged ? lane->last_index : 0);
    store_u64(record + 40, (uint64_t)clock_now_ns());
    store_u32(record, crc32c(0, record + 4, RECORD_BYTES - 4));
    journal->pending.length += RECORD_BYTES;
}

void
run_journal_start(struct run_journal *journal, int32_t partition, int64_t offset)
{
    assert(partition >= 0 && partition < journal->lane_count);
    journal->lanes[partition].started = true;
    journal->lanes[partition].start_offset = offset;
    put_record(journal, KIND_START, partition, (uint64_t)offset);
}

void
run_journal_end(struct run_journal *journal, int32_t partition, int64_t offset)
{
    assert(partition >= 0 && partition < journal->lane_count);
    journal->lanes[partition].ended = true;
    journal->lanes[partition].end_offset = offset;
    put_record(journal, KIND_END, partition, (uint64_t)offset);
}

void
run_journal_acknowledge(
    struct run_journal *journal, int32_t partition, uint64_t index, int64_t offset)
{
    assert(partition >= 0 && partition < journal->lane_count);
    struct run_lane *lane = &journal->lanes[partition];
    lane->acknowledged++;
    lane->last_index = index;
    lane->last_offset = offset;
    journal->dirty[partition] = true;
}

bool
run_journal_sync(struct run_journal *journal, struct error *err)
{
    for (int32_t i = 0; i < journal->lane_count; i++) {
        if (journal->dirty[i])
            put_record(journal, KIND_ACKNOWLEDGED, i, journal->lanes[i].acknowledged);
        journal->dirty[i] = false;
    }
    if (journal->pending.length == 0)
        return true;

    struct iovec part = {.iov_base = journal->pending.data, .iov_len = journal->pending.length};
    bool written = file_write_all(journal->fd, &part, 1, err);
    journal->pending.length = 0;
    if (!written)
        return error_wrap(err, "run journal '%s'", journal->path);
    if (fdatasync(journal->fd) != 0)
        return error_set_system(err, "cannot sync run journal '%s'", journal->path);
    return true;
}
