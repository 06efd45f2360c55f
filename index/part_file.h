/* part_file.h - the files that a tape is made of, by their names: DIRECTORY/NNNNNNNN.SUFFIX.
 *
 * Threads: none of its own; a struct part_ids belongs to one.
 */
#ifndef INDEX_PART_FILE_H
#define INDEX_PART_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dirent;
struct error;

/* "DIRECTORY/NNNNNNNN.SUFFIX"; freed by the caller. */
char *part_file_path(const char *directory, uint64_t id, const char *suffix);

/* A name taken apart; both texts are views into it. */
struct part_file {
    const char *name;
    uint64_t id;
    const char *suffix; /* "jnl", "seg" ... */
    bool
        is_file; /* a plain file or a link to one; what is not must not be opened: a pipe makes who opens it wait */
};

/* Take a name without its directory apart, as that of a file; false when it is none of this form, or has a number of more
 * than 18 digits: no recorder comes that far, and behind them there might be none for the next. */
bool part_file_parse(const char *name, struct part_file *file);

/* Is the entry of `directory` a plain file, or a link to one? One that is gone again is taken for a file. */
bool part_file_is_file(const char *directory, const struct dirent *entry);

/* Call `use` for each file of `directory` with such a name, in no order. False with ERROR_SYSTEM when the directory
 * cannot be read; errno says why. */
bool part_file_each(const char *directory, void (*use)(void *self, const struct part_file *file),
    void *self, struct error *err);

/* Numbers of files. Zero-initialise; freed with part_ids_done(). */
struct part_ids {
    uint64_t *ids;
    size_t count;
    size_t capacity;
};

void part_ids_done(struct part_ids *list);
void part_ids_add(struct part_ids *list, uint64_t id);

/* Put them in rising order. */
void part_ids_sort(struct part_ids *list);

/* Both of a list in rising order: is `id` in it; the highest one, or 0. */
bool part_ids_has(const struct part_ids *list, uint64_t id);
uint64_t part_ids_last(const struct part_ids *list);

#endif
