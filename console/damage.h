/* damage.h - what a command says of a tape that is damaged.
 *
 * Threads: those of the tape.
 */
#ifndef CONSOLE_DAMAGE_H
#define CONSOLE_DAMAGE_H

#include <stdbool.h>
#include <stddef.h>

struct error;
struct tape;

/* Name on stderr the first places that could not be read so far, and how many there are. Returns the exit code for it, 0
 * when there are none. */
int damage_report(const struct tape *tape);

/* The same of `count` places of which the texts are known. */
int damage_report_texts(const char *const *texts, size_t count);

/* Were files of the tape deleted before they were read, so that the answer has not what was on the tape when it began?
 * Then *err says so (ERROR_LIMIT). */
bool damage_is_cut(const struct tape *tape, struct error *err);

#endif
