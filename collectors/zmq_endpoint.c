#include "collectors/zmq_endpoint.h"

#include <stdlib.h>
#include <string.h>

#include <zmq.h>

#include "base/alloc.h"
#include "base/error.h"
#include "collectors/source.h"
#include "collectors/tap_url.h"

#define SEND_LIMIT       20000 /* messages that a proxy keeps for a subscriber that is behind */
#define RECONNECT_MS     100
#define RECONNECT_MAX_MS 2000
#define CONNECT_MS       10000
#define GREETING_MS      10000
#define FRAME_BYTES_MAX  (INT64_C(256) * 1024 * 1024) /* beyond it libzmq hangs up */
#define KERNEL_BYTES \
    (4 * 1024 * 1024) /* of the TCP socket: what comes while we have no processor */
#define KEY_LENGTH 40 /* of a CURVE key in Z85 */

static const struct {
    const char *transport;
    enum zmq_role role;
    bool is_bound;
} transports[] = {
    {"zmq", ZMQ_ROLE_SUBSCRIBE, false},
    {"zmq+bind", ZMQ_ROLE_SUBSCRIBE, true},
    {"zmq+pull", ZMQ_ROLE_PULL, false},
    {"zmq+pull+bind", ZMQ_ROLE_PULL, true},
    {"zmq+proxy", ZMQ_ROLE_PROXY, true},
};

static bool
read_transport(const struct tap_url *url, struct zmq_request *request, struct error *err)
{
    const char *transport = url->transport;
    size_t length = strlen(transport);
    request->is_file = length > 4 && strcmp(transport + length - 4, "+ipc") == 0;
    length -= request->is_file ? 4 : 0;
    for (size_t i = 0; i < sizeof(transports) / sizeof(transports[0]); i++) {
        if (strlen(transports[i].transport) != length ||
            strncmp(transports[i].transport, transport, length) != 0)
            continue;
        request->role = transports[i].role;
        request->is_bound = transports[i].is_bound;
        return true;
    }
    return error_set(err, ERROR_ARGUMENT,
        "'%.150s': ZeroMQ is reached by zmq://, zmq+bind://, zmq+pull://, zmq+pull+bind:// or "
        "zmq+proxy://, each also with +ipc",
        url->text);
}

/* The addresses and prefixes that the role can do something with. */
static bool
check_parts(const struct tap_url *url, const struct zmq_request *request, struct error *err)
{
    size_t addresses = 0;
    size_t prefixes = 0;
    bool has_empty = false;
    char *item;
    while ((item = tap_url_item(url->address, addresses)) != NULL) {
        free(item);
        addresses++;
    }
    while ((item = tap_url_item(url->path, prefixes)) != NULL) {
        has_empty = has_empty || item[0] == '\0';
        free(item);
        prefixes++;
    }
    if (request->role == ZMQ_ROLE_PROXY && addresses != 2)
        return error_set(err, ERROR_ARGUMENT,
            "'%.150s': a proxy has two addresses: for publishers, and for subscribers", url->text);
    if (request->role == ZMQ_ROLE_PULL && prefixes > 1)
        return error_set(err, ERROR_ARGUMENT,
            "'%.150s': a PULL socket cannot subscribe; what follows the address is the one stream",
            url->text);
    if (prefixes > 1 && has_empty)
        return error_set(
            err, ERROR_ARGUMENT, "'%.150s': a prefix between two commas is missing", url->text);
    if (prefixes > ZMQ_PREFIXES_MAX)
        return error_set(err, ERROR_ARGUMENT, "%zu prefixes are more than one tap takes (%d)",
            prefixes, ZMQ_PREFIXES_MAX);
    return true;
}

