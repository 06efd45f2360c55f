#include "tests/support/console_copying.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/file.h"
#include "index/batch.h"
#include "index/event.h"
#include "index/hole.h"
#include "index/tape_writer.h"
#include "tests/support/console_program.h"
#include "tests/support/console_tape.h"
#include "tests/support/unit.h"

#define BIG ((size_t)5 * 1024 * 1024)

int
copying_set_up(void **state)
{
    struct copying *fixture = alloc_zeroed(sizeof(*fixture));
    fixture->home = temp_directory_new();
    fixture->tape = alloc_format("%s/tape", fixture->home);
    fixture->other = alloc_format("%s/other", fixture->home);
    fixture->file = alloc_format("%s/events.ndjson", fixture->home);
    fixture->packed = alloc_format("%s/copy.tar.zst", fixture->home);
    fixture->scratch = alloc_format("%s/scratch", fixture->home);
    fixture->scratch_variable = alloc_format("TMPDIR=%s", fixture->scratch);
    *state = fixture;
    return mkdir(fixture->scratch, 0700);
}

int
copying_tear_down(void **state)
{
    struct copying *fixture = *state;
    temp_directory_remove(fixture->home);
    free(fixture->tape);
    free(fixture->other);
    free(fixture->file);
    free(fixture->packed);
    free(fixture->scratch);
    free(fixture->scratch_variable);
    free(fixture);
    return 0;
}

void
copying_run(
    const struct copying *fixture, struct program *program, const char *const *words, int code)
{
    program_start(program, fixture->home, words, WORDS(fixture->scratch_variable));
    program_finish(program);
    if (program->code != code)
        fail_msg("%s: exit code %d, not %d; stdout: %.500s; stderr: %.500s", words[0],
            program->code, code, buffer_text(&program->out), buffer_text(&program->err));
}

void
copying_expect(const struct copying *fixture, const char *const *words, int code, const char *out,
    const char *err)
{
    struct program program;
    copying_run(fixture, &program, words, code);
    if (out != NULL && strstr(buffer_text(&program.out), out) == NULL)
        fail_msg("'%s' is not in '%.1000s'", out, buffer_text(&program.out));
    if (err != NULL && strstr(buffer_text(&program.err), err) == NULL)
        fail_msg("'%s' is not in '%.1000s'", err, buffer_text(&program.err));
    program_done(&program);
}

struct buffer
copying_output(const struct copying *fixture, const char *const *words)
{
    struct program program;
    copying_run(fixture, &program, words, 0);
    buffer_done(&program.err);
    return program.out;
}

void
write_file(const char *path, const void *data, size_t length)
{
    struct error err;
    assert_ok(file_replace(path, data, length, &err));
}

struct buffer
copying_export(const struct copying *fixture)
{
    struct buffer lines = copying_output(fixture, WORDS("export", "--tape", fixture->tape));
    write_file(fixture->file, lines.data, lines.length);
    return lines;
}

void
expect_equal(const struct buffer *a, const struct buffer *b)
{
    assert_int_equal(a->length, b->length);
    assert_memory_equal(a->data, b->data, a->length);
}

size_t
count_entries(const char *path)
{
    size_t count = 0;
    DIR *directory = opendir(path);
    assert_non_null(directory);
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) /* NOLINT(concurrency-mt-unsafe) */
        count += entry->d_name[0] != '.';
    (void)closedir(directory);
    return count;
}

static void
add(struct batch *batch, const struct event *event)
{
    struct error err;
    assert_ok(batch_add(batch, event, &err));
}

/* Headers in an order, twice, null, empty, with names that are not UTF-8. */
static void
add_strange_headers(struct batch *batch, struct event event)
{
    struct buffer headers = {0};
    headers_begin(&headers, 5);
    headers_add(&headers, bytes_of("z"), bytes_of("1"));
    headers_add(&headers, bytes_of("a"), BYTES_NULL);
    headers_add(&headers, bytes_of("z"), bytes_of(""));
    headers_add(&headers, bytes_make("\xff\x00name", 6), bytes_make("\x00\xfe", 2));
    headers_add(&headers, bytes_of("z"), bytes_of("1"));
    event.headers = bytes_make(headers.data, headers.length);
    add(batch, &event);
    buffer_done(&headers);
}

void
strange_tape_write(const char *directory)
{
    struct error err;
    struct tape_writer_options options = {.durability = DURABILITY_KERNEL, .min_free = -1};
    struct tape_writer *writer = tape_writer_open(directory, &options, &err);
    assert_non_null(writer);
    /* Numbered in another order than they are seen in. */
    const struct stream *late = tape_writer_stream(writer, "shop", "z\xc3\xa9");
    const struct stream *stream = tape_writer_stream(writer, "shop", "orders");
    struct batch *batch = batch_new();
    struct event event = {.stream = stream,
        .time_type = TIME_CREATE,
        .time_ns = SAMPLE_TIME_NS,
        .received_ns = SAMPLE_TIME_NS + 1};
    unsigned char all[256];
    for (unsigned i = 0; i < 256; i++) {
        all[i] = (unsigned char)i;
        event.key = bytes_make(&all[i], 1);
        event.payload = i % 3 == 0 ? BYTES_NULL : bytes_make(all, i % 3 == 1 ? 0 : i);
        event.offset = (int64_t)i;
        add(batch, &event);
    }
    event.key = event.payload = bytes_make(all, 256);
    event.partition = INT32_MAX;
    event.offset = INT64_MAX;
    event.time_ns = INT64_MIN + 1;
    add_strange_headers(batch, event);
    event = (struct event){.stream = late,
        .time_ns = CLOCK_NONE,
        .received_ns = INT64_MAX,
        .offset_is_synthetic = true};
    add(batch, &event);
    unsigned char *big = alloc_zeroed(BIG);
    for (size_t i = 0; i < BIG; i++)
        big[i] = (unsigned char)(i * 31 + i / 251);
    event = (struct event){.stream = stream,
        .partition = 1,
        .offset = 9,
        .time_type = TIME_APPEND,
        .time_ns = INT64_MAX,
        .received_ns = 0,
        .payload = bytes_make(big, BIG)};
    add(batch, &event);
    memset(big, 'a', BIG);
    event.offset = 10;
    add(batch, &event);
    free(big);
    struct hole hole = {.stream_id = stream->id,
        .partition = 1,
        .from = 0,
        .to = 8,
        .reason = HOLE_RETENTION,
        .noticed_ns = SAMPLE_TIME_NS};
    batch_add_hole(batch, &hole);
    hole = (struct hole){.stream_id = late->id, .from = 1, .to = -1, .reason = HOLE_DROPPED};
    batch_add_hole(batch, &hole);
    hole = (struct hole){.stream_id = late->id, .partition = 3, .from = 5, .to = 6};
    batch_add_hole(batch, &hole);
    assert_ok(tape_writer_append(writer, batch, &err));
    batch_release(batch);
    tape_writer_close(writer);
}

void
small_tape_write(const char *directory)
{
    const struct sample samples[] = {
        {.stream = "orders", .offset = 1, .payload = {(const unsigned char *)"a", 1}},
        {.stream = "payments", .offset = 2, .payload = {(const unsigned char *)"b", 1}},
        {.stream = "orders", .offset = 3, .payload = {(const unsigned char *)"c", 1}},
    };
    sample_tape_write(directory, samples, 3);
}
