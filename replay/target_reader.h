/* target_reader.h - reads ranges of the target's partitions back: what has really landed.
 *
 * Reads committed messages only, joins no group, commits nothing, creates nothing. The end of a
 * range is a position, never "the last message": the last offsets may be transaction markers or
 * compacted away. From a target that tells nothing (ZeroMQ) nothing can be read: every range of it is
 * empty, and nothing that landed there can be known.
 *
 * Threads: one thread owns an instance.
 */
#ifndef REPLAY_TARGET_READER_H
#define REPLAY_TARGET_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "index/event.h"
#include "replay/target_facts.h"

struct error;
struct kafka_settings;
struct target;
struct target_reader;

enum target_step {
    TARGET_EVENT,  /* *event is the next message of some partition; lives until the next call */
    TARGET_IDLE,   /* nothing within the time given */
    TARGET_END,    /* every range was read to its end */
    TARGET_FAILED, /* see *err */
};

/* What a row of sinks.def has to say about its target, see struct sink_ops. The functions are those below,
 * without the word "reader". `open` NULL: it cannot be read back; then `ask` is all there is. */
struct target_ops {
    /* What the target is, without changing it. False with ERROR_REMOTE, ERROR_REFUSED, ... */
    bool (*ask)(const struct target *target, const struct kafka_settings *settings,
        struct target_facts *facts, struct error *err);

    struct target_reader *(*open)(
        const struct target *target, const struct kafka_settings *settings, struct error *err);
    void (*close)(struct target_reader *reader);
    bool (*offsets)(struct target_reader *reader, int32_t partition, int64_t *first, int64_t *end,
        struct error *err);
    bool (*add)(struct target_reader *reader, int32_t partition, int64_t from, int64_t end,
        struct error *err);
    enum target_step (*next)(
        struct target_reader *reader, int timeout_ms, struct event *event, struct error *err);
};

/* The beginning of every reader; `open` fills in the facts. */
struct target_reader {
    const struct target_ops *ops; /* NULL: there is nothing to read */
    struct target_facts facts;
};

/* Ask the target what it is. */
bool target_ask(const struct target *target, const struct kafka_settings *settings,
    struct target_facts *facts, struct error *err);

/* False for one that tells nothing about what arrived. */
bool target_can_be_read(const struct target *target);

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
