/* Writing the catalogue. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "index/catalogue.h"
#include "index/catalogue_internal.h"
#include "index/event.h"
#include "index/hole.h"
#include "index/lanes.h"
#include "index/part_file.h"
#include "index/segment_format.h"
#include "index/tape_lock.h"

/* Only the recorder writes; somebody who looks into the file by hand may hold it for a moment. */
#define WRITER_PATIENCE_MS 2000

/* A row whose content would be larger is not made: the file is opened instead. */
#define CONTENT_MAX_BYTES ((size_t)32 * 1024 * 1024)

struct catalogue_writer {
    char *directory;
    struct sqlite3 *db;
    struct sqlite3_stmt *find_stream;
    struct sqlite3_stmt *add_stream;
    struct sqlite3_stmt *add_row;
    struct sqlite3_stmt *remove_row;
};

/* ---- opening ---- */

static struct sqlite3 *
open_db(const char *directory, struct error *err)
{
    char *path = catalogue_path(directory);
    struct sqlite3 *db = sql_open_writer(path, &catalogue_kind, WRITER_PATIENCE_MS, err);
    if (db == NULL && (err->code == ERROR_DAMAGED || err->code == ERROR_FORMAT) &&
        sql_remove(path, err))
        db = sql_open_writer(path, &catalogue_kind, WRITER_PATIENCE_MS, err);
    free(path);
    return db;
}

/* A value for id, for each number, for content and checksum. */
static struct sqlite3_stmt *
prepare_add_row(struct sqlite3 *db, struct error *err)
{
    struct buffer text = {0};
    buffer_append_text(
        &text, "INSERT OR REPLACE INTO segments (id, " CATALOGUE_COLUMNS ") VALUES (?");
    for (int i = 0; i < CATALOGUE_NUMBERS + 2; i++)
        buffer_append_text(&text, ", ?");
    buffer_append_byte(&text, ')');
    struct sqlite3_stmt *statement = sql_prepare(db, buffer_text(&text), err);
    buffer_done(&text);
    return statement;
}

static bool
prepare(struct catalogue_writer *writer, struct error *err)
{
    struct sqlite3 *db = writer->db;
    return (writer->find_stream = sql_prepare(db,
                "SELECT key FROM streams WHERE id = ? AND tap = ? AND name = ?", err)) != NULL &&
           (writer->add_stream =
                   sql_prepare(db, "INSERT INTO streams VALUES (?, ?, ?, ?, ?)", err)) != NULL &&
           (writer->add_row = prepare_add_row(db, err)) != NULL &&
           (writer->remove_row = sql_prepare(db, "DELETE FROM segments WHERE id = ?", err)) != NULL;
}

struct catalogue_writer *
catalogue_writer_open(const char *directory, struct error *err)
{
    struct sqlite3 *db = open_db(directory, err);
    if (db == NULL)
        return NULL;
    struct catalogue_writer *writer = alloc_zeroed(sizeof(*writer));
    writer->db = db;
    writer->directory = alloc_text(directory);
    if (prepare(writer, err))
        return writer;
    catalogue_writer_close(writer);
    return NULL;
}

void
catalogue_writer_close(struct catalogue_writer *writer)
{
    if (writer == NULL)
        return;
    (void)sqlite3_finalize(writer->find_stream);
    (void)sqlite3_finalize(writer->add_stream);
    (void)sqlite3_finalize(writer->add_row);
    (void)sqlite3_finalize(writer->remove_row);
    sql_close(writer->db);
    free(writer->directory);
    free(writer);
}

/* ---- one segment ---- */

static bool
bind_stream(struct sqlite3_stmt *statement, int first, const struct stream *stream)
{
    return sqlite3_bind_int64(statement, first, stream->id) == SQLITE_OK &&
           sqlite3_bind_text(statement, first + 1, stream->tap, -1, SQLITE_STATIC) == SQLITE_OK &&
           sqlite3_bind_text(statement, first + 2, stream->name, -1, SQLITE_STATIC) == SQLITE_OK;
}

