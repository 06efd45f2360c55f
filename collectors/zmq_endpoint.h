/* zmq_endpoint.h - what the URL and the properties of a ZeroMQ tap ask for, and sockets like that.
 *
 *     zmq://           a SUB socket that connects
 *     zmq+bind://      a SUB socket that publishers connect to
 *     zmq+pull://      a PULL socket that connects: the capture socket of a proxy
 *     zmq+pull+bind:// the same, waiting to be connected to
 *     zmq+proxy://     XSUB and XPUB, bound to the first and the second address
 *
 * Each also with +ipc at its end. Properties: sequence (see zmq_sequence.h), plain_username and
 * plain_password, curve_server_key (the other side's public key), curve_public_key and
 * curve_secret_key (ours; made when left out). A curve_secret_key without curve_server_key makes us the
 * server of CURVE, which takes everybody who knows our public key.
 *
 * Threads: any for the request, the collector's for sockets.
 */
#ifndef COLLECTORS_ZMQ_ENDPOINT_H
#define COLLECTORS_ZMQ_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>

#include "collectors/zmq_sequence.h"

struct error;
struct source_config;

enum zmq_role {
    ZMQ_ROLE_SUBSCRIBE,
    ZMQ_ROLE_PULL,
    ZMQ_ROLE_PROXY,
};

/* The most prefixes of one tap. */
#define ZMQ_PREFIXES_MAX 64

/* Texts are those of the configuration, which outlives this. */
struct zmq_request {
    enum zmq_role role;
    bool is_bound;
    bool is_file; /* ipc */
    struct zmq_place sequence;
    const char *plain_username;
    const char *plain_password;
    const char *curve_server_key;
    const char *curve_public_key;
    const char *curve_secret_key;
};

/* False with ERROR_ARGUMENT (the URL) or ERROR_CONFIG (a property). */
bool zmq_request_read(
    const struct source_config *config, struct zmq_request *request, struct error *err);

/* Everything about a socket that is set before it connects or is bound. False: see zmq_errno(). */
bool zmq_request_set_options(const struct zmq_request *request, void *socket);

/* ZMQ_SUB, ZMQ_PULL or ZMQ_XSUB. */
int zmq_request_socket_type(const struct zmq_request *request);

/* Endpoint number `index` of the URL as ZeroMQ writes it, for the caller to free; NULL behind the
 * last one. */
char *zmq_request_endpoint(
    const struct zmq_request *request, const struct source_config *config, size_t index);

/* The most messages that libzmq keeps for us. */
#define ZMQ_RECEIVE_LIMIT 200000

#endif
