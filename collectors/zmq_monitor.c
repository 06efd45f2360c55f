#include "collectors/zmq_monitor.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <zmq.h>

#include "base/alloc.h"

#define ADDRESS "inproc://monitor"
#define REFUSED                                                              \
    (ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | \
        ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL)
#define OPENED (ZMQ_EVENT_CONNECTED | ZMQ_EVENT_ACCEPTED)
#define EVENTS                                                                   \
    (OPENED | REFUSED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED | \
        ZMQ_EVENT_CLOSED | ZMQ_EVENT_CONNECT_RETRIED)

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

static enum zmq_refusal
refusal_of(uint16_t event, uint32_t value)
{
    if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)
        return ZMQ_REFUSAL_LOGIN;
    if (event == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL) /* with an errno */
        return value == EAGAIN || value == ETIMEDOUT ? ZMQ_REFUSAL_SILENCE : ZMQ_REFUSAL_HANG_UP;
    if (value == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH)
        return ZMQ_REFUSAL_MECHANISM;
    return value == ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC ? ZMQ_REFUSAL_KEYS : ZMQ_REFUSAL_PROTOCOL;
}

static enum zmq_news_kind
kind_of(uint16_t event)
{
    if ((event & OPENED) != 0)
        return ZMQ_NEWS_OPENED;
    if ((event & REFUSED) != 0)
        return ZMQ_NEWS_REFUSED;
    if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED)
        return ZMQ_NEWS_GREETED;
    if (event == ZMQ_EVENT_DISCONNECTED)
        return ZMQ_NEWS_GONE;
    return event == ZMQ_EVENT_CONNECT_RETRIED ? ZMQ_NEWS_RETRY : ZMQ_NEWS_CLOSED;
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
    news->refusal = refusal_of(event, value);
    news->fd = (int)value;
    return true;
}
