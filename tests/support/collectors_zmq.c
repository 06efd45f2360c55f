#include "tests/support/collectors_zmq.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <zmq.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "tests/support/collectors_tape.h"
#include "tests/support/unit.h"

#define PATIENCE_NS (20 * NS_PER_S)

void
feed_bind(struct feed_setting *setting)
{
    int none = 0;
    int all = 0;
    int each = 1; /* tell of a subscription also when an earlier one is not yet gone */
    setting->publisher = zmq_socket(setting->context, ZMQ_XPUB);
    assert_non_null(setting->publisher);
    (void)zmq_setsockopt(setting->publisher, ZMQ_LINGER, &none, sizeof(none));
    (void)zmq_setsockopt(setting->publisher, ZMQ_SNDHWM, &all, sizeof(all));
    (void)zmq_setsockopt(setting->publisher, ZMQ_XPUB_VERBOSE, &each, sizeof(each));
    if (strchr(setting->endpoint, '[') != NULL)
        (void)zmq_setsockopt(setting->publisher, ZMQ_IPV6, &each, sizeof(each));
    if (zmq_bind(setting->publisher, setting->endpoint) != 0)
        fail_msg("cannot bind %s: %s", setting->endpoint, zmq_strerror(zmq_errno()));
}

int
feed_set_up(void **state)
{
    struct feed_setting *setting = alloc_zeroed(sizeof(*setting));
    setting->directory = temp_directory_new();
    setting->tape = alloc_format("%s/tape", setting->directory);
    setting->endpoint = alloc_format("ipc://%s/events.sock", setting->directory);
    setting->url = alloc_format("zmq+ipc://%s/events.sock", setting->directory);
    setting->context = zmq_ctx_new();
    feed_bind(setting);
    *state = setting;
    return 0;
}

int
feed_tear_down(void **state)
{
    struct feed_setting *setting = *state;
    if (setting->publisher != NULL)
        (void)zmq_close(setting->publisher);
    (void)zmq_ctx_term(setting->context);
    temp_directory_remove(setting->directory);
    free(setting->tape);
    free(setting->endpoint);
    free(setting->url);
    free(setting);
    return 0;
}

struct recorder *
feed_start_until(struct feed_setting *setting, enum recorder_until until, int64_t until_ns)
{
    struct error err;
    struct recorder_tap tap = {
        .name = "feed", .url = setting->url, .properties = setting->properties};
    while (tap.property_count < 3 && setting->properties[tap.property_count].name != NULL)
        tap.property_count++;
    struct recorder_options options = {
        .directory = setting->tape,
        .taps = &tap,
        .tap_count = 1,
        .until = until,
        .until_ns = until_ns,
        .until_events = 5,
    };
    struct recorder *recorder = recorder_start(&options, &err);
    assert_ok(recorder != NULL);
    return recorder;
}

void
feed_wait_for_subscription(struct feed_setting *setting)
{
    unsigned char subscription[64];
    zmq_pollitem_t item = {.socket = setting->publisher, .events = ZMQ_POLLIN};
    do {
        if (zmq_poll(&item, 1, (long)(PATIENCE_NS / NS_PER_MS)) <= 0)
            fail_msg("nobody subscribed");
        (void)zmq_recv(setting->publisher, subscription, sizeof(subscription), 0);
    } while (subscription[0] != 1);
}

struct recorder *
feed_start(struct feed_setting *setting)
{
    struct recorder *recorder = feed_start_until(setting, UNTIL_STOPPED, 0);
    feed_wait_for_subscription(setting);
    return recorder;
}

void
feed_publish(struct feed_setting *setting, const char *text)
{
    assert_int_equal(zmq_send(setting->publisher, text, strlen(text), 0), (int)strlen(text));
}

void
feed_publish_numbers(struct feed_setting *setting, int from, int count)
{
    char text[16];
    for (int i = from; i < from + count; i++) {
        (void)snprintf(text, sizeof(text), "n%d", i);
        feed_publish(setting, text);
    }
}

void
feed_publish_counted(struct feed_setting *setting, const char *topic, int number)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%d", number);
    assert_true(zmq_send(setting->publisher, topic, strlen(topic), ZMQ_SNDMORE) >= 0);
    feed_publish(setting, text);
}

void
feed_use_url(struct feed_setting *setting, char *url)
{
    free(setting->url);
    setting->url = url;
}

void
feed_use_property(struct feed_setting *setting, size_t slot, const char *name, const char *value)
{
    setting->properties[slot] = (struct recorder_property){.name = name, .value = value};
}

void
feed_connect_publisher(struct feed_setting *setting, int type, const char *endpoint)
{
    int none = 0;
    (void)zmq_close(setting->publisher);
    setting->publisher = zmq_socket(setting->context, type);
    (void)zmq_setsockopt(setting->publisher, ZMQ_LINGER, &none, sizeof(none));
    (void)zmq_setsockopt(setting->publisher, ZMQ_SNDHWM, &none, sizeof(none));
    (void)zmq_setsockopt(setting->publisher, ZMQ_IPV6, &(int){1}, sizeof(int));
    if (zmq_connect(setting->publisher, endpoint) != 0)
        fail_msg("cannot connect to %s: %s", endpoint, zmq_strerror(zmq_errno()));
}

int
feed_free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    (void)close(fd);
    return ntohs(address.sin_port);
}

void *
feed_open_bound(struct feed_setting *setting, int type, const char *endpoint)
{
    int none = 0;
    void *socket = zmq_socket(setting->context, type);
    assert_non_null(socket);
    (void)zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof(none));
    if (zmq_bind(socket, endpoint) != 0)
        fail_msg("cannot bind %s: %s", endpoint, zmq_strerror(zmq_errno()));
    return socket;
}

void *
feed_open_connected(struct feed_setting *setting, int type, const char *endpoint)
{
    int none = 0;
    void *socket = zmq_socket(setting->context, type);
    assert_non_null(socket);
    (void)zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof(none));
    (void)zmq_setsockopt(socket, ZMQ_RCVTIMEO, &(int){20000}, sizeof(int));
    assert_int_equal(zmq_connect(socket, endpoint), 0);
    return socket;
}
