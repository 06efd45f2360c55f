/* catalogue_internal.h - what the reading and the writing half of the catalogue share. */
#ifndef INDEX_CATALOGUE_INTERNAL_H
#define INDEX_CATALOGUE_INTERNAL_H

#include <stdint.h>

#include "base/bytes.h"
#include "index/sql.h"

struct catalogue;
struct catalogue_row;
struct error;
struct sqlite3;
struct stat;

extern const struct sql_kind catalogue_kind;

char *catalogue_path(const char *directory);

/* The columns of `segments` behind the first, id, in order; the last two are content and checksum. */
#define CATALOGUE_NUMBERS 18
#define CATALOGUE_COLUMNS                                                                      \
    "first_seq, end_seq, events, record_bytes, blocks, version, file_bytes, mtime_ns, inode, " \
    "min_time_ns, max_time_ns, min_received_ns, max_received_ns, created_ns, filter_at, "      \
    "filter_pages, filter_blocks, filter_seed, content, checksum"

/* The numbers of a row in the order of the columns. */
void catalogue_row_numbers(const struct catalogue_row *row, int64_t numbers[CATALOGUE_NUMBERS]);
void catalogue_row_take(struct catalogue_row *row, const int64_t numbers[CATALOGUE_NUMBERS]);

uint32_t catalogue_row_checksum(const struct catalogue_row *row);
uint32_t catalogue_stream_checksum(int64_t key, uint32_t id, struct bytes tap, struct bytes name);

int64_t catalogue_mtime_ns(const struct stat *file);

/* Read everything from an open connection. */
struct catalogue *catalogue_load(struct sqlite3 *db, struct error *err);

#endif
