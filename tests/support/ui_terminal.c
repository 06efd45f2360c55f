#include "tests/support/ui_terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "tests/support/unit.h"
#include "ui/glyph.h"

#define DEADLINE_NS (10 * NS_PER_S)

struct terminal *
terminal_start(int rows, int columns, const char *term, int (*run)(void *self), void *self)
{
    struct terminal *terminal = alloc_zeroed(sizeof(*terminal));
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};

    terminal->rows = rows;
    terminal->columns = columns;
    terminal->vterm = vterm_new(rows, columns);
    vterm_set_utf8(terminal->vterm, 1);
    terminal->screen = vterm_obtain_screen(terminal->vterm);
    vterm_screen_enable_altscreen(terminal->screen, 1);
    vterm_screen_reset(terminal->screen, 1);
    terminal->child = forkpty(&terminal->fd, NULL, NULL, &size);
    if (terminal->child < 0)
        fail_msg("forkpty: %s", strerror(errno));
    if (terminal->child == 0) {
        setenv("TERM", term, 1);
        unsetenv("NO_COLOR");
        unsetenv("COLORFGBG");
        setlocale(LC_CTYPE, "C.UTF-8");
        _exit(run(self));
    }
    fcntl(terminal->fd, F_SETFL, fcntl(terminal->fd, F_GETFL) | O_NONBLOCK);
    return terminal;
}

void
terminal_close(struct terminal *terminal)
{
    if (terminal->child > 0) {
        kill(terminal->child, SIGKILL);
        waitpid(terminal->child, NULL, 0);
    }
    close(terminal->fd);
    vterm_free(terminal->vterm);
    buffer_done(&terminal->bytes);
    free(terminal);
}

/* What the terminal itself answers (CSI 5n gets CSI 0n). */
static void
send_answers(struct terminal *terminal)
{
    char answer[256];
    size_t length = vterm_output_read(terminal->vterm, answer, sizeof(answer));
    if (length > 0 && !terminal->is_mute)
        (void)!write(terminal->fd, answer, length);
}

static void
count_fences(struct terminal *terminal, size_t from)
{
    static const char mark[] = "\033]7777;";
    size_t length = sizeof(mark) - 1;
    size_t start = from > length ? from - length + 1 : 0;
    const unsigned char *at = terminal->bytes.data + start;
    const unsigned char *end = terminal->bytes.data + terminal->bytes.length;

    while ((at = memmem(at, (size_t)(end - at), mark, length)) != NULL) {
        terminal->fences++;
        at += length;
    }
}

bool
terminal_read(struct terminal *terminal, int timeout_ms)
{
    struct pollfd fd = {.fd = terminal->fd, .events = POLLIN};
    if (poll(&fd, 1, timeout_ms) <= 0)
        return true;

    unsigned char *place = buffer_reserve(&terminal->bytes, 65536);
    ssize_t got = read(terminal->fd, place, 65536);
    if (got < 0 && errno == EAGAIN)
        return true;
    if (got <= 0) {
        terminal->hung_up = true;
        return false;
    }
    vterm_input_write(terminal->vterm, (const char *)place, (size_t)got);
    size_t from = terminal->bytes.length;
    terminal->bytes.length += (size_t)got;
    count_fences(terminal, from);
    send_answers(terminal);
    return true;
}

void
terminal_type(struct terminal *terminal, const char *keys)
{
    size_t length = strlen(keys);
    for (size_t done = 0; done < length;) {
        ssize_t written = write(terminal->fd, keys + done, length - done);
        if (written > 0)
            done += (size_t)written;
        else if (errno != EAGAIN || !terminal_read(terminal, 10))
            return;
    }
}

void
terminal_resize(struct terminal *terminal, int rows, int columns)
{
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
    terminal->rows = rows;
    terminal->columns = columns;
    vterm_set_size(terminal->vterm, rows, columns);
    ioctl(terminal->fd, TIOCSWINSZ, &size);
}

bool
terminal_try_settle(struct terminal *terminal)
{
    int wanted = terminal->fences + 1;
    int64_t deadline = clock_monotonic_ns() + DEADLINE_NS;

    terminal_type(terminal, "\033[9999~");
    while (terminal->fences < wanted && clock_monotonic_ns() < deadline)
        if (!terminal_read(terminal, 100))
            return terminal->fences >= wanted;
    if (terminal->fences < wanted)
        fail_msg(
            "the fence was not answered within 10 s; on the screen:\n%s", terminal_text(terminal));
    return true;
}

void
terminal_settle(struct terminal *terminal)
{
    if (!terminal_try_settle(terminal))
        fail_msg("the program has ended; on the screen:\n%s", terminal_text(terminal));
}

