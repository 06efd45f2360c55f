/* segment_internal.h - what the files that make up the segment reader share. */
#ifndef INDEX_SEGMENT_INTERNAL_H
#define INDEX_SEGMENT_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "index/seal_tokens.h"
#include "index/segment.h"
#include "index/segment_format.h"

enum filters_state {
    FILTERS_UNREAD,
    FILTERS_READ,
    FILTERS_DAMAGED,
};

/* An open segment. `streams` is sorted by id; `filters` are the filters of all blocks. */
struct segment {
    uint64_t serial; /* differs from that of every other segment this process ever opened */
    int fd;
    char *path;
    struct segment_info info;
    struct section_row sections[SECTION_KNOWN]; /* type 0: it has none */
    struct stream **streams;
    size_t stream_count;
    size_t stream_capacity;
    struct lanes *lanes;
    struct block_info *blocks;
    uint64_t tape_seed;
    char **token_headers;
    size_t token_header_count;
    enum filters_state filters_state;
    struct buffer filters;
    bool probe_is_made; /* when it is needed first; NULL: there is no filter, or it is broken */
    struct segment_probe *probe;
    struct buffer io;
    block_stream_lookup *lookup;
    void *lookup_self;
};

/* Open the file and nothing more; -1: `fd` is not open yet. NULL as segment_open_as(). */
struct segment *segment_begin(const char *path, int fd, struct error *err);

/* Read and check the file's header: uuid, id and first seq. */
bool segment_read_header(struct segment *segment, struct error *err);

/* Take what a footer section says. False when it contradicts itself, or opening does not read it. */
bool segment_take_section(struct segment *segment, enum segment_section type, struct bytes content);

/* Make sure that the segment has a stream with this id, if only a nameless one. */
void segment_know_stream(struct segment *segment, uint32_t id);

/* The segment's own stream with this id, or NULL. */
struct stream *segment_own_stream(const struct segment *segment, uint32_t id);

/* Read `length` bytes at `at`; fewer is ERROR_DAMAGED. */
bool segment_read_at(
    const struct segment *segment, void *to, size_t length, uint64_t at, struct error *err);

/* Read a footer section into `to`, replacing its content, and check it. */
bool segment_read_section(
    const struct segment *segment, enum segment_section type, struct buffer *to, struct error *err);

#endif
