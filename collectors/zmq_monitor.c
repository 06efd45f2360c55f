#include "collectors/zmq_monitor.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <zmq.h>

#include "base/alloc.h"

#define ADDRESS "inproc://monitor"
#define REFUSED                                                              \
    (ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | \
        ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL)
#define EVENTS \
    (ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CONNECT_RETRIED | REFUSED)

struct zmq_monitor {
    void *socket;
};

struct zmq_monitor *
zmq_monitor_open(void *context, void *socket)
{
    int none = 0;
    if (zmq_socket_monitor(socket, ADDRESS, EVENTS) != 0)
        return NULL;
    struct zmq_monitor *monitor = alloc_zeroed(sizeof(*monitor));
    monitor->socket = zmq_socket(context, ZMQ_PAIR);
    if (monitor->socket != NULL &&
        zmq_setsockopt(monitor->socket, ZMQ_LINGER, &none, sizeof(none)) == 0 &&
        zmq_connect(monitor->socket, ADDRESS) == 0)
        return monitor;
    zmq_monitor_close(monitor, socket);
    return NULL;
}

void
zmq_monitor_close(struct zmq_monitor *monitor, void *socket)
{
    if (monitor == NULL)
        return;
    (void)zmq_socket_monitor(socket, NULL, 0);
    if (monitor->socket != NULL)
        (void)zmq_close(monitor->socket);
    free(monitor);
}

void *
zmq_monitor_socket(const struct zmq_monitor *monitor)
{
    return monitor->socket;
}

static const char *
why_refused(uint16_t event, uint32_t value)
{
    if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)
        return "the name, password or key is refused";
    if (event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL &&
        value == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH)
        return "the other side wants another way of authentication (none, PLAIN or CURVE)";
    if (event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL &&
        value == ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC)
        return "the CURVE keys do not fit together";
    return "what answers is not a ZeroMQ publisher, or has another key";
}

static enum zmq_news_kind
kind_of(uint16_t event)
{
    if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED)
        return ZMQ_NEWS_CONNECTED;
    if (event == ZMQ_EVENT_DISCONNECTED)
        return ZMQ_NEWS_LOST;
    return event == ZMQ_EVENT_CONNECT_RETRIED ? ZMQ_NEWS_NOBODY : ZMQ_NEWS_REFUSED;
}

/* Each is two frames: event and value in the byte order of this machine, then the endpoint. */
bool
zmq_monitor_read(struct zmq_monitor *monitor, struct zmq_news *news)
{
    unsigned char head[6];
    uint16_t event;
    uint32_t value;
    if (zmq_recv(monitor->socket, head, sizeof(head), ZMQ_DONTWAIT) != (int)sizeof(head))
        return false;
    memcpy(&event, head, sizeof(event));
    memcpy(&value, head + sizeof(event), sizeof(value));

    const size_t room = sizeof(news->endpoint) - 1;
    int length = zmq_recv(monitor->socket, news->endpoint, room, ZMQ_DONTWAIT);
    if (length < 0)
        return false;
    news->endpoint[(size_t)length < room ? (size_t)length : room] = '\0';
    news->kind = kind_of(event);
    news->why = why_refused(event, value);
    return true;
}
