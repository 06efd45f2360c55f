/* term_info.h - what terminfo knows; apart from the rest because its header's macros bite. */
#ifndef UI_TERM_INFO_H
#define UI_TERM_INFO_H

#include <stddef.h>

struct error;

/* The terminfo name to draw for: TERM, or the family that it belongs to. NULL with ERROR_ARGUMENT
 * when nothing can be drawn here. */
const char *term_info_choose(struct error *err);

/* The string that undoes all that the screen switched on; its first *extra bytes are what endwin()
 * does not know of. Returns the length. Needs a terminal that curses has started on. */
size_t term_info_restore(char *to, size_t size, size_t *extra);

#endif
