#include "index/notes.h"

#include <pwd.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "index/sql.h"

#define NAME_ROOM 4096

/* "TDno" */
static const struct sql_kind notes_kind = {
    .application_id = 0x54446e6fu,
    .version = 1,
    .schema = "CREATE TABLE bookmarks (name TEXT PRIMARY KEY, seq INTEGER NOT NULL,"
              " time_ns INTEGER NOT NULL, text TEXT NOT NULL, made_ns INTEGER NOT NULL);"
              "CREATE TABLE saved_queries (name TEXT PRIMARY KEY, query TEXT NOT NULL);"
              "CREATE TABLE ledger (number INTEGER PRIMARY KEY AUTOINCREMENT, replay TEXT NOT NULL,"
              " deed TEXT NOT NULL, result TEXT NOT NULL, time_ns INTEGER NOT NULL,"
              " who TEXT NOT NULL, target TEXT NOT NULL, text TEXT NOT NULL, planned INTEGER,"
              " sent INTEGER, landed INTEGER, missing INTEGER, wrong INTEGER);"
              "CREATE INDEX ledger_by_replay ON ledger (replay);",
};

struct notes {
    struct sqlite3 *db;
};

static struct notes *
make(const char *directory, bool can_write, struct error *err)
{
    char *path = alloc_format("%s/notes.db", directory);
    struct sqlite3 *db = can_write ? sql_open_writer(path, &notes_kind, NOTES_PATIENCE_MS, err)
                                   : sql_open_reader(path, &notes_kind, err);
    free(path);
    if (db == NULL)
        return NULL;
    struct notes *notes = alloc_zeroed(sizeof(*notes));
    notes->db = db;
    return notes;
}

struct notes *
notes_open(const char *directory, struct error *err)
{
    return make(directory, true, err);
}

bool
notes_open_reader(const char *directory, struct notes **notes, struct error *err)
{
    *notes = make(directory, false, err);
    return *notes != NULL || err->code == ERROR_ARGUMENT;
}

void
notes_close(struct notes *notes)
{
    if (notes == NULL)
        return;
    sql_close(notes->db);
    free(notes);
}

/* ---- statements ---- */

/* A statement and whether everything that was bound to it fitted. */
struct filled {
    struct sqlite3_stmt *statement;
    int next;
    bool good;
};

static struct filled
fill(struct notes *notes, const char *text, struct error *err)
{
    struct filled filled = {.statement = sql_prepare(notes->db, text, err), .next = 1};
    filled.good = filled.statement != NULL;
    return filled;
}

static void
put_text(struct filled *filled, const char *text)
{
    filled->good = filled->good && sqlite3_bind_text(filled->statement, filled->next++,
                                       text == NULL ? "" : text, -1, SQLITE_STATIC) == SQLITE_OK;
}

static void
put_number(struct filled *filled, int64_t number)
{
    filled->good =
        filled->good && sqlite3_bind_int64(filled->statement, filled->next++, number) == SQLITE_OK;
}

static void
put_count(struct filled *filled, int64_t count)
{
    if (count != NOTES_NO_COUNT)
        put_number(filled, count);
    else
        filled->next++; /* what is not bound is null */
}

static bool
finish(struct notes *notes, struct filled *filled, struct error *err)
{
    if (filled->statement == NULL)
        return false;
    bool good = filled->good ? sql_step_done(filled->statement, err) : sql_failed(notes->db, err);
    (void)sqlite3_finalize(filled->statement);
    return good;
}

/* Rows one by one. False: the end, or a failure (*good is false then); the statement is ended. */
static bool
next_row(struct notes *notes, struct filled *filled, bool *good, struct error *err)
{
    *good = filled->good;
    if (filled->statement == NULL)
        return false;
    int result = filled->good ? sqlite3_step(filled->statement) : SQLITE_ERROR;
    if (result == SQLITE_ROW)
        return true;
    *good = result == SQLITE_DONE || sql_failed(notes->db, err);
    (void)sqlite3_finalize(filled->statement);
    return false;
}

static char *
take_text(const struct filled *filled, int column)
{
    const unsigned char *text = sqlite3_column_text(filled->statement, column);
    int length = sqlite3_column_bytes(filled->statement, column);
    return text == NULL ? alloc_text("") : alloc_text_of(text, (size_t)length);
}

