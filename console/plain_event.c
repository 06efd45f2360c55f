#include "console/plain_event.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "console/safe_text.h"
#include "index/event.h"

#define KEY_LIMIT 120

/* Length of "2026-11-23T14:29:31.102". */
#define MILLISECONDS_END 23

static void
append_bytes(struct buffer *to, struct bytes bytes, size_t limit)
{
    if (bytes.data == NULL) {
        buffer_append_text(to, "(null)");
        return;
    }
    if (bytes.length == 0) {
        buffer_append_text(to, "(empty)");
        return;
    }
    size_t shown = safe_text_append(to, bytes, limit);
    if (shown < bytes.length)
        buffer_printf(to, "...+%zu", bytes.length - shown);
}

void
plain_append_event(struct buffer *to, const struct event *event, size_t payload_limit)
{
    char text[CLOCK_TEXT_MAX];
    (void)clock_format(event_time(event), text);
    /* Milliseconds are enough for a line; --json has all digits. */
    if (strlen(text) > MILLISECONDS_END)
        (void)snprintf(text + MILLISECONDS_END, sizeof(text) - MILLISECONDS_END, "Z");
    buffer_append_text(to, text);
    buffer_append_byte(to, ' ');
    (void)safe_text_append(to, bytes_of(event->stream->label), 0);
    buffer_printf(to, "[%" PRId32 "]@%" PRId64 " ", event->partition, event->offset);
    append_bytes(to, event->key, KEY_LIMIT);
    buffer_append_byte(to, ' ');
    append_bytes(to, event->payload, payload_limit);
    buffer_append_byte(to, '\n');
}
