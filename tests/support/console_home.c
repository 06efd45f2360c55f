#include "tests/support/console_home.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "console/utf8.h"
#include "index/tape_writer.h"
#include "tests/support/console_program.h"
#include "tests/support/unit.h"

int
program_home_set_up(void **state)
{
    struct program_home *fixture = alloc_zeroed(sizeof(*fixture));
    fixture->home = temp_directory_new();
    fixture->tape = alloc_format("%s/tape", fixture->home);
    *state = fixture;
    return 0;
}

int
program_home_tear_down(void **state)
{
    struct program_home *fixture = *state;
    temp_directory_remove(fixture->home);
    free(fixture->tape);
    free(fixture);
    return 0;
}

void
program_home_run(
    const struct program_home *fixture, struct program *program, const char *const *words, int code)
{
    program_run(program, fixture->home, words);
    if (program->code != code)
        fail_msg("exit code %d, not %d; stdout: %.500s; stderr: %.500s", program->code, code,
            (const char *)program->out.data, (const char *)program->err.data);
}

struct tape_writer *
program_home_writer(const struct program_home *fixture)
{
    struct error err;
    /* Journals are kept as they are, so that any byte of the file is one of an event's frame. */
    struct tape_writer_options options = {
        .durability = DURABILITY_KERNEL, .min_free = -1.0, .keep_journals = true};
    struct tape_writer *writer = tape_writer_open(fixture->tape, &options, &err);
    if (writer == NULL)
        fail_msg("%s", err.text);
    return writer;
}

void
expect_text(struct buffer *where, const char *text)
{
    if (strstr(buffer_text(where), text) == NULL)
        fail_msg("'%s' is not in '%.2000s'", text, buffer_text(where));
}

json_t *
json_line(struct program *program, size_t index)
{
    const char *at = buffer_text(&program->out);
    for (size_t i = 0; i < index && at != NULL; i++) {
        at = strchr(at, '\n');
        at = at == NULL ? NULL : at + 1;
    }
    if (at == NULL || *at == '\0') {
        fail_msg("no line %zu in '%.2000s'", index, buffer_text(&program->out));
        return NULL;
    }
    json_error_t error;
    json_t *value = json_loadb(at, strcspn(at, "\n"), JSON_ALLOW_NUL, &error);
    if (value == NULL)
        fail_msg("line %zu is not JSON: %s", index, error.text);
    return value;
}

size_t
line_count(struct program *program)
{
    size_t lines = 0;
    for (size_t i = 0; i < program->out.length; i++)
        lines += program->out.data[i] == '\n' ? 1 : 0;
    return lines;
}

void
expect_json_text(const json_t *object, const char *key, const char *expected)
{
    const char *found = json_string_value(json_object_get(object, key));
    assert_non_null(found);
    assert_string_equal(found, expected);
}

void
expect_harmless(struct buffer *text)
{
    struct bytes bytes = bytes_make(text->data, text->length);
    for (size_t at = 0; at < bytes.length;) {
        uint32_t character = 0;
        size_t length = utf8_decode(bytes, at, &character);
        if (length == 0 || (utf8_is_unsafe(character) && character != '\n'))
            fail_msg("byte 0x%02x at %zu", bytes.data[at], at);
        at += length;
    }
}
