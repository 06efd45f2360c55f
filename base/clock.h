/* clock.h - moments, and how people write them.
 *
 * A moment is int64_t nanoseconds since the Unix epoch; there is no other time type. All texts are
 * UTC. Threads: any.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

#define NS_PER_US  INT64_C(1000)
#define NS_PER_MS  INT64_C(1000000)
#define NS_PER_S   INT64_C(1000000000)
#define CLOCK_NONE INT64_MIN /* "no time known" wherever a moment may be missing */

int64_t clock_now_ns(void);       /* wall clock */
int64_t clock_monotonic_ns(void); /* for waits, rates and deadlines; epoch is arbitrary */

/* Sleep until the monotonic moment, or until a signal arrives. */
void clock_sleep_until_ns(int64_t monotonic_ns);

#define CLOCK_TEXT_MAX 96 /* more than any of them needs */

/* "2026-11-23T14:29:31.102000000Z" (RFC 3339, nanoseconds); "?" for CLOCK_NONE. Returns `text`. */
char *clock_format(int64_t when_ns, char text[CLOCK_TEXT_MAX]);

/* "14:29:31.102" with 0 to 9 digits behind the point; returns `text`. */
char *clock_format_time(int64_t when_ns, int digits, char text[CLOCK_TEXT_MAX]);

/* Read a moment as people write it: RFC 3339 ("2026-11-23T14:29:31Z", a fraction, an offset like
 * +01:00, a date alone), a time of today ("14:29:40", "14:29"; the day of now_ns, UTC), a distance
 * back from now ("-15m", "-1h30m", "-2d"; units ns us ms s m h d), or "now".
 * False with ERROR_ARGUMENT that says what is understood. */
bool clock_parse(
    const char *text, size_t length, int64_t now_ns, int64_t *when_ns, struct error *err);

/* Read a length of time: "200ms", "15m", "1h30m", "2.5s"; a bare number is seconds. */
bool clock_parse_duration(const char *text, size_t length, int64_t *duration_ns, struct error *err);

/* How long after `from_ns` is `to_ns`? The longest there is where it is longer: clocks that events bring along may say any
 * time. */
int64_t clock_between(int64_t from_ns, int64_t to_ns);

/* "182 s", "3 m 2 s", "2.4 h", "26 h": a length of time for people. Returns `text`. */
char *clock_format_duration(int64_t duration_ns, char text[CLOCK_TEXT_MAX]);

#endif
