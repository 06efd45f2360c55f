/* query_run.h - a query over a tape from the command line: what `events` and `search` share.
 *
 * Opens, walks, prints events, and ends with what was and was not looked at. Threads: the caller's, and
 * those that a scan has.
 */
#ifndef CONSOLE_QUERY_RUN_H
#define CONSOLE_QUERY_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "console/json_event.h"
#include "console/output.h"
#include "console/progress.h"
#include "index/cursor.h"
#include "index/scan.h"

struct error;
struct event;
struct invocation;
struct lane_summary;
struct query;
struct tape;

/* How much of a payload a plain line shows. */
#define QUERY_RUN_PAYLOAD_BYTES 160

struct query_run_options {
    enum cursor_order order;
    bool newest_first;
    uint64_t limit;         /* 0: all */
    size_t payload_limit;   /* plain lines; 0: all */
    bool shows_no_events;   /* prints none of them */
    bool needs_no_payloads; /* with shows_no_events: nor are their payloads looked at */
    bool follows;           /* goes on with what is recorded later */
    bool is_stable;         /* the done line of one tape is always the same, lanes by name */
};

struct query_run {
    const struct invocation *invocation;
    struct query_run_options options;
    char *directory;
    char *text;
    struct query *query;
    struct tape *tape;
    struct scan *scan;
    struct output output;
    struct json_times times;
    struct progress progress;
    int64_t started_ns; /* monotonic */
    uint64_t matched;
    bool was_cut;     /* by the limit, and there is or may be more */
    bool was_stopped; /* by a signal */
    bool was_late;    /* for files that retention deleted meanwhile */
};

enum query_run_step {
    QUERY_RUN_EVENT,
    QUERY_RUN_END,     /* everything that is on the tape now was looked at */
    QUERY_RUN_STOPPED, /* by the limit, a signal, or the reader of our output */
    QUERY_RUN_FAILED,
};

/* The text of a query out of words, joined by blanks; freed by the caller. */
char *query_run_join(int argc, char *const *argv);

/* Show on stderr where in a query its error is; nothing for column 0. */
void query_run_caret(const char *text, size_t column);

/* Compile the query (the arguments joined by blanks), open the tape, place the cursor. Returns 0, or the
 * exit code after the reason was printed; the run needs no query_run_done() then. */
int query_run_open(struct query_run *run, const struct invocation *invocation,
    const struct query_run_options *options);

/* The next match, printed and counted. `event` lives until the next call. */
enum query_run_step query_run_next(struct query_run *run, struct event *event, struct error *err);

/* The lanes in which a match could be, as of now. Freed by the caller; NULL with *err. */
struct lane_summary *query_run_lanes(struct query_run *run, size_t *count, struct error *err);

/* Print the done line or the remarks, close everything. Returns the exit code: that of *failure when it
 * is not NULL, 6 when something on the tape could not be read. */
int query_run_done(struct query_run *run, const struct error *failure);

#endif
