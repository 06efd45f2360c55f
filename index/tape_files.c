/* From the files of a directory to the parts of a tape. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "index/catalogue.h"
#include "index/event.h"
#include "index/journal.h"
#include "index/part.h"
#include "index/part_file.h"
#include "index/tape_fit.h"
#include "index/tape_lock.h"
#include "index/tape_state.h"

/* Kinds of parts, the best first: when a number has both files, the segment is whole. */
static const struct part_ops *const part_kinds[] = {&segment_part, &journal_part};

#define KIND_COUNT (sizeof(part_kinds) / sizeof(part_kinds[0]))

/* So many files that are not open yet are worth reading the catalogue for. */
#define CATALOGUE_WORTH 4u

/* Files that are asked which tape they belong to. */
#define FIT_SAMPLES 7u

/* ---- places ---- */

const struct places *
tape_places(const struct tape *tape)
{
    return &tape->places;
}

static bool
is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Is DIRECTORY/NAME another file than the one that was read? Then it is remembered. */
static bool
has_changed(const struct tape *tape, const char *name, struct stat *known)
{
    struct stat now = {0};
    char *path = alloc_format("%s/%s", tape->directory, name);
    if (stat(path, &now) != 0)
        now = (struct stat){0};
    free(path);
    if (is_same_file(&now, known))
        return false;
    *known = now;
    return true;
}

/* A recorder with another configuration may have written them since. */
static void
load_places(struct tape *tape)
{
    if (!has_changed(tape, "places", &tape->places_file))
        return;
    struct error err;
    struct places fresh;
    if (!places_read(tape->directory, &fresh, &err))
        tape_note_damage(tape, 0, 0, "%s", err.text);
    for (size_t i = 0; i < tape->known_count; i++)
        tape->known[i]->places = places_of(&fresh, tape->known[i]);
    places_done(&tape->places);
    tape->places = fresh;
}

/* ---- what retention deleted ---- */

const struct deletions *
tape_deletions(const struct tape *tape)
{
    return &tape->deletions;
}

/* Read them after the directory was listed: what was gone by then is recorded by now. */
static void
load_deletions(struct tape *tape)
{
    struct error err;
    struct deletions fresh;
    if (!has_changed(tape, "deletions", &tape->deletions_file))
        return;
    if (!deletions_read(tape->directory, &fresh, &err)) {
        tape_note_damage(tape, 0, 0, "%s", err.text);
    } else if (tape->has_uuid && fresh.count > 0 &&
               memcmp(fresh.uuid, tape->uuid, TAPE_UUID_BYTES) != 0) {
        tape_note_damage(tape, 0, 0,
            "%s/deletions belongs to another tape; it is not used: move it to where it was",
            tape->directory);
        deletions_done(&fresh);
    }
    deletions_done(&tape->deletions);
    tape->deletions = fresh;
    for (size_t i = 0; i < fresh.streams.count; i++) {
        const struct stream *stream = fresh.streams.streams[i];
        if (stream != NULL)
            tape_define_stream(tape, stream->id, bytes_of(stream->tap), bytes_of(stream->name));
    }
}

struct tape_gone *
tape_gone(struct tape *tape)
{
    return &tape->gone;
}

/* ---- the directory ---- */

/* "00000042.jnl": the number and the kind; false for other names. */
static bool
parse_name(const char *name, uint64_t *id, size_t *kind)
{
    struct part_file file;
    if (!part_file_parse(name, &file))
        return false;
    *id = file.id;
    for (*kind = 0; *kind < KIND_COUNT; (*kind)++) {
        if (strcmp(file.suffix, part_kinds[*kind]->suffix) == 0)
            return true;
    }
    return false;
}

struct listed {
    uint64_t id;
    size_t kind;
    char *name;
};

struct listing {
    struct listed *rows;
    size_t count;
    size_t capacity;
    struct listed *odd; /* named like files of a tape, and no files */
    size_t odd_count;
    size_t odd_capacity;
    bool is_tape; /* something of ours was there */
};

static int
compare_listed(const void *a, const void *b)
{
    const struct listed *left = a;
    const struct listed *right = b;
    if (left->id != right->id)
        return left->id < right->id ? -1 : 1;
    return (left->kind > right->kind) - (left->kind < right->kind);
}

static void
listing_done(struct listing *listing)
{
    for (size_t i = 0; i < listing->count; i++)
        free(listing->rows[i].name);
    for (size_t i = 0; i < listing->odd_count; i++)
        free(listing->odd[i].name);
    free(listing->rows);
    free(listing->odd);
}

