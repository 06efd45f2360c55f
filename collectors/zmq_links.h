/* zmq_links.h - the addresses of a ZeroMQ tap: which of them are connected, and why others are not.
 *
 * Connects or binds the socket to all of them and follows what becomes of each. libzmq connects again by
 * itself after most failures, but not when it was refused or found a socket of another kind: then this
 * does, with growing pauses, so that what is put right on the other side needs nobody here.
 *
 * Threads: the collector's.
 */
#ifndef COLLECTORS_ZMQ_LINKS_H
#define COLLECTORS_ZMQ_LINKS_H

#include <stdbool.h>
#include <stddef.h>

#include "collectors/zmq_reason.h"

struct source_config;
struct zmq_links;
struct zmq_request;

/* Watch `socket`. Both others outlive this. NULL: see zmq_errno(). */
struct zmq_links *zmq_links_new(const struct zmq_request *request,
    const struct source_config *config, void *context, void *socket);

/* Free it, before `socket` is closed. NULL is allowed. */
void zmq_links_free(struct zmq_links *links);

/* Connect to, or listen at, all addresses. `behind` is the proxy's socket for subscribers, at the
 * second address; else NULL. False with ERROR_SYSTEM when an address is taken, which may change, or
 * ERROR_ARGUMENT. */
bool zmq_links_attach(struct zmq_links *links, void *behind, struct error *err);

/* The socket to poll for news. */
void *zmq_links_socket(const struct zmq_links *links);

enum zmq_change {
    ZMQ_CHANGE_NONE, /* nothing new now */
    ZMQ_CHANGE_UP,   /* a publisher is there */
    ZMQ_CHANGE_LOST, /* one that was there is not any more */
    ZMQ_CHANGE_DOWN, /* one could not be reached, or could not come in: see the reason */
};

/* The next change; call it until there is none, several times a second, since time is a reason too.
 * *endpoint is where, for as long as the links live; *reason is set with ZMQ_CHANGE_DOWN. */
enum zmq_change zmq_links_next(
    struct zmq_links *links, const char **endpoint, struct zmq_reason *reason);

/* One of the addresses that we connect to. */
struct zmq_address {
    const char *endpoint; /* lives as long as the links */
    bool is_up;
    enum zmq_fault fault; /* of one that is not; ZMQ_FAULT_NONE: nothing is known yet */
};

/* Address number `index`; false behind the last. */
bool zmq_links_address(const struct zmq_links *links, size_t index, struct zmq_address *address);

/* How many publishers are there, and whether that is one at each address that we connect to. */
size_t zmq_links_up_count(const struct zmq_links *links);
bool zmq_links_all_up(const struct zmq_links *links);

#endif
