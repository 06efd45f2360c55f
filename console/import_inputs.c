#include "console/import_inputs.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "console/damage.h"
#include "console/import_lines.h"
#include "console/portable.h"
#include "index/tape.h"
#include "index/tape_writer.h"

static bool
is_directory(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

bool
import_inputs_is_tape(const char *path)
{
    return !import_inputs_is_stdin(path) && (is_directory(path) || portable_is_packed(path));
}

bool
import_inputs_is_stdin(const char *path)
{
    return strcmp(path, "-") == 0;
}

int
import_inputs_open_lines(const char *path, struct error *err)
{
    if (import_inputs_is_stdin(path))
        return STDIN_FILENO;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        (void)error_set_system(err, "cannot open %.180s", path);
    return fd;
}

bool
import_inputs_check(char *const *paths, size_t count, struct error *err)
{
    if (count > TAPE_MERGE_MAX)
        return error_set(err, ERROR_ARGUMENT, "%zu inputs are more than can be merged at once (%u)",
            count, TAPE_MERGE_MAX);
    for (size_t i = 0; i < count; i++) {
        if (!import_inputs_is_stdin(paths[i]) && access(paths[i], R_OK) != 0) {
            (void)error_set_system(err, "cannot open %.180s", paths[i]);
            err->code = ERROR_ARGUMENT;
            return false;
        }
        for (size_t j = 0; j < i; j++)
            if (strcmp(paths[i], paths[j]) == 0)
                return error_set(err, ERROR_ARGUMENT, "%.180s is named twice", paths[i]);
    }
    return true;
}

static bool
make_scratch(struct import_inputs *inputs, struct error *err)
{
    if (inputs->scratch != NULL)
        return true;
    const char *base = getenv("TMPDIR"); /* NOLINT(concurrency-mt-unsafe) */
    char *path = alloc_format("%s/tapedeck-import.XXXXXX", base == NULL ? "/tmp" : base);
    if (mkdtemp(path) == NULL) {
        (void)error_set_system(
            err, "cannot make a directory in %.180s", base == NULL ? "/tmp" : base);
        free(path);
        return false;
    }
    inputs->scratch = path;
    return true;
}

/* Make a tape of the export `path` in `directory`. */
static bool
read_lines(struct import_inputs *inputs, const char *path, const char *directory, struct error *err)
{
    int fd = import_inputs_open_lines(path, err);
    if (fd < 0)
        return false;
    struct import_lines lines = {0};
    struct tape_writer *writer = tape_writer_open(
        directory, &(struct tape_writer_options){.durability = DURABILITY_KERNEL}, err);
    bool good = writer != NULL && import_lines(&lines, writer, fd, NULL, err);
    tape_writer_close(writer);
    if (fd != STDIN_FILENO)
        (void)close(fd);
    if (good && lines.is_short && !inputs->is_short) {
        inputs->is_short = true;
        inputs->why = lines.why;
        error_wrap(&inputs->why, "%.100s", path);
    }
    return good || error_wrap(err, "%.100s", path);
}

static bool
open_input(struct import_inputs *inputs, const char *path, struct error *err)
{
    char *directory;
    if (import_inputs_is_tape(path) && portable_is_packed(path)) {
        directory = portable_unpack(path, err);
    } else if (import_inputs_is_tape(path)) {
        directory = alloc_text(path);
    } else {
        if (!make_scratch(inputs, err))
            return false;
        directory = alloc_format("%s/%zu", inputs->scratch, inputs->count);
        if (!read_lines(inputs, path, directory, err)) {
            free(directory);
            return false;
        }
    }
    struct tape *tape = directory == NULL ? NULL : tape_open(directory, err);
    free(directory);
    if (tape == NULL)
        return false;
    inputs->paths[inputs->count] = path;
    inputs->tapes[inputs->count++] = tape;
    return true;
}

bool
import_inputs_open(
    struct import_inputs *inputs, char *const *paths, size_t count, struct error *err)
{
    *inputs = (struct import_inputs){0};
    for (size_t i = 0; i < count; i++)
        if (!open_input(inputs, paths[i], err))
            return false;
    return true;
}

bool
import_inputs_are_whole(const struct import_inputs *inputs, struct error *err)
{
    for (size_t i = 0; i < inputs->count; i++) {
        const struct tape_damage *damage;
        if (tape_damage(inputs->tapes[i], &damage) > 0)
            return error_set(err, ERROR_DAMAGED, "%.80s: %.100s; what could be read is on the tape",
                inputs->paths[i], damage[0].text);
        if (damage_is_cut(inputs->tapes[i], err))
            return false;
    }
    return true;
}

void
import_inputs_done(struct import_inputs *inputs)
{
    for (size_t i = 0; i < inputs->count; i++)
        tape_close(inputs->tapes[i]);
    if (inputs->scratch != NULL)
        file_remove_tree(inputs->scratch);
    free(inputs->scratch);
    *inputs = (struct import_inputs){0};
}
