#include "index/segment_probe.h"

#include <assert.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "base/file.h"
#include "index/bloom.h"
#include "index/segment.h"
#include "index/segment_format.h"
#include "index/token_index.h"

/* verified: a bit for each page whose checksum was found right. */
struct segment_probe {
    int fd;
    bool owns_fd;
    struct segment_filter_place place;
    unsigned char *verified;
};

static_assert(FILTER_PAGE_BYTES == TOKEN_PAGE_BYTES, "one size of pages");

static uint32_t
page_count(const struct segment_filter_place *place)
{
    if (place->pages > 0)
        return place->pages;
    return place->blocks / FILTER_PAGE_BLOCKS + (place->blocks % FILTER_PAGE_BLOCKS != 0);
}

struct segment_probe *
segment_probe_of(int fd, const struct segment_filter_place *place, uint64_t file_bytes)
{
    uint32_t pages = page_count(place);
    uint64_t bytes = (uint64_t)pages * TOKEN_PAGE_BYTES;
    if (pages == 0 || pages > TOKEN_PAGES_MAX || place->at > file_bytes ||
        bytes > file_bytes - place->at)
        return NULL;
    struct segment_probe *probe = alloc_zeroed(sizeof(*probe));
    probe->fd = fd;
    probe->place = *place;
    probe->verified = alloc_zeroed(pages / 8 + 1);
    return probe;
}

struct segment_probe *
segment_probe_open(const char *path, const struct segment_filter_place *place, uint64_t file_bytes)
{
    int fd = page_count(place) == 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    struct segment_probe *probe = segment_probe_of(fd, place, file_bytes);
    if (probe == NULL)
        (void)close(fd);
    else
        probe->owns_fd = true;
    return probe;
}

void
segment_probe_close(struct segment_probe *probe)
{
    if (probe == NULL)
        return;
    if (probe->owns_fd)
        (void)close(probe->fd);
    free(probe->verified);
    free(probe);
}

int
segment_probe_take_file(struct segment_probe *probe)
{
    assert(probe->owns_fd);
    int fd = probe->fd;
    probe->owns_fd = false;
    segment_probe_close(probe);
    return fd;
}

static bool
read_at(const struct segment_probe *probe, unsigned char *to, size_t length, uint64_t at)
{
    struct error ignored;
    size_t got;
    return file_read_at(probe->fd, to, length, at, &got, &ignored) && got == length;
}

static bool
is_page(const struct segment_probe *probe, const unsigned char *page, uint32_t number)
{
    if (probe->place.pages > 0)
        return token_page_is_whole(page, number, probe->place.pages);
    return load_u32(page + FILTER_PAGE_CRC) == crc32c(0, page, FILTER_PAGE_CRC) &&
           load_u32(page + FILTER_PAGE_NUMBER) == number &&
           load_u32(page + FILTER_PAGE_TOTAL) == probe->place.blocks;
}

static uint64_t
page_at(const struct segment_probe *probe, uint32_t number)
{
    return probe->place.at + (uint64_t)number * TOKEN_PAGE_BYTES;
}

static bool
is_verified(const struct segment_probe *probe, uint32_t number)
{
    return (probe->verified[number / 8] & 1u << number % 8) != 0;
}

/* The page that answers for the token. */
static uint32_t
page_of(const struct segment_probe *probe, uint64_t token)
{
    if (probe->place.pages > 0)
        return token_index_page(probe->place.pages, token);
    return bloom_block_of(probe->place.blocks, token) / FILTER_PAGE_BLOCKS;
}

static bool
read_page(struct segment_probe *probe, uint32_t number, unsigned char page[TOKEN_PAGE_BYTES])
{
    if (!read_at(probe, page, TOKEN_PAGE_BYTES, page_at(probe, number)) ||
        (!is_verified(probe, number) && !is_page(probe, page, number)))
        return false;
    probe->verified[number / 8] |= (unsigned char)(1u << number % 8);
    return true;
}

/* Block number `block` of the filter, with its whole page the first time. */
static bool
read_block(struct segment_probe *probe, uint32_t block, unsigned char to[BLOOM_BLOCK_BYTES])
{
    uint32_t number = block / FILTER_PAGE_BLOCKS;
    size_t place = (size_t)(block % FILTER_PAGE_BLOCKS) * BLOOM_BLOCK_BYTES;
    if (is_verified(probe, number))
        return read_at(probe, to, BLOOM_BLOCK_BYTES, page_at(probe, number) + place);

    unsigned char page[FILTER_PAGE_BYTES];
    if (!read_page(probe, number, page))
        return false;
    memcpy(to, page + place, BLOOM_BLOCK_BYTES);
    return true;
}

/* Kinds that every segment has tokens of. Which headers it has besides only the file says. */
static bool
is_always_indexed(const char *kind)
{
    return strcmp(kind, "key") == 0 || strcmp(kind, "id") == 0 || strcmp(kind, "trace") == 0 ||
           strcmp(kind, "correlation") == 0;
}

static uint64_t
token_of(const struct segment_probe *probe, const char *kind, struct bytes value)
{
    return bloom_token(bloom_kind_seed(probe->place.seed, bytes_of(kind)), value);
}

bool
segment_probe_may_hold(struct segment_probe *probe, const char *kind, struct bytes value)
{
    return value.data == NULL || !is_always_indexed(kind) ||
           segment_probe_may_hold_token(probe, token_of(probe, kind, value));
}

bool
segment_probe_expect(struct segment_probe *probe, const char *kind, struct bytes value)
{
    if (value.data == NULL || !is_always_indexed(kind))
        return false;
    uint32_t number = page_of(probe, token_of(probe, kind, value));
    if (is_verified(probe, number))
        return false;
    (void)posix_fadvise(
        probe->fd, (off_t)page_at(probe, number), TOKEN_PAGE_BYTES, POSIX_FADV_WILLNEED);
    return true;
}

void
segment_probe_expect_open(struct segment_probe *probe)
{
    (void)posix_fadvise(probe->fd, 0, SEGMENT_HEADER_BYTES, POSIX_FADV_WILLNEED);
    if (probe->place.pages == 0)
        (void)posix_fadvise(
            probe->fd, (off_t)page_at(probe, 0), FILTER_PAGE_BYTES, POSIX_FADV_WILLNEED);
    (void)posix_fadvise(
        probe->fd, (off_t)page_at(probe, page_count(&probe->place)), 0, POSIX_FADV_WILLNEED);
}

bool
segment_probe_may_hold_token(struct segment_probe *probe, uint64_t token)
{
    unsigned char block[BLOOM_BLOCK_BYTES];
    if (probe->place.pages > 0) {
        unsigned char page[TOKEN_PAGE_BYTES];
        return !read_page(probe, page_of(probe, token), page) ||
               token_page_find(page, token, NULL, 0);
    }
    return !read_block(probe, bloom_block_of(probe->place.blocks, token), block) ||
           bloom_may_hold(block, token);
}

bool
segment_probe_find(
    struct segment_probe *probe, uint64_t token, uint64_t *blocks, uint32_t block_count)
{
    unsigned char page[TOKEN_PAGE_BYTES];
    if (probe->place.pages == 0 || !read_page(probe, page_of(probe, token), page))
        return false;
    (void)token_page_find(page, token, blocks, block_count);
    return true;
}
