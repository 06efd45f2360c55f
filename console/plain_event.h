/* plain_event.h - one event as one line for people.
 *
 *     2026-11-23T14:29:31.102Z shop/orders[3]@42 o-417 {"total":12}
 *
 * Bytes are made harmless as in safe_text.h. A null key or payload is (null), an empty one (empty); what
 * does not fit is counted: "...+1234".  Threads: any.
 */
#ifndef CONSOLE_PLAIN_EVENT_H
#define CONSOLE_PLAIN_EVENT_H

#include <stddef.h>

struct buffer;
struct event;

/* Append the line with its line break; at most about `payload_limit` bytes of the payload (0: all). */
void plain_append_event(struct buffer *to, const struct event *event, size_t payload_limit);

#endif
