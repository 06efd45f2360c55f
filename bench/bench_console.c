/* bench_console - what the console costs, through a pseudo-terminal, as a person would meet it: time to
 * the first frame, from a key to its frame while a recorder takes in as much as it can, processor time
 * at rest, and memory, also on what was sealed. Where others keep the processors busy, what that costs is told apart.
 *
 * BENCH_SECONDS (10) at rest, BENCH_KEYS (200) on each screen.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vterm.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "bench/data.h"
#include "bench/figures.h"
#include "index/batch.h"
#include "index/event.h"
#include "index/indexer.h"
#include "index/tape_writer.h"

#define ROWS        40
#define COLUMNS     120
#define STARTS      5
#define PATIENCE_NS (10 * NS_PER_S)
#define PAUSE_MS    20 /* between keys, and up to twice as much more */

static _Noreturn void
fail(const char *what)
{
    (void)fprintf(stderr, "bench_console: %s\n", what);
    exit(2); /* NOLINT(concurrency-mt-unsafe): there is one thread */
}

/* ---- the recorder ---- */

struct shared {
    _Atomic bool is_ready;
    _Atomic bool is_ending;
    _Atomic uint64_t events;
};

struct recorder {
    struct shared *shared;
    pid_t pid;
    int64_t started_ns;
};

static void
take_in(struct indexer *indexer, struct tape_writer *writer, struct shared *shared)
{
    struct error err;
    struct event event;
    const struct stream *streams[DATA_STREAMS];
    struct data *data = data_new();
    struct batch *batch = batch_new();

    data_streams(writer, streams);
    while (!atomic_load(&shared->is_ending)) {
        data_next(data, streams, &event);
        event.received_ns = clock_now_ns();
        if (!batch_add(batch, &event, &err))
            figures_fail(&err);
        if (!batch_is_full(batch))
            continue;
        atomic_fetch_add(&shared->events, batch_event_count(batch));
        if (!indexer_push(indexer, &batch, -1))
            fail("the recorder's queue is closed");
        batch = batch_new();
    }
    batch_release(batch);
    data_free(data);
}

/* Hold the tape, and take in events as fast as it goes or none at all. */
static _Noreturn void
record(const char *directory, bool is_busy, struct shared *shared)
{
    struct error err;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* or it would fill the disk when the bench is killed */
    struct tape_writer *writer = tape_writer_open(directory, NULL, &err);
    struct indexer *indexer =
        writer == NULL ? NULL
                       : indexer_start(writer, directory, &(struct indexer_options){0}, &err);
    if (indexer == NULL)
        figures_fail(&err);
    atomic_store(&shared->is_ready, true);
    if (is_busy)
        take_in(indexer, writer, shared);
    while (!atomic_load(&shared->is_ending))
        clock_sleep_until_ns(clock_monotonic_ns() + 10 * NS_PER_MS);
    if (!indexer_stop(indexer, &err))
        figures_fail(&err);
    tape_writer_close(writer);
    _exit(0);
}

static void
recorder_start(struct recorder *recorder, const char *directory, bool is_busy)
{
    *recorder->shared = (struct shared){0};
    (void)fflush(stdout);
    recorder->pid = fork();
    if (recorder->pid == 0)
        record(directory, is_busy, recorder->shared);
    while (!atomic_load(&recorder->shared->is_ready)) {
        if (waitpid(recorder->pid, NULL, WNOHANG) != 0)
            fail("the recorder ended before it was ready");
        clock_sleep_until_ns(clock_monotonic_ns() + NS_PER_MS);
    }
    recorder->started_ns = clock_monotonic_ns();
}

/* Returns events per second. */
static double
recorder_stop(struct recorder *recorder)
{
    int status;
    double took = (double)(clock_monotonic_ns() - recorder->started_ns) / 1e9;
    atomic_store(&recorder->shared->is_ending, true);
    if (waitpid(recorder->pid, &status, 0) != recorder->pid || status != 0)
        fail("the recorder failed");
    return (double)atomic_load(&recorder->shared->events) / took;
}

/* ---- the console behind a terminal ---- */

struct console {
    pid_t pid;
    int fd;
    VTerm *vterm;
    VTermScreen *screen;
    uint64_t bytes; /* that it wrote */
};

/* The program beside this one. */
static char *
program_path(void)
{
    char self[4096];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (length < 0)
        fail("this program does not know where it is");
    self[length] = '\0';
    *strrchr(self, '/') = '\0';
    return alloc_format("%s/tapedeck", self);
}

static void
console_start(struct console *console, const char *program, const char *directory)
{
    struct winsize size = {.ws_row = ROWS, .ws_col = COLUMNS};

    *console = (struct console){.vterm = vterm_new(ROWS, COLUMNS)};
    vterm_set_utf8(console->vterm, 1);
    console->screen = vterm_obtain_screen(console->vterm);
    vterm_screen_enable_altscreen(console->screen, 1);
    vterm_screen_reset(console->screen, 1);
    console->pid = forkpty(&console->fd, NULL, NULL, &size);
    if (console->pid < 0)
        fail("there is no pseudo-terminal");
    if (console->pid == 0) {
        setenv("TERM", "xterm-256color", 1); /* NOLINT(concurrency-mt-unsafe) */
        setenv("LC_ALL", "C.UTF-8", 1);      /* NOLINT(concurrency-mt-unsafe) */
        execl(program, program, "--tape", directory, (char *)NULL);
        _exit(127);
    }
}

