/* header_pack.h - header values that are hex in disguise, in half their bytes; docs/FORMAT.md, "HDR".
 *
 * Shared by the writer and the reader of header shapes.  Threads: any.
 */
#ifndef INDEX_HEADER_PACK_H
#define INDEX_HEADER_PACK_H

#include <stdbool.h>
#include <stddef.h>

enum header_packing {
    PACKING_NULL = 0,
    PACKING_TEXT = 1,
    PACKING_TRACEPARENT = 2,
    PACKING_UUID = 3,
    PACKING_HEX16 = 4, /* 32 digits */
    PACKING_HEX8 = 5,  /* 16 digits */
    PACKING_COUNT,
};

/* The streams that values go into, in the order in which they are stored. */
enum header_stream {
    STREAM_TRACE,
    STREAM_SPAN,
    STREAM_FLAGS,
    STREAM_UUID,
    STREAM_HEX16,
    STREAM_HEX8,
    STREAM_LENGTHS,
    STREAM_TEXT,
    STREAM_COUNT,
};

#define TRACEPARENT_TEXT 55u
#define UUID_TEXT        36u
#define HEX16_TEXT       32u
#define HEX8_TEXT        16u

/* A traceparent in binary: trace id, span id, flags. */
#define TRACE_BYTES       16u
#define SPAN_BYTES        8u
#define TRACEPARENT_BYTES (TRACE_BYTES + SPAN_BYTES + 1u)

/* Turn text into binary: false when it is not of that form, in lower case. `bytes` is a multiple of
 * eight, and counts the binary ones. */
bool hex_pack(const unsigned char *text, unsigned char *to, size_t bytes);
bool uuid_pack(const unsigned char text[UUID_TEXT], unsigned char to[16]);
bool traceparent_pack(
    const unsigned char text[TRACEPARENT_TEXT], unsigned char to[TRACEPARENT_BYTES]);

/* And back; `bytes` is a multiple of eight. */
void hex_unpack(const unsigned char *from, unsigned char *text, size_t bytes);
void uuid_unpack(const unsigned char from[16], unsigned char text[UUID_TEXT]);
void traceparent_unpack(const unsigned char trace[TRACE_BYTES],
    const unsigned char span[SPAN_BYTES], unsigned char flags,
    unsigned char text[TRACEPARENT_TEXT]);

#endif
