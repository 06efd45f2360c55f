/* kafka_start.h - where the lanes of a Kafka tap start and stop: begins and ends of logs against what the
 * tape has and what `from` and `until` ask for.
 *
 * Part of the Kafka source: one thread.
 */
#ifndef COLLECTORS_KAFKA_START_H
#define COLLECTORS_KAFKA_START_H

#include <stdbool.h>

struct error;
struct kafka_lanes;
struct kafka_topic;

/* Start what waits and can be started. False with a reason when something goes on waiting. */
bool kafka_start_lanes(struct kafka_lanes *lanes, struct error *err);

/* The log behind the topic is not the one that the tape has: all of it is read from its beginning as a stream
 * of its own. `why` is for the operator. The lanes wait afterwards. */
void kafka_start_anew(struct kafka_lanes *lanes, struct kafka_topic *topic, const char *why);

/* Stop each lane where the log ends now: the moment of UNTIL_TIME has come. */
bool kafka_start_take_ends(struct kafka_lanes *lanes, struct error *err);

#endif
