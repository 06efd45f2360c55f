#include "collectors/tap_note.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "collectors/diary.h"
#include "index/event.h"
#include "index/hole.h"

/* Names and reasons come from elsewhere: what is not UTF-8 is shown by its ASCII part. */
static json_t *
text_value(const char *text)
{
    if (text == NULL || text[0] == '\0')
        return json_null();
    json_t *value = json_string(text);
    if (value != NULL)
        return value;
    char *plain = alloc_text(text);
    for (char *at = plain; *at != '\0'; at++)
        if ((unsigned char)*at >= 0x80)
            *at = '?';
    value = json_string(plain);
    free(plain);
    return value;
}

static json_t *
count_value(int64_t count)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%" PRId64, count);
    return count < 0 ? json_null() : json_string(text);
}

/* {"v":1,"tap":…,"state":…,"reason":…,"since":…}; what else is said comes behind it. */
static json_t *
begin(const struct tap_note *note, const char *state, const char *reason, int64_t since_ns)
{
    char when[CLOCK_TEXT_MAX];
    json_t *object = json_object();
    (void)json_object_set_new(object, "v", json_integer(1));
    (void)json_object_set_new(object, "tap", text_value(note->tap));
    (void)json_object_set_new(object, "state", json_string(state));
    (void)json_object_set_new(object, "reason", text_value(reason));
    (void)json_object_set_new(object, "since", json_string(clock_format(since_ns, when)));
    return object;
}

static void
finish(struct tap_note *note, json_t *object, int64_t when_ns)
{
    char *text = json_dumps(object, JSON_COMPACT | JSON_PRESERVE_ORDER);
    json_decref(object);
    if (text == NULL)
        return;
    struct diary_entry entry = {.tap = note->tap,
        .stream = TAP_NOTE_STREAM,
        .key = bytes_of(note->tap),
        .payload = bytes_of(text),
        .when_ns = when_ns};
    (void)diary_write(note->diary, &entry);
    (void)diary_flush(note->diary, 0);
    free(text);
}

void
tap_note_state(struct tap_note *note, enum tap_state state, const char *reason, int64_t since_ns)
{
    bool is_trouble = state == TAP_RETRYING || state == TAP_FAILED;
    if (note->diary == NULL || (!is_trouble && (state != TAP_LIVE || !note->has_trouble)))
        return;
    note->has_trouble = is_trouble;
    finish(note, begin(note, tap_state_text(state), reason, since_ns), since_ns);
}

/* True when one more hole may be told in this second. */
static bool
may_tell(struct tap_note *note, int64_t now_ns)
{
    if (now_ns / NS_PER_S != note->second) {
        note->second = now_ns / NS_PER_S;
        note->holes = 0;
    }
    if (note->holes == TAP_NOTE_HOLES_PER_S) {
        note->untold++;
        return false;
    }
    note->holes++;
    return true;
}

void
tap_note_hole(struct tap_note *note, const struct stream *stream, const struct hole *hole)
{
    if (note->diary == NULL || hole->reason == HOLE_COMPACTED_OR_ABORTED ||
        hole->reason == HOLE_NOT_RECORDED || !may_tell(note, hole->noticed_ns))
        return;
    json_t *object = begin(note, "hole", hole_reason_text(hole->reason), hole->noticed_ns);
    (void)json_object_set_new(object, "stream", text_value(stream->name));
    (void)json_object_set_new(object, "partition", json_integer(hole->partition));
    (void)json_object_set_new(object, "from", count_value(hole->from));
    (void)json_object_set_new(object, "to", count_value(hole->to));
    (void)json_object_set_new(object, "untold", count_value((int64_t)note->untold));
    note->untold = 0;
    finish(note, object, hole->noticed_ns);
}

void
tap_note_tell(struct tap_note *note, const char *kind, const char *what, int64_t when_ns)
{
    if (note->diary != NULL)
        finish(note, begin(note, kind, what, when_ns), when_ns);
}
