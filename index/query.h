/* query.h - which events: a filter written as text, compiled once, asked often.
 *
 * docs/QUERY.md has the language. Internal streams (stream_is_internal()) match only a query that
 * names one, here and in query_may_match_lane(). A compiled query never changes; the memory that matching needs
 * (regex state, a parsed JSON payload) is in a matcher, one per thread.
 */
#ifndef INDEX_QUERY_H
#define INDEX_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct buffer;
struct error;
struct event;
struct query;
struct query_matcher;
struct stream;

#define QUERY_MAX_TEXT (64u * 1024)

/* Compile `text`; `now_ns` gives relative times ("since -5m") a meaning. NULL or "" is every event.
 *
 * The caller frees the result with query_free(). NULL with ERROR_ARGUMENT when it does not parse: the
 * text is "column N: what was expected"; *column (may be NULL) is N, counted from 1 in
 * characters, so that a caller can draw the caret with query_caret(). */
struct query *query_compile(const char *text, int64_t now_ns, size_t *column, struct error *err);
void query_free(struct query *query);

/* The text as it was given. */
const char *query_text(const struct query *query);

/* Append "TEXT\n    ^" for an error at `column`; a long text is cut around the column, bytes that a
 * terminal must not get are shown as '?'. */
void query_caret(struct buffer *buffer, const char *text, size_t column);

struct query_matcher *query_matcher_new(const struct query *query);
void query_matcher_free(struct query_matcher *matcher);

/* Events of streams whose names begin with '@' match only when a term, not behind `not`, asks for such a stream or
 * tap. */
bool query_matches(struct query_matcher *matcher, const struct event *event);

/* On how many values so far a regular expression needed more steps or memory than it may have, or JSON was too deep
 * or too large to be looked into. They count as not matching, which may be wrong: an answer must say so. */
uint64_t query_gave_up(const struct query_matcher *matcher);

/* What regular expressions cost so far that needed many steps, in the work of looking at one event: about 1 us. Whoever
 * looks at events within a budget takes it from that. */
uint64_t query_effort(const struct query_matcher *matcher);

/* Have matching ask `must_stop` before and while it does much work on a value. True: the value is left
 * undecided, as one that was given up, and nothing that the matcher says about the event is worth anything. */
typedef bool query_stop(void *self);
void query_matcher_stop_when(struct query_matcher *matcher, query_stop *must_stop, void *self);

/* Bounds that every match obeys, for skipping without looking; wide where the query says nothing.
 * `stream` and lane tests must be asked through query_may_match_lane(). */
struct query_bounds {
    int64_t from_ns;          /* event_time() >= from_ns; INT64_MIN: open */
    int64_t until_ns;         /* event_time() <= until_ns; INT64_MAX: open */
    int64_t received_from_ns; /* received_ns, likewise */
    int64_t received_until_ns;
    uint64_t first_seq;
    uint64_t last_seq; /* inclusive; UINT64_MAX: open */
    int64_t first_offset;
    int64_t last_offset; /* inclusive; INT64_MAX: open */
};
void query_bounds(const struct query *query, struct query_bounds *bounds);

/* False when no event of this stream (and partition; -1: any) can match. */
bool query_may_match_lane(
    const struct query *query, const struct stream *stream, int32_t partition);

/* The same of all partitions first_partition .. last_partition. */
bool query_may_match_lanes(const struct query *query, const struct stream *stream,
    int32_t first_partition, int32_t last_partition);

/* Values that every match must have exactly, for Bloom filters: `kind` is "key", "id", "trace",
 * "correlation" or "header:NAME". Returns how many were written, at most `limit`. */
struct query_token {
    char kind[72];
    struct bytes value; /* view into the query */
};
size_t query_required_tokens(const struct query *query, struct query_token *tokens, size_t limit);

/* Which of an event's bytes the query looks at: EVENT_KEY and so on. Their lengths are always known. */
unsigned query_bytes(const struct query *query);

/* A byte string that every match must have in its payload (3 bytes or more), or null: for skipping
 * whole blocks with memmem. View into the query. */
struct bytes query_required_literal(const struct query *query);

#endif
