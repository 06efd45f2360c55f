/* content_hash.h - SHA-256 over events, so that a plan can say exactly which events it means.
 *
 * What is hashed, for each event in plan order (integers little-endian):
 *
 *     u32 length of the stream's label, the label ("shop/orders")
 *     u32 partition, u64 offset, u8 time type, u64 time in ns (two's complement)
 *     u64 key length + 1 (0: null), the key
 *     u64 length of the encoded header list (0: no headers), the list as event.h encodes it
 *     u64 payload length + 1 (0: null), the payload
 *
 * Every part is preceded by its length, so that two different lists of events never give the same
 * bytes. When and by whom an event was received is not part of it: an exported and imported tape
 * has the same hash.  Threads: one thread owns an instance.
 */
#ifndef REPLAY_CONTENT_HASH_H
#define REPLAY_CONTENT_HASH_H

#include "base/bytes.h"

struct content_hash;
struct event;

#define CONTENT_HASH_TEXT 65 /* 64 hex digits and the terminator */

struct content_hash *content_hash_new(void);
void content_hash_free(struct content_hash *hash);

void content_hash_event(struct content_hash *hash, const struct event *event);

/* The hash of everything so far, as hex digits; nothing may be added afterwards. */
void content_hash_end(struct content_hash *hash, char text[CONTENT_HASH_TEXT]);

/* SHA-256 of `bytes` as hex digits. */
void sha256_text(struct bytes bytes, char text[CONTENT_HASH_TEXT]);

#endif
