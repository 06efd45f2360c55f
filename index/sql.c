#include "index/sql.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"

/* A reader does not wait for long: what it cannot have now it does without. */
#define READER_PATIENCE_MS 50

/* No statement of ours takes this many steps of SQLite's machine; a broken file that leads in a circle
 * does. */
#define STEPS_MAX        50000000
#define VALUE_MAX_BYTES  (64 * 1024 * 1024)
#define SCHEMA_MAX_BYTES 65536

static enum error_code
code_of(int result)
{
    switch (result & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
    case SQLITE_MISMATCH:
    case SQLITE_ERROR: /* the schema is not ours */
        return ERROR_DAMAGED;
    case SQLITE_FULL:
        return ERROR_DISK_FULL;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_INTERRUPT:
        return ERROR_LIMIT;
    default:
        return ERROR_SYSTEM;
    }
}

bool
sql_failed(struct sqlite3 *db, struct error *err)
{
    const char *path = sqlite3_db_filename(db, "main");
    return error_set(err, code_of(sqlite3_errcode(db)), "%s: %s", path == NULL ? "SQLite" : path,
        sqlite3_errmsg(db));
}

bool
sql_run(struct sqlite3 *db, const char *text, struct error *err)
{
    return sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK || sql_failed(db, err);
}

struct sqlite3_stmt *
sql_prepare(struct sqlite3 *db, const char *text, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, text, -1, &statement, NULL) != SQLITE_OK)
        (void)sql_failed(db, err);
    return statement;
}

bool
sql_step_done(struct sqlite3_stmt *statement, struct error *err)
{
    int result = sqlite3_step(statement);
    bool good = result == SQLITE_DONE || result == SQLITE_ROW;
    if (!good)
        (void)sql_failed(sqlite3_db_handle(statement), err);
    (void)sqlite3_reset(statement);
    return good;
}

static int
end_statement(void *self)
{
    (void)self;
    return 1;
}

static bool
read_number(struct sqlite3 *db, const char *pragma, int64_t *number, struct error *err)
{
    struct sqlite3_stmt *statement = sql_prepare(db, pragma, err);
    if (statement == NULL)
        return false;
    bool good = sqlite3_step(statement) == SQLITE_ROW || sql_failed(db, err);
    if (good)
        *number = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    return good;
}

/* Trust nothing that the file brings with it. */
static bool
fence(struct sqlite3 *db, struct error *err)
{
    (void)sqlite3_extended_result_codes(db, 0);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    (void)sqlite3_limit(db, SQLITE_LIMIT_LENGTH, VALUE_MAX_BYTES);
    (void)sqlite3_limit(db, SQLITE_LIMIT_SQL_LENGTH, SCHEMA_MAX_BYTES);
    (void)sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_progress_handler(db, STEPS_MAX, end_statement, NULL);
    return sql_run(db, "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0", err);
}

struct marks {
    int64_t id;
    int64_t version;
    int64_t tables;
};

/* As of one moment: another process may be making the file. */
static bool
read_marks(struct sqlite3 *db, struct marks *marks, struct error *err)
{
    struct error ignored;
    bool is_apart = sqlite3_get_autocommit(db) != 0; /* not within a transaction of the caller's */
    if (is_apart && !sql_run(db, "BEGIN", err))
        return false;
    bool good = read_number(db, "PRAGMA application_id", &marks->id, err) &&
                read_number(db, "PRAGMA user_version", &marks->version, err) &&
                read_number(db, "SELECT count(*) FROM sqlite_schema", &marks->tables, err);
    if (is_apart)
        (void)sql_run(db, "ROLLBACK", &ignored);
    return good;
}

static bool
check_kind(struct sqlite3 *db, const struct sql_kind *kind, bool *is_empty, struct error *err)
{
    struct marks marks;
    if (!read_marks(db, &marks, err))
        return false;
    int64_t id = marks.id;
    int64_t version = marks.version;
    int64_t tables = marks.tables;
    *is_empty = id == 0 && version == 0 && tables == 0;
    if (*is_empty || (id == (int64_t)kind->application_id && version == kind->version))
        return true;
    const char *path = sqlite3_db_filename(db, "main");
    if (id != (int64_t)kind->application_id)
        return error_set(err, ERROR_DAMAGED, "%s is not a file of tapedeck", path);
    return error_set(err, ERROR_FORMAT, "%s has version %lld, this tapedeck knows %d", path,
        (long long)version, kind->version);
}

/* A pipe in the file's place would make SQLite wait for ever. */
static bool
is_file(const char *path, struct error *err)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        if (errno == ENOENT)
            return error_set(err, ERROR_ARGUMENT, "there is no %s", path);
        return error_set_system(err, "cannot look at %s", path);
    }
    return S_ISREG(status.st_mode) || error_set(err, ERROR_DAMAGED, "%s is not a file", path);
}

static struct sqlite3 *
open_file(const char *path, int flags, int patience_ms, struct error *err)
{
    sqlite3 *db = NULL;
    if (sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_FULLMUTEX, NULL) != SQLITE_OK) {
        if (db == NULL)
            (void)error_set(err, ERROR_SYSTEM, "%s: SQLite has no memory", path);
        else
            (void)error_set(err, code_of(sqlite3_errcode(db)), "%s: %s", path, sqlite3_errmsg(db));
        (void)sqlite3_close(db);
        return NULL;
    }
    (void)sqlite3_busy_timeout(db, patience_ms);
    if (fence(db, err))
        return db;
    sql_close(db);
    return NULL;
}

