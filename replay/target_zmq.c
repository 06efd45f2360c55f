#include "replay/target_zmq.h"

#include <stdlib.h>
#include <string.h>

#include <zmq.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "index/event.h"
#include "replay/target.h"

#define PATH_MOST 100u /* of a socket's file */

static const char host_characters[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:[]*";

static const struct {
    const char *name;
    enum target_zmq_kind kind;
} kinds[] = {
    {"zmq+pub", TARGET_ZMQ_PUB},
    {"zmq+push", TARGET_ZMQ_PUSH},
    {"zmq+dealer", TARGET_ZMQ_DEALER},
};

/* Read the scheme. *rest is what is behind "://". */
static bool
read_scheme(const char *url, struct target_zmq *zmq, bool *is_file, const char **rest)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t length = strlen(kinds[i].name);
        if (strncmp(url, kinds[i].name, length) != 0)
            continue;
        const char *at = url + length;
        zmq->kind = kinds[i].kind;
        zmq->is_bound = strncmp(at, "+bind", 5) == 0;
        at += zmq->is_bound ? 5 : 0;
        *is_file = strncmp(at, "+ipc", 4) == 0;
        at += *is_file ? 4 : 0;
        if (strncmp(at, "://", 3) != 0)
            continue; /* "zmq+push" begins with "zmq+pu" */
        *rest = at + 3;
        return true;
    }
    return false;
}

static bool
is_address(const char *text, bool is_file)
{
    if (is_file) {
        for (const char *at = text; *at != '\0'; at++)
            if (*at <= ' ' || *at > '~')
                return false;
        return text[0] == '/' && text[1] != '\0' && strlen(text) <= PATH_MOST;
    }
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text || strspn(colon + 1, "0123456789") != strlen(colon + 1))
        return false;
    long port = strtol(colon + 1, NULL, 10);
    return port >= 1 && port <= 65535 && strspn(text, host_characters) == strlen(text);
}

bool
target_zmq_parse(const char *url, struct target *target, struct error *err)
{
    struct target_zmq zmq;
    bool is_file;
    const char *rest;
    if (!read_scheme(url, &zmq, &is_file, &rest) || !is_address(rest, is_file))
        return error_set(err, ERROR_ARGUMENT,
            "target '%.80s': expected zmq+pub://HOST:PORT, zmq+push:// or zmq+dealer://, each also "
            "with +bind, or with +ipc:///PATH",
            url);
    target->url = alloc_text(url);
    target->transport = alloc_text("zmq");
    target->servers = alloc_format("%s://%s", is_file ? "ipc" : "tcp", rest);
    target->name = alloc_text(rest);
    return true;
}

bool
target_zmq_read(const struct target *target, struct target_zmq *zmq, struct error *err)
{
    bool is_file;
    const char *rest;
    return read_scheme(target->url, zmq, &is_file, &rest) ||
           error_set(err, ERROR_ARGUMENT, "'%.80s' is no ZeroMQ target", target->url);
}

int
target_zmq_socket_type(const struct target_zmq *zmq)
{
    switch (zmq->kind) {
    case TARGET_ZMQ_PUB:
        return ZMQ_XPUB; /* a PUB that hears of subscriptions */
    case TARGET_ZMQ_PUSH:
        return ZMQ_PUSH;
    case TARGET_ZMQ_DEALER:
        return ZMQ_DEALER;
    }
    return ZMQ_PUSH;
}

bool
target_zmq_loses(const struct event *event)
{
    struct event_header header;
    if (event->time_type != TIME_NONE || event->payload.data == NULL)
        return true;
    for (size_t at = 0; event_next_header(event, &at, &header);)
        if (!bytes_equal_text(header.name, TARGET_ZMQ_FRAME) || header.value.data == NULL)
            return true;
    return false;
}
