/* journal_format.h - the headers of a journal and of its frames; docs/FORMAT.md, "Journal".
 *
 * Shared by who writes a journal and who reads it.  Threads: any.
 */
#ifndef INDEX_JOURNAL_FORMAT_H
#define INDEX_JOURNAL_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "index/journal.h"

struct error;

#define FRAME_MAGIC UINT32_C(0x4c4e4a54) /* "TJNL" */

/* Where a frame's header has what. */
enum {
    FRAME_AT_MAGIC = 0,
    FRAME_AT_LENGTH = 4,
    FRAME_AT_EVENTS = 8,
    FRAME_AT_CHECKSUM = 12,
    FRAME_AT_SEQ = 16,
    FRAME_AT_CLOCK = 24,
};

void journal_header_encode(
    const struct journal_header *header, unsigned char to[JOURNAL_HEADER_BYTES]);

/* False with ERROR_DAMAGED: no journal, or a broken header; ERROR_NEWER: a newer format. */
bool journal_header_decode(const unsigned char from[JOURNAL_HEADER_BYTES],
    struct journal_header *header, struct error *err);

/* The mark behind the last frame of a file that was used before: a frame's header without a body. */
void journal_end_mark(unsigned char to[FRAME_HEADER_BYTES], uint64_t end_seq);

/* Over the header, without the checksum itself, and the body. */
uint32_t journal_frame_checksum(const unsigned char head[FRAME_HEADER_BYTES], struct bytes body);

#endif
