/* nearest.h - which known word was probably meant.  Threads: any. */
#ifndef CONSOLE_NEAREST_H
#define CONSOLE_NEAREST_H

#include <stddef.h>

/* Zero-initialise with the word, offer every candidate, look at `best`. */
struct nearest {
    const char *word;
    const char *best; /* NULL until something was offered; the first of equally near ones */
    size_t distance;
};

/* Typing errors between word and candidate: letters left out, added, changed, two swapped. */
void nearest_offer(struct nearest *nearest, const char *candidate);

/* Offer each part of "a|b|c". The parts are compared, `best` points to where the best one begins. */
void nearest_offer_choices(struct nearest *nearest, const char *choices);

/* Length of the word at the beginning of a choice: up to '|' or the end. */
size_t nearest_choice_length(const char *choice);

#endif
