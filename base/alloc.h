/* alloc.h - memory for sizes that we choose ourselves.
 *
 * Out of memory ends the program with one line on stderr: there is nothing sensible left to do, and
 * what was acknowledged is already with the kernel. A size that comes from a file or a peer is
 * checked against a named limit before it gets here. Everything is given back with free().
 */
#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H

#include <stddef.h>

void *alloc_zeroed(size_t size);
void *alloc_array(size_t count, size_t size);
void *alloc_resize(void *memory, size_t size);
void *alloc_copy(const void *data, size_t length);
char *alloc_text(const char *text);
char *alloc_text_of(const void *data, size_t length); /* a terminator is added */
char *alloc_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Grow `array` of elements of `size` bytes so that index `count` exists: doubles *capacity when it
 * is full. Returns the array, moved or not. */
void *alloc_grow(void *array, size_t count, size_t *capacity, size_t size);

/* For a process that works on blocks of tens of MB for a while: give back to the system what is freed of them. By
 * itself the library keeps blocks of up to 32 MiB once one was freed, for each thread that had any.  Threads: any. */
void alloc_return_large(void);

#endif