/* A reader of a file in WAL mode writes beside it. Where that is not possible, the file can be read as it is, if
 * all of it is in there: no log lies beside it. */
static bool
lies_still(const char *path)
{
    struct stat status;
    char *log = alloc_format("%s-wal", path);
    char *directory = alloc_text(path);
    char *slash = strrchr(directory, '/');
    if (slash != NULL)
        slash[1] = '\0';
    bool has_log = stat(log, &status) == 0 ? status.st_size > 0 : errno != ENOENT;
    bool is_readonly = access(slash == NULL ? "." : directory, W_OK) != 0;
    free(directory);
    free(log);
    return is_readonly && !has_log;
}

/* The name of the file for SQLite, as one that nobody changes. */
static char *
still_name(const char *path)
{
    struct buffer name = {0};
    buffer_append_text(&name, "file:");
    for (const char *at = path; *at != '\0'; at++) {
        if (*at == '?' || *at == '#' || *at == '%')
            buffer_printf(&name, "%%%02x", (unsigned)*at);
        else
            buffer_append_byte(&name, (unsigned char)*at);
    }
    buffer_append_text(&name, "?immutable=1");
    char *text = alloc_text(buffer_text(&name));
    buffer_done(&name);
    return text;
}

static struct sqlite3 *
open_reader(const char *name, int flags, const struct sql_kind *kind, struct error *err)
{
    struct sqlite3 *db = open_file(name, SQLITE_OPEN_READONLY | flags, READER_PATIENCE_MS, err);
    if (db == NULL)
        return NULL;
    bool is_empty;
    if (check_kind(db, kind, &is_empty, err) &&
        (!is_empty || error_set(err, ERROR_ARGUMENT, "there is nothing in %s yet",
                          sqlite3_db_filename(db, "main"))))
        return db;
    sql_close(db);
    return NULL;
}

struct sqlite3 *
sql_open_reader(const char *path, const struct sql_kind *kind, struct error *err)
{
    if (!is_file(path, err))
        return NULL;
    struct sqlite3 *db = open_reader(path, 0, kind, err);
    if (db != NULL || err->code != ERROR_SYSTEM || !lies_still(path))
        return db;
    char *name = still_name(path);
    db = open_reader(name, SQLITE_OPEN_URI, kind, err);
    free(name);
    return db;
}

/* SQLite gives its other files the mode of this one. A descriptor that is closed takes the locks of
 * the whole process with it, so that an existing file is not opened here. */
static bool
make_file(const char *path, struct error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == EEXIST || error_set_system(err, "cannot make %s", path);
    (void)close(fd);
    return true;
}

/* Make the schema in an empty file; another process may have been faster. */
static bool
make_schema(struct sqlite3 *db, const struct sql_kind *kind, struct error *err)
{
    bool is_empty;
    if (!sql_run(db, "BEGIN IMMEDIATE", err))
        return false;
    bool good = check_kind(db, kind, &is_empty, err);
    if (good && is_empty) {
        char *marks = alloc_format("PRAGMA application_id = %u; PRAGMA user_version = %d",
            kind->application_id, kind->version);
        good = sql_run(db, kind->schema, err) && sql_run(db, marks, err);
        free(marks);
    }
    struct error ignored;
    if (good && sql_run(db, "COMMIT", err))
        return true;
    (void)sql_run(db, "ROLLBACK", &ignored);
    return false;
}

/* SQLite does not wait for a lock when it changes the way of writing, so we do. */
static bool
write_ahead(struct sqlite3 *db, int patience_ms, struct error *err)
{
    int64_t deadline = clock_monotonic_ns() + patience_ms * NS_PER_MS;
    while (!sql_run(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL", err)) {
        if (err->code != ERROR_LIMIT || clock_monotonic_ns() >= deadline)
            return false;
        (void)poll(NULL, 0, 2);
    }
    return true;
}

struct sqlite3 *
sql_open_writer(const char *path, const struct sql_kind *kind, int patience_ms, struct error *err)
{
    if (!make_file(path, err) || !is_file(path, err))
        return NULL;
    struct sqlite3 *db = open_file(path, SQLITE_OPEN_READWRITE, patience_ms, err);
    if (db == NULL)
        return NULL;
    bool is_empty;
    if (check_kind(db, kind, &is_empty, err) && write_ahead(db, patience_ms, err) &&
        (!is_empty || make_schema(db, kind, err)))
        return db;
    sql_close(db);
    return NULL;
}

void
sql_close(struct sqlite3 *db)
{
    (void)sqlite3_close(db);
}

bool
sql_remove(const char *path, struct error *err)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    bool good = true;
    for (size_t i = 0; good && i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        char *name = alloc_format("%s%s", path, suffixes[i]);
        good =
            unlink(name) == 0 || errno == ENOENT || error_set_system(err, "cannot remove %s", name);
        free(name);
    }
    return good;
}
