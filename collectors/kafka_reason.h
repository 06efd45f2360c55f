/* kafka_reason.h - what librdkafka says about a connection, as what went wrong and the likely fix.
 *
 * Its texts are long, name its own threads and states, and leave out what to do; some name the wrong
 * cause ("install root certificates" for one that is out of date).
 *
 * Threads: any; nothing is shared.
 */
#ifndef COLLECTORS_KAFKA_REASON_H
#define COLLECTORS_KAFKA_REASON_H

#include <stdbool.h>

#include "base/error.h"

/* How far a connection came, in the order in which it comes there. */
enum kafka_step {
    KAFKA_STEP_RESOLVE,
    KAFKA_STEP_CONNECT,
    KAFKA_STEP_TLS,
    KAFKA_STEP_LOGIN,
    KAFKA_STEP_ANSWER,
};

struct kafka_reason {
    enum error_code code; /* ERROR_REMOTE: may mend itself; ERROR_REFUSED: somebody must act */
    enum kafka_step step; /* where it failed */
    char what[256];       /* "connection refused" */
    char fix[192];        /* what to do; "" when that is not known */
};

/* Read `text`, librdkafka's sentence. `is_login`: it calls it an authentication error.
 * `certificate_error`: the last X509_V_ERR_... of a certificate that was refused, 0 for none. */
void kafka_reason_read(
    struct kafka_reason *reason, const char *text, bool is_login, int certificate_error);

/* The same of `why`, with which rd_kafka_new() refused: a file of keys, or what a login needs. The code is
 * ERROR_CONFIG. */
void kafka_reason_read_setup(struct kafka_reason *reason, const char *why);

/* "cannot reach kafka at ADDRESS: WHAT; FIX", or "no access to kafka at ADDRESS: ..." */
void kafka_reason_say(const struct kafka_reason *reason, const char *address, struct error *err);

#endif
