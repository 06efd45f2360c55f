/* catalogue.h - catalogue.db: what is in each segment, so that a tape opens without opening them all.
 *
 * A row per segment says what opening the file would tell: seqs, times, counts, its streams, lanes and
 * holes. It is a cache of the files and never more: a row counts only while the file has the same
 * size, modification time and inode, and while the row's own checksum is right; where there is none,
 * the file itself is opened. Made again by catalogue_rebuild(). docs/FORMAT.md, "Catalogue".
 *
 * The recorder writes it (catalogue_writer), after each seal and deletion and when it starts; readers
 * read it whole, once.
 *
 * Threads: a struct catalogue and a struct catalogue_writer belong to the thread that made them; any
 * number of processes may read while one writes.
 */
#ifndef INDEX_CATALOGUE_H
#define INDEX_CATALOGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "index/segment.h"

struct catalogue;
struct catalogue_writer;
struct error;
struct lanes;
struct stat;
struct tape;

/* What the catalogue says of one segment. */
struct catalogue_row {
    struct segment_info info; /* without the uuid */
    int64_t mtime_ns;         /* the file's, with info.file_bytes and inode its identity */
    uint64_t inode;
    struct segment_filter_place filter;
    struct buffer content; /* streams, lanes and holes, see catalogue_row_lanes() */
};

/* ---- reading ---- */

/* Read DIRECTORY/catalogue.db. NULL when there is nothing to use: ERROR_ARGUMENT when there is none,
 * ERROR_DAMAGED and ERROR_FORMAT when it should be made again, others when it cannot be read now. */
struct catalogue *catalogue_read(const char *directory, struct error *err);
void catalogue_free(struct catalogue *catalogue);

/* Rows that contradict their own checksum; they are left out. */
size_t catalogue_bad_rows(const struct catalogue *catalogue);

/* The row of segment `id`, when it is about the file that `file` describes, else NULL. The catalogue's. */
struct catalogue_row *catalogue_find(
    struct catalogue *catalogue, uint64_t id, const struct stat *file);

/* Call `use` for each row, in the order of the numbers. */
void catalogue_each(const struct catalogue *catalogue,
    void (*use)(void *self, const struct catalogue_row *row), void *self);

/* Tell the tape the streams that the row's segment defines. False, and nothing told, when the
 * catalogue does not know them all. */
bool catalogue_define_streams(
    const struct catalogue *catalogue, const struct catalogue_row *row, struct tape *tape);

/* Tell it all streams that the catalogue knows: segments that are damaged may not name theirs. */
void catalogue_define_all_streams(const struct catalogue *catalogue, struct tape *tape);

/* The lanes, with their holes, in `content` of a row; freed with lanes_free(). NULL: it is broken. */
struct lanes *catalogue_row_lanes(struct bytes content);

/* ---- writing ---- */

struct catalogue_counts {
    uint64_t segments; /* that have a row now */
    uint64_t streams;  /* distinct ones in them */
    uint64_t events;
    uint64_t added;
    uint64_t removed;
    uint64_t damaged; /* files that cannot be opened; they have no row */
    char damage[256]; /* the first of them */
};

/* Open for writing. Only the process that holds the tape's LOCK may. A catalogue that cannot be used is
 * removed and begun anew. */
struct catalogue_writer *catalogue_writer_open(const char *directory, struct error *err);
void catalogue_writer_close(struct catalogue_writer *writer);

/* Add, or replace, the row of segment `id`, whose file is opened for it. */
bool catalogue_writer_add(struct catalogue_writer *writer, uint64_t id, struct error *err);

/* Bring it up to date with the files: rows of files that are gone or others are removed, missing ones
 * added. Opens only the files without a row. */
bool catalogue_writer_update(
    struct catalogue_writer *writer, struct catalogue_counts *counts, struct error *err);

/* What a recorder does when it starts: open, update, close; begins anew when the catalogue turns out to
 * be damaged. Nothing is made for a tape without segments. */
bool catalogue_update(const char *directory, struct catalogue_counts *counts, struct error *err);

/* Make it again from the files. The caller holds the tape's LOCK. */
bool catalogue_rebuild(const char *directory, struct catalogue_counts *counts, struct error *err);

/* The same for a process that does not hold LOCK: takes it meanwhile. ERROR_REFUSED while a recorder has
 * it. */
bool catalogue_rebuild_alone(
    const char *directory, struct catalogue_counts *counts, struct error *err);

#endif
