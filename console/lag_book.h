/* lag_book.h - what is known and what was written of each group and stream, for the sampler.
 *
 * Decides which flows are worth an event of @lag now, within a budget of bytes.  Threads: one owner.
 */
#ifndef CONSOLE_LAG_BOOK_H
#define CONSOLE_LAG_BOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analysis/lag.h"
#include "index/live.h"

struct lag_book;
struct groups_sample;
struct lag_flow;

/* A flow is written at least this often, changed or not; one of which events wait sooner, while the age of
 * the oldest has grown by a tenth. */
#define LAG_BOOK_WRITE_NS (INT64_C(60) * 1000000000)

/* A flow that no sample had for this long is forgotten. */
#define LAG_BOOK_FORGET_NS (INT64_C(600) * 1000000000)

struct lag_book *lag_book_new(void);
void lag_book_free(struct lag_book *book);

/* Take in a flow of a sample; `stream_id` is the tape's, UINT32_MAX when the tape has no such stream. */
void lag_book_see(struct lag_book *book, const struct lag_flow *flow, uint32_t stream_id);

/* Forget flows that `sample`, whose flows were all taken in, would have if they were still there: the group or
 * its stream was deleted, or it committed nothing and has left. Of what was written `take` is told, and a
 * flow stays until the next sample when it returns false. */
void lag_book_miss(struct lag_book *book, const struct groups_sample *sample,
    bool (*take)(void *self, const char *group, const char *stream), void *self);

/* Choose what to write of the flows that the newest sample had: about `budget` bytes, or one that is larger. What was written
 * is known afterwards; what it was too much is taken from the next budgets, so that their sum holds. */
void lag_book_choose(struct lag_book *book, int64_t sampled_ns, size_t budget);

/* True when the flow was chosen. */
bool lag_book_is_chosen(const struct lag_book *book, const struct lag_flow *flow);

/* The flow was written with so many bytes. */
void lag_book_written(struct lag_book *book, const struct lag_flow *flow, size_t bytes);

/* Forget what is gone, then copy rows of the live page, what asks for most attention first. */
uint32_t lag_book_rows(
    struct lag_book *book, int64_t now_ns, struct live_group *rows, uint32_t limit);

/* Put rows into that order. */
void lag_book_sort_rows(struct live_group *rows, size_t count);

#endif
