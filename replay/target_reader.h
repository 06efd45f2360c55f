/* target_reader.h - reads ranges of the target's partitions back: what has really landed.
 *
 * Reads committed messages only, joins no group, commits nothing, creates nothing. The end of a
 * range is a position, never "the last message": the last offsets may be transaction markers or
 * compacted away.
 *
 * Threads: one thread owns an instance.
 */
#ifndef REPLAY_TARGET_READER_H
#define REPLAY_TARGET_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "index/event.h"

struct error;
struct kafka_settings;
struct target_facts;
struct target;
struct target_reader;

enum target_step {
    TARGET_EVENT,  /* *event is the next message of some partition; lives until the next call */
    TARGET_IDLE,   /* nothing within the time given */
    TARGET_END,    /* every range was read to its end */
    TARGET_FAILED, /* see *err */
};

/* Connect to the target and ask what it is. NULL with ERROR_REMOTE, ERROR_REFUSED or ERROR_CONFIG.
 */
struct target_reader *target_reader_open(
    const struct target *target, const struct kafka_settings *settings, struct error *err);
void target_reader_close(struct target_reader *reader); /* NULL is allowed */

const struct target_facts *target_reader_facts(const struct target_reader *reader);

/* First offset that is there and the one behind the last committed one. */
bool target_reader_offsets(struct target_reader *reader, int32_t partition, int64_t *first,
    int64_t *end, struct error *err);

/* Read offsets from .. end - 1 of a partition; once per partition and reader. Nothing to do when
 * the range is empty. */
bool target_reader_add(
    struct target_reader *reader, int32_t partition, int64_t from, int64_t end, struct error *err);

/* The next message as an event: its stream has the topic's name, its seq means nothing. Fails with
 * ERROR_REMOTE when nothing came for TARGET_READER_STALL_MS. */
#define TARGET_READER_STALL_MS 30000
enum target_step target_reader_next(
    struct target_reader *reader, int timeout_ms, struct event *event, struct error *err);

#endif
