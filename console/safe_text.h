/* safe_text.h - bytes from elsewhere, made harmless for a terminal and still exact for the eye.
 *
 * Printable UTF-8 stays; a line break is "\n", tab "\t", carriage return "\r", a backslash "\\";
 * every other byte that is not printable (C0, ESC, DEL, C1, invisible format characters, invalid
 * UTF-8) is \xNN.  Threads: any.
 */
#ifndef CONSOLE_SAFE_TEXT_H
#define CONSOLE_SAFE_TEXT_H

#include <stddef.h>

#include "base/bytes.h"

/* Append at most about `limit` bytes of `from` (never half a character; 0: all). Returns how many
 * bytes of `from` were shown. */
size_t safe_text_append(struct buffer *to, struct bytes from, size_t limit);

/* The same for texts of ours that contain others' bytes (messages, paths): backslashes stay. */
void safe_text_append_message(struct buffer *to, const char *text);

/* How many columns of a terminal the text that these made takes, as the locale has it. */
size_t safe_text_columns(struct bytes shown);

/* How many columns others' text takes once it is made harmless. */
size_t safe_text_cell_columns(const char *text);

/* Spaces behind what `to` has from `start` on, until that takes `width` columns. */
void safe_text_pad(struct buffer *to, size_t start, size_t width);

/* Others' text as a cell of a table: safe_text_append() and safe_text_pad(). */
void safe_text_append_cell(struct buffer *to, const char *text, size_t width);

#endif
