/* lag_differ.h - how the event that a group stands at differs from the last one that it took.
 *
 * Says what is different, not what is wrong: which difference the consumer cannot bear is for a
 * person to judge. Bytes of events never get into the sentences except through names of headers
 * and JSON fields, which the caller makes harmless as with any other text.  Threads: any.
 */
#ifndef ANALYSIS_LAG_DIFFER_H
#define ANALYSIS_LAG_DIFFER_H

struct event;

/* Sentences about two events; the last of so many says that there are more. */
#define LAG_DIFFERENCES_MAX 40

/* Give one sentence per difference to `take`: key, headers, sizes, encoding, schema number, JSON
 * fields that are missing, new, or of another kind. `good` NULL: tells only what stands out in `at`. */
void lag_differ(const struct event *good, const struct event *at,
    void (*take)(void *self, const char *sentence), void *self);

#endif
