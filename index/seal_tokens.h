/* seal_tokens.h - collects the tokens of the events of a segment and fills its filters.
 *
 * docs/FORMAT.md, "Filters". What a header name means is asked of event_identify() once per shape
 * and block, not once per event. So a filter may get a token more than event_identify() would give
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

#define FILTER_PAGE_BYTES  4096u
#define FILTER_PAGE_BLOCKS 127u
#define FILTER_PAGE_TOTAL  4084u /* where a page says how many blocks the filter has, */
#define FILTER_PAGE_NUMBER 4088u /* which page it is, */
#define FILTER_PAGE_CRC    4092u /* and its checksum */

struct seal_tokens *seal_tokens_new(void);
void seal_tokens_free(struct seal_tokens *tokens);

/* Begin a segment, in the memory of the one before. `headers` are names whose values are tokens too; they
 * must live until its last event was added. */
void seal_tokens_begin(struct seal_tokens *tokens, const unsigned char uuid[BLOOM_UUID_BYTES],
    const char *const *headers, size_t header_count);

/* Take the tokens of one event; `shape` and `list` are what block_writer_add() gave for it. */
void seal_tokens_add(struct seal_tokens *tokens, const struct record *record, unsigned shape,
    const struct header_list *list);

/* Append the filter of the events since the last call; returns how many filter blocks it has. */
uint32_t seal_tokens_end_block(struct seal_tokens *tokens, struct buffer *filters);

/* Append the pages of the filter over all events. */
void seal_tokens_finish(struct seal_tokens *tokens, struct buffer *pages);

#endif
