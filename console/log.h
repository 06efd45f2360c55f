/* log.h - what a program that runs for long says on stderr: one line of key=value pairs each.
 *
 *     time=2026-11-23T14:29:31.102000000Z level=info tap=shop state=live
 *
 * Each line is one write. Nothing in a value can drive a terminal.  Threads: any.
 */
#ifndef CONSOLE_LOG_H
#define CONSOLE_LOG_H

#include <stdint.h>

struct buffer;

/* Say the pairs; level is "error" (something was lost), "warn" (we coped), "info" or "debug". */
void log_say(const char *level, const struct buffer *pairs);

/* The same for one pair. */
void log_say_text(const char *level, const char *name, const char *value);

/* Append a pair; a value with blanks is put in quotes. */
void log_add_text(struct buffer *pairs, const char *name, const char *value);
void log_add_number(struct buffer *pairs, const char *name, uint64_t value);

#endif
