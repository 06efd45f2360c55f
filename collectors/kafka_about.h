/* kafka_about.h - which librdkafka this program runs with, and what it does not see or do.
 *
 * The program is built with any version from 2.0 on and runs with the one that is there: its version decides, not that of
 * the headers. What each version lacks is from its change log.
 *
 * Threads: any.
 */
#ifndef COLLECTORS_KAFKA_ABOUT_H
#define COLLECTORS_KAFKA_ABOUT_H

#include "collectors/source.h"

/* Versions as of rd_kafka_version(). From here on a login by SCRAM works at Kafka 4: before, the nonce of its last message
 * was wrong, which older brokers let pass. */
#define KAFKA_ABOUT_SCRAM 0x020601ff
/* DescribeConsumerGroups tells the members of groups of the new protocol (KIP-848). */
#define KAFKA_ABOUT_MEMBERS 0x020a00ff

/* source_ops.about of Kafka. */
void kafka_about(source_about_report *report, void *self);

#endif
