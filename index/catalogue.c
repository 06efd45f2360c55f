/* Reading the catalogue. */
#include "index/catalogue.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "index/catalogue_internal.h"
#include "index/hole.h"
#include "index/lanes.h"
#include "index/segment_format.h"
#include "index/tape_internal.h"

/* "TDca" */
const struct sql_kind catalogue_kind = {
    .application_id = 0x54446361u,
    .version = 3,
    .schema =
        "CREATE TABLE streams (key INTEGER PRIMARY KEY, id INTEGER NOT NULL, tap TEXT NOT NULL,"
        " name TEXT NOT NULL, checksum INTEGER NOT NULL, UNIQUE (id, tap, name));"
        "CREATE TABLE segments (id INTEGER PRIMARY KEY, first_seq INTEGER NOT NULL,"
        " end_seq INTEGER NOT NULL, events INTEGER NOT NULL, record_bytes INTEGER NOT NULL,"
        " blocks INTEGER NOT NULL, version INTEGER NOT NULL, file_bytes INTEGER NOT NULL,"
        " mtime_ns INTEGER NOT NULL, inode INTEGER NOT NULL, min_time_ns INTEGER NOT NULL,"
        " max_time_ns INTEGER NOT NULL, min_received_ns INTEGER NOT NULL,"
        " max_received_ns INTEGER NOT NULL, created_ns INTEGER NOT NULL,"
        " filter_at INTEGER NOT NULL, filter_pages INTEGER NOT NULL, filter_blocks INTEGER NOT "
        "NULL,"
        " filter_seed INTEGER NOT NULL, content BLOB NOT NULL, checksum INTEGER NOT NULL);",
};

struct catalogue_stream {
    int64_t key;
    uint32_t id;
    char *tap;
    char *name;
};

/* rows[] by number, streams[] by key, each strictly rising. */
struct catalogue {
    struct catalogue_row *rows;
    size_t row_count;
    size_t row_capacity;
    struct catalogue_stream *streams;
    size_t stream_count;
    size_t stream_capacity;
    size_t bad_rows;
};

char *
catalogue_path(const char *directory)
{
    return alloc_format("%s/catalogue.db", directory);
}

int64_t
catalogue_mtime_ns(const struct stat *file)
{
    return (int64_t)((uint64_t)file->st_mtim.tv_sec * (uint64_t)NS_PER_S +
                     (uint64_t)file->st_mtim.tv_nsec);
}

/* ---- rows ---- */

void
catalogue_row_numbers(const struct catalogue_row *row, int64_t numbers[CATALOGUE_NUMBERS])
{
    const struct segment_info *info = &row->info;
    const int64_t all[CATALOGUE_NUMBERS] = {(int64_t)info->first_seq, (int64_t)info->end_seq,
        (int64_t)info->event_count, (int64_t)info->record_bytes, info->block_count, info->version,
        (int64_t)info->file_bytes, row->mtime_ns, (int64_t)row->inode, info->min_time_ns,
        info->max_time_ns, info->min_received_ns, info->max_received_ns, info->created_ns,
        (int64_t)row->filter.at, row->filter.pages, row->filter.blocks, (int64_t)row->filter.seed};
    memcpy(numbers, all, sizeof(all));
}

void
catalogue_row_take(struct catalogue_row *row, const int64_t numbers[CATALOGUE_NUMBERS])
{
    row->info.first_seq = (uint64_t)numbers[0];
    row->info.end_seq = (uint64_t)numbers[1];
    row->info.event_count = (uint64_t)numbers[2];
    row->info.record_bytes = (uint64_t)numbers[3];
    row->info.block_count = (uint32_t)numbers[4];
    row->info.version = (uint32_t)numbers[5];
    row->info.file_bytes = (uint64_t)numbers[6];
    row->mtime_ns = numbers[7];
    row->inode = (uint64_t)numbers[8];
    row->info.min_time_ns = numbers[9];
    row->info.max_time_ns = numbers[10];
    row->info.min_received_ns = numbers[11];
    row->info.max_received_ns = numbers[12];
    row->info.created_ns = numbers[13];
    row->filter.at = (uint64_t)numbers[14];
    row->filter.pages = (uint32_t)numbers[15];
    row->filter.blocks = (uint32_t)numbers[16];
    row->filter.seed = (uint64_t)numbers[17];
}

uint32_t
catalogue_row_checksum(const struct catalogue_row *row)
{
    int64_t numbers[CATALOGUE_NUMBERS];
    unsigned char bytes[8 * (CATALOGUE_NUMBERS + 1)];
    catalogue_row_numbers(row, numbers);
    store_u64(bytes, row->info.id);
    for (size_t i = 0; i < CATALOGUE_NUMBERS; i++)
        store_u64(bytes + 8 * (i + 1), (uint64_t)numbers[i]);
    return crc32c(crc32c(0, bytes, sizeof(bytes)), row->content.data, row->content.length);
}

