/* sql.h - SQLite as the catalogue and the notes use it: one file, WAL, errors in our words.
 *
 * The file may be anything: schemas of strangers get no views, triggers or functions with side
 * effects, and a statement that takes too long is ended.
 *
 * Threads: a connection belongs to the thread that opened it.
 */
#ifndef INDEX_SQL_H
#define INDEX_SQL_H

#include <stdbool.h>
#include <stdint.h>

struct error;
struct sqlite3;
struct sqlite3_stmt;

/* What a file of ours must say it is, in its header. */
struct sql_kind {
    uint32_t application_id;
    int version;
    const char *schema; /* the statements that make an empty file one */
};

/* Open `path` for reading. NULL with ERROR_ARGUMENT when there is no such file, ERROR_DAMAGED when it
 * is broken or something else, ERROR_FORMAT when a newer or older tapedeck made it, ERROR_LIMIT when
 * another process has locked it, ERROR_SYSTEM when it cannot be read here (a read-only directory, and a log
 * beside the file that is not in it yet). */
struct sqlite3 *sql_open_reader(const char *path, const struct sql_kind *kind, struct error *err);

/* Open `path` for writing, mode 0600, made when it is not there; waits `patience_ms` for other
 * writers. Errors as above. */
struct sqlite3 *sql_open_writer(
    const char *path, const struct sql_kind *kind, int patience_ms, struct error *err);

/* NULL is allowed. The last one to close moves the log into the file. */
void sql_close(struct sqlite3 *db);

/* Remove the file and what SQLite has beside it. */
bool sql_remove(const char *path, struct error *err);

/* Run statements that give no rows. */
bool sql_run(struct sqlite3 *db, const char *text, struct error *err);

/* Prepare one statement; NULL with *err. Ended with sqlite3_finalize(). */
struct sqlite3_stmt *sql_prepare(struct sqlite3 *db, const char *text, struct error *err);

/* Step a statement that gives no row, and reset it. */
bool sql_step_done(struct sqlite3_stmt *statement, struct error *err);

/* The connection's last failure as an error of ours; returns false. */
bool sql_failed(struct sqlite3 *db, struct error *err);

#endif
