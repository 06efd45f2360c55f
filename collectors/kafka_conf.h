/* kafka_conf.h - how every client of librdkafka is configured and made, with its failures as errors of ours.
 *
 * Threads: none; a configuration belongs to whoever made it.
 */
#ifndef COLLECTORS_KAFKA_CONF_H
#define COLLECTORS_KAFKA_CONF_H

#include <stdbool.h>
#include <stddef.h>

#include <librdkafka/rdkafka.h>

struct error;
struct recorder_property;

/* One of a client that logs nothing: the library prints to stderr by itself unless told not to. */
rd_kafka_conf_t *kafka_conf_new(void);

/* False with ERROR_CONFIG when the library does not take it. */
bool kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, struct error *err);

/* In their order. */
bool kafka_conf_set_all(rd_kafka_conf_t *conf, const struct recorder_property *properties,
    size_t count, struct error *err);

/* Make the client. *conf is taken in any case. NULL with ERROR_CONFIG. */
rd_kafka_t *kafka_conf_client(rd_kafka_conf_t **conf, rd_kafka_type_t type, struct error *err);

#endif
