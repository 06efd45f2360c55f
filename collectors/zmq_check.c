#include "collectors/zmq_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zmq.h>

#include "base/clock.h"
#include "base/error.h"
#include "collectors/source.h"
#include "collectors/tap_url.h"
#include "collectors/zmq_endpoint.h"
#include "collectors/zmq_links.h"

#define ANSWER_NS   (4500 * NS_PER_MS) /* until each address is up or known to be down */
#define PATIENCE_NS (1500 * NS_PER_MS) /* a first reason may be followed by a plainer one */
#define READ_NS     (3 * NS_PER_S)
#define LOOK_MS     20

struct check_run {
    const struct source_config *config;
    struct zmq_request request;
    void *context;
    void *socket;
    void *behind;
    struct zmq_links *links;
    tap_check_report *report;
    void *self;
    enum error_code first; /* code of the first that is bad */
};

static void
say(struct check_run *run, const char *name, enum tap_verdict verdict, enum error_code code,
    const char *text, const char *fix)
{
    struct tap_check check = {
        .name = name, .verdict = verdict, .text = text, .fix = fix, .code = code};
    if (verdict == TAP_VERDICT_BAD && run->first == ERROR_NONE)
        run->first = code;
    run->report(run->self, &check);
}

/* A PULL socket would be given messages that are then lost to who they are for. A SUB socket gets as far as to
 * learn that the other one does not publish. */
static int
socket_type(const struct zmq_request *request)
{
    return request->role == ZMQ_ROLE_PULL && !request->is_bound ? ZMQ_SUB
                                                                : zmq_request_socket_type(request);
}

static bool
open_sockets(struct check_run *run)
{
    run->context = zmq_ctx_new();
    if (run->context == NULL)
        return false;
    run->socket = zmq_socket(run->context, socket_type(&run->request));
    if (run->socket == NULL || !zmq_request_set_options(&run->request, run->socket))
        return false;
    if (run->request.role == ZMQ_ROLE_PROXY) {
        run->behind = zmq_socket(run->context, ZMQ_XPUB);
        if (run->behind == NULL || !zmq_request_set_options(&run->request, run->behind))
            return false;
    }
    run->links = zmq_links_new(&run->request, run->config, run->context, run->socket);
    return run->links != NULL;
}

static void
close_sockets(struct check_run *run)
{
    zmq_links_free(run->links);
    if (run->behind != NULL)
        (void)zmq_close(run->behind);
    if (run->socket != NULL)
        (void)zmq_close(run->socket);
    if (run->context != NULL)
        (void)zmq_ctx_term(run->context);
}

static bool
subscribe(const struct check_run *run)
{
    char *prefix;
    bool good = true;
    for (size_t i = 0; good && (prefix = tap_url_item(run->config->url->path, i)) != NULL; i++) {
        good = zmq_setsockopt(run->socket, ZMQ_SUBSCRIBE, prefix, strlen(prefix)) == 0;
        free(prefix);
    }
    return good;
}

/* ---- listening ---- */

/* It is said when a bound address may be one that the recorder has now. */
static void
check_listening(struct check_run *run)
{
    struct error err;
    if (zmq_links_attach(run->links, run->behind, &err))
        say(run, "connect", TAP_VERDICT_OK, ERROR_NONE,
            "can be listened at; whether somebody connects, only recording shows", "");
    else
        say(run, "connect", TAP_VERDICT_BAD, err.code, err.text,
            err.code == ERROR_SYSTEM
                ? "a recorder that runs may have it; else see which program does, or use another"
                : "use an address of this machine");
}

/* ---- connecting ---- */

/* True when each address is up, or known to be down. */
static bool
all_are_known(const struct check_run *run)
{
    struct zmq_address address;
    for (size_t i = 0; zmq_links_address(run->links, i, &address); i++)
        if (!address.is_up && address.fault == ZMQ_FAULT_NONE)
            return false;
    return true;
}

static void
follow_links(const struct check_run *run)
{
    const char *endpoint;
    struct zmq_reason reason;
    zmq_pollitem_t item = {.socket = zmq_links_socket(run->links), .events = ZMQ_POLLIN};
    (void)zmq_poll(&item, 1, LOOK_MS);
    while (zmq_links_next(run->links, &endpoint, &reason) != ZMQ_CHANGE_NONE)
        continue;
}