static const char **
find_property(struct zmq_request *request, const char *name)
{
    struct {
        const char *name;
        const char **value;
    } known[] = {
        {"plain_username", &request->plain_username},
        {"plain_password", &request->plain_password},
        {"curve_server_key", &request->curve_server_key},
        {"curve_public_key", &request->curve_public_key},
        {"curve_secret_key", &request->curve_secret_key},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(known[i].name, name) == 0)
            return known[i].value;
    return NULL;
}

static bool
read_properties(const struct source_config *config, struct zmq_request *request, struct error *err)
{
    for (size_t i = 0; i < config->property_count; i++) {
        const struct recorder_property *property = &config->properties[i];
        const char **value = find_property(request, property->name);
        if (strcmp(property->name, "sequence") == 0) {
            if (!zmq_place_parse(property->value, &request->sequence, err))
                return false;
        } else if (value != NULL) {
            *value = property->value;
        } else {
            return error_set(err, ERROR_CONFIG,
                "a ZeroMQ tap has no property '%.60s' (plain_username, plain_password, "
                "curve_server_key, curve_public_key, curve_secret_key)",
                property->name);
        }
    }
    return true;
}

/* The key itself is never named: it may be the secret one. */
static bool
check_key(const char *name, const char *key, struct error *err)
{
    uint8_t binary[KEY_LENGTH];
    if (key == NULL || (strlen(key) == KEY_LENGTH && zmq_z85_decode(binary, key) != NULL))
        return true;
    return error_set(err, ERROR_CONFIG,
        "%s is not a CURVE key: 40 characters of Z85, as zmq_curve_keypair() makes them", name);
}

/* Two keys that are no pair look to the other side, and then to us, like a server's key that is wrong. */
static bool
check_pair(const struct zmq_request *request, struct error *err)
{
    char belongs[KEY_LENGTH + 1];
    if (request->curve_public_key == NULL ||
        zmq_curve_public(belongs, request->curve_secret_key) != 0 ||
        strcmp(belongs, request->curve_public_key) == 0)
        return true;
    return error_set(err, ERROR_CONFIG,
        "curve_public_key and curve_secret_key are no pair: they come from different "
        "zmq_curve_keypair()");
}

static bool
check_security(const struct zmq_request *request, struct error *err)
{
    bool has_curve = request->curve_server_key != NULL || request->curve_secret_key != NULL;
    bool has_plain = request->plain_username != NULL || request->plain_password != NULL;
    if (has_plain && (request->plain_username == NULL || request->plain_password == NULL))
        return error_set(
            err, ERROR_CONFIG, "plain_username and plain_password go together; one is missing");
    if (has_plain && request->is_bound)
        return error_set(err, ERROR_CONFIG,
            "plain_username and plain_password are for a tap that connects; where publishers come "
            "to "
            "us, CURVE can be used");
    if (has_plain && has_curve)
        return error_set(err, ERROR_CONFIG, "a tap has either PLAIN or CURVE, not both");
    if (request->curve_public_key != NULL && request->curve_secret_key == NULL)
        return error_set(
            err, ERROR_CONFIG, "curve_public_key is of no use without its curve_secret_key");
    if (request->curve_server_key != NULL &&
        (request->curve_secret_key != NULL) != (request->curve_public_key != NULL))
        return error_set(
            err, ERROR_CONFIG, "curve_public_key and curve_secret_key go together; one is missing");
    if (has_curve && !zmq_has("curve"))
        return error_set(err, ERROR_CONFIG, "the installed libzmq was built without CURVE");
    return check_key("curve_server_key", request->curve_server_key, err) &&
           check_key("curve_public_key", request->curve_public_key, err) &&
           check_key("curve_secret_key", request->curve_secret_key, err) &&
           check_pair(request, err);
}

bool
zmq_request_read(const struct source_config *config, struct zmq_request *request, struct error *err)
{
    struct zmq_request found = {.role = ZMQ_ROLE_SUBSCRIBE};
    if (!read_transport(config->url, &found, err) || !check_parts(config->url, &found, err) ||
        !read_properties(config, &found, err) || !check_security(&found, err))
        return false;
    *request = found;
    return true;
}

