#include "collectors/zmq_links.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <zmq.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/host_name.h"
#include "base/socket_file.h"
#include "collectors/source.h"
#include "collectors/zmq_endpoint.h"
#include "collectors/zmq_monitor.h"

#define PATIENCE_NS    (3 * NS_PER_S) /* without a word, before that is a fault */
#define FIRST_PAUSE_NS (250 * NS_PER_MS)
#define LAST_PAUSE_NS  (10 * NS_PER_S)
#define GUESTS_MAX     64

/* Who wants another mechanism says so and hangs up, and what he said is lost where the end of the connection
 * overtakes it: only so many times in a row it is all that can be known. */
#define HANG_UPS 4

/* A host's name may stand for an address of IPv6 and one of IPv4, as localhost mostly does, and publishers listen
 * by default at the latter only. libzmq tries one and never another, and where it may use IPv6 that is the one. So
 * when nobody is there, the name is tried with IPv4 alone, and with both again after some more misses, which are
 * a few seconds apart in all. Who was there is waited for so long first: what he sent may not be taken yet. */
#define MISSES 6

enum link_state {
    LINK_TRYING,
    LINK_GREETING, /* somebody answers */
    LINK_UP,
    LINK_DOWN, /* refused, and libzmq will not try again: we do at `retry_ns` */
};

/* An address that we connect to. */
struct link {
    char *endpoint;
    enum link_state state;
    enum zmq_fault fault; /* since it was up, or nobody was there */
    bool found_nobody;    /* the attempt was made, and failed */
    bool was_refused;     /* during this greeting */
    bool has_name;        /* and not an address as numbers */
    bool is_ipv4;         /* the name is tried with IPv4 alone */
    bool was_up;
    int misses;   /* in a row that found nobody, with these addresses */
    int hang_ups; /* in a row */
    int64_t since_ns;
    int64_t retry_ns;
    int64_t pause_ns;
};

/* Of those who connect to us only their number is known, and who has not been greeted yet: guests. */
struct zmq_links {
    const struct zmq_request *request;
    const struct source_config *config;
    void *socket;
    struct zmq_monitor *monitor;
    struct link *links;
    size_t count;
    size_t capacity;
    int guests[GUESTS_MAX]; /* the oldest first */
    size_t guest_count;
    size_t up;
};

struct zmq_links *
zmq_links_new(const struct zmq_request *request, const struct source_config *config, void *context,
    void *socket)
{
    struct zmq_monitor *monitor = zmq_monitor_open(context, socket);
    if (monitor == NULL)
        return NULL;
    struct zmq_links *links = alloc_zeroed(sizeof(*links));
    links->request = request;
    links->config = config;
    links->socket = socket;
    links->monitor = monitor;
    return links;
}

void
zmq_links_free(struct zmq_links *links)
{
    if (links == NULL)
        return;
    zmq_monitor_close(links->monitor, links->socket);
    for (size_t i = 0; i < links->count; i++)
        free(links->links[i].endpoint);
    free(links->links);
    free(links);
}

/* ---- attaching ---- */

static bool
fail_at(const struct zmq_links *links, const char *endpoint, struct error *err)
{
    int number = zmq_errno();
    const char *verb = links->request->is_bound ? "listen at" : "connect to";
    if (number == ENODEV)
        return error_set(err, ERROR_ARGUMENT,
            "cannot %s '%s': no address or network interface of this machine is called that", verb,
            endpoint);
    return error_set(err, number == EADDRINUSE ? ERROR_SYSTEM : ERROR_ARGUMENT,
        "cannot %s '%s': %s", verb, endpoint, zmq_strerror(number));
}

/* An option of a socket is for what is connected afterwards. */
static int
connect_to(void *socket, const struct link *link)
{
    int with_ipv6 = link->is_ipv4 ? 0 : 1;
    (void)zmq_setsockopt(socket, ZMQ_IPV6, &with_ipv6, sizeof(with_ipv6));
    return zmq_connect(socket, link->endpoint);
}

