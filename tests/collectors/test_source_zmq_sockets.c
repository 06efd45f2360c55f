#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zmq.h>

#include "base/alloc.h"
#include "base/error.h"
#include "collectors/recorder.h"
#include "tests/support/collectors_tape.h"
#include "tests/support/collectors_zmq.h"
#include "tests/support/unit.h"

static void
publishers_connect_to_a_bound_tap(void **state)
{
    struct feed_setting *setting = *state;
    int port = feed_free_port();
    feed_use_url(setting, alloc_format("zmq+bind://127.0.0.1:%d/n", port));
    struct recorder *recorder = feed_start_until(setting, UNTIL_STOPPED, 0);
    assert_int_equal(tap_now(recorder, 0).state, TAP_LIVE);
    assert_non_null(strstr(tap_now(recorder, 0).error, "nobody has connected yet"));

    char *endpoint = alloc_format("tcp://127.0.0.1:%d", port);
    feed_connect_publisher(setting, ZMQ_XPUB, endpoint);
    feed_wait_for_subscription(setting);
    feed_publish_numbers(setting, 0, 100);
    wait_for_events(recorder, 100);
    assert_string_equal(tap_now(recorder, 0).error, "");
    feed_connect_publisher(setting, ZMQ_XPUB, endpoint); /* the first one leaves */
    feed_wait_for_subscription(setting);
    feed_publish_numbers(setting, 100, 1);
    wait_for_events(recorder, 101);
    assert_int_equal(tap_now(recorder, 0).state, TAP_LIVE);
    stop_recorder(recorder);
    free(endpoint);

    struct taped taped;
    taped_read(&taped, setting->tape);
    assert_true(bytes_equal_text(taped_at(&taped, "feed/n", 0, 100)->payload, "n100"));
    taped_done(&taped);
}

static void
says_when_the_address_is_taken(void **state)
{
    struct feed_setting *setting = *state;
    struct error err;
    char endpoint[128];
    size_t length = sizeof(endpoint);
    assert_int_equal(zmq_bind(setting->publisher, "tcp://127.0.0.1:*"), 0);
    assert_int_equal(zmq_getsockopt(setting->publisher, ZMQ_LAST_ENDPOINT, endpoint, &length), 0);
    feed_use_url(setting, alloc_format("zmq+bind://%s/n", endpoint + strlen("tcp://")));
    struct recorder_tap tap = {.url = setting->url};
    struct recorder_options options = {.directory = setting->tape, .taps = &tap, .tap_count = 1};
    assert_null(recorder_start(&options, &err));
    assert_non_null(strstr(err.text, "cannot listen at 'tcp://127.0.0.1:"));
    assert_non_null(strstr(err.text, "Address already in use"));
}

static void
cannot_start(struct feed_setting *setting, const char *reason)
{
    struct error err;
    struct recorder_tap tap = {.url = setting->url};
    struct recorder_options options = {.directory = setting->tape, .taps = &tap, .tap_count = 1};
    assert_null(recorder_start(&options, &err));
    if (strstr(err.text, reason) == NULL)
        fail_msg("'%s' is not in '%s'", reason, err.text);
}

/* libzmq would take the file from the one who listens there, who would never hear of anybody again. */
static void
leaves_a_socket_to_who_listens_at_it(void **state)
{
    struct feed_setting *setting = *state;
    feed_use_url(setting, alloc_format("zmq+bind+ipc://%s", setting->endpoint + strlen("ipc://")));
    cannot_start(setting, "Address already in use");
    void *reader = feed_open_connected(setting, ZMQ_SUB, setting->endpoint);
    assert_int_equal(zmq_setsockopt(reader, ZMQ_SUBSCRIBE, "", 0), 0);
    feed_wait_for_subscription(setting);
    assert_int_equal(zmq_close(reader), 0);
}

/* And remove a file. */
static void
leaves_a_file_that_is_no_socket(void **state)
{
    struct feed_setting *setting = *state;
    char *path = alloc_format("%s/notes", setting->directory);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "kept", 4), 4);
    assert_int_equal(close(fd), 0);
    feed_use_url(setting, alloc_format("zmq+bind+ipc://%s", path));
    cannot_start(setting, "something else than a socket");
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_size, 4);
    free(path);
}