int
zmq_request_socket_type(const struct zmq_request *request)
{
    switch (request->role) {
    case ZMQ_ROLE_SUBSCRIBE:
        return ZMQ_SUB;
    case ZMQ_ROLE_PULL:
        return ZMQ_PULL;
    case ZMQ_ROLE_PROXY:
        return ZMQ_XSUB;
    }
    return ZMQ_SUB;
}

static bool
set_number(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof(value)) == 0;
}

static bool
set_text(void *socket, int option, const char *text)
{
    return zmq_setsockopt(socket, option, text, strlen(text)) == 0;
}

static bool
set_curve_client(const struct zmq_request *request, void *socket)
{
    char public_key[KEY_LENGTH + 1];
    char secret_key[KEY_LENGTH + 1];
    bool is_ours = request->curve_secret_key == NULL;
    if (is_ours && zmq_curve_keypair(public_key, secret_key) != 0)
        return false;
    bool good =
        set_text(socket, ZMQ_CURVE_SERVERKEY, request->curve_server_key) &&
        set_text(socket, ZMQ_CURVE_PUBLICKEY, is_ours ? public_key : request->curve_public_key) &&
        set_text(socket, ZMQ_CURVE_SECRETKEY, is_ours ? secret_key : request->curve_secret_key);
    explicit_bzero(secret_key, sizeof(secret_key));
    return good;
}

static bool
set_security(const struct zmq_request *request, void *socket)
{
    if (request->plain_username != NULL)
        return set_text(socket, ZMQ_PLAIN_USERNAME, request->plain_username) &&
               set_text(socket, ZMQ_PLAIN_PASSWORD, request->plain_password);
    if (request->curve_server_key != NULL)
        return set_curve_client(request, socket);
    if (request->curve_secret_key != NULL)
        return set_number(socket, ZMQ_CURVE_SERVER, 1) &&
               set_text(socket, ZMQ_CURVE_SECRETKEY, request->curve_secret_key);
    return true;
}

bool
zmq_request_set_options(const struct zmq_request *request, void *socket)
{
    int64_t most = FRAME_BYTES_MAX;
    return set_number(socket, ZMQ_LINGER, 0) && set_number(socket, ZMQ_RCVHWM, ZMQ_RECEIVE_LIMIT) &&
           set_number(socket, ZMQ_SNDHWM, SEND_LIMIT) &&
           set_number(socket, ZMQ_RCVBUF, KERNEL_BYTES) && set_number(socket, ZMQ_IPV6, 1) &&
           set_number(socket, ZMQ_TCP_KEEPALIVE, 1) &&
           set_number(socket, ZMQ_TCP_KEEPALIVE_IDLE, 15) &&
           set_number(socket, ZMQ_TCP_KEEPALIVE_INTVL, 5) &&
           set_number(socket, ZMQ_TCP_KEEPALIVE_CNT, 3) &&
           set_number(socket, ZMQ_RECONNECT_IVL, RECONNECT_MS) &&
           set_number(socket, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS) &&
           set_number(socket, ZMQ_CONNECT_TIMEOUT, CONNECT_MS) &&
           set_number(socket, ZMQ_HANDSHAKE_IVL, GREETING_MS) &&
           zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &most, sizeof(most)) == 0 &&
           set_security(request, socket);
}

char *
zmq_request_endpoint(
    const struct zmq_request *request, const struct source_config *config, size_t index)
{
    /* A file's name may have commas, except where there are two. */
    bool is_list = !request->is_file || request->role == ZMQ_ROLE_PROXY;
    char *item = is_list      ? tap_url_item(config->url->address, index)
                 : index == 0 ? alloc_text(config->url->address)
                              : NULL;
    if (item == NULL)
        return NULL;
    char *endpoint = alloc_format("%s://%s", request->is_file ? "ipc" : "tcp", item);
    free(item);
    return endpoint;
}
