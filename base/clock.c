#include "base/clock.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/error.h"

#define SECONDS_PER_DAY INT64_C(86400)

static int64_t
read_clock(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t
clock_now_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t
clock_monotonic_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

void
clock_sleep_until_ns(int64_t monotonic_ns)
{
    struct timespec until = {
        .tv_sec = (time_t)(monotonic_ns / NS_PER_S), .tv_nsec = (long)(monotonic_ns % NS_PER_S)};
    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

/* Floor division, so that moments before 1970 get the right second and a positive fraction. */
static int64_t
split(int64_t when_ns, int64_t *fraction_ns)
{
    int64_t seconds = when_ns / NS_PER_S;
    *fraction_ns = when_ns % NS_PER_S;
    if (*fraction_ns < 0) {
        *fraction_ns += NS_PER_S;
        seconds--;
    }
    return seconds;
}

char *
clock_format(int64_t when_ns, char text[CLOCK_TEXT_MAX])
{
    if (when_ns == CLOCK_NONE) {
        (void)snprintf(text, CLOCK_TEXT_MAX, "?");
        return text;
    }
    int64_t fraction;
    time_t seconds = (time_t)split(when_ns, &fraction);
    struct tm parts;
    (void)gmtime_r(&seconds, &parts);
    (void)snprintf(text, CLOCK_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d.%09ldZ",
        parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min,
        parts.tm_sec, (long)fraction);
    return text;
}

char *
clock_format_time(int64_t when_ns, int digits, char text[CLOCK_TEXT_MAX])
{
    char whole[CLOCK_TEXT_MAX];
    if (when_ns == CLOCK_NONE) {
        (void)snprintf(text, CLOCK_TEXT_MAX, "?");
        return text;
    }
    (void)clock_format(when_ns, whole);
    const char *time = strchr(whole, 'T');
    int length = digits > 0 ? 9 + (digits < 9 ? digits : 9) : 8;
    (void)snprintf(text, CLOCK_TEXT_MAX, "%.*s", length, time == NULL ? whole : time + 1);
    return text;
}

/* Days since the epoch of a proleptic Gregorian date; Howard Hinnant, "chrono-Compatible Low-Level
 * Date Algorithms", days_from_civil. */
static int64_t
days_of_date(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

/* A text that is being read from left to right. */
struct scan {
    const char *at;
    const char *end;
};

static bool
take(struct scan *scan, char wanted)
{
    if (scan->at == scan->end || *scan->at != wanted)
        return false;
    scan->at++;
    return true;
}

/* Exactly `digits` decimal digits with a value of low..high. */
static bool
take_number(struct scan *scan, int digits, int64_t low, int64_t high, int64_t *value)
{
    int64_t result = 0;
    for (int i = 0; i < digits; i++) {
        if (scan->at == scan->end || !isdigit((unsigned char)*scan->at))
            return false;
        result = result * 10 + (*scan->at++ - '0');
    }
    *value = result;
    return result >= low && result <= high;
}

static bool
take_fraction(struct scan *scan, int64_t *nanoseconds)
{
    *nanoseconds = 0;
    if (!take(scan, '.'))
        return true;
    int64_t unit = NS_PER_S / 10;
    const char *start = scan->at;
    for (; scan->at < scan->end && isdigit((unsigned char)*scan->at); scan->at++) {
        *nanoseconds += (*scan->at - '0') * unit;
        unit /= 10;
    }
    return scan->at > start;
}

/* HH:MM[:SS[.fraction]] */
static bool
take_time(struct scan *scan, int64_t *ns)
{
    int64_t hour;
    int64_t minute;
    int64_t second = 0;
    int64_t fraction = 0;
    if (!take_number(scan, 2, 0, 23, &hour) || !take(scan, ':') ||
        !take_number(scan, 2, 0, 59, &minute))
        return false;
    if (take(scan, ':') &&
        (!take_number(scan, 2, 0, 60, &second) || !take_fraction(scan, &fraction)))
        return false;
    *ns = ((hour * 60 + minute) * 60 + second) * NS_PER_S + fraction;
    return true;
}

static bool
take_date(struct scan *scan, int64_t *days)
{
    int64_t year;
    int64_t month;
    int64_t day;
    if (!take_number(scan, 4, 1, 9999, &year) || !take(scan, '-') ||
        !take_number(scan, 2, 1, 12, &month) || !take(scan, '-') ||
        !take_number(scan, 2, 1, 31, &day))
        return false;
    *days = days_of_date(year, month, day);
    int64_t next_month = month < 12 ? days_of_date(year, month + 1, 1) : *days + 1;
    return *days < next_month;
}

/* "Z", "+01:00", "-0530" or nothing (UTC). */
static bool
take_zone(struct scan *scan, int64_t *offset_ns)
{
    *offset_ns = 0;
    if (scan->at == scan->end || take(scan, 'Z') || take(scan, 'z'))
        return true;
    bool west = take(scan, '-');
    if (!west && !take(scan, '+'))
        return false;
    int64_t hours;
    int64_t minutes;
    if (!take_number(scan, 2, 0, 23, &hours))
        return false;
    (void)take(scan, ':');
    if (!take_number(scan, 2, 0, 59, &minutes))
        return false;
    *offset_ns = (hours * 60 + minutes) * 60 * NS_PER_S * (west ? -1 : 1);
    return true;
}

static bool
parse_date_time(struct scan scan, int64_t *when_ns)
{
    int64_t days;
    int64_t time_ns = 0;
    int64_t zone_ns = 0;
    if (!take_date(&scan, &days))
        return false;
    if (scan.at < scan.end) {
        if (!take(&scan, 'T') && !take(&scan, 't') && !take(&scan, ' '))
            return false;
        if (!take_time(&scan, &time_ns) || !take_zone(&scan, &zone_ns))
            return false;
    }
    /* 64 bits of nanoseconds reach from 1677-09-21 to 2262-04-11. */
    return scan.at == scan.end &&
           !__builtin_mul_overflow(days, SECONDS_PER_DAY * NS_PER_S, when_ns) &&
           !__builtin_add_overflow(*when_ns, time_ns - zone_ns, when_ns) && *when_ns != CLOCK_NONE;
}

static bool
parse_time_of_today(struct scan scan, int64_t now_ns, int64_t *when_ns)
{
    int64_t time_ns;
    if (!take_time(&scan, &time_ns))
        return false;
    (void)take(&scan, 'Z');
    int64_t fraction;
    int64_t seconds = split(now_ns, &fraction);
    *when_ns = (seconds - seconds % SECONDS_PER_DAY) * NS_PER_S + time_ns;
    return scan.at == scan.end;
}

static const struct unit {
    const char *name;
    int64_t ns;
} units[] = {
    {"ns", 1},
    {"us", NS_PER_US},
    {"ms", NS_PER_MS},
    {"s", NS_PER_S},
    {"m", 60 * NS_PER_S},
    {"h", 3600 * NS_PER_S},
    {"d", SECONDS_PER_DAY *NS_PER_S},
};

static int64_t
unit_of(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strlen(units[i].name) == length && memcmp(units[i].name, name, length) == 0)
            return units[i].ns;
    }
    return 0;
}

/* One "1.5h" of a duration, added to *total; false when it is no such thing or too long. */
static bool
take_part(struct scan *scan, bool bare_allowed, int64_t *total)
{
    int64_t whole = 0;
    const char *start = scan->at;
    for (; scan->at < scan->end && isdigit((unsigned char)*scan->at); scan->at++) {
        if (__builtin_mul_overflow(whole, 10, &whole) ||
            __builtin_add_overflow(whole, *scan->at - '0', &whole))
            return false;
    }
    int64_t fraction;
    if (scan->at == start || !take_fraction(scan, &fraction))
        return false;

    const char *name = scan->at;
    while (scan->at < scan->end && isalpha((unsigned char)*scan->at))
        scan->at++;
    int64_t unit = unit_of(name, (size_t)(scan->at - name));
    if (scan->at == name && bare_allowed)
        unit = NS_PER_S;
    if (unit == 0 || __builtin_mul_overflow(whole, unit, &whole))
        return false;
    int64_t part = whole + (int64_t)((double)fraction / (double)NS_PER_S * (double)unit);
    return !__builtin_add_overflow(*total, part, total);
}

static bool
scan_duration(struct scan scan, int64_t *duration_ns)
{
    int64_t total = 0;
    const char *start = scan.at;
    while (scan.at < scan.end) {
        if (!take_part(&scan, scan.at == start, &total))
            return false;
    }
    *duration_ns = total;
    return scan.at > start;
}

bool
clock_parse_duration(const char *text, size_t length, int64_t *duration_ns, struct error *err)
{
    if (scan_duration((struct scan){text, text + length}, duration_ns))
        return true;
    return error_set(err, ERROR_ARGUMENT,
        "'%.*s' is not a length of time like 200ms, 15m, 1h30m or 90 (seconds)",
        (int)(length < 60 ? length : 60), text);
}

bool
clock_parse(const char *text, size_t length, int64_t now_ns, int64_t *when_ns, struct error *err)
{
    struct scan scan = {text, text + length};
    int64_t back;
    if (length == 3 && memcmp(text, "now", 3) == 0) {
        *when_ns = now_ns;
        return true;
    }
    if (length > 1 && text[0] == '-' &&
        scan_duration((struct scan){text + 1, text + length}, &back)) {
        *when_ns = now_ns - back;
        return true;
    }
    if (parse_date_time(scan, when_ns) || parse_time_of_today(scan, now_ns, when_ns))
        return true;
    return error_set(err, ERROR_ARGUMENT,
        "'%.*s' is not a time like 2026-11-23T14:29:31Z, 14:29:40, -15m or now",
        (int)(length < 60 ? length : 60), text);
}

int64_t
clock_between(int64_t from_ns, int64_t to_ns)
{
    int64_t between_ns;
    if (!__builtin_sub_overflow(to_ns, from_ns, &between_ns))
        return between_ns;
    return to_ns > from_ns ? INT64_MAX : INT64_MIN;
}

char *
clock_format_duration(int64_t duration_ns, char text[CLOCK_TEXT_MAX])
{
    double seconds = (double)duration_ns / (double)NS_PER_S;
    if (seconds < 0.9995)
        (void)snprintf(text, CLOCK_TEXT_MAX, "%.0f ms", seconds * 1000);
    else if (seconds < 10)
        (void)snprintf(text, CLOCK_TEXT_MAX, "%.1f s", seconds);
    else if (seconds < 120)
        (void)snprintf(text, CLOCK_TEXT_MAX, "%.0f s", seconds);
    else if (seconds < 3600)
        (void)snprintf(text, CLOCK_TEXT_MAX, "%d m %d s", (int)seconds / 60, (int)seconds % 60);
    else if (seconds < 36000)
        (void)snprintf(text, CLOCK_TEXT_MAX, "%.1f h", seconds / 3600);
    else if (seconds < 48.0 * 3600)
        (void)snprintf(text, CLOCK_TEXT_MAX, "%.0f h", seconds / 3600);
    else
        (void)snprintf(text, CLOCK_TEXT_MAX, "%.1f d", seconds / 86400);
    return text;
}