static void
await_answers(const struct check_run *run)
{
    int64_t began_ns = clock_monotonic_ns();
    while (!zmq_links_all_up(run->links)) {
        int64_t passed_ns = clock_monotonic_ns() - began_ns;
        if (passed_ns > ANSWER_NS || (passed_ns > PATIENCE_NS && all_are_known(run)))
            return;
        follow_links(run);
    }
}

static void
say_address(struct check_run *run, const struct zmq_address *address)
{
    char text[512];
    bool is_pull = run->request.role == ZMQ_ROLE_PULL;
    if (is_pull && address->fault == ZMQ_FAULT_SOCKET) {
        (void)snprintf(text, sizeof(text), "%s lets us in and does not publish, as a PUSH socket",
            address->endpoint);
        say(run, "connect", TAP_VERDICT_OK, ERROR_NONE, text, "");
    } else if (is_pull && address->is_up) {
        (void)snprintf(
            text, sizeof(text), "%s is a publisher, not a PUSH socket", address->endpoint);
        say(run, "connect", TAP_VERDICT_BAD, ERROR_REFUSED, text, "use zmq:// in the tap's url");
    } else if (address->is_up) {
        (void)snprintf(text, sizeof(text), "%s is a publisher and lets us in", address->endpoint);
        say(run, "connect", TAP_VERDICT_OK, ERROR_NONE, text, "");
    } else {
        struct zmq_reason reason = zmq_reason_of(
            &run->request, address->fault == ZMQ_FAULT_NONE ? ZMQ_FAULT_NO_ANSWER : address->fault);
        (void)snprintf(text, sizeof(text), "%s: %s", address->endpoint, reason.what);
        say(run, "connect", TAP_VERDICT_BAD, reason.code, text, reason.fix);
    }
}

static void
check_reading(struct check_run *run)
{
    zmq_pollitem_t item = {.socket = run->socket, .events = ZMQ_POLLIN};
    if (run->request.role == ZMQ_ROLE_PULL) {
        say(run, "read", TAP_VERDICT_SKIPPED, ERROR_NONE,
            "what is pulled here would be lost to the recorder", "");
        return;
    }
    if (zmq_poll(&item, 1, (long)(READ_NS / NS_PER_MS)) > 0)
        say(run, "read", TAP_VERDICT_OK, ERROR_NONE, "messages come", "");
    else
        say(run, "read", TAP_VERDICT_SKIPPED, ERROR_NONE, "no message came within 3 s",
            "if some should have, see whether the prefixes in the url are those of the publisher");
}

static void
check_connecting(struct check_run *run)
{
    struct error err;
    struct zmq_address address;
    bool has_up = false;
    if (!zmq_links_attach(run->links, NULL, &err)) {
        say(run, "connect", TAP_VERDICT_BAD, err.code, err.text, "correct the tap's url");
        return;
    }
    await_answers(run);
    for (size_t i = 0; zmq_links_address(run->links, i, &address); i++) {
        say_address(run, &address);
        has_up = has_up || address.is_up;
    }
    if (has_up || run->request.role == ZMQ_ROLE_PULL)
        check_reading(run);
}

enum error_code
zmq_check_run(const struct source_config *config, tap_check_report *report, void *self)
{
    struct error err;
    struct check_run run = {.config = config, .report = report, .self = self};
    if (!zmq_request_read(config, &run.request, &err))
        return err.code; /* reported with the URL */
    bool is_subscriber = !run.request.is_bound && run.request.role == ZMQ_ROLE_SUBSCRIBE;
    if (!open_sockets(&run) || (is_subscriber && !subscribe(&run)))
        say(&run, "connect", TAP_VERDICT_BAD, ERROR_SYSTEM, zmq_strerror(zmq_errno()),
            "see whether the process may open more files");
    else if (run.request.is_bound)
        check_listening(&run);
    else
        check_connecting(&run);
    close_sockets(&run);
    return run.first;
}