static bool
find_stream(
    struct catalogue_writer *writer, const struct stream *stream, int64_t *key, struct error *err)
{
    struct sqlite3_stmt *find = writer->find_stream;
    if (!bind_stream(find, 1, stream))
        return sql_failed(writer->db, err);
    int result = sqlite3_step(find);
    *key = result == SQLITE_ROW ? sqlite3_column_int64(find, 0) : 0;
    bool good = result == SQLITE_ROW || result == SQLITE_DONE || sql_failed(writer->db, err);
    (void)sqlite3_reset(find);
    return good;
}

static bool
last_key(struct catalogue_writer *writer, int64_t *key, struct error *err)
{
    struct sqlite3_stmt *last = sql_prepare(writer->db, "SELECT max(key) FROM streams", err);
    if (last == NULL)
        return false;
    bool good = sqlite3_step(last) == SQLITE_ROW || sql_failed(writer->db, err);
    if (good)
        *key = sqlite3_column_int64(last, 0);
    (void)sqlite3_finalize(last);
    return good;
}

/* The key of a stream in the catalogue, given to it when it is new. The same number with another name
 * is another stream: the files say so, and readers name it. */
static bool
key_of(
    struct catalogue_writer *writer, const struct stream *stream, int64_t *key, struct error *err)
{
    if (!find_stream(writer, stream, key, err))
        return false;
    if (*key != 0)
        return true;
    if (!last_key(writer, key, err))
        return false;
    ++*key;
    uint32_t checksum =
        catalogue_stream_checksum(*key, stream->id, bytes_of(stream->tap), bytes_of(stream->name));
    struct sqlite3_stmt *add = writer->add_stream;
    if (sqlite3_bind_int64(add, 1, *key) != SQLITE_OK || !bind_stream(add, 2, stream) ||
        sqlite3_bind_int64(add, 5, checksum) != SQLITE_OK)
        return sql_failed(writer->db, err);
    return sql_step_done(add, err);
}

static bool
append_streams(struct catalogue_writer *writer, const struct segment *segment,
    struct buffer *content, struct error *err)
{
    struct buffer keys = {0};
    uint64_t count = 0;
    bool good = true;
    for (size_t i = 0; good && i < segment_stream_count(segment); i++) {
        const struct stream *stream = segment_stream(segment, i);
        int64_t key = 0;
        if (strcmp(stream->tap, "?") == 0)
            continue;
        good = key_of(writer, stream, &key, err);
        keys.length += varint_put(buffer_reserve(&keys, VARINT_MAX), (uint64_t)key);
        count++;
    }
    content->length += varint_put(buffer_reserve(content, VARINT_MAX), count);
    if (keys.length > 0)
        buffer_append(content, keys.data, keys.length);
    buffer_done(&keys);
    return good;
}

static void
append_lanes(const struct segment *segment, struct buffer *content)
{
    const struct lanes *lanes = segment_lanes(segment);
    size_t hole_count = 0;
    for (size_t i = 0; i < lanes_count(lanes); i++)
        hole_count += lanes_at(lanes, i)->hole_count;
    unsigned char *head = buffer_reserve(content, 8);
    store_u32(head, (uint32_t)lanes_count(lanes));
    store_u32(head + 4, (uint32_t)hole_count);
    content->length += 8;
    for (size_t i = 0; i < lanes_count(lanes); i++) {
        lane_row_put(lanes_at(lanes, i), 0, buffer_reserve(content, LANE_ROW_BYTES));
        content->length += LANE_ROW_BYTES;
    }
    for (size_t i = 0; i < lanes_count(lanes); i++) {
        for (size_t k = 0; k < lanes_at(lanes, i)->hole_count; k++) {
            hole_row_put(&lanes_at(lanes, i)->holes[k], buffer_reserve(content, HOLE_ROW_BYTES));
            content->length += HOLE_ROW_BYTES;
        }
    }
}

