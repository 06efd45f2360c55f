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
    ZMQ_NEWS_OPENED,  /* somebody answers, or has come to where we listen; the greeting begins */
    ZMQ_NEWS_GREETED, /* and has been let in, or lets us in */
    ZMQ_NEWS_REFUSED, /* the greeting failed; see `refusal` */
    ZMQ_NEWS_GONE,    /* the connection ended, greeted or not */
    ZMQ_NEWS_CLOSED,  /* an attempt to connect found nobody */
    ZMQ_NEWS_RETRY,   /* libzmq will try again by itself; it does not after every failure */
};

enum zmq_refusal {
    ZMQ_REFUSAL_HANG_UP,   /* the other side ended the connection */
    ZMQ_REFUSAL_SILENCE,   /* it said nothing for so long that we ended it */
    ZMQ_REFUSAL_LOGIN,     /* name, password, key or address is refused */
    ZMQ_REFUSAL_MECHANISM, /* one side wants another way of authentication than the other */
    ZMQ_REFUSAL_KEYS,      /* the CURVE keys do not fit together */
    ZMQ_REFUSAL_PROTOCOL,  /* what it says is no greeting */
};

struct zmq_news {
    enum zmq_news_kind kind;
    char endpoint[256];
    int fd; /* of ZMQ_NEWS_OPENED and ZMQ_NEWS_GONE: the same for one connection */
    enum zmq_refusal refusal;
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