static void
add_row(struct listing *listing, const struct listed *row)
{
    listing->rows =
        alloc_grow(listing->rows, listing->count, &listing->capacity, sizeof(*listing->rows));
    listing->rows[listing->count++] = *row;
}

static void
add_odd(struct listing *listing, const struct listed *row)
{
    listing->odd =
        alloc_grow(listing->odd, listing->odd_count, &listing->odd_capacity, sizeof(*listing->odd));
    listing->odd[listing->odd_count++] = *row;
}

/* By number; of two kinds with the same one, the better first. */
static bool
list_directory(const char *path, struct listing *listing, struct error *err)
{
    DIR *directory = opendir(path);
    if (directory == NULL) {
        if (errno == ENOENT)
            return error_set(err, ERROR_ARGUMENT,
                "there is no tape at %s (tapedeck record --tape %s URL makes one)", path, path);
        if (errno == ENOTDIR)
            return error_set(err, ERROR_ARGUMENT, "%s is a file, not a tape", path);
        return error_set_system(err, "cannot read the tape's directory %s", path);
    }
    struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) { /* NOLINT(concurrency-mt-unsafe) */
        struct listed row;
        if (strcmp(entry->d_name, "LOCK") == 0)
            listing->is_tape = true;
        if (!parse_name(entry->d_name, &row.id, &row.kind))
            continue;
        row.name = alloc_text(entry->d_name);
        if (part_file_is_file(path, entry))
            add_row(listing, &row);
        else
            add_odd(listing, &row);
    }
    (void)closedir(directory);
    if (listing->count > 1)
        qsort(listing->rows, listing->count, sizeof(*listing->rows), compare_listed);
    if (listing->count > 0)
        listing->is_tape = true;
    return true;
}

/* ---- whose files they are ---- */

bool
tape_uuid(const struct tape *tape, unsigned char uuid[TAPE_UUID_BYTES])
{
    if (tape->has_uuid)
        memcpy(uuid, tape->uuid, TAPE_UUID_BYTES);
    return tape->has_uuid;
}

bool
tape_is_own(const struct tape *tape, const char *path, const unsigned char uuid[TAPE_UUID_BYTES],
    struct error *err)
{
    return !tape->has_uuid || memcmp(tape->uuid, uuid, TAPE_UUID_BYTES) == 0 ||
           error_set(err, ERROR_DAMAGED,
               "%s belongs to another tape; its events are left out: move it to where it was",
               path);
}

/* The tape is what most of its files say, of some that lie apart. */
static void
learn_uuid(struct tape *tape, const struct listing *listing)
{
    char *paths[FIT_SAMPLES];
    size_t count = listing->count < FIT_SAMPLES ? listing->count : FIT_SAMPLES;
    if (tape->has_uuid || count == 0)
        return;
    for (size_t i = 0; i < count; i++) {
        size_t row = count == 1 ? 0 : i * (listing->count - 1) / (count - 1);
        paths[i] = alloc_format("%s/%s", tape->directory, listing->rows[row].name);
    }
    tape->has_uuid = tape_fit_uuid(paths, count, tape->uuid);
    for (size_t i = 0; i < count; i++)
        free(paths[i]);
}

/* ---- parts ---- */

static struct part *
find_open_part(const struct tape *tape, uint64_t id, const struct part_ops *kind)
{
    for (size_t i = 0; i < tape->part_count; i++) {
        if (tape->parts[i]->name_id == id && tape->parts[i]->ops == kind)
            return tape->parts[i];
    }
    return NULL;
}

const char *
tape_catalogue_problem(const struct tape *tape)
{
    return tape->catalogue_problem[0] == '\0' ? NULL : tape->catalogue_problem;
}

/* Are there enough files to open for the catalogue to be worth it? */
static bool
is_worth_catalogue(const struct tape *tape, const struct listing *listing)
{
    size_t new_count = 0;
    for (size_t i = 0; i < listing->count; i++) {
        const struct listed *row = &listing->rows[i];
        if (part_kinds[row->kind]->open_known != NULL &&
            find_open_part(tape, row->id, part_kinds[row->kind]) == NULL)
            new_count++;
    }
    return new_count >= CATALOGUE_WORTH;
}

/* NULL: do without. */
static struct catalogue *
read_catalogue(struct tape *tape)
{
    struct error err = {0};
    struct catalogue *catalogue = catalogue_read(tape->directory, &err);
    tape->catalogue_problem[0] = '\0';
    if (catalogue == NULL && (err.code == ERROR_DAMAGED || err.code == ERROR_FORMAT))
        (void)snprintf(
            tape->catalogue_problem, sizeof(tape->catalogue_problem), "%.255s", err.text);
    if (catalogue != NULL && catalogue_bad_rows(catalogue) > 0)
        (void)snprintf(tape->catalogue_problem, sizeof(tape->catalogue_problem),
            "%zu of its rows are damaged", catalogue_bad_rows(catalogue));
    return catalogue;
}