/* What is no publisher comes and goes beside one: nothing of the publisher is lost by that. */
static void
a_stranger_at_a_bound_tap_makes_no_hole(void **state)
{
    struct feed_setting *setting = *state;
    int port = feed_free_port();
    feed_use_url(setting, alloc_format("zmq+bind://127.0.0.1:%d", port));
    struct recorder *recorder = feed_start_until(setting, UNTIL_STOPPED, 0);
    char *endpoint = alloc_format("tcp://127.0.0.1:%d", port);
    feed_connect_publisher(setting, ZMQ_XPUB, endpoint);
    feed_wait_for_subscription(setting);
    feed_publish_numbers(setting, 0, 1);
    wait_for_events(recorder, 1);

    struct sockaddr_in address = {.sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int stranger = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(stranger, (const struct sockaddr *)&address, sizeof(address)), 0);
    (void)close(stranger);
    wait_for_text(recorder, 0, "a peer could not connect");
    void *other = feed_open_connected(setting, ZMQ_PUSH, endpoint);
    feed_publish_numbers(setting, 1, 1);
    wait_for_events(recorder, 2);
    (void)zmq_close(other);
    assert_int_equal(tap_now(recorder, 0).retries, 0);
    stop_recorder(recorder);
    free(endpoint);
    struct hole hole;
    assert_int_equal(taped_holes(setting->tape, "feed/all", 0, &hole, 1), 0);
}

struct capture {
    void *requests; /* ROUTER */
    void *workers;  /* DEALER */
    void *capture;
};

static void *
run_proxy(void *argument)
{
    struct capture *capture = argument;
    (void)zmq_proxy(capture->requests, capture->workers, capture->capture);
    return NULL;
}

static void
expect_frame(void *socket, const char *text)
{
    char frame[64];
    int length = zmq_recv(socket, frame, sizeof(frame), 0);
    if (length < 0)
        fail_msg("waited 20 s for '%s': %s", text, zmq_strerror(zmq_errno()));
    assert_true(bytes_equal_text(bytes_make(frame, (size_t)length), text));
}

/* Requests and answers between DEALER and ROUTER sockets, seen at the capture socket of the proxy that
 * stands between them. */
static void
sees_requests_and_answers_at_a_capture_socket(void **state)
{
    struct feed_setting *setting = *state;
    (void)zmq_close(setting->publisher);
    setting->publisher = NULL;
    feed_use_url(setting, alloc_format("zmq+pull+ipc://%s/capture.sock#shop", setting->directory));
    char *endpoint = alloc_format("ipc://%s/capture.sock", setting->directory);
    struct capture capture = {
        .requests = feed_open_bound(setting, ZMQ_ROUTER, "inproc://requests"),
        .workers = feed_open_bound(setting, ZMQ_DEALER, "inproc://workers"),
        .capture = feed_open_bound(setting, ZMQ_PUSH, endpoint),
    };
    struct recorder *recorder = feed_start_until(setting, UNTIL_STOPPED, 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_proxy, &capture), 0);

    void *client = zmq_socket(setting->context, ZMQ_DEALER);
    (void)zmq_setsockopt(client, ZMQ_ROUTING_ID, "me", 2);
    (void)zmq_setsockopt(client, ZMQ_RCVTIMEO, &(int){20000}, sizeof(int));
    assert_int_equal(zmq_connect(client, "inproc://requests"), 0);
    void *worker = feed_open_connected(setting, ZMQ_REP, "inproc://workers");
    assert_int_equal(zmq_send(client, "", 0, ZMQ_SNDMORE), 0);
    assert_int_equal(zmq_send(client, "what?", 5, 0), 5);
    expect_frame(worker, "what?");
    assert_int_equal(zmq_send(worker, "that", 4, 0), 4);
    expect_frame(client, "");
    expect_frame(client, "that");
    wait_for_events(recorder, 2);
    stop_recorder(recorder);

    (void)zmq_ctx_shutdown(setting->context); /* ends the proxy */
    (void)pthread_join(thread, NULL);
    void *const sockets[] = {client, worker, capture.requests, capture.workers, capture.capture};
    for (size_t i = 0; i < sizeof(sockets) / sizeof(sockets[0]); i++)
        (void)zmq_close(sockets[i]);
    free(endpoint);

    struct taped taped;
    taped_read(&taped, setting->tape);
    const struct event *asked = taped_at(&taped, "feed/shop", 0, 0);
    const struct event *answered = taped_at(&taped, "feed/shop", 0, 1);
    assert_true(bytes_equal_text(asked->key, "me"));
    assert_true(bytes_equal_text(asked->payload, "what?"));
    assert_true(bytes_equal_text(answered->key, "me"));
    assert_true(bytes_equal_text(answered->payload, "that"));
    taped_done(&taped);
}

