/* journal_sync.h - the thread that brings journals to the disk while their writer goes on appending.
 *
 * fdatasync takes from a millisecond to a second. Whoever waited for it would record nothing meanwhile.
 *
 * Data: files to sync, in the order in which they were asked for; one is being synced, the others wait.
 * Finished journals belong to this part, and are closed when they are on the disk.
 *
 * Invariant: what was appended before an ask is on the disk once that ask is done, or the failure is told by the
 * next journal_sync_check() or _wait(), once.
 *
 * Bounds: JOURNAL_SYNC_FILES files; nothing waits longer than JOURNAL_SYNC_LATE_NS before the writer is made to
 * wait, so that a power failure takes no more than that, plus the interval between asks.
 *
 * Threads: its own one; all calls come from the one that appends.
 */
#ifndef INDEX_JOURNAL_SYNC_H
#define INDEX_JOURNAL_SYNC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

#define JOURNAL_SYNC_FILES   8
#define JOURNAL_SYNC_LATE_NS NS_PER_S

struct error;
struct journal_file;
struct journal_sync;

struct journal_sync *journal_sync_start(struct error *err);

/* What is in `file` now is to be on the disk, and its name, unless it is named already. Waits only while JOURNAL_SYNC_FILES others wait. `file` must stay
 * open until it is finished. */
void journal_sync_ask(struct journal_sync *sync, struct journal_file *file);

/* The same for a journal that is complete: it is closed when that is done. One that has been removed by then is
 * in a segment, which is on the disk. *file is as after journal_file_close(). */
void journal_sync_finish(struct journal_sync *sync, struct journal_file *file);

/* Wait while what was asked for first is older than JOURNAL_SYNC_LATE_NS at `now_ns` (monotonic). False when a
 * sync failed since the last call: ERROR_SYSTEM, ERROR_DISK_FULL. */
bool journal_sync_check(struct journal_sync *sync, int64_t now_ns, struct error *err);

/* Wait until all that was asked for is done. Fails like journal_sync_check(). */
bool journal_sync_wait(struct journal_sync *sync, struct error *err);

/* Do what was asked for, end the thread, free. NULL is allowed. */
void journal_sync_stop(struct journal_sync *sync);

#endif
