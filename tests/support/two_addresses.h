/* two_addresses.h - the host "both.test", which has an address of IPv4 and one of IPv6, as localhost mostly has. */
#ifndef TESTS_SUPPORT_TWO_ADDRESSES_H
#define TESTS_SUPPORT_TWO_ADDRESSES_H

#include <stdbool.h>

/* Has this machine IPv6? Who calls it has the host: getaddrinfo() is ours then. */
bool two_addresses_has_ipv6(void);

#endif
