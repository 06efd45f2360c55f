#include "console/line_input.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "console/command.h"

#define READ_BYTES ((size_t)256 * 1024)

void
line_input_start(struct line_input *input, int fd, size_t limit)
{
    *input = (struct line_input){.fd = fd, .limit = limit};
}

void
line_input_done(struct line_input *input)
{
    buffer_done(&input->buffer);
}

/* Make room by dropping lines that were handed out. */
static void
drop_read(struct line_input *input)
{
    struct buffer *buffer = &input->buffer;
    if (input->at == 0)
        return;
    memmove(buffer->data, buffer->data + input->at, buffer->length - input->at);
    buffer->length -= input->at;
    input->seen -= input->at;
    input->at = 0;
}

/* Polls first, so that a signal is noticed that came just before the read. */
static enum line_step
read_more(struct line_input *input, struct error *err)
{
    drop_read(input);
    for (;;) {
        struct pollfd slots[] = {
            {.fd = input->fd, .events = POLLIN}, {.fd = signals_fd(), .events = POLLIN}};
        (void)poll(slots, 2, -1);
        if (signals_pending() > 0)
            return LINE_STOPPED;
        ssize_t got = read(input->fd, buffer_reserve(&input->buffer, READ_BYTES), READ_BYTES);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got < 0) {
            (void)error_set_system(err, "cannot read the input");
            return LINE_FAILED;
        }
        input->buffer.length += (size_t)got;
        input->is_at_end = got == 0;
        return LINE_READ;
    }
}

static void
hand_out(struct line_input *input, size_t end, struct bytes *line)
{
    *line = bytes_make(input->buffer.data + input->at, end - input->at);
    input->number++;
}

enum line_step
line_input_next(struct line_input *input, struct bytes *line, struct error *err)
{
    for (;;) {
        struct buffer *buffer = &input->buffer;
        const unsigned char *found =
            buffer->length == input->seen
                ? NULL
                : memchr(buffer->data + input->seen, '\n', buffer->length - input->seen);
        if (found != NULL) {
            size_t end = (size_t)(found - buffer->data);
            hand_out(input, end, line);
            input->at = input->seen = end + 1;
            return LINE_READ;
        }
        input->seen = buffer->length;
        if (input->is_at_end && input->at == buffer->length)
            return LINE_END;
        if (input->is_at_end) {
            hand_out(input, buffer->length, line);
            input->at = buffer->length;
            return LINE_READ;
        }
        if (buffer->length - input->at > input->limit) {
            (void)error_set(err, ERROR_LIMIT, "line %llu is longer than %zu bytes",
                (unsigned long long)input->number + 1, input->limit);
            return LINE_FAILED;
        }
        enum line_step step = read_more(input, err);
        if (step != LINE_READ)
            return step;
    }
}