static int64_t
take_count(const struct filled *filled, int column)
{
    return sqlite3_column_type(filled->statement, column) == SQLITE_NULL
               ? NOTES_NO_COUNT
               : sqlite3_column_int64(filled->statement, column);
}

static bool
check_name(const char *what, const char *name, struct error *err)
{
    size_t length = strlen(name);
    if (length > 0 && length <= NOTES_NAME_MAX && bytes_is_utf8(bytes_of(name)))
        return true;
    return error_set(
        err, ERROR_ARGUMENT, "the name of a %s is 1 to %u bytes of UTF-8", what, NOTES_NAME_MAX);
}

static bool
check_text(const char *what, const char *text, struct error *err)
{
    if (text == NULL || (strlen(text) <= NOTES_TEXT_MAX && bytes_is_utf8(bytes_of(text))))
        return true;
    return error_set(
        err, ERROR_ARGUMENT, "a %s is at most %u bytes of UTF-8", what, NOTES_TEXT_MAX);
}

static bool
remove_named(struct notes *notes, const char *statement, const char *what, const char *name,
    struct error *err)
{
    struct filled filled = fill(notes, statement, err);
    put_text(&filled, name);
    if (!finish(notes, &filled, err))
        return false;
    return sqlite3_changes(notes->db) > 0 ||
           error_set(err, ERROR_ARGUMENT, "there is no %s '%.100s'", what, name);
}

/* ---- bookmarks ---- */

bool
notes_check_bookmark(const struct bookmark *bookmark, struct error *err)
{
    return check_name("bookmark", bookmark->name, err) &&
           check_text("bookmark's text", bookmark->text, err);
}

bool
notes_add_bookmark(struct notes *notes, const struct bookmark *bookmark, struct error *err)
{
    if (!notes_check_bookmark(bookmark, err))
        return false;
    struct filled filled =
        fill(notes, "INSERT OR REPLACE INTO bookmarks VALUES (?, ?, ?, ?, ?)", err);
    put_text(&filled, bookmark->name);
    put_number(&filled, (int64_t)bookmark->seq);
    put_number(&filled, bookmark->time_ns);
    put_text(&filled, bookmark->text);
    put_number(&filled, bookmark->made_ns);
    return finish(notes, &filled, err);
}

bool
notes_remove_bookmark(struct notes *notes, const char *name, struct error *err)
{
    return remove_named(notes, "DELETE FROM bookmarks WHERE name = ?", "bookmark", name, err);
}

bool
notes_list_bookmarks(
    struct notes *notes, struct bookmark **bookmarks, size_t *count, struct error *err)
{
    struct bookmark *rows = NULL;
    size_t length = 0;
    size_t capacity = 0;
    bool good;
    *bookmarks = NULL;
    *count = 0;
    if (notes == NULL)
        return true;
    struct filled filled = fill(
        notes, "SELECT name, seq, time_ns, text, made_ns FROM bookmarks ORDER BY seq, name", err);
    while (next_row(notes, &filled, &good, err)) {
        rows = alloc_grow(rows, length, &capacity, sizeof(*rows));
        rows[length++] = (struct bookmark){
            .name = take_text(&filled, 0),
            .seq = (uint64_t)sqlite3_column_int64(filled.statement, 1),
            .time_ns = sqlite3_column_int64(filled.statement, 2),
            .text = take_text(&filled, 3),
            .made_ns = sqlite3_column_int64(filled.statement, 4),
        };
    }
    if (!good) {
        notes_free_bookmarks(rows, length);
        return false;
    }
    *bookmarks = rows;
    *count = length;
    return true;
}

void
notes_free_bookmarks(struct bookmark *bookmarks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(bookmarks[i].name);
        free(bookmarks[i].text);
    }
    free(bookmarks);
}

/* ---- saved queries ---- */

bool
notes_save_query(struct notes *notes, const struct saved_query *query, struct error *err)
{
    if (!check_name("query", query->name, err) || !check_text("query", query->query, err))
        return false;
    struct filled filled = fill(notes, "INSERT OR REPLACE INTO saved_queries VALUES (?, ?)", err);
    put_text(&filled, query->name);
    put_text(&filled, query->query);
    return finish(notes, &filled, err);
}