static bool
insert_row(struct catalogue_writer *writer, const struct catalogue_row *row, struct error *err)
{
    int64_t numbers[CATALOGUE_NUMBERS];
    struct sqlite3_stmt *add = writer->add_row;
    catalogue_row_numbers(row, numbers);
    bool good = sqlite3_bind_int64(add, 1, (int64_t)row->info.id) == SQLITE_OK;
    for (int i = 0; good && i < CATALOGUE_NUMBERS; i++)
        good = sqlite3_bind_int64(add, i + 2, numbers[i]) == SQLITE_OK;
    good = good &&
           sqlite3_bind_blob(add, CATALOGUE_NUMBERS + 2, row->content.data,
               (int)row->content.length, SQLITE_STATIC) == SQLITE_OK &&
           sqlite3_bind_int64(add, CATALOGUE_NUMBERS + 3, catalogue_row_checksum(row)) == SQLITE_OK;
    if (!good)
        return sql_failed(writer->db, err);
    good = sql_step_done(add, err);
    (void)sqlite3_clear_bindings(add); /* the row's content ends with the row */
    return good;
}

static bool
remove_row(struct catalogue_writer *writer, uint64_t id, struct error *err)
{
    if (sqlite3_bind_int64(writer->remove_row, 1, (int64_t)id) != SQLITE_OK)
        return sql_failed(writer->db, err);
    return sql_step_done(writer->remove_row, err);
}

/* Inside a transaction. *whole false, with the reason in `why`: the file cannot be opened. */
static bool
add_segment(
    struct catalogue_writer *writer, uint64_t id, bool *whole, struct error *why, struct error *err)
{
    char *path = part_file_path(writer->directory, id, "seg");
    struct stat status;
    struct catalogue_row row = {0};
    *whole = false;
    struct segment *segment = NULL;
    if (stat(path, &status) != 0)
        (void)error_set_system(why, "cannot look at segment %s", path);
    else
        segment = segment_open(path, why);
    free(path);
    if (segment == NULL)
        return true;

    row.info = *segment_info(segment);
    row.filter = segment_filter_place(segment);
    row.mtime_ns = catalogue_mtime_ns(&status);
    row.inode = (uint64_t)status.st_ino;
    bool good = true;
    *whole = true;
    /* A file that says another number than its name has no row: what it holds is for the reader to say. */
    if (row.info.id == id) {
        good = append_streams(writer, segment, &row.content, err);
        append_lanes(segment, &row.content);
        if (good && row.content.length <= CONTENT_MAX_BYTES)
            good = insert_row(writer, &row, err);
    }
    buffer_done(&row.content);
    segment_close(segment);
    return good;
}

static bool
end_transaction(struct catalogue_writer *writer, bool good, struct error *err)
{
    struct error ignored;
    if (good && sql_run(writer->db, "COMMIT", err))
        return true;
    (void)sql_run(writer->db, "ROLLBACK", &ignored);
    return false;
}

bool
catalogue_writer_add(struct catalogue_writer *writer, uint64_t id, struct error *err)
{
    bool whole;
    struct error why;
    if (!sql_run(writer->db, "BEGIN IMMEDIATE", err))
        return false;
    bool good = add_segment(writer, id, &whole, &why, err);
    return end_transaction(writer, good, err);
}

/* ---- all segments ---- */

/* Of part_file_each(). */
static void
add_if_segment(void *self, const struct part_file *file)
{
    if (strcmp(file->suffix, "seg") == 0 && file->is_file)
        part_ids_add(self, file->id);
}

struct update {
    struct catalogue_writer *writer;
    struct catalogue_counts *counts;
    struct part_ids files; /* segments, in rising order */
    struct error *err;
    bool good;
};

/* A row whose file is gone goes. */
static void
remove_if_gone(void *self, const struct catalogue_row *row)
{
    struct update *update = self;
    uint64_t id = row->info.id;
    if (!update->good || part_ids_has(&update->files, id))
        return;
    update->good = remove_row(update->writer, id, update->err);
    update->counts->removed++;
}

/* The row of one file, unless it is there and right. */
static bool
update_file(struct update *update, struct catalogue *present, uint64_t id)
{
    struct catalogue_counts *counts = update->counts;
    char *path = part_file_path(update->writer->directory, id, "seg");
    struct stat status;
    bool is_there = stat(path, &status) == 0;
    free(path);
    if (!is_there)
        return true;
    if (catalogue_find(present, id, &status) != NULL)
        return true;

    bool whole;
    struct error why = {0};
    if (!remove_row(update->writer, id, update->err) ||
        !add_segment(update->writer, id, &whole, &why, update->err))
        return false;
    counts->added += whole;
    if (!whole && counts->damaged++ == 0)
        (void)snprintf(counts->damage, sizeof(counts->damage), "%.*s",
            (int)sizeof(counts->damage) - 1, why.text);
    return true;
}

