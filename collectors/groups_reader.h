/* groups_reader.h - reads single events out of many partitions at once, for groups_broker.
 *
 * With librdkafka's simple consumer: no group, no trace.  Threads: the client's one owner.
 */
#ifndef COLLECTORS_GROUPS_READER_H
#define COLLECTORS_GROUPS_READER_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <librdkafka/rdkafka.h>

struct event;

enum groups_want_state {
    GROUPS_WANT_OPEN,  /* not answered in time, or refused: see `refusal` */
    GROUPS_WANT_FOUND, /* `until` or the first event behind it was read */
    GROUPS_WANT_END,   /* there is no event from `until` on */
};

/* Every event of one partition from `from` up to the first at or behind `until`. */
struct groups_want {
    const char *topic;
    int32_t partition;
    int64_t from;
    int64_t until;
    void *context; /* the caller's */
    enum groups_want_state state;
    rd_kafka_resp_err_t refusal; /* why the partition could not be read; 0: it was not refused */
    int64_t time_ns;             /* of the event that was found; CLOCK_NONE: it has none */
    int64_t offset;
};

/* Order wants by topic, partition and place, which is what groups_reader_run() expects. */
int groups_want_compare(const void *a, const void *b);

/* Answer as many wants as can be until the monotonic deadline, or until *is_cancelled (NULL: never).
 * Wants of one partition are read one behind the other. `take` (NULL: none) gets each event that is
 * read; its views live during the call. */
void groups_reader_run(rd_kafka_t *client, struct groups_want *wants, size_t count,
    int64_t deadline_ns, const atomic_bool *is_cancelled,
    void (*take)(void *self, const struct event *event), void *self);

#endif