uint32_t
catalogue_stream_checksum(int64_t key, uint32_t id, struct bytes tap, struct bytes name)
{
    unsigned char bytes[24];
    store_u64(bytes, (uint64_t)key);
    store_u64(bytes + 8, id);
    store_u64(bytes + 16, tap.length);
    uint32_t checksum = crc32c(0, bytes, sizeof(bytes));
    checksum = crc32c(checksum, tap.data, tap.length);
    return crc32c(checksum, name.data, name.length);
}

static bool
is_plausible(const struct catalogue_row *row)
{
    const struct segment_info *info = &row->info;
    return info->end_seq >= info->first_seq &&
           info->end_seq - info->first_seq <= SEGMENT_SPAN_MAX &&
           info->event_count <= info->end_seq - info->first_seq && info->version == SEGMENT_VERSION;
}

static void
take_row(struct catalogue *catalogue, struct sqlite3_stmt *statement)
{
    struct catalogue_row row = {.info.id = (uint64_t)sqlite3_column_int64(statement, 0)};
    int64_t numbers[CATALOGUE_NUMBERS];
    for (int i = 0; i < CATALOGUE_NUMBERS; i++)
        numbers[i] = sqlite3_column_int64(statement, i + 1);
    catalogue_row_take(&row, numbers);
    const void *content = sqlite3_column_blob(statement, CATALOGUE_NUMBERS + 1);
    int length = sqlite3_column_bytes(statement, CATALOGUE_NUMBERS + 1);
    if (content != NULL && length > 0)
        buffer_append(&row.content, content, (size_t)length);

    if (catalogue_row_checksum(&row) !=
            (uint32_t)sqlite3_column_int64(statement, CATALOGUE_NUMBERS + 2) ||
        !is_plausible(&row)) {
        buffer_done(&row.content);
        catalogue->bad_rows++;
        return;
    }
    catalogue->rows = alloc_grow(
        catalogue->rows, catalogue->row_count, &catalogue->row_capacity, sizeof(*catalogue->rows));
    catalogue->rows[catalogue->row_count++] = row;
}

static struct bytes
column_text(struct sqlite3_stmt *statement, int column)
{
    const void *text = sqlite3_column_text(statement, column);
    return text == NULL ? bytes_of("")
                        : bytes_make(text, (size_t)sqlite3_column_bytes(statement, column));
}

static void
take_stream(struct catalogue *catalogue, struct sqlite3_stmt *statement)
{
    int64_t key = sqlite3_column_int64(statement, 0);
    uint32_t id = (uint32_t)sqlite3_column_int64(statement, 1);
    struct bytes tap = column_text(statement, 2);
    struct bytes name = column_text(statement, 3);
    if (catalogue_stream_checksum(key, id, tap, name) !=
        (uint32_t)sqlite3_column_int64(statement, 4)) {
        catalogue->bad_rows++;
        return;
    }
    catalogue->streams = alloc_grow(catalogue->streams, catalogue->stream_count,
        &catalogue->stream_capacity, sizeof(*catalogue->streams));
    catalogue->streams[catalogue->stream_count++] = (struct catalogue_stream){
        key, id, alloc_text_of(tap.data, tap.length), alloc_text_of(name.data, name.length)};
}

/* Each row of a statement whose first column rises; one that does not is a broken file. */
static bool
read_rows(struct catalogue *catalogue, struct sqlite3 *db, const char *text,
    void (*take)(struct catalogue *catalogue, struct sqlite3_stmt *statement), struct error *err)
{
    struct sqlite3_stmt *statement = sql_prepare(db, text, err);
    if (statement == NULL)
        return false;
    int64_t before = INT64_MIN;
    int result;
    bool good = true;
    while (good && (result = sqlite3_step(statement)) != SQLITE_DONE) {
        if (result != SQLITE_ROW) {
            good = sql_failed(db, err);
        } else if (sqlite3_column_int64(statement, 0) <= before) {
            good = error_set(err, ERROR_DAMAGED, "%s: its rows are not in order",
                sqlite3_db_filename(db, "main"));
        } else {
            before = sqlite3_column_int64(statement, 0);
            take(catalogue, statement);
        }
    }
    (void)sqlite3_finalize(statement);
    return good;
}

struct catalogue *
catalogue_load(struct sqlite3 *db, struct error *err)
{
    struct catalogue *catalogue = alloc_zeroed(sizeof(*catalogue));
    if (sql_run(db, "SAVEPOINT load", err) &&
        read_rows(catalogue, db, "SELECT key, id, tap, name, checksum FROM streams ORDER BY key",
            take_stream, err) &&
        read_rows(catalogue, db, "SELECT id, " CATALOGUE_COLUMNS " FROM segments ORDER BY id",
            take_row, err) &&
        sql_run(db, "RELEASE load", err))
        return catalogue;
    catalogue_free(catalogue);
    return NULL;
}

