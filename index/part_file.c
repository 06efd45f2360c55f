#include "index/part_file.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"

#define ID_DIGITS 8

char *
part_file_path(const char *directory, uint64_t id, const char *suffix)
{
    return alloc_format("%s/%0*llu.%s", directory, ID_DIGITS, (unsigned long long)id, suffix);
}

bool
part_file_parse(const char *name, struct part_file *file)
{
    char *end;
    if (!isdigit((unsigned char)name[0]))
        return false;
    errno = 0;
    uint64_t id = strtoull(name, &end, 10);
    if (errno != 0 || end - name < ID_DIGITS || *end != '.')
        return false;
    *file = (struct part_file){.name = name, .id = id, .suffix = end + 1};
    return true;
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
        if (part_file_parse(entry->d_name, &file))
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
