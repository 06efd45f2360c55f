/* source.h - what a transport must do to be recorded.
 *
 * To add one: write collectors/source_NAME.c that defines `const struct source_ops source_NAME`,
 * and add the row SOURCE(NAME) to collectors/sources.def. Nothing else changes.
 *
 * A source knows its client library and the outlet, nothing else: not the queue, the tape, or when to
 * try again. It must change nothing in the system it watches; only as a member of a consumer group that
 * the user named (`in_group`) it commits there what the tape has.
 */
#ifndef COLLECTORS_SOURCE_H
#define COLLECTORS_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collectors/recorder.h"
#include "collectors/start_offsets.h"
#include "collectors/tap_check.h"

/* The longest name of a group. */
#define SOURCE_GROUP_MAX 249

struct error;
struct outlet;
struct tap_url;

enum source_state {
    SOURCE_LIVE,   /* more may come */
    SOURCE_ENDED,  /* reached what `until` asks for */
    SOURCE_LOST,   /* see *err; the collector closes, waits and opens again */
    SOURCE_FAILED, /* see *err; trying again cannot mend it */
};

/* Where a lane begins that the tape does not know yet. On a lane that it knows, recording goes on
 * behind the last event, or later if `from` says so: never twice. */
enum source_from {
    FROM_RESUME, /* at the end; lanes that appeared since the last time: at their beginning */
    FROM_BEGINNING,
    FROM_END,
    FROM_TIME,
    FROM_OFFSETS, /* of the partitions in `offsets`; the others as FROM_RESUME */
};

struct source_config {
    const struct tap_url *url;
    enum source_from from;
    int64_t from_ns;
    struct start_offsets offsets;
    enum recorder_until until;
    int64_t until_ns;
    const struct recorder_property *properties;
    size_t property_count;
    uint64_t max_bytes_per_second; /* 0: as fast as can be; for a transport that can wait */
    const char *tape;              /* its directory, for reading what is on it; NULL: nobody can */
    const char *isolation;         /* Kafka: overrides the properties; NULL: not given */
    const char *group;             /* member of this consumer group; NULL: of none */
    /* Before it is opened again: what the properties are made of may have changed. NULL: it does not. */
    bool (*renew)(void *self, struct error *err);
    void *renew_self;
    bool is_one_of_many; /* other taps go on: what may be put right is tried again */
};

/* What a client library is, or something that it does not see or do. */
struct source_about {
    const char *scheme;
    bool is_limit;
    const char *text;
    const char *fix; /* "": nothing to do */
};

typedef void source_about_report(void *self, const struct source_about *about);

/* One transport. check() runs on any thread, the others on the tap's own collector thread. */
struct source_ops {
    const char *scheme;    /* what its URLs start with; "zmq" also takes zmq+ipc:// */
    const char *summary;   /* one line, for --help */
    const char *example;   /* a URL */
    uint16_t default_port; /* 0: the URL must name one */
    bool can_wait;         /* false: when the tape is behind, events are dropped and counted */
    bool has_offsets;      /* FROM_OFFSETS has a meaning */
    bool may_be_first;     /* the other side need not be there yet when a recorder starts */

    /* What can be known without connecting: topics, properties. ERROR_ARGUMENT or ERROR_CONFIG. */
    bool (*check)(const struct source_config *config, struct error *err);

    /* Connect, or begin to. SOURCE_LIVE sets *self; otherwise *err is set. Waits no longer than
     * about 4 s, less when the outlet is stopping. `config` and `outlet` outlive the source. */
    enum source_state (*open)(
        const struct source_config *config, struct outlet *outlet, void **self, struct error *err);

    /* Wait up to timeout_ms, or until outlet_stop_fd() is readable, and hand what arrived to the
     * outlet. Returns soon when there is a lot: a few thousand events are enough for a call. */
    enum source_state (*poll)(void *self, int timeout_ms, struct error *err);

    void (*close)(void *self);

    /* The steps of `tapedeck tap test` behind the first, "url"; `config` has been checked. Returns the code of the
     * first that is bad. */
    enum error_code (*test)(
        const struct source_config *config, tap_check_report *report, void *self);

    /* Tell what the client library is, and then each thing that it does not see or do here. Connects to nothing. */
    void (*about)(source_about_report *report, void *self);

    /* The same transport as one of several recorders that share the work; NULL: it cannot do that. */
    const struct source_ops *in_group;
};

/* Have every transport tell about its library. */
void sources_about(source_about_report *report, void *self);

/* The transport for `url`, by its scheme. NULL with ERROR_ARGUMENT that lists the known ones. */
const struct source_ops *source_for_url(const char *url, struct error *err);

/* The same for a member of `group`; NULL: of none. ERROR_ARGUMENT when the transport has no groups, or no
 * group can be called that. */
const struct source_ops *source_for(const char *url, const char *group, struct error *err);

#endif
