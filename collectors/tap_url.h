/* tap_url.h - the URL of a tap, taken apart.
 *
 *     kafka://host:9092,host2:9092/orders,payments   port 9092 when it is left out
 *     zmq://host:5556/prefix                         the port must be there; no path: everything
 *     zmq+ipc:///run/shop/events.sock#prefix         a socket file, the prefix behind '#'
 *     zmq+bind://HOST:PORT/prefix                    publishers connect to us; a host may be *
 *     zmq+pull://host:5557/name                      the capture socket of a proxy
 *     zmq+proxy://HOST:5555,HOST:5556/prefix         between publishers and subscribers
 *
 * IPv6 addresses stand in brackets. "%2F" and the like are decoded in what follows the address.
 * Threads: any.
 */
#ifndef COLLECTORS_TAP_URL_H
#define COLLECTORS_TAP_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

struct tap_url {
    char *text;      /* as it was written */
    char *transport; /* "kafka", "zmq", "zmq+ipc", "zmq+pull+bind" */
    char *address;   /* "host:9092,[::1]:9093"; the file for +ipc */
    char *path;      /* behind the address, decoded; "" when there is nothing */
};

/* Take `text` apart; a host without a port gets default_port (0: it must be there).
 *
 * False with ERROR_ARGUMENT that names the part that is wrong. */
bool tap_url_parse(const char *text, uint16_t default_port, struct tap_url *url, struct error *err);

/* Free the parts. A zeroed struct is allowed. */
void tap_url_done(struct tap_url *url);

/* Item number `index` of a list separated by commas, copied for the caller to free; NULL behind the
 * last one. An empty item is "". */
char *tap_url_item(const char *list, size_t index);

#endif
