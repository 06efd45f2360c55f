#include "base/alloc.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Above what is needed again and again, such as a fetch of 8 MiB: a new mapping costs a page fault for every 4 KiB. */
#define LARGE_BYTES (16 * 1024 * 1024)

static void *
checked(void *memory)
{
    if (memory == NULL) {
        static const char text[] = "tapedeck: out of memory\n";
        if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
            abort();
        abort();
    }
    return memory;
}

void *
alloc_zeroed(size_t size)
{
    return checked(calloc(1, size == 0 ? 1 : size));
}

void *
alloc_array(size_t count, size_t size)
{
    return checked(calloc(count == 0 ? 1 : count, size));
}

void *
alloc_resize(void *memory, size_t size)
{
    return checked(realloc(memory, size == 0 ? 1 : size));
}

void *
alloc_copy(const void *data, size_t length)
{
    void *copy = checked(malloc(length == 0 ? 1 : length));
    if (length > 0)
        memcpy(copy, data, length);
    return copy;
}

char *
alloc_text(const char *text)
{
    return alloc_copy(text, strlen(text) + 1);
}

char *
alloc_text_of(const void *data, size_t length)
{
    char *text = checked(malloc(length + 1));
    if (length > 0)
        memcpy(text, data, length);
    text[length] = '\0';
    return text;
}

char *
alloc_format(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = NULL;
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    return checked(length < 0 ? NULL : text);
}

void *
alloc_grow(void *array, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return array;
    size_t wanted = *capacity == 0 ? 8 : *capacity * 2;
    if (wanted > SIZE_MAX / size)
        return checked(NULL);
    *capacity = wanted;
    return alloc_resize(array, wanted * size);
}

void
alloc_return_large(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES); /* NOLINT(concurrency-mt-unsafe) */
    (void)mallopt(M_TRIM_THRESHOLD, LARGE_BYTES); /* NOLINT(concurrency-mt-unsafe) */
}
