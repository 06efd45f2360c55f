/* notes.h - notes.db: what people and runs write about a tape, and no file can be asked for again.
 *
 * Bookmarks (a seq or a moment with a name), saved queries, and the ledger: what was planned, sent and
 * verified by replays, when and by whom. Beside the tape, so that writing it never touches what the
 * recorder writes: any process may, one at a time, and waits up to NOTES_PATIENCE_MS for another.
 * docs/FORMAT.md, "Notes".
 *
 * Threads: a struct notes belongs to the thread that opened it; any number of processes may have one.
 */
#ifndef INDEX_NOTES_H
#define INDEX_NOTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct notes;

#define NOTES_PATIENCE_MS 3000

/* A name of a bookmark or a query: 1 to this many bytes of UTF-8. */
#define NOTES_NAME_MAX 128u
#define NOTES_TEXT_MAX 65536u

/* Open DIRECTORY/notes.db, made when it is not there, for reading and writing. NULL with ERROR_DAMAGED
 * when it is broken (it is never removed: what is in it is nowhere else), ERROR_FORMAT when a newer
 * tapedeck made it, ERROR_LIMIT when somebody writes for too long. */
struct notes *notes_open(const char *directory, struct error *err);

/* For reading only. *notes is NULL when nothing was noted yet, which the lists below take for none. False with
 * the errors of above. */
bool notes_open_reader(const char *directory, struct notes **notes, struct error *err);

void notes_close(struct notes *notes); /* NULL is allowed */

/* ---- bookmarks ---- */

struct bookmark {
    char *name;
    uint64_t seq;
    int64_t time_ns; /* of what is marked; CLOCK_NONE: not known */
    char *text;      /* "": none */
    int64_t made_ns;
};

/* Can it be one? ERROR_ARGUMENT when its name or its text cannot. */
bool notes_check_bookmark(const struct bookmark *bookmark, struct error *err);

/* Set a bookmark; one with this name is replaced. ERROR_ARGUMENT when the name cannot be one. */
bool notes_add_bookmark(struct notes *notes, const struct bookmark *bookmark, struct error *err);

/* Remove one; ERROR_ARGUMENT when there is none with this name. */
bool notes_remove_bookmark(struct notes *notes, const char *name, struct error *err);

/* All of them by seq, in *bookmarks, freed with notes_free_bookmarks(). */
bool notes_list_bookmarks(
    struct notes *notes, struct bookmark **bookmarks, size_t *count, struct error *err);
void notes_free_bookmarks(struct bookmark *bookmarks, size_t count);

/* ---- saved queries ---- */

struct saved_query {
    char *name;
    char *query;
};

bool notes_save_query(struct notes *notes, const struct saved_query *query, struct error *err);
bool notes_remove_query(struct notes *notes, const char *name, struct error *err);

/* All of them by name. */
bool notes_list_queries(
    struct notes *notes, struct saved_query **queries, size_t *count, struct error *err);
void notes_free_queries(struct saved_query *queries, size_t count);

/* ---- the ledger of replays ---- */

/* One thing that was done. The counts are those of the deed; those that it does not have are
 * NOTES_NO_COUNT. */
#define NOTES_NO_COUNT INT64_MIN

struct ledger_entry {
    char *replay; /* its id */
    char *deed;   /* "plan", "run", "verify" */
    char *result; /* "planned"; "done", "stopped", "failed"; "matches", "differs" */
    int64_t time_ns;
    char *who;    /* login name, or the number of the user */
    char *target; /* URL without secrets */
    char *text;   /* the query of a plan, the reason of a failure; "": none */
    int64_t planned;
    int64_t sent;   /* acknowledged; by a run: in this run */
    int64_t landed; /* found in the target */
    int64_t missing;
    int64_t wrong; /* duplicate, different or out of order */
};

/* Write one entry; entries are never changed. `who` NULL: the user of this process. */
bool notes_add_entry(struct notes *notes, const struct ledger_entry *entry, struct error *err);

/* Entries of the replay `id` (NULL: of all), oldest first. */
bool notes_list_entries(struct notes *notes, const char *id, struct ledger_entry **entries,
    size_t *count, struct error *err);
void notes_free_entries(struct ledger_entry *entries, size_t count);

#endif
