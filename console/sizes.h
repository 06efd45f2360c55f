/* sizes.h - numbers of bytes for people.  Threads: any. */
#ifndef CONSOLE_SIZES_H
#define CONSOLE_SIZES_H

#include <stdint.h>

#define SIZES_TEXT_MAX 24

/* "512 B", "1.4 kB", "20.1 GB" (powers of 1000). Returns `text`. */
char *sizes_format(uint64_t bytes, char text[SIZES_TEXT_MAX]);

#endif
