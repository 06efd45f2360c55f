/* kafka_check.h - the checks of tap_check.h for Kafka: from the broker's name to a first fetch.
 *
 * Threads: one runs a check and waits.
 */
#ifndef COLLECTORS_KAFKA_CHECK_H
#define COLLECTORS_KAFKA_CHECK_H

#include "collectors/tap_check.h"

struct source_config;

/* Report "name" to "read"; `config` has been checked. Returns the code of the first that is bad. */
enum error_code kafka_check_run(
    const struct source_config *config, tap_check_report *report, void *self);

#endif
