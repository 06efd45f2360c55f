#include "console/secret.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"

static const char *
after_prefix(const char *value, const char *prefix)
{
    size_t length = strlen(prefix);
    return strncmp(value, prefix, length) == 0 ? value + length : NULL;
}

/* Drop one line break at the end, refuse what a C string cannot hold. */
static bool
take_content(struct buffer *content, const char *value, char **resolved, struct error *err)
{
    if (content->length > 0 && content->data[content->length - 1] == '\n')
        content->length--;
    if (content->length > 0 && content->data[content->length - 1] == '\r')
        content->length--;
    if (content->length == 0)
        return error_set(err, ERROR_CONFIG, "%s gave nothing", value);
    if (memchr(content->data, '\0', content->length) != NULL)
        return error_set(err, ERROR_CONFIG, "%s has a zero byte in it", value);
    *resolved = alloc_text_of(content->data, content->length);
    return true;
}

/* Overwrite before it goes back to the heap. */
static void
forget(struct buffer *content)
{
    if (content->data != NULL)
        explicit_bzero(content->data, content->capacity);
    buffer_done(content);
}

static bool
from_environment(const char *name, char **resolved, struct error *err)
{
    const char *found = getenv(name); /* NOLINT(concurrency-mt-unsafe) */
    if (found == NULL)
        return error_set(err, ERROR_CONFIG, "environment variable %s is not set", name);
    if (found[0] == '\0')
        return error_set(err, ERROR_CONFIG, "environment variable %s is empty", name);
    *resolved = alloc_text(found);
    return true;
}

static bool
from_file(const char *path, const char *value, char **resolved, struct error *err)
{
    struct buffer content = {0};
    bool done = file_read_whole(path, SECRET_MAX_BYTES, &content, err);
    if (done)
        done = take_content(&content, value, resolved, err);
    else
        err->code = ERROR_CONFIG;
    forget(&content);
    return done;
}

static bool
read_pipe(FILE *pipe, const char *value, struct buffer *content, struct error *err)
{
    for (;;) {
        unsigned char *to = buffer_reserve(content, 4096);
        size_t got = fread(to, 1, 4096, pipe);
        content->length += got;
        if (content->length > SECRET_MAX_BYTES)
            return error_set(
                err, ERROR_CONFIG, "%s gave more than %zu bytes", value, SECRET_MAX_BYTES);
        if (got == 0)
            return true;
    }
}

static bool
from_command(const char *command, const char *value, char **resolved, struct error *err)
{
    FILE *pipe = popen(command, "re");
    if (pipe == NULL) {
        (void)error_set_system(err, "cannot run %s", value);
        err->code = ERROR_CONFIG;
        return false;
    }
    struct buffer content = {0};
    bool done = read_pipe(pipe, value, &content, err);
    int status = pclose(pipe);
    if (done && status != 0) {
        int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        done = code >= 0 ? error_set(err, ERROR_CONFIG, "%s ended with exit code %d", value, code)
                         : error_set(err, ERROR_CONFIG, "%s was ended by a signal", value);
    }
    done = done && take_content(&content, value, resolved, err);
    forget(&content);
    return done;
}

bool
secret_resolve(const char *value, char **resolved, struct error *err)
{
    const char *rest = after_prefix(value, "env:");
    if (rest != NULL)
        return from_environment(rest, resolved, err);
    rest = after_prefix(value, "file:");
    if (rest != NULL)
        return from_file(rest, value, resolved, err);
    rest = after_prefix(value, "cmd:");
    if (rest != NULL)
        return from_command(rest, value, resolved, err);
    *resolved = alloc_text(value);
    return true;
}
