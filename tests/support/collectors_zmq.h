/* collectors_zmq.h - a ZeroMQ publisher and a recorder of what it publishes, for the tests of the ZeroMQ source. */
#ifndef TESTS_SUPPORT_COLLECTORS_ZMQ_H
#define TESTS_SUPPORT_COLLECTORS_ZMQ_H

#include <stddef.h>
#include <stdint.h>

#include "collectors/recorder.h"

/* A publisher on a socket file in the tape's parent, and the URL that leads to it. The tap is called "feed". */
struct feed_setting {
    char *directory;
    char *tape;
    char *endpoint;
    char *url;
    void *context;
    void *publisher;
    struct recorder_property properties[3]; /* of the tap; those with a name */
};

/* Around a test whose state it is. */
int feed_set_up(void **state);
int feed_tear_down(void **state);

/* Another URL, which is taken, or property. */
void feed_use_url(struct feed_setting *setting, char *url);
void feed_use_property(
    struct feed_setting *setting, size_t slot, const char *name, const char *value);

/* Record. feed_start() waits for the subscription: from then on nothing is lost. */
struct recorder *feed_start_until(
    struct feed_setting *setting, enum recorder_until until, int64_t until_ns);
struct recorder *feed_start(struct feed_setting *setting);

/* The publisher's socket is an XPUB, which hears of a subscription. Fails after 20 s. */
void feed_wait_for_subscription(struct feed_setting *setting);

/* A text, and "n0", "n1" ... */
void feed_publish(struct feed_setting *setting, const char *text);
void feed_publish_numbers(struct feed_setting *setting, int from, int count);

/* Two frames: a topic, and a number in digits. */
void feed_publish_counted(struct feed_setting *setting, const char *topic, int number);

/* The publisher anew: where it was, or one of `type` that connects to where the recorder listens. */
void feed_bind(struct feed_setting *setting);
void feed_connect_publisher(struct feed_setting *setting, int type, const char *endpoint);

/* Further sockets, closed by the caller; one that connects waits 20 s for a message. */
void *feed_open_bound(struct feed_setting *setting, int type, const char *endpoint);
void *feed_open_connected(struct feed_setting *setting, int type, const char *endpoint);

/* A port that is free now. */
int feed_free_port(void);

#endif
