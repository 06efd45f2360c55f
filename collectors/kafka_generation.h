/* kafka_generation.h - names of streams for the logs that a topic's name has stood for, one after another.
 *
 * The first log behind "orders" is the stream "orders"; when the topic was made anew, "orders#2" and so on.
 *
 * Part of the Kafka sources: one thread.
 */
#ifndef COLLECTORS_KAFKA_GENERATION_H
#define COLLECTORS_KAFKA_GENERATION_H

struct outlet;

struct kafka_generation {
    int number;   /* from 1 */
    char *stream; /* owned */
};

/* The newest log that the tape knows behind this topic, or the first. */
struct kafka_generation kafka_generation_newest(struct outlet *outlet, const char *topic);

/* Go on to the next one. */
void kafka_generation_advance(struct kafka_generation *generation, const char *topic);

void kafka_generation_done(struct kafka_generation *generation);

#endif
