/* bench_zmq.c - recording a ZeroMQ publisher against a loop that only receives, and a burst that is more
 * than anything takes.
 *
 * Publisher and receiver are processes of their own. In the first part the publisher waits when its
 * high-water mark is reached, so that both receive everything and time is what differs. In the second it
 * drops, as publishers do: what the tape has and what the recorder counts as lost must be what was sent.
 * TAPEDECK_BENCH_EVENTS (2000000) messages of TAPEDECK_BENCH_BYTES (200), TAPEDECK_BENCH_SECONDS (10).
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <zmq.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "bench/figures.h"
#include "collectors/recorder.h"
#include "index/live.h"

#define BURST_PER_MS  1000
#define BURST_BYTES   100
#define PUBLISHER_HWM 100000
#define PATIENCE_NS   (120 * NS_PER_S)

/* Seen by both processes. */
struct shared {
    _Atomic int64_t began_ns;
    _Atomic int64_t ended_ns;
    _Atomic uint64_t sent;
};

struct bench {
    char *directory;
    char *endpoint;
    char *url;
    struct shared *shared;
    uint64_t events;
    size_t bytes;
    int64_t burst_ms;
};

_Noreturn static void
die(const char *what)
{
    (void)fprintf(stderr, "bench_zmq: %s: %s\n", what, zmq_strerror(zmq_errno()));
    _exit(1);
}

static void
set_option(void *socket, int option, int value)
{
    if (zmq_setsockopt(socket, option, &value, sizeof(value)) != 0)
        die("option");
}

/* ---- the publisher ---- */

static void *
open_publisher(const struct bench *bench, void *context, bool may_drop)
{
    char frame[64];
    void *socket = zmq_socket(context, ZMQ_XPUB);
    set_option(socket, ZMQ_SNDHWM, PUBLISHER_HWM);
    set_option(socket, ZMQ_XPUB_NODROP, may_drop ? 0 : 1);
    set_option(socket, ZMQ_RCVTIMEO, 60000);
    if (zmq_bind(socket, bench->endpoint) != 0)
        die("bind");
    if (zmq_recv(socket, frame, sizeof(frame), 0) < 1)
        die("no subscription came");
    atomic_store(&bench->shared->began_ns, clock_monotonic_ns());
    return socket;
}

static void
publish_all(const struct bench *bench)
{
    void *context = zmq_ctx_new();
    void *socket = open_publisher(bench, context, false);
    unsigned char *payload = alloc_zeroed(bench->bytes);
    memset(payload, 'x', bench->bytes);
    for (uint64_t i = 0; i < bench->events; i++)
        if (zmq_send(socket, payload, bench->bytes, 0) < 0)
            die("send");
    free(payload);
    (void)pause(); /* until the receiver has everything and we are killed */
}

static void
publish_counted(const struct bench *bench, void *socket, uint64_t number)
{
    unsigned char payload[BURST_BYTES];
    memset(payload, 'x', sizeof(payload));
    if (zmq_send(socket, payload, sizeof(payload), ZMQ_SNDMORE) < 0 ||
        zmq_send(socket, &number, sizeof(number), 0) < 0)
        die("send");
    atomic_store_explicit(&bench->shared->sent, number + 1, memory_order_relaxed);
}

static void
publish_burst(const struct bench *bench)
{
    void *context = zmq_ctx_new();
    void *socket = open_publisher(bench, context, true);
    int64_t began_ns = clock_monotonic_ns();
    uint64_t number = 0;
    for (int64_t ms = 0; ms < bench->burst_ms; ms++) {
        for (int i = 0; i < BURST_PER_MS; i++)
            publish_counted(bench, socket, number++);
        clock_sleep_until_ns(began_ns + (ms + 1) * NS_PER_MS);
        if (clock_monotonic_ns() - began_ns > bench->burst_ms * NS_PER_MS)
            break; /* this machine sends no faster */
    }
    atomic_store(&bench->shared->ended_ns, clock_monotonic_ns());
    /* The one behind the burst, which nothing drops, shows what was lost before it. */
    clock_sleep_until_ns(clock_monotonic_ns() + 3 * NS_PER_S);
    publish_counted(bench, socket, number);
    (void)pause();
}

static pid_t
start_publisher(struct bench *bench, void (*publish)(const struct bench *bench))
{
    memset(bench->shared, 0, sizeof(*bench->shared));
    pid_t parent = getpid();
    pid_t child = fork();
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent)
            publish(bench);
        _exit(0);
    }
    return child;
}

static void
end_publisher(pid_t child)
{
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
}

/* ---- the receivers ---- */

static void
receive_bare(void *self, struct part_results *results)
{
    const struct bench *bench = self;
    void *context = zmq_ctx_new();
    void *socket = zmq_socket(context, ZMQ_SUB);
    zmq_msg_t message;
    if (zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0) != 0 ||
        zmq_connect(socket, bench->endpoint) != 0)
        die("connect");
    (void)zmq_msg_init(&message);
    for (uint64_t i = 0; i < bench->events; i++)
        if (zmq_msg_recv(&message, socket, 0) < 0)
            die("receive");
    int64_t took_ns = clock_monotonic_ns() - atomic_load(&bench->shared->began_ns);
    results->values[0] = (double)bench->events * 1e9 / (double)took_ns;
}