struct catalogue *
catalogue_read(const char *directory, struct error *err)
{
    char *path = catalogue_path(directory);
    struct catalogue *catalogue = NULL;
    struct sqlite3 *db = sql_open_reader(path, &catalogue_kind, err);
    if (db != NULL) {
        catalogue = catalogue_load(db, err);
        sql_close(db);
    }
    free(path);
    return catalogue;
}

void
catalogue_free(struct catalogue *catalogue)
{
    if (catalogue == NULL)
        return;
    for (size_t i = 0; i < catalogue->row_count; i++)
        buffer_done(&catalogue->rows[i].content);
    for (size_t i = 0; i < catalogue->stream_count; i++) {
        free(catalogue->streams[i].tap);
        free(catalogue->streams[i].name);
    }
    free(catalogue->rows);
    free(catalogue->streams);
    free(catalogue);
}

size_t
catalogue_bad_rows(const struct catalogue *catalogue)
{
    return catalogue->bad_rows;
}

void
catalogue_each(const struct catalogue *catalogue,
    void (*use)(void *self, const struct catalogue_row *row), void *self)
{
    for (size_t i = 0; i < catalogue->row_count; i++)
        use(self, &catalogue->rows[i]);
}

static int
compare_rows(const void *a, const void *b)
{
    const struct catalogue_row *left = a;
    const struct catalogue_row *right = b;
    return (left->info.id > right->info.id) - (left->info.id < right->info.id);
}

struct catalogue_row *
catalogue_find(struct catalogue *catalogue, uint64_t id, const struct stat *file)
{
    struct catalogue_row wanted = {.info.id = id};
    struct catalogue_row *row = NULL;
    if (catalogue->row_count > 0)
        row = bsearch(&wanted, catalogue->rows, catalogue->row_count, sizeof(wanted), compare_rows);
    if (row == NULL || row->info.file_bytes != (uint64_t)file->st_size ||
        row->mtime_ns != catalogue_mtime_ns(file) || row->inode != (uint64_t)file->st_ino)
        return NULL;
    return row;
}

/* ---- content: varint count and keys of streams, then u32 lanes, u32 holes, and their rows ---- */

static int
compare_streams(const void *a, const void *b)
{
    const struct catalogue_stream *left = a;
    const struct catalogue_stream *right = b;
    return (left->key > right->key) - (left->key < right->key);
}

static void
define_stream(const struct catalogue_stream *stream, struct tape *tape)
{
    tape_define_stream(tape, stream->id, bytes_of(stream->tap), bytes_of(stream->name));
}

void
catalogue_define_all_streams(const struct catalogue *catalogue, struct tape *tape)
{
    for (size_t i = 0; i < catalogue->stream_count; i++)
        define_stream(&catalogue->streams[i], tape);
}

static const struct catalogue_stream *
next_stream(const struct catalogue *catalogue, struct bytes content, size_t *at)
{
    uint64_t key;
    if (!varint_get(content, at, &key) || catalogue->stream_count == 0)
        return NULL;
    struct catalogue_stream wanted = {.key = (int64_t)key};
    return bsearch(
        &wanted, catalogue->streams, catalogue->stream_count, sizeof(wanted), compare_streams);
}

bool
catalogue_define_streams(
    const struct catalogue *catalogue, const struct catalogue_row *row, struct tape *tape)
{
    struct bytes content = bytes_make(row->content.data, row->content.length);
    uint64_t count;
    size_t start = 0;
    if (!varint_get(content, &start, &count))
        return false;
    size_t at = start;
    for (uint64_t i = 0; i < count; i++) {
        if (next_stream(catalogue, content, &at) == NULL)
            return false;
    }
    at = start;
    for (uint64_t i = 0; i < count; i++)
        define_stream(next_stream(catalogue, content, &at), tape);
    return true;
}

static bool
skip_streams(struct bytes content, size_t *at)
{
    uint64_t count;
    uint64_t key;
    if (!varint_get(content, at, &count))
        return false;
    while (count > 0 && varint_get(content, at, &key))
        count--;
    return count == 0;
}

struct lanes *
catalogue_row_lanes(struct bytes content)
{
    size_t at = 0;
    if (!skip_streams(content, &at) || content.length - at < 8)
        return NULL;
    uint32_t lane_count = load_u32(content.data + at);
    uint32_t hole_count = load_u32(content.data + at + 4);
    at += 8;
    if ((uint64_t)lane_count * LANE_ROW_BYTES + (uint64_t)hole_count * HOLE_ROW_BYTES !=
        content.length - at)
        return NULL;

    struct lanes *lanes = lanes_new();
    for (uint32_t i = 0; i < lane_count; i++, at += LANE_ROW_BYTES) {
        struct lane lane;
        lane_row_get(content.data + at, &lane);
        lanes_merge_lane(lanes, &lane);
    }
    for (uint32_t i = 0; i < hole_count; i++, at += HOLE_ROW_BYTES) {
        struct hole hole;
        hole_row_get(content.data + at, &hole);
        lanes_add_hole(lanes, &hole);
    }
    return lanes;
}
