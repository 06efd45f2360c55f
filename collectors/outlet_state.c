#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "collectors/outlet.h"
#include "collectors/outlet_internal.h"
#include "index/live.h"

void
outlet_mark_answer(struct outlet *outlet)
{
    atomic_store_explicit(&outlet->has_answer, true, memory_order_relaxed);
}

static void
set_state(struct outlet *outlet, enum tap_state state, enum error_code code, const char *text)
{
    (void)pthread_mutex_lock(&outlet->lock);
    bool is_change = state != outlet->state;
    if (is_change)
        outlet->since_ns = clock_now_ns();
    int64_t since_ns = outlet->since_ns;
    outlet->state = state;
    outlet->text.code = code;
    memcpy(outlet->text.text, text, sizeof(outlet->text.text));
    (void)pthread_mutex_unlock(&outlet->lock);
    if (is_change)
        tap_note_state(&outlet->note, state, text, since_ns);
}

void
outlet_set_state(struct outlet *outlet, enum tap_state state, const char *format, ...)
{
    char text[sizeof(outlet->text.text)] = "";
    if (format != NULL) {
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
    }
    set_state(outlet, state, ERROR_NONE, text);
}

void
outlet_set_trouble(struct outlet *outlet, enum error_code code, const char *format, ...)
{
    char text[sizeof(outlet->text.text)];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    set_state(outlet, TAP_RETRYING, code, text);
}

void
outlet_tell(struct outlet *outlet, const char *kind, const char *what)
{
    tap_note_tell(&outlet->note, kind, what, clock_now_ns());
}

void
outlet_warn(struct outlet *outlet, const char *format, ...)
{
    char text[sizeof(outlet->text.text)];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);

    (void)pthread_mutex_lock(&outlet->lock);
    memcpy(outlet->text.text, text, sizeof(text));
    (void)pthread_mutex_unlock(&outlet->lock);
}

void
outlet_count_wire(struct outlet *outlet, uint64_t bytes)
{
    counter_add(&outlet->wire, bytes);
    atomic_store(&outlet->tells_wire, true);
}

void
outlet_count_retry(struct outlet *outlet)
{
    counter_add(&outlet->retries, 1);
}

enum tap_state
outlet_state(struct outlet *outlet, struct error *why)
{
    (void)pthread_mutex_lock(&outlet->lock);
    enum tap_state state = outlet->state;
    *why = outlet->text;
    (void)pthread_mutex_unlock(&outlet->lock);
    return state;
}

bool
outlet_has_answer(const struct outlet *outlet)
{
    return atomic_load_explicit(&outlet->has_answer, memory_order_relaxed);
}

/* Copy as much of a text as fits, never half a character of UTF-8. */
static void
copy_text(char *to, size_t size, const char *from)
{
    size_t length = strlen(from);
    if (length >= size) {
        length = size - 1;
        while (length > 0 && ((unsigned char)from[length] & 0xc0) == 0x80)
            length--;
    }
    memset(to, 0, size);
    for (size_t i = 0; i < length; i++)
        to[i] = from[i];
}

void
outlet_describe(struct outlet *outlet, struct live_tap *tap)
{
    live_set_name(tap->name, outlet->options.tap);
    copy_text(tap->url, sizeof(tap->url), outlet->options.url);
    tap->events = counter_value(&outlet->events);
    tap->bytes = counter_value(&outlet->bytes);
    tap->dropped = counter_value(&outlet->dropped);
    tap->retries = counter_value(&outlet->retries);
    tap->max_bytes_per_second = outlet->options.max_bytes_per_second;
    bool tells_wire = atomic_load(&outlet->tells_wire);
    uint64_t wire = counter_value(&outlet->wire);
    tap->wire_bytes = tells_wire ? (int64_t)wire : -1;

    struct error why;
    (void)pthread_mutex_lock(&outlet->lock);
    tap->state = outlet->state;
    tap->since_ns = outlet->since_ns;
    why = outlet->text;
    uint64_t rate = byte_rate_look(&outlet->wire_rate, wire, clock_monotonic_ns());
    tap->wire_bytes_per_second = tells_wire ? (int64_t)rate : -1;
    (void)pthread_mutex_unlock(&outlet->lock);
    copy_text(tap->error, sizeof(tap->error), why.text);
}

uint64_t
outlet_refused(const struct outlet *outlet)
{
    return counter_value(&outlet->refused);
}
