#include "base/host_name.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#define TCP "tcp://"

bool
endpoint_has_host_name(const char *endpoint)
{
    char host[256] = "";
    struct in_addr ignored;
    if (strncmp(endpoint, TCP, strlen(TCP)) != 0)
        return false;
    const char *begin = endpoint + strlen(TCP);
    const char *colon = strrchr(begin, ':');
    size_t length = colon == NULL ? 0 : (size_t)(colon - begin);
    if (length == 0 || length >= sizeof(host) || begin[0] == '[')
        return false;
    memcpy(host, begin, length);
    return inet_pton(AF_INET, host, &ignored) != 1;
}
