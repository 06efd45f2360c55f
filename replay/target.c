#include "replay/target.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "replay/target_zmq.h"

#define TOPIC_MAX  249u
#define FILE_MAX   1000u
#define KAFKA_PORT "9092"

static const char topic_characters[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

/* A host of a URL is a name, an IPv4 or a bracketed IPv6 address; nothing that librdkafka's list of
 * servers, or a terminal, could read as something else. */
static const char host_characters[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:[]";

static bool
is_made_of(const char *text, size_t length, const char *characters)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] == '\0' || strchr(characters, text[i]) == NULL)
            return false;
    return length > 0;
}

/* A number of 1 to 65535, whole. librdkafka would take any number modulo 65536. */
static bool
is_port(const char *text, size_t length)
{
    unsigned port = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9' || port > 65535)
            return false;
        port = port * 10 + (unsigned)(text[i] - '0');
    }
    return port >= 1 && port <= 65535;
}

/* Append one server, with Kafka's port where it names none. */
static bool
add_server(struct buffer *servers, const char *host, size_t length)
{
    const char *colon = memrchr(host, ':', length);
    const char *bracket = memrchr(host, ']', length);
    bool has_port = colon != NULL && (bracket == NULL || colon > bracket);
    if (!is_made_of(host, length, host_characters) || colon == host ||
        (has_port && !is_port(colon + 1, length - (size_t)(colon + 1 - host))))
        return false;
    if (servers->length > 0)
        buffer_append_byte(servers, ',');
    buffer_append(servers, host, length);
    if (!has_port)
        buffer_append_text(servers, ":" KAFKA_PORT);
    return true;
}

static bool
parse_servers(const char *from, const char *end, struct buffer *servers)
{
    while (true) {
        const char *comma = memchr(from, ',', (size_t)(end - from));
        const char *stop = comma != NULL ? comma : end;
        if (!add_server(servers, from, (size_t)(stop - from)))
            return false;
        if (comma == NULL)
            return true;
        from = comma + 1;
    }
}

/* The path is printed, and kept in plans and receipts: plain characters only. */
static bool
parse_file(const char *url, struct target *target, struct error *err)
{
    const char *path = url + strlen("file://");
    bool is_plain = path[0] == '/' && path[1] != '\0' && path[strlen(path) - 1] != '/';
    for (const char *at = path; *at != '\0'; at++)
        is_plain = is_plain && *at > ' ' && *at <= '~';
    if (!is_plain || strlen(path) > FILE_MAX)
        return error_set(err, ERROR_ARGUMENT,
            "target '%.80s': expected file:///PATH of a file, without blanks", url);
    target->url = alloc_text(url);
    target->transport = alloc_text("file");
    target->servers = alloc_text("this machine");
    target->name = alloc_text(path);
    return true;
}

static bool
parse_kafka(const char *url, struct target *target, struct error *err)
{
    static const char expected[] = "expected kafka://HOST:PORT/TOPIC";
    static const char scheme[] = "kafka://";
    size_t skip = sizeof(scheme) - 1;

    if (strncmp(url, scheme, skip) != 0)
        return error_set(err, ERROR_ARGUMENT,
            "target '%s': %s, file:///PATH, or zmq+pub://, zmq+push:// or zmq+dealer://HOST:PORT",
            url, expected);
    const char *slash = strchr(url + skip, '/');
    if (slash == NULL || slash[1] == '\0')
        return error_set(err, ERROR_ARGUMENT, "target '%s' names no topic: %s", url, expected);

    const char *topic = slash + 1;
    if (!is_made_of(topic, strlen(topic), topic_characters) || strlen(topic) > TOPIC_MAX)
        return error_set(err, ERROR_ARGUMENT,
            "target '%s': a topic's name is 1 to %u letters, digits, '.', '_' or '-'", url,
            TOPIC_MAX);

    struct buffer servers = {0};
    if (!parse_servers(url + skip, slash, &servers)) {
        buffer_done(&servers);
        return error_set(err, ERROR_ARGUMENT,
            "target '%s': the server is a host, a colon and a port of 1 to 65535: %s", url,
            expected);
    }
    target->url = alloc_text(url);
    target->transport = alloc_text("kafka");
    target->servers = alloc_text(buffer_text(&servers));
    target->name = alloc_text(topic);
    buffer_done(&servers);
    return true;
}

bool
target_parse(const char *url, struct target *target, struct error *err)
{
    if (strncmp(url, "file://", 7) == 0)
        return parse_file(url, target, err);
    if (strncmp(url, "zmq", 3) == 0)
        return target_zmq_parse(url, target, err);
    return parse_kafka(url, target, err);
}

void
target_done(struct target *target)
{
    free(target->url);
    free(target->transport);
    free(target->servers);
    free(target->name);
    *target = (struct target){0};
}
