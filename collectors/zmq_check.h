/* zmq_check.h - the steps of `tapedeck tap test` for ZeroMQ: can its addresses be connected to, or listened
 * at, and does something come.
 *
 * Threads: any; it runs on the caller's, and takes about 8 s at most.
 */
#ifndef COLLECTORS_ZMQ_CHECK_H
#define COLLECTORS_ZMQ_CHECK_H

#include "collectors/tap_check.h"

struct source_config;

/* Report "connect" for each address, and "read". Nobody loses a message by it: where the tap would pull,
 * nothing is pulled. Returns the code of the first that is bad. */
enum error_code zmq_check_run(
    const struct source_config *config, tap_check_report *report, void *self);

#endif
