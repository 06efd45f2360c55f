/* index_crash.h - kill a recording process at some moment and see what the tape still has.
 *
 * The process records through an indexer with small journals, so that a kill lands while it opens, appends,
 * begins a journal, seals, renames or removes. Event number n of the tape is the same in every process:
 * whoever reads seq n knows what it must be. For one thread; used by a test and by a bench.
 */
#ifndef TESTS_SUPPORT_INDEX_CRASH_H
#define TESTS_SUPPORT_INDEX_CRASH_H

#include <stdbool.h>
#include <stdint.h>

struct error;

struct crash_result {
    uint64_t acknowledged; /* events on the tape that the process knew to be acknowledged */
    uint64_t found;        /* events on the tape afterwards */
    double reopen_s;       /* by the next recorder */
    unsigned journals;     /* left behind */
    bool was_sealing;      /* a segment was half written */
    bool was_between;      /* a segment was complete and its journal still there */
    bool had_torn_end;     /* the next recorder cut something off */
};

/* Record on the tape in `directory`, kill after about `delay_us`, open it again and check it: every
 * acknowledged event is there once, in order, unchanged, and verifying finds no damage. `checked` is how
 * many events an earlier trial has looked at already.
 *
 * False with *err when something is lost, twice, damaged, or cannot be opened. */
bool crash_trial(const char *directory, unsigned delay_us, uint64_t checked,
    struct crash_result *result, struct error *err);

#endif
