#include "replay/provenance.h"

#include <string.h>

#include "index/event.h"

static bool
parse_number(struct bytes text, uint64_t *number)
{
    if (text.data == NULL || text.length == 0 || text.length > 19)
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(text.data[i] - '0');
    }
    *number = value;
    return true;
}

uint64_t
provenance_hops(const struct event *event)
{
    uint64_t hops = 0;
    struct event_header header;
    for (size_t at = 0; event_next_header(event, &at, &header);)
        if (bytes_equal_text(header.name, PROVENANCE_HOPS) && !parse_number(header.value, &hops))
            hops = 1;
    return hops;
}

size_t
provenance_number(uint64_t number, char digits[PROVENANCE_DIGITS])
{
    char reversed[PROVENANCE_DIGITS];
    size_t count = 0;
    do {
        reversed[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    for (size_t i = 0; i < count; i++)
        digits[i] = reversed[count - 1 - i];
    return count;
}

static void
append_number(struct buffer *value, uint64_t number)
{
    char digits[PROVENANCE_DIGITS];
    buffer_append_byte(value, '/');
    buffer_append(value, digits, provenance_number(number, digits));
}

void
provenance_origin(const struct event *event, struct buffer *value)
{
    buffer_append_text(value, event->offset_is_synthetic ? "tape/" : "kafka/");
    buffer_append_text(value, event->stream->label);
    append_number(value, (uint64_t)event->partition);
    append_number(value, (uint64_t)event->offset);
}

bool
provenance_parse(const struct event *event, struct provenance *provenance)
{
    static const char *const names[PROVENANCE_HEADERS] = {
        PROVENANCE_REPLAY, PROVENANCE_SEQ, PROVENANCE_ORIG, PROVENANCE_HOPS};

    size_t count = 0;
    struct event_header header;
    for (size_t at = 0; event_next_header(event, &at, &header);)
        count++;
    if (count < PROVENANCE_HEADERS)
        return false;

    struct provenance found = {.own_headers = count - PROVENANCE_HEADERS};
    struct bytes values[PROVENANCE_HEADERS];
    size_t at = 0;
    for (size_t i = 0; event_next_header(event, &at, &header); i++) {
        if (i < found.own_headers)
            found.own_headers_end = at;
        else if (!bytes_equal_text(header.name, names[i - found.own_headers]))
            return false;
        else
            values[i - found.own_headers] = header.value;
    }
    found.replay = values[0];
    found.origin = values[2];
    if (found.replay.data == NULL || !parse_number(values[1], &found.index))
        return false;
    *provenance = found;
    return true;
}
