/* damage.h - what a command says of a tape that is damaged.
 *
 * Threads: those of the tape.
 */
#ifndef CONSOLE_DAMAGE_H
#define CONSOLE_DAMAGE_H

struct tape;

/* Name on stderr the first places that could not be read so far, and how many there are. Returns the exit code for it, 0
 * when there are none. */
int damage_report(const struct tape *tape);

#endif
