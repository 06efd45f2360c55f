#include "index/segment_file.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "index/catalogue.h"
#include "index/event.h"
#include "index/lanes.h"
#include "index/query.h"
#include "index/segment.h"
#include "index/segment_probe.h"
#include "index/tape_internal.h"

/* segment: open, or NULL. In the tape's pool, by newer and older, while it is open and holders is 0.
 * lanes: NULL until asked for, then for good; before that they are in the segment or in `content`. */
struct segment_file {
    struct tape *tape;
    char *path;
    struct segment_info info;
    struct segment *segment;
    struct buffer content;              /* of the catalogue's row */
    struct segment_filter_place filter; /* likewise; all zero: not known */
    struct segment_probe *probe;        /* NULL: none */
    struct lanes *lanes;
    unsigned holders;
    struct segment_file *newer;
    struct segment_file *older;
};

/* ---- the pool ---- */

static void
pool_remove(struct segment_file *file)
{
    struct segment_pool *pool = tape_segment_pool(file->tape);
    if (file->newer != NULL)
        file->newer->older = file->older;
    else
        pool->newest = file->older;
    if (file->older != NULL)
        file->older->newer = file->newer;
    else
        pool->oldest = file->newer;
    file->newer = file->older = NULL;
    pool->count--;
}

/* Close the file; its lanes stay. */
static void
shut(struct segment_file *file)
{
    if (file->lanes == NULL && file->content.data == NULL) {
        file->lanes = lanes_new();
        lanes_merge(file->lanes, segment_lanes(file->segment));
    }
    segment_close(file->segment);
    file->segment = NULL;
}

static void
pool_add(struct segment_file *file)
{
    struct segment_pool *pool = tape_segment_pool(file->tape);
    file->older = pool->newest;
    if (pool->newest != NULL)
        pool->newest->newer = file;
    else
        pool->oldest = file;
    pool->newest = file;
    pool->count++;
    if (pool->count > SEGMENT_FILES_IDLE) {
        struct segment_file *oldest = pool->oldest;
        pool_remove(oldest);
        shut(oldest);
    }
}

/* ---- opening and closing ---- */

static const struct stream *
stream_of_tape(void *self, uint32_t id)
{
    return tape_stream_by_id(self, id);
}

static struct segment_file *
new_file(struct tape *tape, const char *path, const struct segment_info *info)
{
    struct segment_file *file = alloc_zeroed(sizeof(*file));
    file->tape = tape;
    file->path = alloc_text(path);
    file->info = *info;
    return file;
}

/* Tell the tape its streams, and take them from there. */
static struct segment_file *
take_segment(struct tape *tape, const char *path, struct segment *segment)
{
    for (size_t i = 0; i < segment_stream_count(segment); i++) {
        const struct stream *stream = segment_stream(segment, i);
        if (strcmp(stream->tap, "?") != 0)
            tape_define_stream(tape, stream->id, bytes_of(stream->tap), bytes_of(stream->name));
    }
    segment_use_streams(segment, stream_of_tape, tape);
    struct segment_file *file = new_file(tape, path, segment_info(segment));
    file->segment = segment;
    pool_add(file);
    return file;
}

struct segment_file *
segment_file_open(struct tape *tape, const char *path, struct error *err)
{
    struct segment *segment = segment_open(path, err);
    if (segment == NULL)
        return NULL;
    if (!tape_is_own(tape, path, segment_info(segment)->uuid, err)) {
        segment_close(segment);
        return NULL;
    }
    return take_segment(tape, path, segment);
}

/* Open what is damaged, and tell the tape what of it is lost. */
static struct segment *
salvage(struct tape *tape, const char *path, uint64_t id, const char *why, struct error *err)
{
    struct segment_loss loss;
    struct segment *segment = segment_salvage(path, id, &loss, err);
    if (segment == NULL)
        return NULL;
    if (loss.has_uuid && !tape_is_own(tape, path, segment_info(segment)->uuid, err)) {
        segment_close(segment);
        return NULL;
    }
    if (loss.events == 0)
        tape_note_damage(tape, 0, 0, "%.190s; its events are read by its blocks", why);
    else
        tape_note_lost(tape, loss.first_seq, loss.end_seq, loss.events,
            "%.130s; read by its blocks: %llu events are there, of seq %llu to %llu %llu are lost",
            why, (unsigned long long)segment_info(segment)->event_count,
            (unsigned long long)loss.first_seq, (unsigned long long)loss.end_seq - 1,
            (unsigned long long)loss.events);
    return segment;
}

struct segment_file *
segment_file_salvage(
    struct tape *tape, const char *path, uint64_t id, const char *why, struct error *err)
{
    struct segment *segment = salvage(tape, path, id, why, err);
    return segment == NULL ? NULL : take_segment(tape, path, segment);
}

struct segment_file *
segment_file_known(struct tape *tape, const char *path, struct catalogue_row *row)
{
    struct segment_file *file = new_file(tape, path, &row->info);
    file->filter = row->filter;
    file->content = row->content;
    row->content = (struct buffer){0};
    return file;
}

/* The probe is gone. */
static void
forget_probe(struct segment_file *file)
{
    file->probe = NULL;
    tape_segment_pool(file->tape)->probes--;
}

static void
drop_probe(struct segment_file *file)
{
    if (file->probe == NULL)
        return;
    segment_probe_close(file->probe);
    forget_probe(file);
}

