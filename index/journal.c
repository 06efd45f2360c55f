#include "index/journal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "index/journal_format.h"

bool
journal_open(struct journal *journal, const char *path, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set_system(err, "cannot open journal %s", path);

    unsigned char bytes[JOURNAL_HEADER_BYTES];
    struct journal_header header;
    size_t got;
    bool good = file_read_at(fd, bytes, sizeof(bytes), 0, &got, err);
    if (good && got < sizeof(bytes))
        good = error_set(err, ERROR_DAMAGED, "it ends inside its header");
    if (!good || !journal_header_decode(bytes, &header, err)) {
        (void)close(fd);
        return error_wrap(err, "journal %s", path);
    }
    *journal = (struct journal){
        .fd = fd,
        .path = alloc_text(path),
        .header = header,
        .scanned = JOURNAL_HEADER_BYTES,
        .end_seq = header.base_seq,
    };
    return true;
}

void
journal_close(struct journal *journal)
{
    if (journal->path == NULL)
        return;
    file_close_read(journal->fd);
    free(journal->path);
    free(journal->frames);
    free(journal->damage);
    *journal = (struct journal){.fd = -1};
}

/* A scan reads the file through a window, so that thousands of small frames cost few reads: a wide
 * one when everything is read, a narrow one when most bodies are stepped over. */
#define WIDE_WINDOW_BYTES   ((size_t)256 * 1024)
#define NARROW_WINDOW_BYTES 4096u

struct window {
    struct buffer buffer;
    uint64_t at;  /* file offset of buffer.data[0] */
    size_t width; /* bytes to read at least */
};

/* `length` bytes at file offset `at`, fewer at the file's end; NULL on a read error. */
static const unsigned char *
look(struct journal *journal, struct window *window, uint64_t at, size_t length, size_t *got,
    struct error *err)
{
    if (at < window->at || at + length > window->at + window->buffer.length) {
        size_t wanted = length > window->width ? length : window->width;
        window->buffer.length = 0;
        size_t read;
        if (!file_read_at(
                journal->fd, buffer_reserve(&window->buffer, wanted), wanted, at, &read, err))
            return NULL;
        window->buffer.length = read;
        window->at = at;
    }
    size_t skipped = (size_t)(at - window->at);
    size_t there = window->buffer.length > skipped ? window->buffer.length - skipped : 0;
    *got = there < length ? there : length;
    return window->buffer.data + skipped;
}

enum frame_state {
    FRAME_GOOD,
    FRAME_SHORT, /* the file ends inside it */
    FRAME_BAD,
    FRAME_NONE,       /* the end mark: nothing comes behind it */
    FRAME_UNREADABLE, /* *err is set */
};

static bool
is_end_mark(const struct journal *journal, const unsigned char *head)
{
    return journal->header.is_reused &&
           load_u32(head + FRAME_AT_CHECKSUM) == journal_frame_checksum(head, BYTES_NULL);
}

/* What a frame's header says, as far as it can be true; FRAME_GOOD: it is all there. */
static enum frame_state
read_head(const struct journal *journal, const unsigned char *head, uint64_t at, uint64_t file_size,
    struct frame *frame)
{
    uint32_t length = load_u32(head + FRAME_AT_LENGTH);
    *frame = (struct frame){
        .at = at,
        .body_bytes = length,
        .event_count = load_u32(head + FRAME_AT_EVENTS),
        .first_seq = load_u64(head + FRAME_AT_SEQ),
    };
    if (load_u32(head + FRAME_AT_MAGIC) != FRAME_MAGIC || frame->first_seq < journal->end_seq)
        return FRAME_BAD;
    if (length == 0)
        return is_end_mark(journal, head) ? FRAME_NONE : FRAME_BAD;
    if (length > FRAME_MAX_BODY || frame->event_count > length / RECORD_HEADER_BYTES)
        return FRAME_BAD;
    return at + FRAME_HEADER_BYTES + length > file_size ? FRAME_SHORT : FRAME_GOOD;
}

/* Look at the frame at `at`. With `verify` its checksum too. Somebody may be writing it between two reads: what its header
 * says is taken from the same bytes as the checksum. */
