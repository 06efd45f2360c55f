/* utf8.h - one character at a time, and which characters may not reach a terminal as they are.
 *
 * Threads: any.
 */
#ifndef CONSOLE_UTF8_H
#define CONSOLE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Decode the character at `at` (RFC 3629: no surrogates, no overlong forms). Returns its length in
 * bytes, 1 to 4; 0 when the bytes there are not a character. `at` must be less than the length. */
size_t utf8_decode(struct bytes from, size_t at, uint32_t *character);

/* True for what can drive a terminal or make a reader see something else than what is there: C0, DEL,
 * C1, line separators, bidirectional controls, zero-width and other invisible format characters. */
bool utf8_is_unsafe(uint32_t character);

#endif
