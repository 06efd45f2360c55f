/* sink_file.c - events to a file, a line of JSON each, as `tapedeck events --json` prints them.
 *
 * Lines are appended, and an event is acknowledged when fdatasync has returned. A line that an earlier run
 * began and could not end is cut off first; anybody else's is left alone, and then nothing is written. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "index/event.h"
#include "replay/event_line.h"
#include "replay/file_end.h"
#include "replay/plan.h"
#include "replay/provenance.h"
#include "replay/sink.h"

#define WRITE_BYTES ((size_t)1024 * 1024)
#define WRITE_NS    (50 * NS_PER_MS)

static const char line_begin[] = "{\"v\":1,\"seq\":\"";

/* A line that is in `lines` and not yet in the file. */
struct waiting {
    void *tag;
    int64_t offset;
};

/* The file is whole up to `end`, and `lines` come behind it. */
struct file_sink {
    struct sink sink;
    struct sink_options options;
    int fd;
    int64_t end;
    int64_t first_ns; /* when the oldest of `waiting` came */
    struct buffer lines;
    struct buffer headers;
    struct buffer origin;
    struct waiting *waiting;
    size_t count;
    size_t capacity;
    char trouble[256];
};

extern const struct sink_ops sink_file;
extern const struct target_ops target_file_ops; /* target_file.c */

/* ---- opening ---- */

/* True when what is behind the last line break can only be what a run of ours left. */
static bool
is_ours(int fd, int64_t from, struct error *err)
{
    char begin[sizeof(line_begin) - 1];
    size_t got;
    return file_read_at(fd, begin, sizeof(begin), (uint64_t)from, &got, err) &&
           (memcmp(begin, line_begin, got) == 0 ||
               error_set(err, ERROR_REFUSED,
                   "its last line has no end, and is not of a replay; end it, or choose another "
                   "file"));
}

static bool
find_end(struct file_sink *sink, struct error *err)
{
    struct stat status;
    if (flock(sink->fd, LOCK_EX | LOCK_NB) != 0)
        return error_set(err, ERROR_REFUSED, "another replay is writing to it");
    if (!file_end_of_lines(sink->fd, &sink->end, err))
        return false;
    if (fstat(sink->fd, &status) != 0)
        return error_set_system(err, "cannot tell its size");
    if (status.st_size == sink->end)
        return true;
    return is_ours(sink->fd, sink->end, err) &&
           (ftruncate(sink->fd, sink->end) == 0 || error_set_system(err, "cannot cut it"));
}

static void file_close(struct sink *base);

static struct sink *
file_open(const struct sink_options *options, struct error *err)
{
    const char *path = options->plan->target.name;
    struct file_sink *sink = alloc_zeroed(sizeof(*sink));
    sink->sink.ops = &sink_file;
    sink->options = *options;
    sink->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (sink->fd < 0)
        (void)error_set_system(err, "cannot write '%s'", path);
    else if (find_end(sink, err))
        return &sink->sink;
    else
        (void)error_wrap(err, "'%s'", path);
    file_close(&sink->sink);
    return NULL;
}

/* ---- writing ---- */

static void
finish_all(struct file_sink *sink, const struct error *failure)
{
    size_t count = sink->count;
    sink->count = 0;
    sink->lines.length = 0;
    for (size_t i = 0; i < count; i++)
        sink->options.finished(sink->options.self, sink->waiting[i].tag,
            failure == NULL ? sink->waiting[i].offset : -1, failure);
}

/* Write what waits. After a failure the file ends where it did before. */
static void
write_out(struct file_sink *sink)
{
    struct error err;
    struct iovec part = {.iov_base = sink->lines.data, .iov_len = sink->lines.length};
    if (sink->count == 0)
        return;
    bool good = file_write_all(sink->fd, &part, 1, &err);
    if (good && fdatasync(sink->fd) != 0)
        good = error_set_system(&err, "cannot bring it to the disk");
    if (good) {
        sink->end += (int64_t)sink->lines.length;
        finish_all(sink, NULL);
        return;
    }
    if (ftruncate(sink->fd, sink->end) != 0)
        (void)error_wrap(&err, "and its end cannot be mended");
    memcpy(sink->trouble, err.text, sizeof(sink->trouble));
    finish_all(sink, &err);
}

