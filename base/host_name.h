/* host_name.h - whether an address has a host's name in it, and not numbers.
 *
 * A name may stand for several addresses, as localhost mostly does for one of IPv6 and one of IPv4. libzmq tries one of
 * them and never another, so whoever connects with it must know.  Threads: any.
 */
#ifndef BASE_HOST_NAME_H
#define BASE_HOST_NAME_H

#include <stdbool.h>

/* True for "tcp://localhost:5556", false for "tcp://127.0.0.1:5556", "tcp://[::1]:5556" and what is not TCP. */
bool endpoint_has_host_name(const char *endpoint);

#endif