static enum frame_state
look_at_frame(struct journal *journal, struct window *window, uint64_t at, uint64_t file_size,
    bool verify, struct frame *frame, struct error *err)
{
    size_t got;
    const unsigned char *head = look(journal, window, at, FRAME_HEADER_BYTES, &got, err);
    if (head == NULL)
        return FRAME_UNREADABLE;
    if (got < FRAME_HEADER_BYTES)
        return FRAME_SHORT;
    enum frame_state state = read_head(journal, head, at, file_size, frame);
    if (state != FRAME_GOOD || (!verify && frame->event_count > 0))
        return state;

    size_t whole = FRAME_HEADER_BYTES + (size_t)frame->body_bytes;
    head = look(journal, window, at, whole, &got, err);
    if (head == NULL)
        return FRAME_UNREADABLE;
    if (got < whole)
        return FRAME_SHORT;
    uint32_t body_bytes = frame->body_bytes;
    state = read_head(journal, head, at, file_size, frame);
    if (state == FRAME_GOOD && frame->body_bytes != body_bytes)
        state = FRAME_BAD;
    if (state != FRAME_GOOD)
        return state;
    if (journal_frame_checksum(head, bytes_make(head + FRAME_HEADER_BYTES, frame->body_bytes)) !=
        load_u32(head + FRAME_AT_CHECKSUM))
        return FRAME_BAD;
    frame->verified = true;
    return FRAME_GOOD;
}

/* So many bytes of what looked like frames may be checked in vain. All the broken frames of a journal have no more than
 * its length; payloads that are made to look like frames inside each other would have its square. */
#define IN_VAIN_MAX (UINT64_C(1) << 30)

/* Is there a good frame at `at`, whose header is `head`? `apart` is for its body. */
static bool
is_good_frame(struct journal *journal, struct window *apart, const unsigned char *head, uint64_t at,
    uint64_t file_size, struct error *err)
{
    struct frame frame;
    if (read_head(journal, head, at, file_size, &frame) != FRAME_GOOD)
        return false;
    if (look_at_frame(journal, apart, at, file_size, true, &frame, err) == FRAME_GOOD)
        return true;
    journal->in_vain += frame.body_bytes;
    return false;
}

/* The next good frame behind a broken one: the first place with the magic and a right checksum. 0
 * when there is none. It ends at `file_size`: the file may grow as fast as it is searched. */
static uint64_t
find_next_frame(struct journal *journal, struct window *window, uint64_t from, uint64_t file_size,
    struct error *err)
{
    unsigned char magic[4];
    store_u32(magic, FRAME_MAGIC);
    struct window apart = {
        .width = NARROW_WINDOW_BYTES}; /* `window` keeps the place of the search */
    uint64_t at = from;
    uint64_t next = 0;
    while (next == 0 && at + FRAME_HEADER_BYTES <= file_size && journal->in_vain <= IN_VAIN_MAX) {
        size_t got;
        const unsigned char *bytes = look(journal, window, at, FRAME_HEADER_BYTES, &got, err);
        if (bytes == NULL || got < FRAME_HEADER_BYTES)
            break;
        size_t there = window->buffer.length - (size_t)(at - window->at);
        const unsigned char *found = memmem(bytes, there, magic, sizeof(magic));
        if (found != bytes) {
            at += found == NULL ? there - (sizeof(magic) - 1) : (size_t)(found - bytes);
            continue;
        }
        if (is_good_frame(journal, &apart, bytes, at, file_size, err))
            next = at;
        at++;
    }
    buffer_done(&apart.buffer);
    return next;
}

/* The seq that the first whole frame begins with. */
static bool
find_first_seq(struct journal *journal, uint64_t *first_seq, struct error *err)
{
    struct stat status;
    struct window window = {.width = WIDE_WINDOW_BYTES};
    struct frame frame = {0};
    struct error ignored;
    if (fstat(journal->fd, &status) != 0)
        return error_set_system(err, "cannot look at it");
    uint64_t size = (uint64_t)status.st_size;
    uint64_t at = find_next_frame(journal, &window, JOURNAL_HEADER_BYTES, size, &ignored);
    bool found =
        at != 0 && look_at_frame(journal, &window, at, size, true, &frame, &ignored) == FRAME_GOOD;
    buffer_done(&window.buffer);
    *first_seq = frame.first_seq;
    return found || error_set(err, ERROR_DAMAGED, "there is no whole frame in it");
}

