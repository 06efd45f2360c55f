/* event_list.h - a stretch of the tape as rows, loaded little by little, oldest first.
 *
 * Two ways to grow: loading reads every match, older ones in front and newer ones behind, up to the
 * head; following samples what arrives, so that a row stays long enough to be read, and counts what it
 * leaves out. Nothing here waits: each step has a budget of time.
 * Threads: the thread that owns the tape.
 */
#ifndef UI_EVENT_LIST_H
#define UI_EVENT_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cursor;
struct error;
struct event_gap;
struct event_row;
struct query;
struct tape;

#define EVENT_LIST_MAX_ROWS   600u
#define EVENT_LIST_ROWS_PER_S 20.0 /* drawn while following; eyes do not read faster */
#define EVENT_LIST_BUDGET_NS  INT64_C(3000000)

struct event_list {
    struct tape *tape;
    struct query *query; /* NULL: every event */
    struct event_row **rows;
    size_t count;
    size_t capacity;
    struct event_gap *end_gap; /* as those of rows, behind the last one; event_gaps.h finds them */
    uint64_t end_seq;          /* the head: nothing at or above is loaded */

    struct cursor *older;
    size_t wanted; /* load older ones until there are this many */
    struct cursor *newer;
    uint64_t scanned; /* events looked at since the list was begun */

    struct cursor *arrivals; /* what is read while following */
    uint64_t next_seq;       /* the first that has not been looked at */
    double slots;            /* rows that may be drawn now */
    int64_t followed_ns;     /* when that was last counted */
    uint64_t hidden;         /* arrived since the last row */
    uint64_t random;
    uint64_t arrived_in_second;
    uint64_t drawn_in_second;
    int64_t second_ns;
    double ratio; /* arrived for one that was drawn, over the last second; 1 when all are */

    unsigned changes;   /* counts every change of the rows */
    bool older_is_done; /* rows[0] is the first match of the tape */
    bool newer_is_done; /* the last row is the last match below end_seq */
    bool gave_up;       /* query_gave_up() since the list was begun: what is not there may match */
    bool has_failed;
    char failure[256];
};

/* Empty; `filter` was checked before. */
void event_list_init(struct event_list *list, struct tape *tape);
void event_list_done(struct event_list *list);

/* Begin anew with the `wanted` last matches below end_seq. */
void event_list_begin(
    struct event_list *list, const char *filter, int64_t now_ns, uint64_t end_seq, size_t wanted);

/* Want `more` older rows than there are. More than EVENT_LIST_MAX_ROWS are never there: while older ones come, newer
 * ones fall off the end, which event_list_load_newer() loads again. */
void event_list_want_older(struct event_list *list, size_t more);

/* The head moved forward: newer rows may be loaded up to end_seq. */
void event_list_extend(struct event_list *list, uint64_t end_seq);

/* Load for a while. True when rows came; *more when it is not finished; *in_front how many rows came
 * before the old first one (for a caller that holds an index). The first `kept` rows there were do not fall off the
 * end: rather, no more are wanted. */
bool event_list_load(struct event_list *list, size_t kept, bool *more, size_t *in_front);

/* Load up to `count` rows behind the last one, for a while; returns how many. Rows fall off the front
 * when there are too many; *dropped says how many. */
size_t event_list_load_newer(struct event_list *list, size_t count, size_t *dropped);

/* Take in what arrived on the tape before end_seq. True when rows came; *dropped as above. */
bool event_list_follow(
    struct event_list *list, uint64_t end_seq, int64_t monotonic_ns, size_t *dropped);

#endif
