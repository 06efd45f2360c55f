#include "console/metrics_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "console/metrics.h"
#include "index/live.h"
#include "index/tape.h"

#define CONNECTIONS_MAX 16u
#define TIMEOUT_S       10u
#define ADDRESS_MAX     64

/* `live`, `tape`, `status` and `streams` belong to the server's thread, which opens them at the first
 * question. */
struct metrics_server {
    struct MHD_Daemon *daemon;
    char *directory;
    uint16_t port;
    struct live *live;
    struct tape *tape;
    struct live_status *status;
    struct metrics_stream streams[LIVE_STREAMS];
};

/* ---- the answer ---- */

/* Names and holes of the streams, as of now. */
static bool
look_at_tape(struct metrics_server *server, struct error *err)
{
    if (server->tape == NULL)
        server->tape = tape_open(server->directory, err);
    if (server->tape == NULL || !tape_refresh(server->tape, err))
        return false;
    size_t count = 0;
    const struct lane_summary *lanes = tape_lanes(server->tape, &count, err);
    if (lanes == NULL)
        return false;
    memset(server->streams, 0, sizeof(server->streams));
    for (size_t i = 0; i < tape_stream_count(server->tape); i++) {
        const struct stream *stream = tape_stream(server->tape, i);
        if (stream->id < LIVE_STREAMS && !stream_is_internal(stream))
            server->streams[stream->id].stream = stream;
    }
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < lanes[i].hole_count && lanes[i].stream->id < LIVE_STREAMS; k++)
            server->streams[lanes[i].stream->id].holes[lanes[i].holes[k].reason]++;
    return true;
}

static bool
write_answer(struct metrics_server *server, struct buffer *to, struct error *err)
{
    bool is_recording;
    if (server->live == NULL)
        server->live = live_open(server->directory, err);
    if (server->live == NULL)
        return false;
    if (!live_read(server->live, server->status, &is_recording))
        return error_set(err, ERROR_SYSTEM, "the live page cannot be read now");
    if (!look_at_tape(server, err))
        return false;
    struct metrics_view view = {
        .status = server->status,
        .streams = server->streams,
        .stream_count = LIVE_STREAMS,
        .now_ns = clock_now_ns(),
    };
    metrics_text(to, &view);
    return true;
}

static enum MHD_Result
answer(struct MHD_Connection *connection, unsigned status, const char *type, struct buffer *text)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(text->length, text->data, MHD_RESPMEM_MUST_COPY);
    buffer_done(text);
    if (response == NULL)
        return MHD_NO;
    enum MHD_Result result = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        result = MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    if (result == MHD_YES)
        result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result
handle(void *self, struct MHD_Connection *connection, const char *url, const char *method,
    const char *version, const char *upload, size_t *upload_size, void **request)
{
    struct buffer text = {0};
    struct error err;
    unsigned status = MHD_HTTP_OK;
    (void)version;
    (void)upload;
    (void)request;
    if (*upload_size > 0) {
        *upload_size = 0; /* nobody reads what is sent */
        return MHD_YES;
    }
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        status = MHD_HTTP_METHOD_NOT_ALLOWED;
        buffer_append_text(&text, "only GET\n");
    } else if (strcmp(url, "/metrics") != 0) {
        status = MHD_HTTP_NOT_FOUND;
        buffer_append_text(&text, "metrics are at /metrics\n");
    } else if (!write_answer(self, &text, &err)) {
        status = MHD_HTTP_SERVICE_UNAVAILABLE;
        text.length = 0;
        buffer_printf(&text, "%s\n", err.text);
    }
    return answer(
        connection, status, status == MHD_HTTP_OK ? METRICS_CONTENT_TYPE : "text/plain", &text);
}

/* ---- start and stop ---- */

/* "HOST:PORT", "[HOST]:PORT" or "PORT". */
static bool
parse_address(const char *text, struct sockaddr_storage *address, struct error *err)
{
    char host[ADDRESS_MAX] = "127.0.0.1";
    const char *colon = strrchr(text, ':');
    const char *digits = colon == NULL ? text : colon + 1;
    bool is_six = text[0] == '[' && colon != NULL && colon > text + 1 && colon[-1] == ']';
    size_t length = colon == NULL ? 0 : (size_t)(colon - text) - (is_six ? 2 : 0);
    unsigned long port = strlen(digits) > 5 ? 65536 : strtoul(digits, NULL, 10);
    if (digits[0] == '\0' || strspn(digits, "0123456789") != strlen(digits) || port > 65535 ||
        length >= sizeof(host))
        return error_set(err, ERROR_ARGUMENT,
            "metrics are served at an address such as 127.0.0.1:9464, not '%.60s'", text);
    if (length > 0) {
        memcpy(host, text + (is_six ? 1 : 0), length);
        host[length] = '\0';
    }
    if (strcmp(host, "localhost") == 0)
        memcpy(host, "127.0.0.1", sizeof("127.0.0.1"));

    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    *address = (struct sockaddr_storage){0};
    if (!is_six && inet_pton(AF_INET, host, &four.sin_addr) == 1)
        memcpy(address, &four, sizeof(four));
    else if (is_six && inet_pton(AF_INET6, host, &six.sin6_addr) == 1)
        memcpy(address, &six, sizeof(six));
    else
        return error_set(err, ERROR_ARGUMENT,
            "'%.60s' is no IP address to serve metrics at, such as 127.0.0.1:9464 or [::1]:9464",
            text);
    return true;
}

static struct MHD_Daemon *
start_daemon(struct metrics_server *server, struct sockaddr_storage *address)
{
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO;
    if (address->ss_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    /* The thread inherits the mask: signals are for the main one. */
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    struct MHD_Daemon *daemon = MHD_start_daemon(flags, 0, NULL, NULL, handle, server,
        MHD_OPTION_SOCK_ADDR, (const struct sockaddr *)address, MHD_OPTION_CONNECTION_LIMIT,
        CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_S, MHD_OPTION_END);
    int reason = errno;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = reason;
    return daemon;
}

struct metrics_server *
metrics_server_start(const char *address, const char *directory, struct error *err)
{
    struct sockaddr_storage where = {0};
    if (!parse_address(address, &where, err))
        return NULL;
    struct metrics_server *server = alloc_zeroed(sizeof(*server));
    server->directory = alloc_text(directory);
    server->status = alloc_zeroed(sizeof(*server->status));
    server->daemon = start_daemon(server, &where);
    if (server->daemon == NULL) {
        error_set_system(err, "cannot serve metrics at %s", address);
        metrics_server_stop(server);
        return NULL;
    }
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT);
    server->port = info == NULL ? 0 : info->port;
    return server;
}

uint16_t
metrics_server_port(const struct metrics_server *server)
{
    return server->port;
}

void
metrics_server_stop(struct metrics_server *server)
{
    if (server == NULL)
        return;
    if (server->daemon != NULL)
        MHD_stop_daemon(server->daemon);
    live_close(server->live);
    tape_close(server->tape);
    free(server->status);
    free(server->directory);
    free(server);
}