bool
notes_remove_query(struct notes *notes, const char *name, struct error *err)
{
    return remove_named(
        notes, "DELETE FROM saved_queries WHERE name = ?", "saved query", name, err);
}

bool
notes_list_queries(
    struct notes *notes, struct saved_query **queries, size_t *count, struct error *err)
{
    struct saved_query *rows = NULL;
    size_t length = 0;
    size_t capacity = 0;
    bool good;
    *queries = NULL;
    *count = 0;
    if (notes == NULL)
        return true;
    struct filled filled = fill(notes, "SELECT name, query FROM saved_queries ORDER BY name", err);
    while (next_row(notes, &filled, &good, err)) {
        rows = alloc_grow(rows, length, &capacity, sizeof(*rows));
        rows[length++] = (struct saved_query){
            .name = take_text(&filled, 0),
            .query = take_text(&filled, 1),
        };
    }
    if (!good) {
        notes_free_queries(rows, length);
        return false;
    }
    *queries = rows;
    *count = length;
    return true;
}

void
notes_free_queries(struct saved_query *queries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(queries[i].name);
        free(queries[i].query);
    }
    free(queries);
}

/* ---- the ledger ---- */

/* The login name of this process's user, or the number. Freed by the caller. */
static char *
name_user(void)
{
    char room[NAME_ROOM];
    struct passwd entry;
    struct passwd *found = NULL;
    if (getpwuid_r(geteuid(), &entry, room, sizeof(room), &found) == 0 && found != NULL &&
        bytes_is_utf8(bytes_of(found->pw_name)))
        return alloc_text(found->pw_name);
    return alloc_format("%u", (unsigned)geteuid());
}

bool
notes_add_entry(struct notes *notes, const struct ledger_entry *entry, struct error *err)
{
    char *who = entry->who != NULL ? alloc_text(entry->who) : name_user();
    struct filled filled = fill(notes,
        "INSERT INTO ledger (replay, deed, result, time_ns, who, target, text, planned, sent,"
        " landed, missing, wrong) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        err);
    put_text(&filled, entry->replay);
    put_text(&filled, entry->deed);
    put_text(&filled, entry->result);
    put_number(&filled, entry->time_ns);
    put_text(&filled, who);
    put_text(&filled, entry->target);
    put_text(&filled, entry->text);
    put_count(&filled, entry->planned);
    put_count(&filled, entry->sent);
    put_count(&filled, entry->landed);
    put_count(&filled, entry->missing);
    put_count(&filled, entry->wrong);
    bool good = finish(notes, &filled, err);
    free(who);
    return good;
}

static struct ledger_entry
take_entry(const struct filled *filled)
{
    return (struct ledger_entry){
        .replay = take_text(filled, 0),
        .deed = take_text(filled, 1),
        .result = take_text(filled, 2),
        .time_ns = sqlite3_column_int64(filled->statement, 3),
        .who = take_text(filled, 4),
        .target = take_text(filled, 5),
        .text = take_text(filled, 6),
        .planned = take_count(filled, 7),
        .sent = take_count(filled, 8),
        .landed = take_count(filled, 9),
        .missing = take_count(filled, 10),
        .wrong = take_count(filled, 11),
    };
}

bool
notes_list_entries(struct notes *notes, const char *id, struct ledger_entry **entries,
    size_t *count, struct error *err)
{
    struct ledger_entry *rows = NULL;
    size_t length = 0;
    size_t capacity = 0;
    bool good;
    *entries = NULL;
    *count = 0;
    if (notes == NULL)
        return true;
    struct filled filled = fill(notes,
        "SELECT replay, deed, result, time_ns, who, target, text, planned, sent, landed, missing,"
        " wrong FROM ledger WHERE ?1 = '' OR replay = ?1 ORDER BY number",
        err);
    put_text(&filled, id);
    while (next_row(notes, &filled, &good, err)) {
        rows = alloc_grow(rows, length, &capacity, sizeof(*rows));
        rows[length++] = take_entry(&filled);
    }
    if (!good) {
        notes_free_entries(rows, length);
        return false;
    }
    *entries = rows;
    *count = length;
    return true;
}

void
notes_free_entries(struct ledger_entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(entries[i].replay);
        free(entries[i].deed);
        free(entries[i].result);
        free(entries[i].who);
        free(entries[i].target);
        free(entries[i].text);
    }
    free(entries);
}