void
segment_file_close(struct segment_file *file)
{
    if (file == NULL)
        return;
    assert(file->holders == 0);
    drop_probe(file);
    if (file->segment != NULL) {
        pool_remove(file);
        segment_close(file->segment);
    }
    lanes_free(file->lanes);
    buffer_done(&file->content);
    free(file->path);
    free(file);
}

const struct segment_info *
segment_file_info(const struct segment_file *file)
{
    return &file->info;
}

bool
segment_file_is_open(const struct segment_file *file)
{
    return file->segment != NULL;
}

/* ---- asking ---- */

/* Have a probe. False: there can be none. */
static bool
begin_probe(struct segment_file *file)
{
    if (file->probe != NULL)
        return true;
    file->probe = segment_probe_open(file->path, &file->filter, file->info.file_bytes);
    if (file->probe != NULL)
        tape_segment_pool(file->tape)->probes++;
    return file->probe != NULL;
}

bool
segment_file_expect(struct segment_file *file, const struct query_token *tokens, size_t count)
{
    if (file->segment != NULL || count == 0 ||
        tape_segment_pool(file->tape)->probes >= SEGMENT_FILES_IDLE || !begin_probe(file))
        return false;
    bool must_read = false;
    for (size_t i = 0; i < count; i++)
        must_read |= segment_probe_expect(file->probe, tokens[i].kind, tokens[i].value);
    return must_read;
}

bool
segment_file_may_hold(struct segment_file *file, const struct query_token *tokens, size_t count)
{
    struct segment_pool *pool = tape_segment_pool(file->tape);
    if (file->segment != NULL || count == 0 || !begin_probe(file))
        return true;
    bool may_hold = true;
    for (size_t i = 0; may_hold && i < count; i++)
        may_hold = segment_probe_may_hold(file->probe, tokens[i].kind, tokens[i].value);
    if (pool->probes > SEGMENT_FILES_IDLE)
        drop_probe(file);
    return may_hold;
}

bool
segment_file_expect_open(struct segment_file *file, const struct query_token *tokens, size_t count)
{
    if (file->probe == NULL || !segment_file_may_hold(file, tokens, count) || file->probe == NULL)
        return false;
    segment_probe_expect_open(file->probe);
    return true;
}

/* ---- holding ---- */

static bool
is_as_known(const struct segment_info *found, const struct segment_info *known)
{
    return found->id == known->id && found->first_seq == known->first_seq &&
           found->end_seq == known->end_seq && found->event_count == known->event_count &&
           found->block_count == known->block_count && found->created_ns == known->created_ns;
}

/* The file, which its probe may have open. */
static struct segment *
open_file(struct segment_file *file, struct error *err)
{
    int fd = -1;
    if (file->probe != NULL) {
        segment_probe_expect_open(file->probe);
        fd = segment_probe_take_file(file->probe);
        forget_probe(file);
    }
    return segment_open_as(file->path, fd, err);
}

/* The file has been opened before, or the catalogue knows it: it may be damaged since. */
static struct segment *
open_again(struct segment_file *file, bool *is_salvaged, struct error *err)
{
    struct segment *segment = open_file(file, err);
    if (segment != NULL || err->code != ERROR_DAMAGED)
        return segment;
    struct error why = *err;
    segment = salvage(file->tape, file->path, file->info.id, why.text, err);
    *is_salvaged = segment != NULL;
    if (segment == NULL)
        *err = why;
    else if (segment_info(segment)->first_seq < file->info.first_seq ||
             segment_info(segment)->end_seq > file->info.end_seq) {
        segment_close(segment); /* another file lies there by now */
        segment = NULL;
        *err = why;
    }
    errno = 0; /* the file is there */
    return segment;
}

struct segment *
segment_file_hold(struct segment_file *file, struct error *err)
{
    if (file->segment == NULL) {
        bool is_salvaged = false;
        struct segment *segment = open_again(file, &is_salvaged, err);
        if (segment == NULL)
            return NULL;
        if (!is_salvaged && !is_as_known(segment_info(segment), &file->info)) {
            segment_close(segment);
            (void)error_set(err, ERROR_DAMAGED,
                "segment %s is not what the catalogue says; tapedeck tape rebuild makes it again",
                file->path);
            errno = 0;
            return NULL;
        }
        segment_use_streams(segment, stream_of_tape, file->tape);
        file->segment = segment;
    } else if (file->holders == 0) {
        pool_remove(file);
    }
    file->holders++;
    return file->segment;
}

void
segment_file_release(struct segment_file *file)
{
    assert(file->holders > 0);
    if (--file->holders == 0)
        pool_add(file);
}

const struct lanes *
segment_file_lanes(struct segment_file *file, struct error *err)
{
    if (file->lanes != NULL)
        return file->lanes;
    if (file->content.data != NULL) {
        file->lanes = catalogue_row_lanes(bytes_make(file->content.data, file->content.length));
        buffer_done(&file->content);
        file->content = (struct buffer){0};
        if (file->lanes != NULL)
            return file->lanes;
    }
    if (segment_file_hold(file, err) == NULL)
        return NULL;
    if (file->lanes == NULL) {
        file->lanes = lanes_new();
        lanes_merge(file->lanes, segment_lanes(file->segment));
    }
    segment_file_release(file);
    return file->lanes;
}
