#include "collectors/tap_url.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"

/* Longer ones are mistakes; the live page shows 192 bytes of it. */
#define URL_MAX 4096

/* Read a port of 1 to 65535 that fills `text` whole. */
static bool
port_is_good(const char *text)
{
    unsigned long port = 0;
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 5 || text[digits] != '\0')
        return false;
    for (size_t i = 0; i < digits; i++)
        port = port * 10 + (unsigned long)(text[i] - '0');
    return port >= 1 && port <= 65535;
}

/* Append "host:port" of one item of the list. */
static bool
add_host(
    struct buffer *to, const char *host, uint16_t default_port, const char *url, struct error *err)
{
    const char *port = NULL;
    size_t length = strlen(host);
    if (host[0] == '[') {
        const char *close = strchr(host, ']');
        if (close == NULL || close == host + 1 || (close[1] != '\0' && close[1] != ':'))
            return error_set(err, ERROR_ARGUMENT,
                "'%s': '%s' is not an IPv6 address in brackets, such as [::1]:9092", url, host);
        length = (size_t)(close - host) + 1;
        port = close[1] == ':' ? close + 2 : NULL;
    } else {
        const char *colon = strchr(host, ':');
        if (colon != NULL && strchr(colon + 1, ':') != NULL)
            return error_set(err, ERROR_ARGUMENT,
                "'%s': an IPv6 address must stand in brackets: [%s]", url, host);
        length = colon == NULL ? length : (size_t)(colon - host);
        port = colon == NULL ? NULL : colon + 1;
    }
    if (length == 0)
        return error_set(err, ERROR_ARGUMENT, "'%s': a host is missing", url);
    if (port == NULL && default_port == 0)
        return error_set(err, ERROR_ARGUMENT, "'%s': the port of '%s' is missing, such as %s:5556",
            url, host, host);
    if (port != NULL && !port_is_good(port))
        return error_set(
            err, ERROR_ARGUMENT, "'%s': port '%s' is not a number from 1 to 65535", url, port);

    buffer_append(to, host, length);
    if (port != NULL)
        buffer_printf(to, ":%s", port);
    else
        buffer_printf(to, ":%u", (unsigned)default_port);
    return true;
}

static bool
read_hosts(
    const char *list, uint16_t default_port, const char *url, char **address, struct error *err)
{
    struct buffer hosts = {0};
    char *host;
    for (size_t i = 0; (host = tap_url_item(list, i)) != NULL; i++) {
        if (i > 0)
            buffer_append_byte(&hosts, ',');
        bool good = add_host(&hosts, host, default_port, url, err);
        free(host);
        if (!good) {
            buffer_done(&hosts);
            return false;
        }
    }
    *address = alloc_text(buffer_text(&hosts));
    buffer_done(&hosts);
    return true;
}

/* Decode %XX; a zero byte would cut the name short and is refused. */
static bool
decode(const char *from, const char *url, char **decoded, struct error *err)
{
    struct buffer text = {0};
    for (const char *at = from; *at != '\0'; at++) {
        unsigned char byte = (unsigned char)*at;
        if (*at == '%') {
            int high = hex_value(at[1]);
            int low = high < 0 ? -1 : hex_value(at[2]);
            if (low < 0 || (high == 0 && low == 0)) {
                buffer_done(&text);
                return error_set(err, ERROR_ARGUMENT,
                    "'%s': '%%' must be followed by two hex digits other than 00 (a '%%' itself is "
                    "%%25)",
                    url);
            }
            byte = (unsigned char)(high * 16 + low);
            at += 2;
        }
        buffer_append_byte(&text, byte);
    }
    *decoded = alloc_text(buffer_text(&text));
    buffer_done(&text);
    return true;
}

static bool
parse_parts(const char *rest, uint16_t default_port, struct tap_url *url, struct error *err)
{
    if (strstr(url->transport, "+ipc") != NULL) {
        const char *hash = strchr(rest, '#');
        if (rest[0] != '/' || rest[1] == '\0' || rest[1] == '#')
            return error_set(err, ERROR_ARGUMENT,
                "'%s': a socket's file is missing, such as %s:///run/shop/events.sock", url->text,
                url->transport);
        char *file = alloc_text_of(rest, hash == NULL ? strlen(rest) : (size_t)(hash - rest));
        bool good = decode(file, url->text, &url->address, err);
        free(file);
        return good && decode(hash == NULL ? "" : hash + 1, url->text, &url->path, err);
    }

    size_t hosts = strcspn(rest, "/");
    if (memchr(rest, '@', hosts) != NULL)
        return error_set(err, ERROR_ARGUMENT,
            "a URL takes no user or password: configure them as properties of the tap");
    if (hosts == 0)
        return error_set(
            err, ERROR_ARGUMENT, "'%s': a host is missing behind %s://", url->text, url->transport);
    char *list = alloc_text_of(rest, hosts);
    bool good = read_hosts(list, default_port, url->text, &url->address, err);
    free(list);
    return good && decode(rest[hosts] == '/' ? rest + hosts + 1 : "", url->text, &url->path, err);
}

bool
tap_url_parse(const char *text, uint16_t default_port, struct tap_url *url, struct error *err)
{
    const char *colon = strstr(text, "://");
    if (colon == NULL || colon == text)
        return error_set(err, ERROR_ARGUMENT,
            "'%.200s' is not a URL such as kafka://localhost:9092/orders", text);
    if (strlen(text) > URL_MAX)
        return error_set(
            err, ERROR_ARGUMENT, "the URL '%.40s...' is longer than %d bytes", text, URL_MAX);
    for (const char *at = text; *at != '\0'; at++)
        if ((unsigned char)*at <= ' ' || *at == 0x7f)
            return error_set(err, ERROR_ARGUMENT,
                "the URL has a blank or a control character at byte %zu", (size_t)(at - text) + 1);

    struct tap_url parts = {
        .text = alloc_text(text),
        .transport = alloc_text_of(text, (size_t)(colon - text)),
    };
    if (!parse_parts(colon + 3, default_port, &parts, err)) {
        tap_url_done(&parts);
        return false;
    }
    *url = parts;
    return true;
}

void
tap_url_done(struct tap_url *url)
{
    free(url->text);
    free(url->transport);
    free(url->address);
    free(url->path);
    *url = (struct tap_url){0};
}

char *
tap_url_item(const char *list, size_t index)
{
    for (; index > 0; index--) {
        list = strchr(list, ',');
        if (list == NULL)
            return NULL;
        list++;
    }
    return alloc_text_of(list, strcspn(list, ","));
}
