/* zmq_monitor.h - what becomes of the connections of a ZeroMQ socket.
 *
 * Connections come up and go down on libzmq's own thread; their news arrive at a socket of ours.
 * Threads: the collector's.
 */
#ifndef COLLECTORS_ZMQ_MONITOR_H
#define COLLECTORS_ZMQ_MONITOR_H

#include <stdbool.h>

struct zmq_monitor;

enum zmq_news_kind {
    ZMQ_NEWS_CONNECTED, /* and let in */
    ZMQ_NEWS_LOST,
    ZMQ_NEWS_NOBODY,  /* nobody answers; libzmq tries again */
    ZMQ_NEWS_REFUSED, /* someone answers, but speaks otherwise or does not let us in */
};

struct zmq_news {
    enum zmq_news_kind kind;
    char endpoint[256];
    const char *why; /* of ZMQ_NEWS_REFUSED; a constant */
};

/* Watch `socket`. NULL: see zmq_errno(). */
struct zmq_monitor *zmq_monitor_open(void *context, void *socket);

/* End it before `socket` is closed. NULL is allowed. */
void zmq_monitor_close(struct zmq_monitor *monitor, void *socket);

/* The socket to poll for news. */
void *zmq_monitor_socket(const struct zmq_monitor *monitor);

/* Take one of the news; false when there is none. */
bool zmq_monitor_read(struct zmq_monitor *monitor, struct zmq_news *news);

#endif
