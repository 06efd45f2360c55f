/* target_file.c - a file of lines as the target of a replay: asked, and read back.
 *
 * It has one partition, and an event's offset is where its line begins. What is behind the last line break
 * is a line that is being written, or was when its writer ended: it is not there yet. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "replay/event_line.h"
#include "replay/file_end.h"
#include "replay/target.h"
#include "replay/target_reader.h"

#define CHUNK ((size_t)256 * 1024)

/* buffer[at ..) has been read from the file and not handed out; `offset` is where buffer[0] is in it. */
struct file_reader {
    struct target_reader reader;
    int fd; /* -1: there is no such file yet */
    struct stream stream;
    int64_t offset;
    int64_t end;
    struct buffer buffer;
    size_t at;
    struct event_line line;
};

/* Nothing is made: where there is no file yet there must be a directory that one can be made in. */
static bool
file_ask(const struct target *target, const struct kafka_settings *settings,
    struct target_facts *facts, struct error *err)
{
    struct stat status;
    (void)settings;
    *facts = (struct target_facts){.partitions = 1};
    if (stat(target->name, &status) == 0) {
        if (!S_ISREG(status.st_mode))
            return error_set(err, ERROR_ARGUMENT, "'%s' is not a file", target->name);
        return access(target->name, R_OK | W_OK) == 0 ||
               error_set_system(err, "cannot write '%s'", target->name);
    }
    if (errno != ENOENT)
        return error_set_system(err, "cannot look at '%s'", target->name);
    char *directory =
        alloc_text_of(target->name, (size_t)(strrchr(target->name, '/') - target->name + 1));
    bool good = access(directory, W_OK | X_OK) == 0 ||
                error_set_system(err, "cannot make a file in '%s'", directory);
    free(directory);
    return good;
}

static void file_reader_close(struct target_reader *base);

static struct target_reader *
file_reader_open(
    const struct target *target, const struct kafka_settings *settings, struct error *err)
{
    struct file_reader *reader = alloc_zeroed(sizeof(*reader));
    reader->stream.tap = alloc_text("");
    reader->stream.name = alloc_text(target->name);
    reader->stream.label = alloc_text(target->name);
    reader->fd = -1;
    bool good = file_ask(target, settings, &reader->reader.facts, err);
    if (good)
        reader->fd = open(target->name, O_RDONLY | O_CLOEXEC);
    if (good && reader->fd < 0 && errno != ENOENT)
        good = error_set_system(err, "cannot read '%s'", target->name);
    if (good)
        return &reader->reader;
    file_reader_close(&reader->reader);
    return NULL;
}

static void
file_reader_close(struct target_reader *base)
{
    struct file_reader *reader = (struct file_reader *)base;
    if (reader->fd >= 0)
        (void)close(reader->fd);
    event_line_done(&reader->line);
    buffer_done(&reader->buffer);
    free(reader->stream.tap);
    free(reader->stream.name);
    free(reader->stream.label);
    free(reader);
}

/* A file that was not there when the reader was opened may be by now. */
static bool
file_reader_offsets(
    struct target_reader *base, int32_t partition, int64_t *first, int64_t *end, struct error *err)
{
    struct file_reader *reader = (struct file_reader *)base;
    (void)partition;
    if (reader->fd < 0)
        reader->fd = open(reader->stream.name, O_RDONLY | O_CLOEXEC);
    if (reader->fd < 0 && errno != ENOENT)
        return error_set_system(err, "cannot read '%s'", reader->stream.name);
    *first = 0;
    *end = 0;
    return reader->fd < 0 || file_end_of_lines(reader->fd, end, err) ||
           error_wrap(err, "'%s'", reader->stream.name);
}

static bool
file_reader_add(
    struct target_reader *base, int32_t partition, int64_t from, int64_t end, struct error *err)
{
    struct file_reader *reader = (struct file_reader *)base;
    (void)partition;
    (void)err;
    reader->offset = from;
    reader->end = end;
    return true;
}

/* Have more of the file in the buffer. *got is 0 at the end of the range. */
static bool
read_more(struct file_reader *reader, size_t *got, struct error *err)
{
    struct buffer *buffer = &reader->buffer;
    if (reader->at > 0) {
        memmove(buffer->data, buffer->data + reader->at, buffer->length - reader->at);
        buffer->length -= reader->at;
        reader->offset += (int64_t)reader->at;
        reader->at = 0;
    }
    int64_t from = reader->offset + (int64_t)buffer->length;
    int64_t left = reader->end - from;
    *got = 0;
    if (left <= 0)
        return true;
    size_t wanted = left < (int64_t)CHUNK ? (size_t)left : CHUNK;
    unsigned char *to = buffer_reserve(buffer, wanted);
    if (!file_read_at(reader->fd, to, wanted, (uint64_t)from, got, err))
        return error_wrap(err, "'%s'", reader->stream.name);
    buffer->length += *got;
    return true;
}

static void
to_event(struct file_reader *reader, size_t length, struct event *event)
{
    struct bytes text = bytes_make(reader->buffer.data + reader->at, length);
    *event = (struct event){
        .received_ns = clock_now_ns(),
        .time_ns = CLOCK_NONE,
        .offset = reader->offset + (int64_t)reader->at,
        .stream = &reader->stream,
        .time_type = TIME_NONE,
    };
    if (!event_line_parse(&reader->line, text, event))
        event->payload = text; /* somebody else's */
    reader->at += length + 1;
}

static enum target_step
file_reader_next(struct target_reader *base, int timeout_ms, struct event *event, struct error *err)
{
    struct file_reader *reader = (struct file_reader *)base;
    size_t searched = 0; /* of what is in the buffer behind `at` */
    (void)timeout_ms;
    for (;;) {
        size_t held = reader->buffer.length - reader->at;
        const unsigned char *from = reader->buffer.data + reader->at;
        const unsigned char *found =
            held > searched ? memchr(from + searched, '\n', held - searched) : NULL;
        if (found != NULL) {
            to_event(reader, (size_t)(found - from), event);
            return TARGET_EVENT;
        }
        searched = held;
        size_t got;
        if (!read_more(reader, &got, err))
            return TARGET_FAILED;
        if (got == 0)
            return TARGET_END;
    }
}

extern const struct target_ops target_file_ops;
const struct target_ops target_file_ops = {
    .ask = file_ask,
    .open = file_reader_open,
    .close = file_reader_close,
    .offsets = file_reader_offsets,
    .add = file_reader_add,
    .next = file_reader_next,
};