int
terminal_wait(struct terminal *terminal)
{
    int64_t deadline = clock_monotonic_ns() + DEADLINE_NS;
    int status = 0;

    while (waitpid(terminal->child, &status, WNOHANG) == 0) {
        if (clock_monotonic_ns() > deadline)
            fail_msg("the program did not end within 10 s");
        terminal_read(terminal, 20);
    }
    terminal->child = 0;
    while (!terminal->hung_up && clock_monotonic_ns() < deadline) {
        size_t before = terminal->bytes.length;
        terminal_read(terminal, 20);
        if (terminal->bytes.length == before)
            break;
    }
    return status;
}

static void
append_cell(struct buffer *line, const VTermScreenCell *cell)
{
    char utf8[4];
    if (cell->chars[0] == 0)
        buffer_append_byte(line, ' ');
    for (int i = 0; i < VTERM_MAX_CHARS_PER_CELL && cell->chars[i] != 0; i++)
        if (cell->chars[i] != (uint32_t)-1) /* the right half of a wide character */
            buffer_append(line, utf8, glyph_encode(cell->chars[i], utf8));
}

char *
terminal_text(struct terminal *terminal)
{
    struct buffer text = {0};

    for (int row = 0; row < terminal->rows; row++) {
        for (int column = 0; column < terminal->columns; column++) {
            VTermScreenCell cell;
            vterm_screen_get_cell(terminal->screen, (VTermPos){.row = row, .col = column}, &cell);
            append_cell(&text, &cell);
        }
        while (text.length > 0 && text.data[text.length - 1] == ' ')
            text.length--;
        buffer_append_byte(&text, '\n');
    }
    char *copy = alloc_text_of(text.data, text.length);
    buffer_done(&text);
    return copy;
}

void
terminal_forget(struct terminal *terminal)
{
    terminal->bytes.length = 0;
}

/* The length of the control sequence at `at` when it is one that the screen may send, else 0. */
static size_t
allowed_sequence(const unsigned char *at, size_t length)
{
    static const char finals[] = "ABCDGHJKLMPSTXZ@abcdfhlmnrt";

    if (length >= 2 &&
        (at[1] == '7' || at[1] == '8' || at[1] == '=' || at[1] == '>' || at[1] == 'M'))
        return 2;
    if (length >= 3 && (at[1] == '(' || at[1] == ')') && (at[2] == 'B' || at[2] == '0'))
        return 3;
    if (length >= 8 && memcmp(at, "\033]7777;", 7) == 0) {
        const unsigned char *bell = memchr(at, 7, length);
        return bell != NULL ? (size_t)(bell - at) + 1 : 0;
    }
    if (length < 3 || at[1] != '[')
        return 0;
    size_t end = 2;
    while (end < length && (at[end] == ';' || at[end] == '?' || (at[end] >= '0' && at[end] <= '9')))
        end++;
    return end < length && strchr(finals, at[end]) != NULL && at[end] != '\0' ? end + 1 : 0;
}

const char *
terminal_bad_bytes(const struct terminal *terminal)
{
    static char complaint[128];
    const unsigned char *data = terminal->bytes.data;
    size_t length = terminal->bytes.length;

    for (size_t at = 0; at < length;) {
        uint32_t code = 0;
        size_t bytes = data[at] == 27 ? allowed_sequence(data + at, length - at)
                                      : glyph_decode(data + at, length - at, &code);
        bool is_shift = code == 14 || code == 15; /* how a vt100 leaves its line drawing set */
        bool is_motion = code == '\r' || code == '\n' || code == '\b' || is_shift;
        enum glyph_class kind = data[at] == 27 ? GLYPH_PLAIN : glyph_classify(code);
        if (bytes == 0 || (!is_motion && kind != GLYPH_PLAIN && kind != GLYPH_MARK)) {
            unsigned char next = at + 1 < length ? data[at + 1] : 0;
            (void)snprintf(complaint, sizeof(complaint), "byte %zu of %zu: %02x %02x", at, length,
                data[at], next);
            return complaint;
        }
        at += bytes;
    }
    return NULL;
}

char
terminal_mode(const struct terminal *terminal, int mode)
{
    char text[24];
    char last = 0;
    size_t length = (size_t)snprintf(text, sizeof(text), "\033[?%d", mode);
    const unsigned char *at = terminal->bytes.data;
    const unsigned char *end = at + terminal->bytes.length;

    while ((at = memmem(at, (size_t)(end - at), text, length)) != NULL) {
        at += length;
        if (at < end && (*at == 'h' || *at == 'l'))
            last = (char)*at;
    }
    return last;
}