static struct recorder *
start_recorder(const struct bench *bench, const struct recorder_property *sequence)
{
    struct error err;
    char *tape = alloc_format("%s/tape", bench->directory);
    struct recorder_tap tap = {
        .url = bench->url, .properties = sequence, .property_count = sequence != NULL};
    struct recorder_options options = {.directory = tape, .taps = &tap, .tap_count = 1};
    struct recorder *recorder = recorder_start(&options, &err);
    if (recorder == NULL)
        figures_fail(&err);
    return recorder; /* the directory's name lives as long as this process */
}

/* Wait until so many are on the tape or counted as lost. */
static void
wait_for(struct recorder *recorder, const _Atomic uint64_t *sent, uint64_t events,
    struct live_status *status)
{
    int64_t deadline = clock_monotonic_ns() + PATIENCE_NS;
    for (;;) {
        recorder_status(recorder, status);
        uint64_t seen = status->taps[0].events + status->taps[0].dropped;
        if (seen >= events && (sent == NULL || seen >= atomic_load(sent)))
            return;
        if (clock_monotonic_ns() > deadline)
            return;
        clock_sleep_until_ns(clock_monotonic_ns() + 2 * NS_PER_MS);
    }
}

static void
stop_recorder(const struct bench *bench, struct recorder *recorder)
{
    struct error err;
    if (!recorder_stop(recorder, &err))
        figures_fail(&err);
    char *tape = alloc_format("%s/tape", bench->directory);
    file_remove_tree(tape);
    free(tape);
}

static void
receive_recording(void *self, struct part_results *results)
{
    const struct bench *bench = self;
    struct live_status *status = alloc_zeroed(sizeof(*status));
    struct recorder *recorder = start_recorder(bench, NULL);
    wait_for(recorder, NULL, bench->events, status);
    int64_t took_ns = clock_monotonic_ns() - atomic_load(&bench->shared->began_ns);
    results->values[0] = (double)status->taps[0].events * 1e9 / (double)took_ns;
    results->values[1] = (double)status->taps[0].dropped;
    stop_recorder(bench, recorder);
    free(status);
}

static void
receive_burst(void *self, struct part_results *results)
{
    const struct bench *bench = self;
    const struct recorder_property sequence = {.name = "sequence", .value = "frame:-1:le"};
    struct live_status *status = alloc_zeroed(sizeof(*status));
    struct recorder *recorder = start_recorder(bench, &sequence);
    /* 3 s after the burst comes the last message. */
    while (atomic_load(&bench->shared->ended_ns) == 0)
        clock_sleep_until_ns(clock_monotonic_ns() + 50 * NS_PER_MS);
    uint64_t sent = atomic_load(&bench->shared->sent);
    wait_for(recorder, &bench->shared->sent, sent + 1, status);
    results->values[0] = (double)status->taps[0].events;
    results->values[1] = (double)status->taps[0].dropped;
    stop_recorder(bench, recorder);
    free(status);
}

/* ---- the parts ---- */

static double
run_round(struct bench *bench, part_function *receive, double *dropped)
{
    struct part_results results = {0};
    pid_t publisher = start_publisher(bench, publish_all);
    part_run(receive, bench, false, &results);
    end_publisher(publisher);
    *dropped = results.values[1];
    return results.values[0];
}

static void
compare(struct bench *bench)
{
    double bare[FIGURE_RUNS];
    double ours[FIGURE_RUNS];
    double dropped = 0;
    double ignored;
    for (size_t i = 0; i < FIGURE_RUNS; i++) {
        double lost;
        bare[i] = run_round(bench, receive_bare, &ignored);
        ours[i] = run_round(bench, receive_recording, &lost);
        dropped += lost;
    }
    double received = median(bare, FIGURE_RUNS);
    double recorded = median(ours, FIGURE_RUNS);
    figure_plain("bare SUB loop", received, "messages/s");
    figure_plain("recorded", recorded, "messages/s");
    figure_plain("dropped for want of room, all runs", dropped, "messages");
    figure_at_least("recorded / bare", recorded / received, 0.6, "");
}

static void
burst(struct bench *bench)
{
    struct part_results results = {0};
    pid_t publisher = start_publisher(bench, publish_burst);
    part_run(receive_burst, bench, false, &results);
    end_publisher(publisher);
    double sent = (double)atomic_load(&bench->shared->sent);
    double took_ns =
        (double)(atomic_load(&bench->shared->ended_ns) - atomic_load(&bench->shared->began_ns));
    figure_plain("burst: sent", sent, "messages");
    figure_plain("burst: sent per second", sent * 1e9 / took_ns, "messages/s");
    figure_plain("burst: on the tape", results.values[0], "messages");
    figure_plain("burst: counted as lost", results.values[1], "messages");
    figure_at_most("burst: neither", sent - results.values[0] - results.values[1], 0.0, "messages");
    figure_plain("burst: peak memory of the recorder", results.peak_rss_mb, "MB");
}

int
main(void)
{
    struct bench bench = {
        .directory = figures_directory("zmq"),
        .events = figures_setting("TAPEDECK_BENCH_EVENTS", 2000000),
        .bytes = (size_t)figures_setting("TAPEDECK_BENCH_BYTES", 200),
        .burst_ms = (int64_t)figures_setting("TAPEDECK_BENCH_SECONDS", 10) * 1000,
    };
    bench.endpoint = alloc_format("ipc://%s/socket", bench.directory);
    bench.url = alloc_format("zmq+ipc://%s/socket", bench.directory);
    bench.shared = mmap(
        NULL, sizeof(*bench.shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (bench.shared == MAP_FAILED)
        die("memory");
    compare(&bench);
    burst(&bench);
    file_remove_tree(bench.directory);
    free(bench.endpoint);
    free(bench.url);
    return figures_end();
}
