/* The next definition of a function. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "tests/support/two_addresses.h"

#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef int resolve(
    const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found);

/* libzmq asks us instead of the system. As there the address of IPv6 comes first, where both are asked for. */
int
getaddrinfo(/* NOLINT(readability-inconsistent-declaration-parameter-name): libc's are reserved */
    const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    resolve *next;
    *(void **)&next = dlsym(RTLD_NEXT, "getaddrinfo");
    if (node != NULL && strcmp(node, "both.test") == 0)
        node = hints->ai_family == AF_INET ? "127.0.0.1" : "::1";
    return next(node, service, hints, found);
}

bool
two_addresses_has_ipv6(void)
{
    const struct sockaddr_in6 address = {
        .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_there = fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
    if (fd >= 0)
        (void)close(fd);
    return is_there;
}
