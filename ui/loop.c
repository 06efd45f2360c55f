#include "ui/loop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "ui/canvas.h"
#include "ui/key.h"
#include "ui/term.h"

#define RESIZE_QUIET_NS (30 * NS_PER_MS)
#define RESIZE_MOST_NS  (100 * NS_PER_MS)
#define KEYS_AT_ONCE    256

struct loop {
    struct stage *stage;
    struct term *term;
    struct canvas *canvas;
    int signal_fd;
    int64_t test_now_ns;
    int fences;
    int ended_by; /* signal, 0: none */
    bool is_running;

    bool tape_changed;    /* since the last tick */
    bool frame_is_due;    /* a key or a resize changed something */
    bool data_is_due;     /* a tick did */
    int64_t next_tick_ns; /* monotonic: the clock */
    int64_t last_tick_ns;
    int64_t resized_ns; /* the last SIGWINCH that has not been acted on; 0: none */
    int64_t first_resized_ns;
};

static int64_t
wall_now(const struct loop *loop)
{
    return loop->test_now_ns != 0 ? loop->test_now_ns : clock_now_ns();
}

static void
tick(struct loop *loop, int64_t monotonic_ns)
{
    loop->tape_changed = false;
    loop->data_is_due |= stage_tick(loop->stage, wall_now(loop), monotonic_ns);
    loop->last_tick_ns = monotonic_ns;
    loop->next_tick_ns = monotonic_ns + NS_PER_S;
}

static void
show(struct loop *loop, int64_t monotonic_ns)
{
    stage_draw(loop->stage, loop->canvas);
    if (!term_show(loop->term, loop->canvas, monotonic_ns))
        loop->is_running = false;
    loop->frame_is_due = false;
    loop->data_is_due = false;
}

static void
refit(struct loop *loop)
{
    int rows;
    int columns;

    term_refit(loop->term);
    term_size(loop->term, &rows, &columns);
    canvas_resize(loop->canvas, rows, columns);
    loop->resized_ns = 0;
    loop->frame_is_due = true;
}

/* Everything that came before the fence is applied and shown, then it is answered. */
static void
answer_fence(struct loop *loop, int64_t monotonic_ns)
{
    if (loop->resized_ns != 0)
        refit(loop);
    for (int i = 0; i < 10000 && (i == 0 || stage_is_busy(loop->stage)); i++)
        tick(loop, monotonic_ns);
    show(loop, monotonic_ns);
    term_answer_fence(loop->term, ++loop->fences);
}

static void
carry_out(struct loop *loop, enum stage_effect effect)
{
    switch (effect) {
    case STAGE_GOES_ON:
        break;
    case STAGE_QUIT:
        loop->is_running = false;
        break;
    case STAGE_SUSPEND:
        term_suspend(loop->term);
        refit(loop);
        break;
    case STAGE_REDRAW:
        refit(loop);
        break;
    }
}

