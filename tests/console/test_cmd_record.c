#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <zmq.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "index/live.h"
#include "tests/support/console_program.h"
#include "tests/support/unit.h"

#define PATIENCE_MS 20000

/* A publisher for the program, and a socket on which a service manager would listen. */
struct setting {
    char *home;
    char *tape;
    char *url;
    char *notify_variable;
    int notify_fd;
    void *context;
    void *publisher;
    struct program program;
};

static void
open_notify_socket(struct setting *setting)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", setting->home);
    setting->notify_variable = alloc_format("NOTIFY_SOCKET=%s", address.sun_path);
    setting->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(setting->notify_fd >= 0);
    assert_int_equal(
        bind(setting->notify_fd, (const struct sockaddr *)&address, sizeof(address)), 0);
}

static void
open_publisher(struct setting *setting)
{
    int all = 0;
    char *endpoint = alloc_format("ipc://%s/events.sock", setting->home);
    setting->url = alloc_format("zmq+ipc://%s/events.sock", setting->home);
    setting->context = zmq_ctx_new();
    setting->publisher = zmq_socket(setting->context, ZMQ_XPUB);
    (void)zmq_setsockopt(setting->publisher, ZMQ_LINGER, &all, sizeof(all));
    (void)zmq_setsockopt(setting->publisher, ZMQ_SNDHWM, &all, sizeof(all));
    assert_int_equal(zmq_bind(setting->publisher, endpoint), 0);
    free(endpoint);
}

static int
set_up(void **state)
{
    struct setting *setting = alloc_zeroed(sizeof(*setting));
    setting->home = temp_directory_new();
    setting->tape = alloc_format("%s/tape", setting->home);
    open_notify_socket(setting);
    open_publisher(setting);
    *state = setting;
    return 0;
}

static int
tear_down(void **state)
{
    struct setting *setting = *state;
    program_done(&setting->program);
    (void)close(setting->notify_fd);
    (void)zmq_close(setting->publisher);
    (void)zmq_ctx_term(setting->context);
    temp_directory_remove(setting->home);
    free(setting->tape);
    free(setting->url);
    free(setting->notify_variable);
    free(setting);
    return 0;
}

static void
start(struct setting *setting, const char *const *arguments)
{
    program_start(&setting->program, setting->home, arguments,
        (const char *const[]){setting->notify_variable, NULL});
}

static void
wait_for_notice(struct setting *setting, const char *expected)
{
    char text[64];
    struct pollfd slot = {.fd = setting->notify_fd, .events = POLLIN};
    if (poll(&slot, 1, PATIENCE_MS) != 1)
        fail_msg("no %s within 20 s", expected);
    ssize_t length = recv(setting->notify_fd, text, sizeof(text) - 1, 0);
    assert_true(length > 0);
    text[length] = '\0';
    assert_string_equal(text, expected);
}

static void
publish(struct setting *setting, int count)
{
    unsigned char subscription[16];
    zmq_pollitem_t item = {.socket = setting->publisher, .events = ZMQ_POLLIN};
    if (zmq_poll(&item, 1, PATIENCE_MS) != 1)
        fail_msg("nobody subscribed");
    (void)zmq_recv(setting->publisher, subscription, sizeof(subscription), 0);
    for (int i = 0; i < count; i++)
        assert_int_equal(zmq_send(setting->publisher, "event", 5, 0), 5);
}

/* Wait until the program's live page shows so many events. */
static void
wait_for_events(struct setting *setting, uint64_t events)
{
    struct error err;
    bool is_recording;
    struct live_status *status = alloc_zeroed(sizeof(*status));
    int64_t deadline = clock_monotonic_ns() + PATIENCE_MS * NS_PER_MS;
    struct live *live = live_open(setting->tape, &err);
    assert_ok(live != NULL);
    while (live_read(live, status, &is_recording) && status->events < events) {
        if (clock_monotonic_ns() > deadline)
            fail_msg("waited for %llu events, saw %llu", (unsigned long long)events,
                (unsigned long long)status->events);
        clock_sleep_until_ns(clock_monotonic_ns() + 5 * NS_PER_MS);
    }
    live_close(live);
    free(status);
}

static void
assert_says(struct buffer *text, const char *expected)
{
    if (strstr(buffer_text(text), expected) == NULL)
        fail_msg("'%s' is not in: %s", expected, buffer_text(text));
}