/* Take in what it writes for at most timeout_ms, and answer as a terminal does. */
static void
console_read(struct console *console, int timeout_ms)
{
    struct pollfd fd = {.fd = console->fd, .events = POLLIN};
    char buffer[65536];

    if (poll(&fd, 1, timeout_ms) <= 0)
        return;
    ssize_t got = read(console->fd, buffer, sizeof(buffer));
    if (got <= 0)
        fail("the console has ended");
    console->bytes += (uint64_t)got;
    vterm_input_write(console->vterm, buffer, (size_t)got);
    size_t length = vterm_output_read(console->vterm, buffer, sizeof(buffer));
    if (length > 0 && write(console->fd, buffer, length) < 0)
        fail("the console has ended");
}

static void
console_stop(struct console *console)
{
    int64_t deadline = clock_monotonic_ns() + PATIENCE_NS;
    if (write(console->fd, "Q", 1) < 0)
        fail("the console has ended");
    while (waitpid(console->pid, NULL, WNOHANG) == 0) {
        struct pollfd fd = {.fd = console->fd, .events = POLLIN};
        char buffer[65536];
        if (clock_monotonic_ns() > deadline)
            fail("the console does not end");
        if (poll(&fd, 1, 10) > 0 && read(console->fd, buffer, sizeof(buffer)) < 0)
            clock_sleep_until_ns(clock_monotonic_ns() + NS_PER_MS);
    }
    close(console->fd);
    vterm_free(console->vterm);
}

static bool
is_on_screen(const struct console *console, const char *text)
{
    for (int row = 0; row < ROWS; row++) {
        char line[COLUMNS + 1];
        for (int column = 0; column < COLUMNS; column++) {
            VTermScreenCell cell;
            vterm_screen_get_cell(console->screen, (VTermPos){.row = row, .col = column}, &cell);
            uint32_t code = cell.chars[0];
            line[column] = (char)(code > ' ' && code < 127 ? code : ' ');
        }
        line[COLUMNS] = '\0';
        if (strstr(line, text) != NULL)
            return true;
    }
    return false;
}

/* Until `text` is on the screen, or is not; returns how long that took, in ms. */
static double
wait_for(struct console *console, const char *text, bool is_there)
{
    int64_t from_ns = clock_monotonic_ns();
    while (is_on_screen(console, text) != is_there) {
        if (clock_monotonic_ns() - from_ns > PATIENCE_NS)
            fail("what was waited for does not come");
        console_read(console, 100);
    }
    return (double)(clock_monotonic_ns() - from_ns) / 1e6;
}

static void
read_for(struct console *console, int64_t ns)
{
    int64_t until_ns = clock_monotonic_ns() + ns;
    for (int64_t left; (left = until_ns - clock_monotonic_ns()) > 0;)
        console_read(console, (int)(left / NS_PER_MS) + 1);
}

/* ---- what /proc tells ---- */

struct schedule {
    double ran_ms;
    double waited_ms; /* ready to run, while others had the processors */
};

static struct schedule
schedule_of(pid_t pid)
{
    char path[64];
    uint64_t ran_ns = 0;
    uint64_t waited_ns = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/schedstat", (int)pid);
    FILE *file = fopen(path, "re");
    /* NOLINTNEXTLINE(cert-err34-c): the kernel's own numbers */
    if (file == NULL || fscanf(file, "%" SCNu64 " %" SCNu64, &ran_ns, &waited_ns) != 2)
        fail("/proc does not tell the processor time");
    (void)fclose(file);
    return (struct schedule){(double)ran_ns / 1e6, (double)waited_ns / 1e6};
}

static double
peak_rss_mb(pid_t pid)
{
    char path[64];
    char line[256];
    double kb = 0.0;
    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, "VmHWM:", 6) == 0)
            kb = strtod(line + 6, NULL);
    if (file == NULL || kb <= 0.0)
        fail("/proc does not tell the memory");
    (void)fclose(file);
    return kb / 1000.0;
}

/* ---- the figures ---- */

static void
measure_first_frame(const char *program, const char *directory)
{
    double times[STARTS];
    double waits[STARTS];
    for (size_t i = 0; i < STARTS; i++) {
        struct console console;
        int64_t from_ns = clock_monotonic_ns();
        console_start(&console, program, directory);
        wait_for(&console, "STREAM", true);
        wait_for(&console, "help", true); /* the last row */
        times[i] = (double)(clock_monotonic_ns() - from_ns) / 1e6;
        waits[i] = schedule_of(console.pid).waited_ms;
        console_stop(&console);
    }
    figure_at_most("first frame, from exec", median(times, STARTS), 50.0, "ms");
    figure_plain("  of it, others had the processors", median(waits, STARTS), "ms");
}

