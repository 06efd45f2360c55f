#include "index/part_file.h"

#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/error.h"

#define ID_DIGITS      8
#define ID_DIGITS_MOST 18

char *
part_file_path(const char *directory, uint64_t id, const char *suffix)
{
    return alloc_format("%s/%0*llu.%s", directory, ID_DIGITS, (unsigned long long)id, suffix);
}

bool
part_file_parse(const char *name, struct part_file *file)
{
    size_t digits = 0;
    while (digits <= ID_DIGITS_MOST && isdigit((unsigned char)name[digits]))
        digits++;
    if (digits < ID_DIGITS || digits > ID_DIGITS_MOST || name[digits] != '.')
        return false;
    *file = (struct part_file){
        .name = name, .id = strtoull(name, NULL, 10), .suffix = name + digits + 1, .is_file = true};
    return true;
}

bool
part_file_is_file(const char *directory, const struct dirent *entry)
{
    if (entry->d_type == DT_REG)
        return true;
    struct stat status;
    char *path = alloc_format("%s/%s", directory, entry->d_name);
    bool is_file = stat(path, &status) == 0 ? S_ISREG(status.st_mode) : lstat(path, &status) != 0;
    free(path);
    return is_file;
}

bool
part_file_each(const char *directory, void (*use)(void *self, const struct part_file *file),
    void *self, struct error *err)
{
    DIR *files = opendir(directory);
    if (files == NULL)
        return error_set_system(err, "cannot read the tape's directory %s", directory);
    struct dirent *entry;
    while ((entry = readdir(files)) != NULL) { /* NOLINT(concurrency-mt-unsafe) */
        struct part_file file;
        if (!part_file_parse(entry->d_name, &file))
            continue;
        file.is_file = part_file_is_file(directory, entry);
        use(self, &file);
    }
    (void)closedir(files);
    return true;
}

void
part_ids_done(struct part_ids *list)
{
    free(list->ids);
}

void
part_ids_add(struct part_ids *list, uint64_t id)
{
    list->ids = alloc_grow(list->ids, list->count, &list->capacity, sizeof(*list->ids));
    list->ids[list->count++] = id;
}

static int
compare_ids(const void *a, const void *b)
{
    const uint64_t *left = a;
    const uint64_t *right = b;
    return (*left > *right) - (*left < *right);
}

void
part_ids_sort(struct part_ids *list)
{
    if (list->count > 1)
        qsort(list->ids, list->count, sizeof(*list->ids), compare_ids);
}

bool
part_ids_has(const struct part_ids *list, uint64_t id)
{
    return list->count > 0 && bsearch(&id, list->ids, list->count, sizeof(id), compare_ids) != NULL;
}

uint64_t
part_ids_last(const struct part_ids *list)
{
    return list->count > 0 ? list->ids[list->count - 1] : 0;
}
