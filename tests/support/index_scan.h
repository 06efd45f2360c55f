/* index_scan.h - small tapes of two streams with three lanes each, for the tests of scans. */
#ifndef TESTS_SUPPORT_INDEX_SCAN_H
#define TESTS_SUPPORT_INDEX_SCAN_H

#include <stdint.h>

struct tape_writer;

#define SCAN_JOURNAL_BYTES UINT64_C(300000)

/* A number below, the same ones on each run. */
unsigned scan_pick(unsigned below);

/* `count` events or some more, lanes in turns, in batches of any size. */
void scan_write(struct tape_writer *writer, int64_t offsets[6], unsigned count);

/* Some segments, and behind them some journals. */
void scan_make_tape(const char *directory, unsigned sealed, unsigned unsealed);

#endif