static void
records_until_a_signal_and_keeps_everything(void **state)
{
    struct setting *setting = *state;
    start(setting,
        (const char *const[]){"record", "--json", "--tape", setting->tape, setting->url, NULL});
    wait_for_notice(setting, "READY=1");
    publish(setting, 100);
    wait_for_events(setting, 100);
    assert_int_equal(kill(setting->program.pid, SIGINT), 0);
    wait_for_notice(setting, "STOPPING=1");
    program_finish(&setting->program);

    assert_int_equal(setting->program.code, 0);
    assert_says(&setting->program.out, "{\"v\":1,\"done\":true,");
    assert_says(&setting->program.out, "\"end\":\"stopped\",\"events\":\"100\",\"bytes\":\"500\"");
    assert_says(&setting->program.out, "\"tap\":\"zmq\"");
    assert_says(&setting->program.err, "tap=zmq state=live");
    assert_says(&setting->program.err, "end=stopped");
}

static void
stops_after_so_many_events(void **state)
{
    struct setting *setting = *state;
    start(setting, (const char *const[]){"record", "--json", "--tape", setting->tape, "--until",
                       "7", setting->url, NULL});
    publish(setting, 50);
    program_finish(&setting->program);
    assert_int_equal(setting->program.code, 0);
    assert_says(&setting->program.out, "\"end\":\"until\",\"events\":\"7\"");
}

static void
stops_after_a_while(void **state)
{
    struct setting *setting = *state;
    start(setting, (const char *const[]){"record", "--json", "--tape", setting->tape, "--for",
                       "100ms", setting->url, NULL});
    program_finish(&setting->program);
    assert_int_equal(setting->program.code, 0);
    assert_says(&setting->program.out, "\"end\":\"for\",\"events\":\"0\"");
}

static void
prints_nothing_onto_the_tape_when_started_without_descriptors(void **state)
{
    struct setting *setting = *state;
    struct error err;
    struct buffer content = {0};
    program_start_closed(&setting->program, setting->home,
        (const char *const[]){
            "record", "--json", "--tape", setting->tape, "--for", "100ms", setting->url, NULL});
    program_finish(&setting->program);
    assert_int_equal(setting->program.code, 1); /* the JSON had nowhere to go */
    char *lock = alloc_format("%s/LOCK", setting->tape);
    assert_ok(file_read_whole(lock, 4096, &content, &err));
    if (strspn(buffer_text(&content), "0123456789") + 1 != content.length)
        fail_msg("LOCK holds more than a process id: %.500s", buffer_text(&content));
    buffer_done(&content);
    free(lock);
}

static void
records_the_configured_taps(void **state)
{
    struct setting *setting = *state;
    struct error err;
    char *path = alloc_format("%s/my.conf", setting->home);
    char *text = alloc_format("[tap.feed]\ntype = zeromq\nurl = %s\n", setting->url);
    assert_ok(file_replace(path, text, strlen(text), &err));
    start(setting, (const char *const[]){"record", "--config", path, "--json", "--tape",
                       setting->tape, "--until", "3", NULL});
    publish(setting, 3);
    program_finish(&setting->program);
    assert_int_equal(setting->program.code, 0);
    assert_says(&setting->program.out, "\"tap\":\"feed\"");
    assert_says(&setting->program.out, "\"events\":\"3\"");
    free(path);
    free(text);
}

static void
says_what_to_type_when_there_is_nothing_to_record(void **state)
{
    struct setting *setting = *state;
    start(setting, (const char *const[]){"record", "--tape", setting->tape, NULL});
    program_finish(&setting->program);
    assert_int_equal(setting->program.code, 2);
    assert_says(&setting->program.err, "tapedeck record kafka://localhost:9092/orders");
}

static void
says_what_until_takes(void **state)
{
    struct setting *setting = *state;
    start(setting, (const char *const[]){
                       "record", "--tape", setting->tape, "--until", "soon", setting->url, NULL});
    program_finish(&setting->program);
    assert_int_equal(setting->program.code, 2);
    assert_says(&setting->program.err, "--until takes 'end', a number of events or a time");
}

static void
takes_no_number_below_one_for_until(void **state)
{
    struct setting *setting = *state;
    const char *const wrong[] = {"0", "-1", "18446744073709551616"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        start(setting, (const char *const[]){"record", "--tape", setting->tape, "--until", wrong[i],
                           setting->url, NULL});
        program_finish(&setting->program);
        assert_int_equal(setting->program.code, 2);
        assert_says(&setting->program.err, "the number of events must be 1 to ");
        program_done(&setting->program);
    }
}