bool
journal_open_headless(struct journal *journal, const char *path, uint64_t id, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set_system(err, "cannot open journal %s", path);
    *journal = (struct journal){
        .fd = fd,
        .path = alloc_text(path),
        .header = {.id = id, .is_reused = true}, /* it may be */
        .scanned = JOURNAL_HEADER_BYTES,
    };
    uint64_t first_seq = 0;
    if (!find_first_seq(journal, &first_seq, err)) {
        journal_close(journal);
        return error_wrap(err, "journal %s", path);
    }
    journal->header.base_seq = journal->end_seq = first_seq;
    return true;
}

static void
add_damage(struct journal *journal, const struct journal_damage *damage)
{
    journal->damage = alloc_grow(journal->damage, journal->damage_count, &journal->damage_capacity,
        sizeof(*journal->damage));
    journal->damage[journal->damage_count++] = *damage;
}

static void
read_control_records(const unsigned char *body, size_t length, journal_control *control, void *self)
{
    struct record record;
    size_t at = 0;
    while (at < length && record_decode(bytes_make(body, length), &at, &record)) {
        if (record.type != RECORD_EVENT)
            control(self, &record);
    }
}

/* Take a good frame in. */
static bool
take_frame(struct journal *journal, struct window *window, const struct frame *frame,
    journal_control *control, void *self, struct error *err)
{
    if (frame->event_count == 0) {
        size_t got;
        const unsigned char *body =
            look(journal, window, frame->at + FRAME_HEADER_BYTES, frame->body_bytes, &got, err);
        if (body == NULL)
            return false;
        read_control_records(body, got, control, self);
    } else {
        /* Seqs that a lost frame held are missing between the last frame and this one. */
        if (frame->first_seq > journal->end_seq && journal->damage_count > 0) {
            struct journal_damage *last = &journal->damage[journal->damage_count - 1];
            if (last->end_seq == last->first_seq && last->first_seq == journal->end_seq)
                last->end_seq = frame->first_seq;
        }
        journal->frames = alloc_grow(journal->frames, journal->frame_count,
            &journal->frame_capacity, sizeof(*journal->frames));
        journal->frames[journal->frame_count++] = *frame;
        journal->end_seq = frame->first_seq + frame->event_count;
    }
    journal->scanned = frame->at + FRAME_HEADER_BYTES + frame->body_bytes;
    return true;
}

/* Is `frame` the last one? It may still be on its way, and is believed only with its checksum. In a file that was used
 * before something stands behind it in any case, but what another journal left has lower seqs. */
static bool
is_last(struct journal *journal, struct window *window, const struct frame *frame,
    uint64_t file_size, struct error *err)
{
    uint64_t end = frame->at + FRAME_HEADER_BYTES + frame->body_bytes;
    if (!journal->header.is_reused || end == file_size)
        return end == file_size;
    size_t got;
    const unsigned char *head = look(journal, window, end, FRAME_HEADER_BYTES, &got, err);
    return head == NULL || got < FRAME_HEADER_BYTES ||
           load_u32(head + FRAME_AT_MAGIC) != FRAME_MAGIC ||
           load_u64(head + FRAME_AT_SEQ) < frame->first_seq + frame->event_count;
}

/* So long a writer may take over one frame. */
#define UNFINISHED_MAX_NS NS_PER_S

/* The frame at journal->scanned is not whole, and somebody may be writing it: is it worth searching behind it? In a file
 * that was used before there is much to search, which takes longer than a follower may be behind: it does only where nobody
 * writes, or the frame stays as it is, and only when something has changed since the last search. */
static bool
must_search(struct journal *journal)
{
    if (!journal->header.is_reused || !journal->is_followed)
        return true;
    int64_t now_ns = clock_monotonic_ns();
    if (journal->unfinished != journal->scanned) {
        journal->unfinished = journal->scanned;
        journal->unfinished_ns = now_ns;
        journal->searched_ns = 0;
    }
    bool is_quiet = (int64_t)((uint64_t)clock_now_ns() - journal->written_ns) >= UNFINISHED_MAX_NS;
    bool is_old = now_ns - journal->unfinished_ns >= UNFINISHED_MAX_NS;
    if (journal->searched_ns == journal->written_ns || (!is_quiet && !is_old))
        return false;
    journal->unfinished_ns = now_ns;
    journal->searched_ns = journal->written_ns;
    return true;
}