/* The part as the catalogue knows it; NULL: open the file. */
static struct part *
open_known(
    struct tape *tape, struct catalogue *catalogue, const struct listed *row, const char *path)
{
    struct stat status;
    if (catalogue == NULL || part_kinds[row->kind]->open_known == NULL || stat(path, &status) != 0)
        return NULL;
    struct catalogue_row *known = catalogue_find(catalogue, row->id, &status);
    if (known == NULL || !catalogue_define_streams(catalogue, known, tape))
        return NULL;
    return part_kinds[row->kind]->open_known(tape, path, known);
}

static void
add_unread(struct tape *tape, const struct listed *row, const char *text)
{
    tape->unread =
        alloc_grow(tape->unread, tape->unread_count, &tape->unread_capacity, sizeof(*tape->unread));
    struct unread_file *unread = &tape->unread[tape->unread_count++];
    unread->id = row->id;
    unread->kind = row->kind;
    (void)snprintf(unread->text, sizeof(unread->text), "%.255s", text);
}

/* What is no file holds no seqs: it is said and no more. */
static void
note_odd(struct tape *tape, const struct listing *listing)
{
    for (size_t i = 0; i < listing->odd_count; i++)
        tape_note_damage(tape, 0, 0,
            "%s/%s is no file but a directory, a pipe or a link to nothing; it is left out: move "
            "it "
            "away",
            tape->directory, listing->odd[i].name);
}

/* A file that the system does not let us read, or cannot read, is one that cannot be opened, as a damaged one. Where
 * it has no descriptors or memory left, that is the same for all of them. */
static bool
is_unreadable(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno != EMFILE && errno != ENFILE && errno != ENOMEM;
    (void)close(fd);
    return true;
}

/* Open a file of the listing. NULL without an error: it is gone again, or damaged and named. */
static struct part *
open_part(struct tape *tape, struct catalogue *catalogue, const struct listed *row, bool *failed,
    struct error *err)
{
    char *path = alloc_format("%s/%s", tape->directory, row->name);
    struct part *part = open_known(tape, catalogue, row, path);
    errno = 0;
    if (part == NULL)
        part = part_kinds[row->kind]->open(tape, path, err);
    *failed = false;
    if (part != NULL) {
        if (part->id != row->id)
            tape_note_damage(tape, 0, 0,
                "%s is number %08llu of the tape by its own header: rename it", path,
                (unsigned long long)part->id);
        part->name_id = row->id;
        part->references = 1;
    } else if (access(path, F_OK) != 0) {
        tape->is_outdated = true; /* sealed or deleted between listing and opening */
    } else if (err->code == ERROR_DAMAGED) {
        add_unread(tape, row, err->text);
    } else if (err->code == ERROR_SYSTEM && is_unreadable(path)) {
        add_unread(tape, row, err->text);
        if (!tape->has_unreadable)
            (void)snprintf(tape->unreadable, sizeof(tape->unreadable), "%.255s", err->text);
        tape->has_unreadable = true;
    } else {
        *failed = true;
    }
    free(path);
    return part;
}

static bool
has_number(struct part *const *parts, size_t count, uint64_t id)
{
    for (size_t i = 0; i < count; i++) {
        if (parts[i]->name_id == id)
            return true;
    }
    return false;
}

/* Of the files that cannot be opened take what is whole in them, unless the same events are in another file
 * of that number. Those are no longer unread. Returns how many parts there are then; `parts` has room. */
static size_t
salvage_unread(struct tape *tape, struct part **parts, size_t count)
{
    size_t unread_count = 0;
    for (size_t i = 0; i < tape->unread_count; i++) {
        const struct unread_file *unread = &tape->unread[i];
        const struct part_ops *kind = part_kinds[unread->kind];
        struct error ignored; /* why it cannot be opened says more */
        struct part *part = NULL;
        if (!has_number(parts, count, unread->id)) {
            char *path = part_file_path(tape->directory, unread->id, kind->suffix);
            part = kind->salvage(tape, path, unread->id, unread->text, &ignored);
            free(path);
        }
        if (part == NULL) {
            tape->unread[unread_count++] = *unread;
            continue;
        }
        part->is_salvaged = true;
        part->name_id = unread->id;
        part->references = 1;
        parts[count++] = part;
    }
    tape->unread_count = unread_count;
    return count;
}

