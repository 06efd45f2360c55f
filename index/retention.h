/* retention.h - which files of a tape are deleted, and when.
 *
 * Whole segments, the oldest first, while the tape is larger than keep_bytes or the newest event of
 * a segment was received longer than keep_age_ns ago. Journals are never deleted; they count with what they will take
 * when they are sealed, judged by the segments. A pinned range of
 * seqs (a replay's plan refers to it, a person marked it) keeps every segment that holds a part of it.
 * What goes is recorded first (index/deletions.h), so that readers can say that it is gone on purpose.
 *
 * Threads: any; the recorder's sealer calls retention_apply().
 */
#ifndef INDEX_RETENTION_H
#define INDEX_RETENTION_H

#include <stdbool.h>
#include <stdint.h>

struct error;

struct retention {
    uint64_t keep_bytes; /* 0: no limit */
    int64_t keep_age_ns; /* 0: no limit */
    bool keep_newest;    /* the tape's last file stays: it says where seqs and offsets go on */
};

struct retention_result {
    uint64_t deleted_files;
    uint64_t deleted_bytes;
    uint64_t deleted_events;
    uint64_t pinned_files; /* would have been deleted */
    uint64_t kept_bytes;   /* of journals and segments */
};

/* Apply the rules to the tape in `directory` as of `now_ns`; with `dry_run` only count. Waits while another
 * process is at it. On failure *result has what was deleted before. */
bool retention_apply(const char *directory, const struct retention *retention, int64_t now_ns,
    bool dry_run, struct retention_result *result, struct error *err);

/* Keep seqs first_seq .. end_seq - 1 from now on: the file DIRECTORY/pins/NAME, to be removed when they
 * are no longer needed. `name` is a file name. */
bool retention_pin(const char *directory, const char *name, uint64_t first_seq, uint64_t end_seq,
    struct error *err);

/* No longer; true also when there was no such pin. */
bool retention_unpin(const char *directory, const char *name, struct error *err);

bool retention_has_pin(const char *directory, const char *name);

#endif
