#include "index/live.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "index/tape_lock.h"

#define LIVE_MAGIC UINT64_C(0x0245564c4b434454) /* "TDCKLVE" 2 */
#define READ_TRIES 64
#define TRUSTED_NS (NS_PER_S + NS_PER_S / 2)
#define WORD_COUNT ((sizeof(struct live_status) + 7) / 8)

/* A sequence lock (Linux, Documentation/locking/seqlock.rst): odd while the writer changes the words.
 * The words are atomic so that a reader's torn copy is only wrong, not undefined; the count read
 * again behind them says which it was (H.-J. Boehm, "Can seqlocks get along with programming
 * language memory models?", 2012). */
struct page {
    uint64_t magic;
    uint64_t size;
    atomic_uint_fast64_t change;
    atomic_uint_fast64_t words[WORD_COUNT];
};

struct live {
    char *directory;
    struct page *page;
    ino_t inode;
    bool is_writer;
};

const char *
tap_state_text(enum tap_state state)
{
    switch (state) {
    case TAP_CONNECTING:
        return "connecting";
    case TAP_LIVE:
        return "live";
    case TAP_ENDED:
        return "ended";
    case TAP_RETRYING:
        return "retrying";
    case TAP_FAILED:
        return "failed";
    case TAP_STOPPED:
        return "stopped";
    }
    return "?";
}