static void
connect_again(struct zmq_links *links, const struct link *link)
{
    (void)zmq_disconnect(links->socket, link->endpoint); /* mostly it is gone already */
    (void)connect_to(links->socket, link);
}

static bool
listen_or_connect(
    const struct zmq_links *links, void *socket, const struct link *link, struct error *err)
{
    if (!links->request->is_bound)
        return connect_to(socket, link) == 0 || fail_at(links, link->endpoint, err);
    if (links->request->is_file && !socket_file_is_free(link->endpoint + strlen("ipc://"), err))
        return error_wrap(err, "cannot listen at '%s'", link->endpoint);
    return zmq_bind(socket, link->endpoint) == 0 || fail_at(links, link->endpoint, err);
}

static bool
attach(struct zmq_links *links, void *socket, size_t index, struct error *err)
{
    char *endpoint = zmq_request_endpoint(links->request, links->config, index);
    if (endpoint == NULL)
        return false;
    struct link link = {
        .endpoint = endpoint,
        .has_name = endpoint_has_host_name(endpoint),
        .since_ns = clock_monotonic_ns(),
        .pause_ns = FIRST_PAUSE_NS,
    };
    if (!listen_or_connect(links, socket, &link, err)) {
        free(endpoint);
        return false;
    }
    links->links = alloc_grow(links->links, links->count, &links->capacity, sizeof(struct link));
    links->links[links->count++] = link;
    return true;
}

bool
zmq_links_attach(struct zmq_links *links, void *behind, struct error *err)
{
    err->code = ERROR_NONE;
    if (behind != NULL)
        return attach(links, links->socket, 0, err) && attach(links, behind, 1, err);
    while (attach(links, links->socket, links->count, err))
        continue;
    return err->code == ERROR_NONE;
}

void *
zmq_links_socket(const struct zmq_links *links)
{
    return zmq_monitor_socket(links->monitor);
}

size_t
zmq_links_up_count(const struct zmq_links *links)
{
    return links->up;
}

bool
zmq_links_all_up(const struct zmq_links *links)
{
    return links->up >= links->count;
}

bool
zmq_links_address(const struct zmq_links *links, size_t index, struct zmq_address *address)
{
    if (index >= links->count)
        return false;
    const struct link *link = &links->links[index];
    address->endpoint = link->endpoint;
    address->is_up = link->state == LINK_UP;
    address->fault = address->is_up ? ZMQ_FAULT_NONE : link->fault;
    return true;
}

/* ---- where we connect ---- */

/* libzmq writes an address that it listens at in its own way, but then it is only for the text. */
static struct link *
find_link(struct zmq_links *links, const char *endpoint)
{
    for (size_t i = 0; i < links->count; i++)
        if (strcmp(links->links[i].endpoint, endpoint) == 0)
            return &links->links[i];
    return links->count == 1 || links->request->is_bound ? &links->links[0] : NULL;
}

static void
turn(struct link *link, enum link_state state)
{
    link->state = state;
    link->since_ns = clock_monotonic_ns();
}

/* True when that tells more than what is known already. */
static bool
blame(struct link *link, enum zmq_fault fault)
{
    if (fault <= link->fault)
        return false;
    link->fault = fault;
    return true;
}

/* libzmq says at once when it tries again; when it does not, it is our turn. */
static void
retry_later(struct link *link)
{
    turn(link, LINK_DOWN);
    link->retry_ns = link->since_ns + link->pause_ns;
    link->pause_ns = link->pause_ns * 2 > LAST_PAUSE_NS ? LAST_PAUSE_NS : link->pause_ns * 2;
}

static enum zmq_change
on_gone(struct zmq_links *links, struct link *link)
{
    enum link_state before = link->state;
    bool is_news = before == LINK_GREETING && !link->was_refused && blame(link, ZMQ_FAULT_SOCKET);
    retry_later(link);
    if (before != LINK_UP)
        return is_news ? ZMQ_CHANGE_DOWN : ZMQ_CHANGE_NONE;
    links->up--;
    return ZMQ_CHANGE_LOST;
}

