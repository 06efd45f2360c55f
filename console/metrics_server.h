/* metrics_server.h - answers GET /metrics about a tape that is being recorded.
 *
 * Reads the live page and the tape like any other process would, so that a slow client cannot hold the
 * recorder.  Threads: one of its own between start and stop; signals are blocked in it.
 */
#ifndef CONSOLE_METRICS_SERVER_H
#define CONSOLE_METRICS_SERVER_H

#include <stdint.h>

struct error;
struct metrics_server;

/* Listen at `address`: "127.0.0.1:9464", "[::1]:9464", or a port alone, which is one of 127.0.0.1; port 0
 * takes a free one. There is no authentication: whoever reaches the address may read.
 *
 * NULL with ERROR_ARGUMENT when it is no address, ERROR_SYSTEM when nobody can listen there. */
struct metrics_server *metrics_server_start(
    const char *address, const char *directory, struct error *err);

/* The port that it listens at. */
uint16_t metrics_server_port(const struct metrics_server *server);

/* NULL is allowed. */
void metrics_server_stop(struct metrics_server *server);

#endif
