/* recorder.h - taps, queue, indexer and tape put together: what `tapedeck record` runs.
 *
 * One collector thread per tap, one indexer thread. Stops in flow order: collectors, queue, indexer,
 * tape.  Threads: one thread starts, asks and stops.
 */
#ifndef COLLECTORS_RECORDER_H
#define COLLECTORS_RECORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index/tape_writer.h"

struct diary_entry;
struct error;
struct live_group;
struct live_status;
struct recorder;

/* A property of the transport's client library ("security.protocol", "SSL"). */
struct recorder_property {
    const char *name;
    const char *value;
};

struct recorder_tap {
    const char
        *name; /* unique; NULL: made from the URL (its transport, "kafka", "zmq", "kafka-2") */
    const char *url; /* kafka://host:9092,host2:9092/orders,payments  zmq://host:5556/prefix */
    const char *
        from; /* "resume" (NULL; where the tape ends, else end), "beginning", "end", a time, offsets */
    const struct recorder_property *properties;
    size_t property_count;
    /* Where the value of each property came from, like "file:/run/secrets/kafka", or NULL; and what fetches it from
     * there once more, for *value to be freed, on the tap's thread, before a tap that was lost or refused is tried
     * again: a password may have been changed. NULL: values stay. */
    const char *const *origins;
    bool (*fetch)(const char *origin, char **value, struct error *err);
    const char *group;             /* Kafka: be a member of this consumer group; NULL: of none */
    uint64_t max_bytes_per_second; /* of keys and payloads, on average; 0: no limit */
    const char *
        isolation; /* Kafka: "read_committed", "read_uncommitted"; NULL: as the properties say, else the first */
};

enum recorder_until {
    UNTIL_STOPPED,
    UNTIL_END, /* the end offsets as they were at the start (refused for transports without offsets) */
    UNTIL_TIME,   /* no event with a later time, and then no longer than that moment */
    UNTIL_EVENTS, /* this many events, all taps together; exactly */
};

struct recorder_options {
    const char *directory;
    const struct recorder_tap *taps;
    size_t tap_count;
    enum recorder_until until;
    int64_t until_ns;
    uint64_t until_events;
    struct tape_writer_options tape;

    /* Fills group rows of the live page; called on the indexer's thread. May be NULL. */
    uint32_t (*groups)(void *self, struct live_group *groups, uint32_t limit);
    uint32_t (*groups_unseen)(void *self); /* what the page says of it; may be NULL */
    void *groups_self;
};

/* Check the URLs, open the tape, connect the taps and start. Waits up to 5 s until each tap is
 * connected or has said why not; a tap that fails for a reason that trying again cannot mend (a URL
 * that is wrong, a topic that does not exist) ends the start, one that may come back, and one of
 * several that is refused (a wrong password), is retried while the others record. When the only tap is
 * not connected after 5 s that is ERROR_REMOTE, or ERROR_REFUSED; but a publisher of ZeroMQ may come
 * later than its recorder, and where a broker answers, what it takes long to begin goes on, and UNTIL_STOPPED
 * what cannot be read yet (a partition without a leader) is waited for.
 *
 * NULL with ERROR_ARGUMENT, ERROR_REMOTE, ERROR_REFUSED (a second recorder, wrong password),
 * ERROR_DISK_FULL, ERROR_DAMAGED or ERROR_SYSTEM. */
struct recorder *recorder_start(const struct recorder_options *options, struct error *err);

/* True when every tap reached what `until` asks for, or failed for good. */
bool recorder_is_finished(struct recorder *recorder);

/* Wait until a tap has ended or failed for good since the last call, `stop_fd` is readable, or `timeout_ms` are over. */
void recorder_wait(struct recorder *recorder, int stop_fd, int timeout_ms);

/* The first reason why recording cannot go on (the tape cannot be written, every tap failed for
 * good); false while all is well. */
bool recorder_has_failed(struct recorder *recorder, struct error *err);

/* The same as on the live page, now. */
void recorder_status(struct recorder *recorder, struct live_status *status);

/* Write an event onto an internal stream (collectors/diary.h has its bounds). Any thread, and it never
 * waits: false when it was lost, which is counted. It is handed over by the next
 * recorder_flush_notes(), when much has come together, or by the end. */
bool recorder_note(struct recorder *recorder, const struct diary_entry *entry);
void recorder_flush_notes(struct recorder *recorder);

/* What opening the tape repaired, or NULL. */
const char *recorder_repairs(const struct recorder *recorder);

/* What goes wrong with the care for the tape now, as tape_writer_trouble(). */
bool recorder_trouble(const struct recorder *recorder, char *text, size_t size);

/* Stop the taps, write everything that was received, close the tape, free. False when something
 * received could not be written. */
bool recorder_stop(struct recorder *recorder, struct error *err);

#endif