/* After a miss, go on with the name's other addresses when it is time. True: they are tried for the first time, and
 * nothing is known before. */
static bool
try_other_addresses(struct zmq_links *links, struct link *link, enum zmq_fault *fault)
{
    if (link->is_ipv4)
        *fault = ZMQ_FAULT_NOBODY; /* or it has no address of IPv4, and nobody is at the other */
    else if (*fault == ZMQ_FAULT_UNRESOLVED)
        return false;
    if (++link->misses < (link->is_ipv4 || link->was_up ? MISSES : 1))
        return false;
    link->misses = 0;
    link->is_ipv4 = !link->is_ipv4;
    connect_again(links, link);
    return link->is_ipv4;
}

/* An attempt that found nobody was closed; one that was not even made had no address to go to. */
static enum zmq_change
on_retry(struct zmq_links *links, struct link *link)
{
    bool was_made = link->found_nobody || link->state == LINK_DOWN;
    bool found_nobody = link->found_nobody;
    link->found_nobody = false;
    turn(link, LINK_TRYING);
    if (was_made && !found_nobody)
        return ZMQ_CHANGE_NONE; /* what happened was said when the connection went */
    enum zmq_fault fault = was_made ? ZMQ_FAULT_NOBODY : ZMQ_FAULT_UNRESOLVED;
    if (link->has_name && try_other_addresses(links, link, &fault))
        return ZMQ_CHANGE_NONE;
    if (link->fault == fault)
        return ZMQ_CHANGE_NONE;
    link->fault = fault; /* whoever refused us is not there any more */
    return ZMQ_CHANGE_DOWN;
}

static enum zmq_fault
fault_of(enum zmq_refusal refusal)
{
    switch (refusal) {
    case ZMQ_REFUSAL_HANG_UP:
        return ZMQ_FAULT_HANG_UP;
    case ZMQ_REFUSAL_SILENCE:
        return ZMQ_FAULT_SILENT;
    case ZMQ_REFUSAL_LOGIN:
        return ZMQ_FAULT_LOGIN;
    case ZMQ_REFUSAL_MECHANISM:
        return ZMQ_FAULT_MECHANISM;
    case ZMQ_REFUSAL_KEYS:
        return ZMQ_FAULT_KEYS;
    case ZMQ_REFUSAL_PROTOCOL:
        return ZMQ_FAULT_PROTOCOL;
    }
    return ZMQ_FAULT_PROTOCOL;
}

static enum zmq_change
on_refused(struct link *link, enum zmq_fault fault)
{
    link->was_refused = true;
    if (fault == ZMQ_FAULT_HANG_UP && ++link->hang_ups < HANG_UPS)
        return ZMQ_CHANGE_NONE;
    return blame(link, fault) ? ZMQ_CHANGE_DOWN : ZMQ_CHANGE_NONE;
}

static enum zmq_change
follow(struct zmq_links *links, struct link *link, const struct zmq_news *news)
{
    switch (news->kind) {
    case ZMQ_NEWS_OPENED:
        turn(link, LINK_GREETING);
        link->was_refused = false;
        return ZMQ_CHANGE_NONE;
    case ZMQ_NEWS_GREETED:
        if (link->state == LINK_UP)
            return ZMQ_CHANGE_NONE;
        turn(link, LINK_UP);
        link->fault = ZMQ_FAULT_NONE;
        link->hang_ups = 0;
        link->was_up = true;
        link->misses = 0;
        link->pause_ns = FIRST_PAUSE_NS;
        links->up++;
        return ZMQ_CHANGE_UP;
    case ZMQ_NEWS_REFUSED:
        return on_refused(link, fault_of(news->refusal));
    case ZMQ_NEWS_GONE:
        return on_gone(links, link);
    case ZMQ_NEWS_CLOSED:
        link->found_nobody = true;
        return ZMQ_CHANGE_NONE;
    case ZMQ_NEWS_RETRY:
        return on_retry(links, link);
    }
    return ZMQ_CHANGE_NONE;
}