static void
ends_with_4_when_nobody_is_there(void **state)
{
    struct setting *setting = *state;
    start(setting, (const char *const[]){
                       "record", "--tape", setting->tape, "kafka://127.0.0.1:1/orders", NULL});
    program_finish(&setting->program);
    assert_int_equal(setting->program.code, 4);
    assert_says(&setting->program.err,
        "tapedeck: cannot reach kafka at 127.0.0.1:1: connection refused; "
        "is the broker running, and is this its port?\n");
}

static int
connect_to_port(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    return connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 ? fd
                                                                                : (close(fd), -1);
}

/* A port that is free now. */
static int
free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    (void)close(fd);
    return ntohs(address.sin_port);
}

/* The whole answer of the program's HTTP server. */
static void
ask(int port, const char *request, struct buffer *answer)
{
    char part[4096];
    ssize_t length;
    int fd = connect_to_port(port);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, request, strlen(request)), (ssize_t)strlen(request));
    answer->length = 0;
    while ((length = read(fd, part, sizeof(part))) > 0)
        buffer_append(answer, part, (size_t)length);
    (void)close(fd);
}

static void
serves_metrics_while_it_records(void **state)
{
    struct setting *setting = *state;
    struct buffer answer = {0};
    int port = free_port();
    char *address = alloc_format("127.0.0.1:%d", port);
    start(setting, (const char *const[]){"record", "--metrics", address, "--tape", setting->tape,
                       setting->url, NULL});
    wait_for_notice(setting, "READY=1");
    publish(setting, 100);
    wait_for_events(setting, 100);
    ask(port, "GET /metrics HTTP/1.0\r\n\r\n", &answer);
    assert_says(&answer, " 200 OK");
    assert_says(&answer, "text/plain; version=0.0.4");
    assert_says(&answer, "\ntapedeck_recorder_events_total 100\n");
    assert_says(&answer, "\ntapedeck_stream_events_total{tap=\"zmq\",stream=\"all\"} 100\n");
    assert_says(&answer, "\ntapedeck_tap_state{tap=\"zmq\",state=\"live\"} 1\n");
    ask(port, "GET / HTTP/1.0\r\n\r\n", &answer);
    assert_says(&answer, " 404 ");
    ask(port, "DELETE /metrics HTTP/1.0\r\n\r\n", &answer);
    assert_says(&answer, " 405 ");
    assert_int_equal(kill(setting->program.pid, SIGINT), 0);
    program_finish(&setting->program);
    assert_int_equal(setting->program.code, 0);
    assert_says(&setting->program.err, "metrics_port=");
    buffer_done(&answer);
    free(address);
}

static void
says_what_an_address_for_metrics_is(void **state)
{
    struct setting *setting = *state;
    start(setting, (const char *const[]){"record", "--metrics", "everywhere", "--tape",
                       setting->tape, setting->url, NULL});
    program_finish(&setting->program);
    assert_int_equal(setting->program.code, 2);
    assert_says(&setting->program.err, "127.0.0.1:9464");
}

static void
stands_between_publishers_and_subscribers(void **state)
{
    struct setting *setting = *state;
    int front = free_port();
    int back = free_port();
    char *addresses = alloc_format("127.0.0.1:%d,127.0.0.1:%d", front, back);
    char *endpoint = alloc_format("tcp://127.0.0.1:%d", front);
    start(setting, (const char *const[]){"record", "--json", "--proxy", addresses, "--tape",
                       setting->tape, "--until", "5", NULL});
    wait_for_notice(setting, "READY=1");
    assert_int_equal(zmq_connect(setting->publisher, endpoint), 0);
    publish(setting, 5);
    program_finish(&setting->program);
    assert_int_equal(setting->program.code, 0);
    assert_says(&setting->program.out, "\"events\":\"5\"");
    assert_says(&setting->program.out, "zmq+proxy://127.0.0.1:");
    free(addresses);
    free(endpoint);
}

#define RECORD_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        RECORD_TEST(records_until_a_signal_and_keeps_everything),
        RECORD_TEST(stops_after_so_many_events),
        RECORD_TEST(stops_after_a_while),
        RECORD_TEST(prints_nothing_onto_the_tape_when_started_without_descriptors),
        RECORD_TEST(records_the_configured_taps),
        RECORD_TEST(says_what_to_type_when_there_is_nothing_to_record),
        RECORD_TEST(says_what_until_takes),
        RECORD_TEST(takes_no_number_below_one_for_until),
        RECORD_TEST(ends_with_4_when_nobody_is_there),
        RECORD_TEST(serves_metrics_while_it_records),
        RECORD_TEST(says_what_an_address_for_metrics_is),
        RECORD_TEST(stands_between_publishers_and_subscribers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