/* Is the frame at journal->scanned worth another look? There is a good one behind it, so whoever writes is done with it: it
 * is whole by now or never. One that cannot be read is no damage, but an error, which that look finds. */
static bool
must_look_again(
    struct journal *journal, struct window *window, uint64_t file_size, struct error *err)
{
    struct frame frame;
    window->buffer.length = 0;
    enum frame_state state =
        look_at_frame(journal, window, journal->scanned, file_size, true, &frame, err);
    return state == FRAME_GOOD || state == FRAME_UNREADABLE;
}

/* The frame at journal->scanned is not whole: go on behind it, with a note, where something good follows or nobody writes any
 * more. *is_over: nothing more can be read. */
static bool
step_over(struct journal *journal, struct window *window, const struct frame *frame,
    uint64_t file_size, bool is_final, bool *is_over, struct error *err)
{
    *is_over = !is_final && !must_search(journal);
    if (*is_over)
        return true;
    err->code = ERROR_NONE;
    uint64_t next = find_next_frame(journal, window, journal->scanned + 1, file_size, err);
    if (next == 0) {
        *is_over = !is_final;
        if (err->code != ERROR_NONE || !is_final)
            return err->code == ERROR_NONE;
        next = file_size;
    } else if (must_look_again(journal, window, file_size, err)) {
        return true;
    }
    add_damage(journal, &(struct journal_damage){.at = journal->scanned,
                            .bytes = next - journal->scanned,
                            .first_seq = journal->end_seq,
                            .end_seq = journal->end_seq});
    journal->in_vain += frame->body_bytes <= FRAME_MAX_BODY ? frame->body_bytes : 0;
    journal->scanned = next;
    return true;
}

static bool
scan_on(struct journal *journal, struct window *window, uint64_t file_size, bool verify,
    bool is_final, journal_control *control, void *self, struct error *err)
{
    bool is_over = false;
    while (journal->scanned < file_size && !is_over) {
        struct frame frame = {0};
        enum frame_state state =
            look_at_frame(journal, window, journal->scanned, file_size, verify, &frame, err);
        if (state == FRAME_GOOD && !frame.verified &&
            is_last(journal, window, &frame, file_size, err))
            state = look_at_frame(journal, window, frame.at, file_size, true, &frame, err);
        if (state == FRAME_UNREADABLE)
            return false;
        is_over = state == FRAME_NONE;
        bool good = true;
        if (state == FRAME_GOOD)
            good = take_frame(journal, window, &frame, control, self, err);
        else if (!is_over)
            good = step_over(journal, window, &frame, file_size, is_final, &is_over, err);
        if (!good)
            return false;
    }
    return true;
}

bool
journal_scan(struct journal *journal, bool verify, bool is_final, journal_control *control,
    void *self, struct error *err)
{
    struct stat status;
    if (fstat(journal->fd, &status) != 0)
        return error_set_system(err, "cannot look at journal %s", journal->path);
    journal->written_ns =
        (uint64_t)status.st_mtim.tv_sec * (uint64_t)NS_PER_S + (uint64_t)status.st_mtim.tv_nsec;
    struct window window = {
        .at = journal->scanned, .width = verify ? WIDE_WINDOW_BYTES : NARROW_WINDOW_BYTES};
    bool done =
        scan_on(journal, &window, (uint64_t)status.st_size, verify, is_final, control, self, err);
    buffer_done(&window.buffer);
    return done || error_wrap(err, "journal %s", journal->path);
}

/* Was the broken frame written to its end? In a file that was used before, bytes of the earlier journal follow where a write
 * was stopped, and a mark where it was not. */
static bool
was_whole(struct journal *journal, struct window *window, const struct frame *frame,
    uint64_t file_size, struct error *err)
{
    if (!journal->header.is_reused)
        return true;
    uint64_t end = frame->at + FRAME_HEADER_BYTES + frame->body_bytes;
    return end == file_size ||
           (end < file_size && !is_last(journal, window, frame, file_size, err));
}