static struct page *
map_page(int fd, int protection)
{
    void *memory = mmap(NULL, sizeof(struct page), protection, MAP_SHARED, fd, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

struct live *
live_create(const char *directory, struct error *err)
{
    char *path = alloc_format("%s/live", directory);
    char *temporary = alloc_format("%s/live.tmp", directory);
    struct live *live = NULL;
    int fd = open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    /* Reserved in full: a page of a file with holes would end this process when the disk fills. */
    int reserved = fd < 0 ? errno : posix_fallocate(fd, 0, sizeof(struct page));
    struct page *page = fd < 0 || reserved != 0 ? NULL : map_page(fd, PROT_READ | PROT_WRITE);
    if (page == NULL) {
        errno = reserved != 0 ? reserved : errno;
        (void)error_set_system(err, "cannot make the live page %s", path);
    } else {
        page->magic = LIVE_MAGIC;
        page->size = sizeof(struct page);
        if (rename(temporary, path) == 0) {
            live = alloc_zeroed(sizeof(*live));
            *live =
                (struct live){.directory = alloc_text(directory), .page = page, .is_writer = true};
        } else {
            (void)error_set_system(err, "cannot make the live page %s", path);
            (void)munmap(page, sizeof(*page));
        }
    }
    if (live == NULL)
        (void)unlink(temporary);
    if (fd >= 0)
        (void)close(fd);
    free(path);
    free(temporary);
    return live;
}

/* Parts of the status, as offsets and lengths in words, that `status` says are in use. */
struct range {
    size_t first;
    size_t count;
};

static struct range
range_of(size_t offset, size_t bytes)
{
    assert(offset % 8 == 0 && bytes % 8 == 0);
    return (struct range){offset / 8, bytes / 8};
}

static uint32_t
at_most(uint32_t count, uint32_t limit)
{
    return count < limit ? count : limit;
}

static void
used_ranges(const struct live_status *head, struct range ranges[4])
{
    uint32_t taps = at_most(head->tap_count, LIVE_TAPS);
    uint32_t groups = at_most(head->group_count, LIVE_GROUPS);
    uint32_t streams = at_most(head->stream_count, LIVE_STREAMS);
    ranges[0] = range_of(0, offsetof(struct live_status, taps));
    ranges[1] = range_of(offsetof(struct live_status, taps), taps * sizeof(struct live_tap));
    ranges[2] = range_of(offsetof(struct live_status, groups), groups * sizeof(struct live_group));
    ranges[3] =
        range_of(offsetof(struct live_status, streams), streams * sizeof(struct live_stream));
}

static void
copy_in(struct page *page, const struct live_status *status, struct range range)
{
    const unsigned char *from = (const unsigned char *)status + range.first * 8;
    for (size_t i = 0; i < range.count; i++) {
        uint64_t word;
        memcpy(&word, from + i * 8, sizeof(word));
        atomic_store_explicit(&page->words[range.first + i], word, memory_order_relaxed);
    }
}

static void
copy_out(struct page *page, struct live_status *status, struct range range)
{
    unsigned char *to = (unsigned char *)status + range.first * 8;
    for (size_t i = 0; i < range.count; i++) {
        uint64_t word = atomic_load_explicit(&page->words[range.first + i], memory_order_relaxed);
        memcpy(to + i * 8, &word, sizeof(word));
    }
}

void
live_publish(struct live *live, const struct live_status *status)
{
    assert(live->is_writer);
    struct page *page = live->page;
    struct range ranges[4];
    used_ranges(status, ranges);

    uint64_t change = atomic_load_explicit(&page->change, memory_order_relaxed);
    (void)atomic_exchange_explicit(&page->change, change + 1, memory_order_acq_rel);
    for (size_t i = 0; i < 4; i++)
        copy_in(page, status, ranges[i]);
    atomic_store_explicit(&page->change, change + 2, memory_order_release);
}

static bool
map_current(struct live *live, struct error *err)
{
    char *path = alloc_format("%s/live", live->directory);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) {
        (void)error_set(err, ERROR_ARGUMENT, "nobody has recorded to the tape %s with this version",
            live->directory);
        free(path);
        if (fd >= 0)
            (void)close(fd);
        return false;
    }
    struct page *page =
        status.st_size == (off_t)sizeof(struct page) ? map_page(fd, PROT_READ) : NULL;
    (void)close(fd);
    if (page == NULL || page->magic != LIVE_MAGIC || page->size != sizeof(struct page)) {
        if (page != NULL)
            (void)munmap(page, sizeof(*page));
        (void)error_set(err, ERROR_FORMAT,
            "the live page %s is of another version of tapedeck; use that of the recorder", path);
        free(path);
        return false;
    }
    if (live->page != NULL)
        (void)munmap(live->page, sizeof(*live->page));
    live->page = page;
    live->inode = status.st_ino;
    free(path);
    return true;
}

void
live_set_name(char to[LIVE_NAME_BYTES], const char *name)
{
    size_t length = strlen(name);
    if (length < LIVE_NAME_BYTES) {
        memcpy(to, name, length + 1);
        return;
    }
    size_t kept = LIVE_NAME_BYTES - sizeof("~01234567");
    while (kept > 0 && ((unsigned char)name[kept] & 0xc0) == 0x80) /* inside a character of UTF-8 */
        kept--;
    (void)snprintf(to, LIVE_NAME_BYTES, "%.*s~%08x", (int)kept, name, crc32c(0, name, length));
}

struct live *
live_open(const char *directory, struct error *err)
{
    struct live *live = alloc_zeroed(sizeof(*live));
    live->directory = alloc_text(directory);
    if (!map_current(live, err)) {
        live_close(live);
        return NULL;
    }
    return live;
}

static bool
copy_page(struct page *page, struct live_status *status)
{
    for (int i = 0; i < READ_TRIES; i++) {
        uint64_t before = atomic_load_explicit(&page->change, memory_order_acquire);
        if (before % 2 == 0) {
            struct range ranges[4];
            copy_out(page, status, range_of(0, offsetof(struct live_status, taps)));
            used_ranges(status, ranges);
            for (size_t k = 1; k < 4; k++)
                copy_out(page, status, ranges[k]);
            atomic_thread_fence(memory_order_acquire);
            if (atomic_load_explicit(&page->change, memory_order_relaxed) == before)
                return true;
        }
        clock_sleep_until_ns(clock_monotonic_ns() + 50 * NS_PER_US);
    }
    return false;
}

static bool
page_was_replaced(const struct live *live)
{
    char *path = alloc_format("%s/live", live->directory);
    struct stat status;
    bool replaced = stat(path, &status) == 0 && status.st_ino != live->inode;
    free(path);
    return replaced;
}

bool
live_read(struct live *live, struct live_status *status, bool *recording)
{
    struct error ignored;
    if (!live->is_writer && page_was_replaced(live))
        (void)map_current(live, &ignored);
    if (!copy_page(live->page, status))
        return false;
    status->tap_count = at_most(status->tap_count, LIVE_TAPS);
    status->group_count = at_most(status->group_count, LIVE_GROUPS);
    status->stream_count = at_most(status->stream_count, LIVE_STREAMS);
    *recording = status->pid != 0 && (clock_now_ns() - status->published_ns < TRUSTED_NS ||
                                         live_is_recording(live->directory));
    return true;
}

void
live_close(struct live *live)
{
    if (live == NULL)
        return;
    if (live->page != NULL)
        (void)munmap(live->page, sizeof(*live->page));
    free(live->directory);
    free(live);
}

bool
live_is_recording(const char *directory)
{
    return tape_lock_is_held(directory);
}
