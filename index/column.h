/* column.h - one number per event of a block, written so that a codec finds little left to do.
 *
 * docs/FORMAT.md, "META": numbers as they are, or as steps from one to the next, in byte planes: all
 * lowest bytes, then all second bytes. The upper planes are mostly zeros and vanish in compression,
 * and there is nothing to parse. Arithmetic is modulo 2^64, so every value is exact.
 *
 * Threads: any.
 */
#ifndef INDEX_COLUMN_H
#define INDEX_COLUMN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Append the values (1 or more) as they are, less their minimum. `values` is used as work space. */
void column_put_plain(struct buffer *to, uint64_t *values, size_t count);

/* Append the values as steps: for times, offsets and seqs. `values` is used likewise. */
void column_put_steps(struct buffer *to, uint64_t *values, size_t count);

/* Read `count` values (1 or more) at *at and move *at behind the column. False when the bytes are
 * not a column of that many. */
bool column_get(struct bytes from, size_t *at, uint64_t *values, size_t count);

#endif
