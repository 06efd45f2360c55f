/* sizes.h - numbers of bytes for people, and from them.  Threads: any. */
#ifndef CONSOLE_SIZES_H
#define CONSOLE_SIZES_H

#include <stdbool.h>
#include <stdint.h>

#define SIZES_TEXT_MAX 24

/* "512 B", "1.4 kB", "20.1 GB" (powers of 1000). Returns `text`. */
char *sizes_format(uint64_t bytes, char text[SIZES_TEXT_MAX]);

/* "67108864", "64K", "64M", "1G", "2T" (powers of 1024). False when it is not that, or less than `least`
 * or more than 1024T. */
bool sizes_parse(const char *text, uint64_t least, uint64_t *bytes);

#endif