static void
a_bound_pull_socket_takes_from_a_push_socket(void **state)
{
    struct feed_setting *setting = *state;
    feed_use_url(setting, alloc_format("zmq+pull+bind+ipc://%s/in.sock", setting->directory));
    struct recorder *recorder = feed_start_until(setting, UNTIL_STOPPED, 0);
    char *endpoint = alloc_format("ipc://%s/in.sock", setting->directory);
    feed_connect_publisher(setting, ZMQ_PUSH, endpoint);
    feed_publish_numbers(setting, 0, 100);
    wait_for_events(recorder, 100);
    stop_recorder(recorder);
    free(endpoint);

    struct taped taped;
    taped_read(&taped, setting->tape);
    assert_true(bytes_equal_text(taped_at(&taped, "feed/all", 0, 99)->payload, "n99"));
    taped_done(&taped);
}

/* Everything goes through, also what is not recorded; the publisher hears what subscribers want. */
static void
forwards_as_a_proxy_and_records_what_passes(void **state)
{
    struct feed_setting *setting = *state;
    feed_use_url(setting,
        alloc_format("zmq+proxy+ipc://%s/front,%s/back#n", setting->directory, setting->directory));
    struct recorder *recorder = feed_start_until(setting, UNTIL_STOPPED, 0);
    char *front = alloc_format("ipc://%s/front", setting->directory);
    char *back = alloc_format("ipc://%s/back", setting->directory);
    feed_connect_publisher(setting, ZMQ_XPUB, front);
    feed_wait_for_subscription(setting); /* the recorder's own */
    void *subscriber = feed_open_connected(setting, ZMQ_SUB, back);
    assert_int_equal(zmq_setsockopt(subscriber, ZMQ_SUBSCRIBE, "", 0), 0);
    feed_wait_for_subscription(setting); /* passed on */

    feed_publish(setting, "other");
    feed_publish_numbers(setting, 0, 3);
    assert_int_equal(zmq_send(setting->publisher, "n", 1, ZMQ_SNDMORE), 1);
    feed_publish(setting, "two");
    expect_frame(subscriber, "other");
    expect_frame(subscriber, "n0");
    expect_frame(subscriber, "n1");
    expect_frame(subscriber, "n2");
    expect_frame(subscriber, "n");
    expect_frame(subscriber, "two");
    wait_for_events(recorder, 4);
    stop_recorder(recorder);
    (void)zmq_close(subscriber);
    free(front);
    free(back);

    struct taped taped;
    taped_read(&taped, setting->tape);
    assert_int_equal(taped.count, 4);
    assert_true(bytes_equal_text(taped_at(&taped, "feed/n", 0, 3)->key, "n"));
    assert_true(bytes_equal_text(taped_at(&taped, "feed/n", 0, 3)->payload, "two"));
    taped_done(&taped);
}

#define ZMQ_TEST(name) cmocka_unit_test_setup_teardown(name, feed_set_up, feed_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ZMQ_TEST(publishers_connect_to_a_bound_tap),
        ZMQ_TEST(says_when_the_address_is_taken),
        ZMQ_TEST(sees_requests_and_answers_at_a_capture_socket),
        ZMQ_TEST(a_bound_pull_socket_takes_from_a_push_socket),
        ZMQ_TEST(forwards_as_a_proxy_and_records_what_passes),
        ZMQ_TEST(leaves_a_socket_to_who_listens_at_it),
        ZMQ_TEST(leaves_a_file_that_is_no_socket),
        ZMQ_TEST(a_stranger_at_a_bound_tap_makes_no_hole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