/* What only the clock tells. */
static enum zmq_change
look_at_clock(struct zmq_links *links, struct link *link)
{
    int64_t now = clock_monotonic_ns();
    if (link->state == LINK_DOWN && now >= link->retry_ns) {
        connect_again(links, link);
        turn(link, LINK_TRYING);
    }
    bool is_waiting = link->state == LINK_TRYING || link->state == LINK_GREETING;
    if (!is_waiting || now < link->since_ns + PATIENCE_NS)
        return ZMQ_CHANGE_NONE;
    bool is_there = link->state == LINK_GREETING;
    return blame(link, is_there ? ZMQ_FAULT_SILENT : ZMQ_FAULT_NO_ANSWER) ? ZMQ_CHANGE_DOWN
                                                                          : ZMQ_CHANGE_NONE;
}

/* ---- where we listen ---- */

static void
add_guest(struct zmq_links *links, int fd)
{
    if (links->guest_count == GUESTS_MAX) {
        links->guest_count--;
        memmove(links->guests, links->guests + 1, links->guest_count * sizeof(int));
    }
    links->guests[links->guest_count++] = fd;
}

static bool
remove_guest(struct zmq_links *links, int fd)
{
    for (size_t i = 0; i < links->guest_count; i++) {
        if (links->guests[i] != fd)
            continue;
        links->guest_count--;
        memmove(links->guests + i, links->guests + i + 1, (links->guest_count - i) * sizeof(int));
        return true;
    }
    return false;
}

/* libzmq does not say who was greeted. Greetings take a moment, so it is who came last; those who
 * say nothing stay behind. */
static enum zmq_change
receive(struct zmq_links *links, const struct zmq_news *news, enum zmq_fault *fault)
{
    switch (news->kind) {
    case ZMQ_NEWS_OPENED:
        add_guest(links, news->fd);
        return ZMQ_CHANGE_NONE;
    case ZMQ_NEWS_GREETED:
        links->guest_count -= links->guest_count > 0;
        links->up++;
        return ZMQ_CHANGE_UP;
    case ZMQ_NEWS_REFUSED:
        *fault = fault_of(news->refusal);
        return ZMQ_CHANGE_DOWN;
    case ZMQ_NEWS_GONE:
        if (remove_guest(links, news->fd) || links->up == 0)
            return ZMQ_CHANGE_NONE;
        links->up--;
        return ZMQ_CHANGE_LOST;
    case ZMQ_NEWS_CLOSED:
    case ZMQ_NEWS_RETRY:
        break;
    }
    return ZMQ_CHANGE_NONE;
}

/* ---- both ---- */

static enum zmq_change
read_news(struct zmq_links *links, const char **endpoint, enum zmq_fault *fault)
{
    struct zmq_news news;
    while (zmq_monitor_read(links->monitor, &news)) {
        struct link *link = find_link(links, news.endpoint);
        if (link == NULL)
            continue;
        enum zmq_change change =
            links->request->is_bound ? receive(links, &news, fault) : follow(links, link, &news);
        *endpoint = link->endpoint;
        if (!links->request->is_bound)
            *fault = link->fault;
        if (change != ZMQ_CHANGE_NONE)
            return change;
    }
    return ZMQ_CHANGE_NONE;
}

enum zmq_change
zmq_links_next(struct zmq_links *links, const char **endpoint, struct zmq_reason *reason)
{
    enum zmq_fault fault = ZMQ_FAULT_NONE;
    enum zmq_change change = read_news(links, endpoint, &fault);
    size_t clocked = links->request->is_bound ? 0 : links->count;
    for (size_t i = 0; change == ZMQ_CHANGE_NONE && i < clocked; i++) {
        change = look_at_clock(links, &links->links[i]);
        *endpoint = links->links[i].endpoint;
        fault = links->links[i].fault;
    }
    if (change == ZMQ_CHANGE_DOWN)
        *reason = zmq_reason_of(links->request, fault);
    return change;
}
