/* fuzz_frame.c - arbitrary bytes behind the header of a journal.
 *
 * As they are, and with the checksums of everything that looks like a frame made to fit, so that what lies
 * behind them is reached. Scanning as a follower does and as the next recorder does, reading each frame and
 * decoding each record must not crash or hang, seqs must rise, and a second look must find nothing new. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "base/file.h"
#include "index/event.h"
#include "index/hole.h"
#include "index/hole_record.h"
#include "index/journal.h"
#include "index/journal_format.h"
#include "index/lanes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define AT_LENGTH   4u
#define AT_CHECKSUM 12u
#define AT_SEQ      16u

static void
require(bool condition)
{
    if (!condition)
        abort();
}

/* The header that a recorder writes, in a new file or in one that was used before. */
static const unsigned char *
header_bytes(bool is_reused)
{
    static unsigned char bytes[JOURNAL_HEADER_BYTES];
    journal_header_encode(&(struct journal_header){.id = 1, .is_reused = is_reused}, bytes);
    return bytes;
}

static void
use_event(const struct record *record)
{
    struct event event;
    struct event_identity identity;
    struct event_header header;
    struct stream stream = {0};
    size_t at = 0;
    record_to_event(record, &event);
    event.stream = &stream;
    event_identify(&event, &identity);
    while (event_next_header(&event, &at, &header))
        require(header.name.data != NULL);
}

static void
use_control(void *self, const struct record *record)
{
    struct hole hole;
    if (hole_record_read(record, &hole) && hole.stream_id < 64)
        lanes_add_hole(self, &hole);
}

static void
read_frames(struct journal *journal, struct lanes *lanes)
{
    struct buffer buffer = {0};
    uint64_t next_seq = journal->header.base_seq;
    for (size_t i = 0; i < journal->frame_count; i++) {
        struct frame *frame = &journal->frames[i];
        struct error err;
        require(frame->event_count > 0 && frame->first_seq >= next_seq);
        next_seq = frame->first_seq + frame->event_count;
        if (!journal_read_frame(journal, frame, &buffer, &err))
            continue;
        struct bytes body =
            bytes_make(buffer.data + FRAME_HEADER_BYTES, buffer.length - FRAME_HEADER_BYTES);
        struct record record;
        size_t at = 0;
        while (record_decode(body, &at, &record)) {
            use_event(&record);
            if (record.stream_id < 64)
                lanes_add_event(lanes, &record);
        }
    }
    require(next_seq <= journal->end_seq || journal->frame_count == 0);
    buffer_done(&buffer);
}

static void
scan(const char *path, bool verify, bool is_final)
{
    struct journal journal;
    struct error err;
    struct lanes *lanes = lanes_new();
    require(journal_open(&journal, path, &err));
    require(journal_scan(&journal, verify, is_final, use_control, lanes, &err));
    read_frames(&journal, lanes);
    /* Nothing was appended: a second look finds nothing more, but what is behind a frame that may have been on its way. */
    size_t count = journal.frame_count;
    require(journal_scan(&journal, verify, is_final, use_control, lanes, &err));
    require(journal.frame_count == count ||
            (journal.frame_count > count && journal.header.is_reused && !is_final));
    journal_close(&journal);
    lanes_free(lanes);
}

static void
try_file(bool is_reused, const unsigned char *data, size_t size)
{
    char path[64];
    int fd = memfd_create("journal", MFD_CLOEXEC);
    require(fd >= 0);
    require(write(fd, header_bytes(is_reused), JOURNAL_HEADER_BYTES) == JOURNAL_HEADER_BYTES);
    require(write(fd, data, size) == (ssize_t)size);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    scan(path, false, false);
    scan(path, false, true);
    scan(path, true, false);
    scan(path, true, true);
    (void)close(fd);
}

/* Make the checksum of each place that has the magic and a length that fits into the bytes. */
static void
fit_checksums(unsigned char *bytes, size_t size)
{
    for (size_t at = 0; at + FRAME_HEADER_BYTES <= size;) {
        size_t length = load_u32(bytes + at + AT_LENGTH);
        if (memcmp(bytes + at, "TJNL", 4) != 0 || length > size - at - FRAME_HEADER_BYTES) {
            at++;
            continue;
        }
        uint32_t crc = crc32c(0, bytes + at, AT_CHECKSUM);
        crc = crc32c(crc, bytes + at + AT_SEQ, FRAME_HEADER_BYTES - AT_SEQ + length);
        store_u32(bytes + at + AT_CHECKSUM, crc);
        at += FRAME_HEADER_BYTES + length;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char *bytes = alloc_zeroed(size + 1);
    if (size > 0)
        memcpy(bytes, data, size);
    try_file(false, bytes, size);
    try_file(true, bytes, size);
    fit_checksums(bytes, size);
    try_file(false, bytes, size);
    try_file(true, bytes, size);
    free(bytes);
    return 0;
}