/* A count as a query gives it. */
static bool
read_count(struct catalogue_writer *writer, const char *text, uint64_t *count, struct error *err)
{
    struct sqlite3_stmt *statement = sql_prepare(writer->db, text, err);
    if (statement == NULL)
        return false;
    bool good = sqlite3_step(statement) == SQLITE_ROW || sql_failed(writer->db, err);
    if (good)
        *count = (uint64_t)sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    return good;
}

static bool
update_all(struct update *update, struct catalogue *present)
{
    struct catalogue_writer *writer = update->writer;
    /* Rows that cannot be trusted are not seen in `present`, and could be about files that are gone. */
    update->good =
        catalogue_bad_rows(present) == 0 ||
        error_set(update->err, ERROR_DAMAGED, "%s/catalogue.db has broken rows", writer->directory);
    catalogue_each(present, remove_if_gone, update);
    for (size_t i = 0; update->good && i < update->files.count; i++)
        update->good = update_file(update, present, update->files.ids[i]);
    return update->good &&
           read_count(
               writer, "SELECT count(*) FROM segments", &update->counts->segments, update->err) &&
           read_count(
               writer, "SELECT count(*) FROM streams", &update->counts->streams, update->err) &&
           read_count(
               writer, "SELECT total(events) FROM segments", &update->counts->events, update->err);
}

bool
catalogue_writer_update(
    struct catalogue_writer *writer, struct catalogue_counts *counts, struct error *err)
{
    struct update update = {.writer = writer, .counts = counts, .err = err};
    *counts = (struct catalogue_counts){0};
    bool good = part_file_each(writer->directory, add_if_segment, &update.files, err);
    part_ids_sort(&update.files);
    if (good && sql_run(writer->db, "BEGIN IMMEDIATE", err)) {
        struct catalogue *present = catalogue_load(writer->db, err);
        good = present != NULL && update_all(&update, present);
        good = end_transaction(writer, good, err);
        catalogue_free(present);
    } else {
        good = false;
    }
    part_ids_done(&update.files);
    return good;
}

static bool
update_once(const char *directory, struct catalogue_counts *counts, struct error *err)
{
    struct catalogue_writer *writer = catalogue_writer_open(directory, err);
    bool good = writer != NULL && catalogue_writer_update(writer, counts, err);
    catalogue_writer_close(writer);
    return good;
}

bool
catalogue_rebuild(const char *directory, struct catalogue_counts *counts, struct error *err)
{
    char *path = catalogue_path(directory);
    bool good = sql_remove(path, err) && update_once(directory, counts, err);
    free(path);
    return good;
}

bool
catalogue_update(const char *directory, struct catalogue_counts *counts, struct error *err)
{
    *counts = (struct catalogue_counts){0};
    char *path = catalogue_path(directory);
    bool is_there = access(path, F_OK) == 0;
    free(path);
    struct part_ids files = {0};
    bool is_listed = part_file_each(directory, add_if_segment, &files, err);
    part_ids_done(&files);
    if (!is_listed)
        return false;
    if (files.count == 0 && !is_there)
        return true;
    if (update_once(directory, counts, err))
        return true;
    return err->code == ERROR_DAMAGED && catalogue_rebuild(directory, counts, err);
}

bool
catalogue_rebuild_alone(const char *directory, struct catalogue_counts *counts, struct error *err)
{
    pid_t holder;
    int fd = tape_lock_take(directory, &holder, err);
    if (fd < 0) {
        if (err->code == ERROR_REFUSED)
            (void)error_set(err, ERROR_REFUSED,
                "a recorder writes the tape %s and keeps its catalogue; stop it first", directory);
        return false;
    }
    bool good = catalogue_rebuild(directory, counts, err);
    (void)close(fd);
    return good;
}
