/* Writing a journal. */
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "index/journal.h"
#include "index/journal_format.h"
#include "index/journal_spare.h"
#include "index/part_file.h"

/* A new file, or one that is empty as far as its reader is told. The position is behind the header. */
static bool
begin(int fd, const struct journal_header *header, struct error *err)
{
    unsigned char bytes[JOURNAL_HEADER_BYTES];
    unsigned char mark[FRAME_HEADER_BYTES];
    journal_header_encode(header, bytes);
    journal_end_mark(mark, header->base_seq);
    struct iovec parts[2] = {{bytes, sizeof(bytes)}, {mark, sizeof(mark)}};
    if (!file_write_all(fd, parts, header->is_reused ? 2 : 1, err))
        return false;
    return lseek(fd, JOURNAL_HEADER_BYTES, SEEK_SET) >= 0 ||
           error_set_system(err, "cannot go on behind the header");
}

/* Under its own name a journal has its header from the first instant, so that a reader that lists the
 * directory just then does not take it for a broken one. */
bool
journal_create(struct journal_file *file, const char *directory,
    const struct journal_header *header, struct journal_spare *spare, struct error *err)
{
    char *path = part_file_path(directory, header->id, "jnl");
    char *unfinished = part_file_path(directory, header->id, "new");
    *file = (struct journal_file){.size = JOURNAL_HEADER_BYTES, .header = *header, .path = path};
    file->fd = journal_spare_take(spare, unfinished, &file->rest);
    file->header.is_reused = file->fd >= 0;
    if (file->fd < 0)
        file->fd = open(unfinished, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool good = file->fd >= 0 || error_set_system(err, "cannot make journal %s", path);
    good = good && begin(file->fd, &file->header, err);
    if (good && rename(unfinished, path) != 0)
        good = error_set_system(err, "cannot rename %s", unfinished);
    if (!good) {
        (void)unlink(unfinished);
        if (file->fd >= 0)
            (void)close(file->fd);
        free(path);
        *file = (struct journal_file){.fd = -1};
    }
    free(unfinished);
    return good;
}

void
journal_file_close(struct journal_file *file)
{
    if (file->path == NULL)
        return;
    (void)close(file->fd);
    free(file->path);
    *file = (struct journal_file){.fd = -1};
}

static bool
cut_end(struct journal_file *file)
{
    file->is_torn = ftruncate(file->fd, (off_t)file->size) != 0 ||
                    lseek(file->fd, (off_t)file->size, SEEK_SET) < 0;
    if (!file->is_torn)
        file->rest = 0;
    return !file->is_torn;
}

void
journal_take_back(struct journal_file *file, uint64_t size)
{
    assert(size <= file->size);

    file->size = size;
    (void)cut_end(file); /* else before the next append */
}

void
journal_trim(struct journal_file *file)
{
    if (file->rest > file->size)
        (void)cut_end(file); /* else it is tried again before the next append */
}

/* One writev; the position is behind the body. */
static bool
write_frame(struct journal_file *file, unsigned char *head, struct bytes body, uint64_t end_seq,
    struct error *err)
{
    /* writev only reads what it is given; its type cannot say so. */
    union {
        const unsigned char *in;
        void *out;
    } data = {.in = body.data};
    unsigned char mark[FRAME_HEADER_BYTES];
    struct iovec parts[3] = {
        {head, FRAME_HEADER_BYTES}, {data.out, body.length}, {mark, sizeof(mark)}};
    if (file->rest <= file->size + FRAME_HEADER_BYTES + body.length)
        return file_write_all(file->fd, parts, 2, err);
    journal_end_mark(mark, end_seq);
    return file_write_all(file->fd, parts, 3, err) &&
           (lseek(file->fd, -(off_t)sizeof(mark), SEEK_CUR) >= 0 ||
               error_set_system(err, "cannot go on behind the frame"));
}

bool
journal_append(struct journal_file *file, uint32_t event_count, uint64_t first_seq,
    struct bytes body, struct error *err)
{
    assert(body.length > 0 && body.length <= FRAME_MAX_BODY);

    if (file->is_torn && !cut_end(file))
        return error_set_system(err, "cannot cut the broken end of journal %s", file->path);
    unsigned char head[FRAME_HEADER_BYTES];
    store_u32(head + FRAME_AT_MAGIC, FRAME_MAGIC);
    store_u32(head + FRAME_AT_LENGTH, (uint32_t)body.length);
    store_u32(head + FRAME_AT_EVENTS, event_count);
    store_u64(head + FRAME_AT_SEQ, first_seq);
    store_u64(head + FRAME_AT_CLOCK, (uint64_t)clock_monotonic_ns());
    store_u32(head + FRAME_AT_CHECKSUM, journal_frame_checksum(head, body));

    if (!write_frame(file, head, body, first_seq + event_count, err)) {
        /* Whatever part of the frame is there must not be followed by a good one. */
        if (!cut_end(file))
            return error_wrap(err, "journal %s (and its broken end could not be cut)", file->path);
        return error_wrap(err, "journal %s", file->path);
    }
    file->size += sizeof(head) + body.length;
    return true;
}
