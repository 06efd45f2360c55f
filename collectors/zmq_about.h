/* zmq_about.h - which libzmq this program runs with, and what it does not do.
 *
 * Threads: any.
 */
#ifndef COLLECTORS_ZMQ_ABOUT_H
#define COLLECTORS_ZMQ_ABOUT_H

#include "collectors/source.h"

/* source_ops.about of ZeroMQ. */
void zmq_about(source_about_report *report, void *self);

#endif
