#include "console/log.h"

#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "console/output.h"
#include "console/safe_text.h"

void
log_say(const char *level, const struct buffer *pairs)
{
    char time[CLOCK_TEXT_MAX];
    struct output output;
    output_start(&output, STDERR_FILENO);
    buffer_printf(&output.buffer, "time=%s level=%s ", clock_format(clock_now_ns(), time), level);
    buffer_append(&output.buffer, pairs->data, pairs->length);
    buffer_append_byte(&output.buffer, '\n');
    struct error ignored; /* there is nowhere left to report to */
    (void)output_finish(&output, &ignored);
}

void
log_add_text(struct buffer *pairs, const char *name, const char *value)
{
    struct buffer safe = {0};
    (void)safe_text_append(&safe, bytes_of(value), 0);
    const char *text = buffer_text(&safe);
    bool is_quoted = text[0] == '\0' || strpbrk(text, " \"=") != NULL;
    buffer_printf(pairs, "%s%s=", pairs->length == 0 ? "" : " ", name);
    if (is_quoted)
        buffer_append_byte(pairs, '"');
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '"')
            buffer_append_byte(pairs, '\\');
        buffer_append(pairs, at, 1);
    }
    if (is_quoted)
        buffer_append_byte(pairs, '"');
    buffer_done(&safe);
}

void
log_add_number(struct buffer *pairs, const char *name, uint64_t value)
{
    buffer_printf(
        pairs, "%s%s=%llu", pairs->length == 0 ? "" : " ", name, (unsigned long long)value);
}

void
log_say_text(const char *level, const char *name, const char *value)
{
    struct buffer pairs = {0};
    log_add_text(&pairs, name, value);
    log_say(level, &pairs);
    buffer_done(&pairs);
}
