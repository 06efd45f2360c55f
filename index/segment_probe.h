/* segment_probe.h - asks the token index of a file, or its segment filter, which need not be open otherwise.
 *
 * Opening a segment reads some 100 KiB of its end; to learn that a key is not in it, one page of its
 * index is enough, when the catalogue says where that is. That is what makes a search for a key
 * through a thousand cold files a thousand small reads.
 *
 * Like every filter it only excludes: whatever is missing, broken or not understood may hold the value.
 *
 * Threads: one owner.
 */
#ifndef INDEX_SEGMENT_PROBE_H
#define INDEX_SEGMENT_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct segment_filter_place;
struct segment_probe;

/* Begin with what is at `place` (of the catalogue). NULL when the file cannot be opened or nothing is
 * known of its index. */
struct segment_probe *segment_probe_open(
    const char *path, const struct segment_filter_place *place, uint64_t file_bytes);
void segment_probe_close(struct segment_probe *probe); /* NULL is allowed */

/* Close it, but not its file: returns the descriptor, which is the caller's now. Of a probe that opened its file. */
int segment_probe_take_file(struct segment_probe *probe);

/* The same for a file that is open: `fd` stays the caller's and open until the probe is closed. */
struct segment_probe *segment_probe_of(
    int fd, const struct segment_filter_place *place, uint64_t file_bytes);

/* The same will be asked soon: have the system read what is needed for it meanwhile. False: it was read before. */
bool segment_probe_expect(struct segment_probe *probe, const char *kind, struct bytes value);

/* The segment will be opened and searched soon: have the system read its header, and all that lies behind the
 * index or the filter, which is what opening needs and the filters of the blocks. */
void segment_probe_expect_open(struct segment_probe *probe);

/* False: surely no event has the token (segment_token()). */
bool segment_probe_may_hold_token(struct segment_probe *probe, uint64_t token);

/* Add the blocks that may hold it to a set for block_count blocks. False: there is no token index, or it is
 * broken. */
bool segment_probe_find(
    struct segment_probe *probe, uint64_t token, uint64_t *blocks, uint32_t block_count);

/* False: surely no event has the value; `kind` as in segment_token(). Reads a page of 4 KiB; of a filter, 32
 * bytes of it once it was read. */
bool segment_probe_may_hold(struct segment_probe *probe, const char *kind, struct bytes value);

#endif
