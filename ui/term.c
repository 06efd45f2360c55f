#include "ui/term.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <curses.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "ui/glyph.h"
#include "ui/term_info.h"
#include "ui/term_internal.h"

#define ANSWER_WAIT_NS  (1500 * NS_PER_MS)
#define UNANSWERED_MAX  3
#define SILENT_FRAME_NS (250 * NS_PER_MS) /* between data frames when nothing is ever answered */

static const char begin_frame[] = "\033[?2026h";
static const char end_frame[] = "\033[?2026l";
static const char ask_for_answer[] = "\033[5n";
static const char take_over[] = "\033[?2004h\033[?1004h"; /* bracketed paste, focus */

/* stdin when it is a terminal, else the controlling terminal: keys work with stdin redirected. */
static bool
open_terminal(struct term *term, struct error *err)
{
    int input = isatty(STDIN_FILENO) ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                                     : open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (input < 0)
        return error_set(err, ERROR_ARGUMENT,
            "no terminal to read keys from: stdin is not one and /dev/tty cannot be opened");
    term->input = fdopen(input, "r");

    /* A description of its own: O_NONBLOCK on stdout would be shared with the shell. */
    term->output_fd = open("/dev/tty", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (term->output_fd < 0)
        term->output_fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (term->input == NULL || term->output_fd < 0)
        return error_set_system(err, "cannot open the terminal");
    if (tcgetattr(input, &term->shell_modes) != 0)
        return error_set_system(err, "cannot read the terminal's modes");
    return true;
}

/* Start curses on the memory file. Its own signal handlers are taken out again: signals are read by
 * the loop, and a handler that stays would outlive the screen. */
static bool
start_curses(struct term *term, const char *name, struct error *err)
{
    static const int touched[] = {SIGINT, SIGTERM, SIGTSTP, SIGWINCH};
    struct sigaction before[4];
    for (int i = 0; i < 4; i++)
        sigaction(touched[i], NULL, &before[i]);

    int memory = memfd_create("tapedeck-frame", MFD_CLOEXEC);
    term->frame = memory >= 0 ? fdopen(memory, "w") : NULL;
    if (term->frame == NULL)
        return error_set_system(err, "cannot make the frame's memory file");
    if (getenv("ESCDELAY") == NULL) /* NOLINT(concurrency-mt-unsafe): nobody sets it */
        set_escdelay(25);
    term->screen = newterm(name, term->frame, term->input);
    for (int i = 0; i < 4; i++)
        sigaction(touched[i], &before[i], NULL);
    if (term->screen == NULL)
        return error_set(err, ERROR_ARGUMENT, "curses cannot draw on a terminal of type %s", name);
    set_term(term->screen);
    return true;
}

static void
set_up_curses(void)
{
    raw();
    noecho();
    nonl();
    typeahead(-1); /* or a pending key would stop a frame in its middle */
    leaveok(stdscr, FALSE);
    scrollok(stdscr, FALSE);
    curs_set(0);
}

static void
enter(struct term *term)
{
    tcsetattr(fileno(term->input), TCSADRAIN, &term->our_modes);
    rescue_arm(fileno(term->input), &term->shell_modes, term->restore, term->restore_length);
    buffer_append(&term->pending, take_over, sizeof(take_over) - 1);
}

struct term *
term_open(const struct term_options *options, struct error *err)
{
    const char *name = term_info_choose(err);
    if (name == NULL)
        return NULL;

    struct term *term = alloc_zeroed(sizeof(*term));
    term->output_fd = -1;
    term->ascii = options->ascii;
    term->answers_expected = true;
    if (!open_terminal(term, err) || !start_curses(term, name, err)) {
        term_close(term);
        return NULL;
    }
    set_up_curses();
    term_choose_roles(term, options->color);
    term->keys = newpad(1, 1);
    keypad(term->keys, TRUE);
    nodelay(term->keys, TRUE);
    term_define_keys(options->for_test);
    term->restore_length =
        term_info_restore(term->restore, sizeof(term->restore), &term->restore_extra);
    term->our_modes = term->shell_modes;
    cfmakeraw(&term->our_modes);
    enter(term);
    term_refit(term);
    return term;
}

void
term_take_frame(struct term *term, struct buffer *to)
{
    int memory = fileno(term->frame);
    off_t length = lseek(memory, 0, SEEK_CUR);
    if (length <= 0)
        return;
    unsigned char *place = buffer_reserve(to, (size_t)length);
    ssize_t got = pread(memory, place, (size_t)length, 0);
    if (got > 0)
        to->length += (size_t)got;
    (void)!ftruncate(memory, 0);
    lseek(memory, 0, SEEK_SET);
}

/* Write the last bytes of all, waiting a little for a slow terminal but not for a dead one. */
static void
write_patiently(struct term *term, const void *data, size_t length)
{
    int64_t deadline = clock_monotonic_ns() + 500 * NS_PER_MS;
    const char *at = data;

    while (length > 0 && !term->is_gone && clock_monotonic_ns() < deadline) {
        ssize_t written = write(term->output_fd, at, length);
        if (written > 0) {
            at += written;
            length -= (size_t)written;
        } else if (errno == EAGAIN) {
            clock_sleep_until_ns(clock_monotonic_ns() + 5 * NS_PER_MS);
        } else if (errno != EINTR) {
            return;
        }
    }
}

/* Everything off again, and the shell's modes. */
static void
leave(struct term *term)
{
    struct buffer last = {0};

    curs_set(1);
    endwin();
    buffer_append(&last, term->restore, term->restore_extra);
    term_take_frame(term, &last);
    /* Half a frame may be on its way; finishing it is what keeps an escape sequence whole. */
    write_patiently(term, term->pending.data + term->written, term->pending.length - term->written);
    write_patiently(term, last.data, last.length);
    buffer_done(&last);
    term->pending.length = 0;
    term->written = 0;
    tcsetattr(fileno(term->input), TCSANOW, &term->shell_modes);
    rescue_disarm();
}

void
term_close(struct term *term)
{
    if (term == NULL)
        return;
    if (term->screen != NULL) {
        leave(term);
        delwin(term->keys);
        delscreen(term->screen);
    }
    if (term->frame != NULL)
        (void)fclose(term->frame);
    if (term->input != NULL)
        (void)fclose(term->input);
    if (term->output_fd >= 0)
        close(term->output_fd);
    buffer_done(&term->pending);
    free(term->row);
    free(term);
}

void
term_size(const struct term *term, int *rows, int *columns)
{
    struct winsize size = {0};

    if (ioctl(term->output_fd, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) {
        size.ws_row = 24;
        size.ws_col = 80;
    }
    *rows = size.ws_row < CANVAS_MAX_ROWS ? size.ws_row : CANVAS_MAX_ROWS;
    *columns = size.ws_col < CANVAS_MAX_COLUMNS ? size.ws_col : CANVAS_MAX_COLUMNS;
}

void
term_refit(struct term *term)
{
    int rows;
    int columns;
    term_size(term, &rows, &columns);
    resizeterm(rows, columns);
    free(term->row);
    term->row = alloc_array((size_t)columns + 1, sizeof(cchar_t));
    term_repaint(term);
}

void
term_repaint(struct term *term)
{
    (void)term;
    clearok(curscr, TRUE);
}

static void
set_cell(struct term *term, const struct cell *cell, cchar_t *to)
{
    const struct term_role *look = &term->roles[cell->role];
    wchar_t text[4] = {0};

    if (term->ascii) {
        text[0] = glyph_ascii(cell->code);
    } else {
        text[0] = (wchar_t)cell->code;
        text[1] = (wchar_t)cell->marks[0];
        text[2] = (wchar_t)cell->marks[1];
    }
    if (setcchar(to, text, look->attributes, look->pair, NULL) != OK)
        setcchar(to, L"?", look->attributes, look->pair, NULL);
}

static void
draw_row(struct term *term, const struct canvas *canvas, int row)
{
    int count = 0;
    for (int column = 0; column < canvas->columns && column < COLS; column++) {
        struct cell cell = *canvas_cell(canvas, row, column);
        if (cell.code == 0 && !term->ascii)
            continue; /* curses fills the right half itself */
        if (cell.code == 0)
            cell.code = ' ';
        set_cell(term, &cell, &term->row[count++]);
    }
    mvadd_wchnstr(row, 0, term->row, count);
}

bool
term_is_ready(const struct term *term, bool is_data, int64_t monotonic_ns)
{
    if (term_is_writing(term))
        return false;
    if (!is_data)
        return true;
    if (!term->answers_expected)
        return monotonic_ns - term->last_shown_ns >= SILENT_FRAME_NS;
    return !term->is_waiting || monotonic_ns - term->waiting_since_ns >= ANSWER_WAIT_NS;
}

/* The frame before was never answered. A terminal that does so again and again cannot answer. */
static void
note_missing_answer(struct term *term)
{
    term->is_waiting = false;
    term->unanswered++;
    if (term->unanswered >= UNANSWERED_MAX)
        term->answers_expected = false;
}

/* Wrap what curses made into one frame and begin to write it. */
static bool
send_frame(struct term *term, int64_t monotonic_ns)
{
    size_t before = term->pending.length;
    buffer_append(&term->pending, begin_frame, sizeof(begin_frame) - 1);
    size_t begun = term->pending.length;
    term_take_frame(term, &term->pending);
    if (term->pending.length == begun) {
        term->pending.length = before;
        return before == 0 || term_write_on(term);
    }
    buffer_append(&term->pending, end_frame, sizeof(end_frame) - 1);
    if (term->answers_expected) {
        buffer_append(&term->pending, ask_for_answer, sizeof(ask_for_answer) - 1);
        if (!term->is_waiting)
            term->waiting_since_ns = monotonic_ns;
        term->is_waiting = true;
    }
    term->has_shown = true;
    term->last_shown_ns = monotonic_ns;
    return term_write_on(term);
}

bool
term_show(struct term *term, const struct canvas *canvas, int64_t monotonic_ns)
{
    if (term->is_waiting && monotonic_ns - term->waiting_since_ns >= ANSWER_WAIT_NS)
        note_missing_answer(term);

    erase();
    for (int row = 0; row < canvas->rows && row < LINES; row++)
        draw_row(term, canvas, row);
    bool shows_cursor = canvas->cursor_row >= 0;
    if (shows_cursor != term->cursor_is_shown)
        curs_set(shows_cursor);
    term->cursor_is_shown = shows_cursor;
    if (shows_cursor)
        move(canvas->cursor_row, canvas->cursor_column);
    wnoutrefresh(stdscr);
    doupdate();
    return send_frame(term, monotonic_ns);
}

int
term_input_fd(const struct term *term)
{
    return fileno(term->input);
}

int
term_output_fd(const struct term *term)
{
    return term->output_fd;
}

bool
term_is_writing(const struct term *term)
{
    return term->written < term->pending.length && term->has_shown;
}

bool
term_write_on(struct term *term)
{
    while (term->written < term->pending.length) {
        ssize_t written = write(term->output_fd, term->pending.data + term->written,
            term->pending.length - term->written);
        if (written > 0) {
            term->written += (size_t)written;
        } else if (errno == EAGAIN) {
            return true;
        } else if (errno != EINTR) {
            term->is_gone = true;
            return false;
        }
    }
    term->pending.length = 0;
    term->written = 0;
    return true;
}

void
term_answer_fence(struct term *term, int count)
{
    buffer_printf(&term->pending, "\033]7777;%d\007", count);
    term_write_on(term);
}

void
term_suspend(struct term *term)
{
    leave(term);
    kill(0, SIGSTOP);
    /* Here again: somebody continued us. The first refresh after endwin() takes the screen back. */
    enter(term);
    term->is_waiting = false;
    term->cursor_is_shown = false;
    curs_set(0);
    term_refit(term);
}