/* The event's own headers and the four of provenance. */
static struct bytes
make_headers(struct file_sink *sink, const struct sink_message *message)
{
    struct event_header header;
    char digits[PROVENANCE_DIGITS];
    size_t count = 0;
    for (size_t at = 0; event_next_header(message->event, &at, &header);)
        count++;
    sink->headers.length = 0;
    headers_begin(&sink->headers, count + PROVENANCE_HEADERS);
    for (size_t at = 0; event_next_header(message->event, &at, &header);)
        headers_add(&sink->headers, header.name, header.value);
    sink->origin.length = 0;
    provenance_origin(message->event, &sink->origin);
    headers_add(&sink->headers, bytes_of(PROVENANCE_REPLAY), bytes_of(sink->options.plan->id));
    headers_add(&sink->headers, bytes_of(PROVENANCE_SEQ),
        bytes_make(digits, provenance_number(message->index, digits)));
    headers_add(&sink->headers, bytes_of(PROVENANCE_ORIG),
        bytes_make(sink->origin.data, sink->origin.length));
    headers_add(&sink->headers, bytes_of(PROVENANCE_HOPS),
        bytes_make(digits, provenance_number(message->hops, digits)));
    return bytes_make(sink->headers.data, sink->headers.length);
}

static bool
file_send(struct sink *base, const struct sink_message *message, struct error *err)
{
    struct file_sink *sink = (struct file_sink *)base;
    struct event event = *message->event;
    (void)err;
    event.seq = message->index;
    event.headers = make_headers(sink, message);
    if (sink->options.plan->timestamps == TIMESTAMPS_NOW) {
        event.time_ns = clock_now_ns();
        event.time_type = TIME_CREATE;
    }
    if (sink->count == 0)
        sink->first_ns = clock_monotonic_ns();
    sink->waiting =
        alloc_grow(sink->waiting, sink->count, &sink->capacity, sizeof(sink->waiting[0]));
    sink->waiting[sink->count++] =
        (struct waiting){.tag = message->tag, .offset = sink->end + (int64_t)sink->lines.length};
    event_line_append(&sink->lines, &event);
    return true;
}

/* Many lines are worth one fdatasync; when there is time to wait there is time to write. */
static void
file_poll(struct sink *base, int timeout_ms)
{
    struct file_sink *sink = (struct file_sink *)base;
    int64_t now_ns = clock_monotonic_ns();
    if (sink->count == 0 && timeout_ms > 0)
        clock_sleep_until_ns(now_ns + timeout_ms * NS_PER_MS);
    else if (timeout_ms > 0 || sink->lines.length >= WRITE_BYTES ||
             now_ns - sink->first_ns >= WRITE_NS)
        write_out(sink);
}

static const char *
file_trouble(struct sink *base)
{
    return ((struct file_sink *)base)->trouble;
}

static void
file_abandon(struct sink *base)
{
    struct error given_up;
    (void)error_set(&given_up, ERROR_SYSTEM, "given up");
    finish_all((struct file_sink *)base, &given_up);
}

static void
file_close(struct sink *base)
{
    struct file_sink *sink = (struct file_sink *)base;
    file_abandon(base);
    if (sink->fd >= 0)
        (void)close(sink->fd);
    buffer_done(&sink->lines);
    buffer_done(&sink->headers);
    buffer_done(&sink->origin);
    free(sink->waiting);
    free(sink);
}

const struct sink_ops sink_file = {
    .transport = "file",
    .target = &target_file_ops,
    .open = file_open,
    .send = file_send,
    .poll = file_poll,
    .trouble = file_trouble,
    .abandon = file_abandon,
    .close = file_close,
};
