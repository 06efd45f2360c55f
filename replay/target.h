/* target.h - where a replay goes.
 *
 *     kafka://HOST[:PORT][,HOST[:PORT]...]/TOPIC
 *     file:///PATH                       lines of JSON
 *     zmq+pub://HOST:PORT                and other ways to ZeroMQ, see target_zmq.h
 *
 * Threads: any.
 */
#ifndef REPLAY_TARGET_H
#define REPLAY_TARGET_H

#include <stdbool.h>

struct error;

struct target {
    char *url;       /* as it was given */
    char *transport; /* "kafka": the row in sinks.def */
    char *servers;   /* "host:9092,host2:9092"; the endpoint of a ZeroMQ socket */
    char *name; /* the topic, the file's path, or the socket's address: what --confirm spells out */
};

/* Read a URL. False with ERROR_ARGUMENT that says what is understood; else the caller ends *target
 * with target_done(). */
bool target_parse(const char *url, struct target *target, struct error *err);
void target_done(struct target *target);

#endif