static void
read_signals(struct loop *loop, int64_t monotonic_ns)
{
    struct signalfd_siginfo info;

    while (read(loop->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        int number = (int)info.ssi_signo;
        if (number == SIGWINCH) {
            if (loop->resized_ns == 0)
                loop->first_resized_ns = monotonic_ns;
            loop->resized_ns = monotonic_ns;
        } else if (number == SIGTSTP) {
            carry_out(loop, STAGE_SUSPEND);
        } else if (number == SIGCONT) {
            refit(loop);
        } else {
            loop->ended_by = number;
            loop->is_running = false;
        }
    }
}

static void
read_keys(struct loop *loop, bool has_hung_up, int64_t monotonic_ns)
{
    int count = 0;

    for (; count < KEYS_AT_ONCE && loop->is_running; count++) {
        uint32_t key = term_key(loop->term);
        if (key == UI_KEY_NONE)
            break;
        if (key == UI_KEY_FENCE) {
            read_signals(loop, monotonic_ns);
            answer_fence(loop, monotonic_ns);
            continue;
        }
        if (key == UI_KEY_TEST_TICK) {
            loop->test_now_ns += NS_PER_S;
            tick(loop, monotonic_ns);
            continue;
        }
        carry_out(loop, stage_key(loop->stage, key, monotonic_ns));
        loop->frame_is_due = true;
    }
    if (has_hung_up && count == 0)
        loop->is_running = false; /* the terminal is gone: no key will ever come */
}

static int64_t
earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* When to wake up at the latest. */
static int64_t
next_deadline(const struct loop *loop, int64_t monotonic_ns)
{
    int64_t interval_ns = (int64_t)stage_interval_ms(loop->stage) * NS_PER_MS;
    int64_t deadline = loop->test_now_ns != 0 ? monotonic_ns + 10 * NS_PER_S : loop->next_tick_ns;

    if (loop->resized_ns != 0)
        deadline = earlier(deadline,
            earlier(loop->resized_ns + RESIZE_QUIET_NS, loop->first_resized_ns + RESIZE_MOST_NS));
    if (loop->tape_changed)
        deadline = earlier(deadline, loop->last_tick_ns + interval_ns);
    if (stage_is_busy(loop->stage))
        deadline = earlier(deadline, monotonic_ns + NS_PER_MS);
    if (loop->data_is_due || loop->frame_is_due)
        deadline = earlier(deadline, monotonic_ns + 20 * NS_PER_MS);
    return deadline;
}

static void
wait_for_something(struct loop *loop)
{
    int64_t monotonic_ns = clock_monotonic_ns();
    int64_t left_ns = next_deadline(loop, monotonic_ns) - monotonic_ns;
    int timeout_ms = left_ns <= 0 ? 0 : (int)((left_ns + NS_PER_MS - 1) / NS_PER_MS);
    struct pollfd fds[4] = {
        {.fd = term_input_fd(loop->term), .events = POLLIN},
        {.fd = loop->signal_fd, .events = POLLIN},
        {.fd = term_is_writing(loop->term) ? term_output_fd(loop->term) : -1, .events = POLLOUT},
        /* A tape that is known to have changed is not asked again before it is read. */
        {.fd = loop->tape_changed || loop->test_now_ns != 0 ? -1 : stage_wait_fd(loop->stage),
            .events = POLLIN},
    };

    if (poll(fds, 4, timeout_ms) < 0)
        return;
    monotonic_ns = clock_monotonic_ns();
    if (fds[1].revents != 0)
        read_signals(loop, monotonic_ns);
    if (fds[2].revents != 0 && !term_write_on(loop->term))
        loop->is_running = false;
    if (fds[3].revents != 0)
        loop->tape_changed = true;
    if (fds[0].revents != 0)
        read_keys(loop, (fds[0].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0, monotonic_ns);
}

static void
do_what_is_due(struct loop *loop)
{
    int64_t monotonic_ns = clock_monotonic_ns();
    int64_t interval_ns = (int64_t)stage_interval_ms(loop->stage) * NS_PER_MS;
    bool is_due = loop->tape_changed && monotonic_ns - loop->last_tick_ns >= interval_ns;

    if (loop->resized_ns != 0 && (monotonic_ns - loop->resized_ns >= RESIZE_QUIET_NS ||
                                     monotonic_ns - loop->first_resized_ns >= RESIZE_MOST_NS))
        refit(loop);
    if (loop->test_now_ns == 0 &&
        (is_due || stage_is_busy(loop->stage) || monotonic_ns >= loop->next_tick_ns))
        tick(loop, monotonic_ns);
    if ((loop->frame_is_due && term_is_ready(loop->term, false, monotonic_ns)) ||
        (loop->data_is_due && term_is_ready(loop->term, true, monotonic_ns)))
        show(loop, monotonic_ns);
}

static void
run(struct loop *loop)
{
    int rows;
    int columns;

    term_size(loop->term, &rows, &columns);
    loop->canvas = canvas_new(rows, columns);
    loop->is_running = true;
    tick(loop, clock_monotonic_ns());
    show(loop, clock_monotonic_ns());
    while (loop->is_running) {
        wait_for_something(loop);
        if (loop->is_running)
            do_what_is_due(loop);
    }
    canvas_free(loop->canvas);
}

bool
loop_run(const struct loop_options *options, int *code, struct error *err)
{
    static const int watched[] = {SIGWINCH, SIGTSTP, SIGCONT, SIGTERM, SIGHUP, SIGINT, SIGQUIT};
    struct loop loop = {.test_now_ns = options->test_now_ns};
    struct stage_options stage_options = options->stage;
    stage_options.now_ns = wall_now(&loop);
    sigset_t signals;
    sigset_t before;

    loop.stage = stage_open(&stage_options, err);
    if (loop.stage == NULL)
        return false;
    struct term_options term_options = {
        .color = options->color, .ascii = options->ascii, .for_test = options->test_now_ns != 0};
    sigemptyset(&signals);
    for (size_t i = 0; i < sizeof(watched) / sizeof(watched[0]); i++)
        sigaddset(&signals, watched[i]);
    pthread_sigmask(SIG_BLOCK, &signals, &before);
    loop.signal_fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    loop.term = term_open(&term_options, err);
    bool is_well = loop.term != NULL && loop.signal_fd >= 0;
    if (is_well)
        run(&loop);
    term_close(loop.term);
    stage_close(loop.stage);
    if (loop.signal_fd >= 0)
        close(loop.signal_fd);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    *code = loop.ended_by != 0 ? 128 + loop.ended_by : 0;
    return is_well;
}
