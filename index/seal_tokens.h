/* seal_tokens.h - collects the tokens of the events of a segment and writes their index.
 *
 * docs/FORMAT-segment.md, "Tokens". What a header name means is asked of event_identify() once per shape
 * and block, not once per event. So the index may get a token more than event_identify() would give
 * (a second event id in one list), never one less.
 *
 * Threads: one owner.
 */
#ifndef INDEX_SEAL_TOKENS_H
#define INDEX_SEAL_TOKENS_H

#include <stddef.h>
#include <stdint.h>

#include "index/bloom.h"

struct buffer;
struct header_list;
struct record;
struct seal_tokens;

struct seal_tokens *seal_tokens_new(void);
void seal_tokens_free(struct seal_tokens *tokens);

/* Begin a segment, in the memory of the one before. `headers` are names whose values are tokens too; they
 * must live until its last event was added. */
void seal_tokens_begin(struct seal_tokens *tokens, const unsigned char uuid[BLOOM_UUID_BYTES],
    const char *const *headers, size_t header_count);

/* Take the tokens of one event; `shape` and `list` are what block_writer_add() gave for it. */
void seal_tokens_add(struct seal_tokens *tokens, const struct record *record, unsigned shape,
    const struct header_list *list);

/* The events added next are of the next block. */
void seal_tokens_end_block(struct seal_tokens *tokens);

/* Append the pages of the index of all blocks that were ended. */
void seal_tokens_finish(struct seal_tokens *tokens, struct buffer *pages);

#endif