void
tape_drop_parts(struct tape *tape)
{
    for (size_t i = 0; i < tape->part_count; i++) {
        tape->parts[i]->is_detached = true;
        part_release(tape->parts[i]);
    }
    free(tape->parts);
}

/* Are other files there now? A journal goes when its segment is there, but who reads a directory meanwhile may see neither,
 * and where it is the newest one no gap shows it. */
static bool
is_other_listing(const struct tape *tape, const struct listing *listing)
{
    struct listing now = {0};
    struct error ignored;
    bool is_same = list_directory(tape->directory, &now, &ignored) && now.count == listing->count;
    for (size_t i = 0; is_same && i < now.count; i++)
        is_same =
            now.rows[i].id == listing->rows[i].id && now.rows[i].kind == listing->rows[i].kind;
    listing_done(&now);
    return !is_same;
}

bool
tape_list_parts(struct tape *tape, struct error *err)
{
    struct listing listing = {0};
    tape->must_list = tape->notify_fd < 0;
    tape->is_outdated = false;
    if (!list_directory(tape->directory, &listing, err)) {
        listing_done(&listing);
        return false;
    }
    if (!listing.is_tape) {
        listing_done(&listing);
        return error_set(err, ERROR_ARGUMENT,
            "there is no tape in %s (tapedeck record --tape %s URL makes one)", tape->directory,
            tape->directory);
    }

    load_places(tape);
    learn_uuid(tape, &listing);
    load_deletions(tape);
    /* While a recorder writes, the catalogue may be ahead of the listing. */
    bool may_miss_end = tape->is_ours || !tape_lock_is_held(tape->directory);
    bool saves_opening = is_worth_catalogue(tape, &listing);
    struct catalogue *catalogue = may_miss_end || saves_opening ? read_catalogue(tape) : NULL;
    struct part **parts = alloc_array(listing.count, sizeof(struct part *));
    size_t count = 0;
    bool failed = false;
    tape->unread_count = 0;
    tape->has_unreadable = false;
    note_odd(tape, &listing);
    for (size_t i = 0; i < listing.count && !failed; i++) {
        if (count > 0 && parts[count - 1]->name_id == listing.rows[i].id)
            continue; /* the journal of a segment that can be read: left over from a crash */
        struct part *part =
            find_open_part(tape, listing.rows[i].id, part_kinds[listing.rows[i].kind]);
        if (part != NULL)
            part->references++;
        else
            part =
                open_part(tape, saves_opening ? catalogue : NULL, &listing.rows[i], &failed, err);
        if (part != NULL)
            parts[count++] = part;
    }
    /* Who is told of changes lists again then. */
    tape->is_outdated =
        tape->is_outdated || (tape->notify_fd < 0 && is_other_listing(tape, &listing));
    listing_done(&listing);
    if (failed) {
        catalogue_free(catalogue);
        for (size_t i = 0; i < count; i++)
            part_release(parts[i]);
        free(parts);
        return false;
    }
    if (tape->unread_count > 0) {
        count = salvage_unread(tape, parts, count);
        catalogue = catalogue != NULL ? catalogue : read_catalogue(tape);
        if (catalogue != NULL)
            catalogue_define_all_streams(catalogue, tape);
    }
    tape_drop_parts(tape);
    for (size_t i = 0; i < count; i++)
        parts[i]->is_detached = false;
    tape->parts = parts;
    tape->part_count = count;
    tape_fit_order(tape->parts, tape->part_count);
    tape_gone_done(&tape->gone);
    if (may_miss_end && catalogue != NULL)
        tape_gone_learn_end(&tape->gone, tape, catalogue);
    catalogue_free(catalogue);
    tape->must_fit = true;
    return true;
}

/* Take them out of the list. */
static bool
drop_missed(struct tape *tape)
{
    size_t count = 0;
    for (size_t i = 0; i < tape->part_count; i++) {
        struct part *part = tape->parts[i];
        if (part->is_missed) {
            part->is_detached = true;
            part_release(part);
        } else {
            tape->parts[count++] = part;
        }
    }
    bool was_any = count < tape->part_count;
    tape->part_count = count;
    return was_any;
}

void
tape_leave_missed(struct tape *tape)
{
    bool ignored;
    if (!drop_missed(tape))
        return;
    load_deletions(tape);
    tape->part_count = tape_fit(
        tape, tape->parts, tape->part_count, tape->unread, tape->unread_count, true, &ignored);
}

const char *
tape_unreadable(const struct tape *tape)
{
    return tape->has_unreadable ? tape->unreadable : NULL;
}

bool
tape_is_file_name(const char *name)
{
    uint64_t id;
    size_t kind;
    return parse_name(name, &id, &kind);
}
