#include "console/output.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/error.h"
#include "console/command.h"

void
output_start(struct output *output, int fd)
{
    *output = (struct output){.fd = fd};
}

/* After EINTR or EAGAIN: try again, unless the user asked twice to stop while a reader that does not
 * read keeps us waiting. */
static bool
wait_until_writable(int fd)
{
    while (signals_pending() < 2) {
        struct pollfd slot = {.fd = fd, .events = POLLOUT};
        int ready = poll(&slot, 1, 1000);
        if (ready > 0 || (ready < 0 && errno != EINTR))
            return true;
    }
    return false;
}

bool
output_flush(struct output *output)
{
    size_t done = 0;
    while (!output->is_gone && done < output->buffer.length) {
        ssize_t written =
            write(output->fd, output->buffer.data + done, output->buffer.length - done);
        if (written >= 0) {
            done += (size_t)written;
        } else if (errno == EINTR || errno == EAGAIN) {
            output->is_gone = !wait_until_writable(output->fd);
        } else {
            output->failed_errno = errno == EPIPE ? 0 : errno;
            output->is_gone = true;
        }
    }
    output->buffer.length = 0;
    return !output->is_gone;
}

bool
output_reader_left(struct output *output)
{
    struct pollfd slot = {.fd = output->fd, .events = 0};
    if (poll(&slot, 1, 0) == 1 && (slot.revents & (POLLERR | POLLNVAL)) != 0)
        output->is_gone = true;
    return output->is_gone;
}

bool
output_finish(struct output *output, struct error *err)
{
    (void)output_flush(output);
    buffer_done(&output->buffer);
    if (output->failed_errno == 0)
        return true;
    errno = output->failed_errno;
    return error_set_system(err, "cannot write the output");
}
