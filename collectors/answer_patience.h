/* answer_patience.h - when a broker that does not answer in time is worth a word.
 *
 * One answer that comes late is a busy machine, not a broken tap. And while a tap begins with thousands of
 * partitions, the library's own thread is what is late: librdkafka 2.0.2 goes through all partitions of a
 * broker once for each one that starts (4 ms for 10 000 of them), and does nothing else meanwhile. So the
 * patience grows with the partitions: 900 ms for an answer and one missed question for few, 1.9 s and 51
 * for 10 000. On a machine that has other work the library needs minutes: as long as anything comes of a tap of
 * thousands, nothing is missed. A connection that is lost is told at once: that is no question of patience.
 *
 * A broker that has nothing to send holds a fetch for fetch.wait.max.ms, 500 ms, and answers what was asked on the same connection
 * behind it. A shorter wait than that is missed again and again where questions and fetches have got into step.
 *
 * Threads: one owns a struct answer_patience. Zero-initialise.
 */
#ifndef COLLECTORS_ANSWER_PATIENCE_H
#define COLLECTORS_ANSWER_PATIENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct answer_patience {
    unsigned unanswered; /* questions in a row */
    uint64_t received;   /* at the last one */
};

/* How long to wait for an answer about `lanes` partitions, in milliseconds. */
int answer_patience_ms(size_t lanes);

/* An answer came. `received`: bytes of all answers to anything, since the tap was opened. */
void answer_patience_answered(struct answer_patience *patience, uint64_t received);

/* None came in time, with `lanes` partitions; `is_down`: no broker is connected. True: say so. */
bool answer_patience_missed(
    struct answer_patience *patience, size_t lanes, uint64_t received, bool is_down);

#endif