static void
measure_rest(const char *program, const char *directory, struct recorder *recorder)
{
    struct console console;
    double seconds = (double)figures_setting("BENCH_SECONDS", 10);

    recorder_start(recorder, directory, false);
    console_start(&console, program, directory);
    wait_for(&console, "LIVE", true);
    read_for(&console, NS_PER_S);
    double before = schedule_of(console.pid).ran_ms;
    uint64_t bytes = console.bytes;
    read_for(&console, (int64_t)(seconds * 1e9));
    figure_at_most("processor time at rest, live and nothing comes",
        (schedule_of(console.pid).ran_ms - before) / seconds / 10.0, 0.2, "%");
    figure_plain("  written to the terminal", (double)(console.bytes - bytes) / seconds, "B/s");
    console_stop(&console);
    recorder_stop(recorder);
}

/* Each key opens or closes the help: what it does is seen in the whole frame. */
static void
measure_keys(struct console *console, const char *screen, const char *key, const char *heading)
{
    char name[64];
    size_t count = figures_setting("BENCH_KEYS", 200) & ~(size_t)1;
    double *times = alloc_array(count, sizeof(*times));
    double *own = alloc_array(count, sizeof(*own)); /* without the time that others had */
    unsigned random = 1;

    if (write(console->fd, key, 1) != 1)
        fail("the console has ended");
    wait_for(console, heading, true);
    struct schedule begin = schedule_of(console->pid);
    int64_t from_ns = clock_monotonic_ns();
    for (size_t i = 0; i < count; i++) {
        random = random * 1103515245U + 12345U;
        read_for(console, (PAUSE_MS + (random >> 16) % (2 * PAUSE_MS)) * NS_PER_MS);
        double waited = schedule_of(console->pid).waited_ms;
        if (write(console->fd, i % 2 == 0 ? "?" : "q", 1) != 1)
            fail("the console has ended");
        times[i] = wait_for(console, "Help for", i % 2 == 0);
        own[i] = times[i] - (schedule_of(console->pid).waited_ms - waited);
    }
    double took = (double)(clock_monotonic_ns() - from_ns) / 1e9;
    (void)snprintf(name, sizeof(name), "from key to frame p99, %s", screen);
    double p50 = percentile(times, count, 0.5);
    figure_at_most(name, percentile(times, count, 0.99), 16.0, "ms");
    figure_plain("  p50", p50, "ms");
    figure_plain("  p99, had it had a processor", percentile(own, count, 0.99), "ms");
    figure_plain(
        "  processor time", (schedule_of(console->pid).ran_ms - begin.ran_ms) / took / 10.0, "%");
    free(own);
    free(times);
}

static void
measure_load(const char *program, const char *directory, struct recorder *recorder)
{
    struct console console;

    recorder_start(recorder, directory, true);
    console_start(&console, program, directory);
    wait_for(&console, "LIVE", true);
    measure_keys(&console, "Flows", "1", "STATE");
    measure_keys(&console, "Events", "2", "PAYLOAD");
    measure_keys(&console, "Lag", "3", "GROUP");
    figure_at_most("memory, at most", peak_rss_mb(console.pid), 32.0, "MB");
    console_stop(&console);
    figure_plain("  recorded meanwhile", recorder_stop(recorder), "ev/s");
}

static void
press(struct console *console, const char *keys, size_t times)
{
    for (size_t i = 0; i < times; i++) {
        if (write(console->fd, keys, strlen(keys)) != (ssize_t)strlen(keys))
            fail("the console has ended");
        read_for(console, PAUSE_MS * NS_PER_MS);
    }
}

/* All of the tape is sealed by now. */
static void
measure_paging(const char *program, const char *directory)
{
    struct console console;

    console_start(&console, program, directory);
    wait_for(&console, "STREAM", true);
    figure_at_most("memory, on the sealed tape", peak_rss_mb(console.pid), 32.0, "MB");
    press(&console, "2", 1);
    wait_for(&console, "PAYLOAD", true);
    press(&console, "\033[5~", 100);
    press(&console, "g", 1);
    press(&console, "\033[6~", 100);
    press(&console, "G", 1);
    figure_at_most("memory, after 200 pages of it", peak_rss_mb(console.pid), 32.0, "MB");
    console_stop(&console);
}

int
main(void)
{
    char *program = program_path();
    char *directory = figures_directory("bench-console");
    char *tape = alloc_format("%s/tape", directory);
    struct recorder recorder = {.shared = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE,
                                    MAP_SHARED | MAP_ANONYMOUS, -1, 0)};
    if (recorder.shared == MAP_FAILED)
        fail("no shared memory");
    measure_rest(program, tape, &recorder);
    measure_load(program, tape, &recorder);
    measure_first_frame(program, tape);
    measure_paging(program, tape);
    file_remove_tree(directory);
    free(tape);
    free(directory);
    free(program);
    return figures_end();
}