bool
journal_end_is_broken(struct journal *journal, uint64_t at, bool *is_broken, struct error *err)
{
    static const unsigned char zeros[FRAME_HEADER_BYTES] = {0};
    unsigned char head[FRAME_HEADER_BYTES];
    struct frame frame = {0};
    struct stat status;
    struct window window = {.at = at, .width = NARROW_WINDOW_BYTES};
    size_t got;
    if (fstat(journal->fd, &status) != 0)
        return error_set_system(err, "cannot look at journal %s", journal->path);
    enum frame_state state =
        look_at_frame(journal, &window, at, (uint64_t)status.st_size, true, &frame, err);
    if (state == FRAME_UNREADABLE ||
        !file_read_at(journal->fd, head, sizeof(head), at, &got, err)) {
        buffer_done(&window.buffer);
        return error_wrap(err, "journal %s", journal->path);
    }
    *is_broken = state == FRAME_BAD && memcmp(head, zeros, got) != 0 &&
                 was_whole(journal, &window, &frame, (uint64_t)status.st_size, err);
    buffer_done(&window.buffer);
    return true;
}

/* `bytes` are the frame's header and the `got` - FRAME_HEADER_BYTES that are there of its body. */
static bool
check_frame(const struct journal *journal, struct frame *frame, const unsigned char *bytes,
    size_t got, struct error *err)
{
    bool is_whole = got == FRAME_HEADER_BYTES + (size_t)frame->body_bytes;
    if (frame->verified && is_whole)
        return true;
    if (!is_whole ||
        journal_frame_checksum(bytes, bytes_make(bytes + FRAME_HEADER_BYTES, frame->body_bytes)) !=
            load_u32(bytes + FRAME_AT_CHECKSUM))
        return error_set(err, ERROR_DAMAGED,
            "journal %s: frame at %llu (events %llu to %llu): checksum differs", journal->path,
            (unsigned long long)frame->at, (unsigned long long)frame->first_seq,
            (unsigned long long)(frame->first_seq + frame->event_count - 1));
    frame->verified = true;
    return true;
}

bool
journal_read_frame(
    struct journal *journal, struct frame *frame, struct buffer *buffer, struct error *err)
{
    size_t whole = FRAME_HEADER_BYTES + (size_t)frame->body_bytes;
    buffer->length = 0;
    unsigned char *to = buffer_reserve(buffer, whole);
    size_t got;
    if (!file_read_at(journal->fd, to, whole, frame->at, &got, err))
        return error_wrap(err, "journal %s", journal->path);
    buffer->length = got;
    return check_frame(journal, frame, to, got, err);
}

/* ---- the whole file ---- */

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

static bool
map_file(int fd, struct journal_map *map)
{
    void *data = mmap(NULL, map->length, PROT_READ, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED)
        return false;
    if (madvise(data, map->length, MADV_POPULATE_READ) != 0) {
        (void)munmap(data, map->length);
        return false;
    }
    map->data = data;
    return true;
}

bool
journal_map(const struct journal *journal, struct journal_map *map, struct error *err)
{
    *map = (struct journal_map){.length = (size_t)journal->scanned};
    if (map_file(journal->fd, map))
        return true;
    void *data =
        mmap(NULL, map->length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED)
        return error_set_system(err, "cannot have %zu bytes for %s", map->length, journal->path);
    map->data = data;
    size_t got = 0;
    bool good = file_read_at(journal->fd, map->data, map->length, 0, &got, err) &&
                (got == map->length ||
                    error_set(err, ERROR_DAMAGED, "it became shorter while it was read"));
    if (good)
        return true;
    journal_unmap(map);
    return error_wrap(err, "journal %s", journal->path);
}

void
journal_unmap(struct journal_map *map)
{
    if (map->data != NULL)
        (void)munmap(map->data, map->length);
    *map = (struct journal_map){0};
}

bool
journal_check_frame(const struct journal *journal, struct frame *frame,
    const struct journal_map *map, struct error *err)
{
    size_t there = map->length > frame->at ? map->length - (size_t)frame->at : 0;
    size_t whole = FRAME_HEADER_BYTES + (size_t)frame->body_bytes;
    return check_frame(journal, frame, map->data + frame->at, there < whole ? there : whole, err);
}
