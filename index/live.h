/* live.h - the live page: what the recorder is doing now, for any process to look at.
 *
 * `live` in the tape's directory, one page of counters, mapped, under a sequence lock: the recorder
 * never waits for a reader, a reader that meets a change reads again. Not part of the tape: it is
 * made anew by each recorder and means nothing when none runs. docs/FORMAT.md, "Live page".
 *
 * Threads: one thread of the recorder publishes; any number of readers elsewhere, each with its own
 * struct live.
 */
#ifndef INDEX_LIVE_H
#define INDEX_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct live;

#define LIVE_TAPS       64u
#define LIVE_STREAMS    4096u
#define LIVE_GROUPS     512u
#define LIVE_NAME_BYTES 64u /* with its end */
#define LIVE_RATE_SLOTS 60u /* one per second, the newest last */

enum tap_state {
    TAP_CONNECTING, /* never yet answered */
    TAP_LIVE,
    TAP_ENDED,    /* reached what --until asked for */
    TAP_RETRYING, /* lost or refused; `error` says why, tries again */
    TAP_FAILED,   /* will not try again */
    TAP_STOPPED,
};
const char *tap_state_text(enum tap_state state);

struct live_tap {
    char name[LIVE_NAME_BYTES]; /* live_set_name() */
    char url[192];
    char error[256];
    int64_t since_ns; /* in this state since */
    uint64_t events;
    uint64_t bytes;
    uint64_t dropped; /* events that were seen or known of and could not be kept */
    uint64_t retries;
    int64_t wire_bytes; /* sent to the tap by the other side; -1: the transport does not tell */
    int64_t wire_bytes_per_second; /* mean of the last ten seconds; -1 as above */
    uint64_t max_bytes_per_second; /* the tap's budget; 0: none */
    enum tap_state state;
};

struct live_stream {
    uint64_t events; /* since the recorder started */
    uint64_t bytes;
    uint64_t dropped;
    int64_t last_received_ns;
    uint32_t rate[LIVE_RATE_SLOTS]; /* events in each of the last 60 seconds */
};

/* A consumer group on one stream. */
struct live_group {
    char name[LIVE_NAME_BYTES]; /* live_set_name() */
    uint32_t stream_id;
    uint32_t state;    /* analysis: enum lag_state */
    int64_t committed; /* sums over partitions; -1: unknown */
    int64_t end;
    int64_t lag;             /* -1: unknown */
    int64_t sampled_ns;      /* 0: never */
    int64_t last_advance_ns; /* when the committed sum last grew */
    int64_t waits_ns;        /* age of the oldest event that is not committed; -1: unknown */
};

/* About 1.2 MB: keep it on the heap. */
struct live_status {
    int64_t pid; /* 0: the recorder has stopped */
    int64_t started_ns;
    int64_t published_ns; /* older than 3 s: the recorder hangs or died */
    uint64_t end_seq;
    uint64_t events; /* of taps, since the recorder started; internal streams are not counted */
    uint64_t bytes;
    uint64_t dropped;
    uint64_t queue_bytes;
    uint64_t queue_limit_bytes;
    uint64_t refused_events; /* larger than RECORD_MAX_BYTES */
    uint64_t lost_notes;     /* events of internal streams that the queue had no room for */
    uint32_t disk_full;      /* 1: not taking, waiting for room */
    uint32_t tap_count;
    uint32_t
        stream_count; /* indexed by struct stream.id; streams beyond LIVE_STREAMS are not here */
    uint32_t group_count;
    uint32_t
        groups_unseen; /* consumer groups that no sample asked about of late: too many for one */
    uint32_t unused;
    struct live_tap taps[LIVE_TAPS];
    struct live_group groups[LIVE_GROUPS];
    struct live_stream streams[LIVE_STREAMS];
};

/* For the recorder: make the page new. */
struct live *live_create(const char *directory, struct error *err);

/* Put *status on the page; only the first tap_count, group_count and stream_count entries are copied. */
void live_publish(struct live *live, const struct live_status *status);

/* Put `name` into `to`. One that is too long is cut between two characters and ends with '~' and eight digits that
 * are made of all of it, so that two that begin alike stay two. */
void live_set_name(char to[LIVE_NAME_BYTES], const char *name);

/* For readers. NULL with ERROR_ARGUMENT when there is no page (nobody recorded here), or with ERROR_FORMAT
 * when it is one of another version of tapedeck. */
struct live *live_open(const char *directory, struct error *err);

/* Copy the page (also on the recorder's own struct, from any thread). False when it changed under us too often, or no recorder holds the tape any more
 * (*recording false; then *status is the last that was published). A page that was replaced by a new
 * recorder is opened again. */
bool live_read(struct live *live, struct live_status *status, bool *recording);

void live_close(struct live *live);

/* True when a recorder holds the lock of the tape in `directory`. */
bool live_is_recording(const char *directory);

#endif
