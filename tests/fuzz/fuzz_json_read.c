/* Any bytes as a line of NDJSON: it is refused with a column inside it, or it is an event that, written and
 * read again, is the same. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "console/json_event.h"
#include "console/json_read.h"
#include "index/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
write_event(struct buffer *to, const struct json_line *line)
{
    struct stream stream = {.tap = alloc_text(line->tap), .name = alloc_text(line->stream)};
    struct event event = line->event;
    struct json_times times = {0};
    event.stream = &stream;
    assert(headers_check(event.headers));
    json_append_event(to, &event, &times);
    free(stream.tap);
    free(stream.name);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_reader *reader = json_reader_new();
    struct json_line line;
    struct error err;
    size_t column = 0;
    if (!json_reader_line(reader, bytes_make(data, size), &line, &column, &err)) {
        assert(err.code == ERROR_FORMAT && column > 0 && column <= size + 1);
    } else if (!line.is_done) {
        struct buffer first = {0};
        struct buffer second = {0};
        write_event(&first, &line);
        bool good =
            json_reader_line(reader, bytes_make(first.data, first.length), &line, &column, &err);
        assert(good);
        write_event(&second, &line);
        assert(first.length == second.length);
        assert(memcmp(first.data, second.data, first.length) == 0);
        buffer_done(&first);
        buffer_done(&second);
    }
    json_reader_free(reader);
    return 0;
}
