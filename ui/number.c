#include "ui/number.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

char *
number_short(double value, char text[NUMBER_TEXT_MAX])
{
    static const char units[] = " kMGT";
    size_t unit = 0;

    while (value >= 999.5 && unit + 2 < sizeof(units)) {
        value /= 1000.0;
        unit++;
    }
    int decimals = unit > 0 && value < 99.95 ? 1 : 0;
    if (unit == 0)
        (void)snprintf(text, NUMBER_TEXT_MAX, "%.0f", value);
    else
        (void)snprintf(text, NUMBER_TEXT_MAX, "%.*f%c", decimals, value, units[unit]);
    return text;
}

char *
number_grouped(uint64_t value, char text[NUMBER_TEXT_MAX])
{
    char digits[24];
    int length = snprintf(digits, sizeof(digits), "%" PRIu64, value);
    int at = 0;

    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            text[at++] = ' ';
        text[at++] = digits[i];
    }
    text[at] = '\0';
    return text;
}

char *
number_rate(double value, char text[NUMBER_TEXT_MAX])
{
    if (value > 0.0 && value < 9.95)
        (void)snprintf(text, NUMBER_TEXT_MAX, "%.1f", value);
    else
        number_grouped((uint64_t)(value + 0.5), text);
    return text;
}

char *
number_age(int64_t age_ns, char text[NUMBER_TEXT_MAX])
{
    int64_t seconds = age_ns > 0 ? age_ns / NS_PER_S : 0;

    if (seconds < 100)
        (void)snprintf(text, NUMBER_TEXT_MAX, "%" PRId64 " s", seconds);
    else if (seconds < INT64_C(100) * 60)
        (void)snprintf(text, NUMBER_TEXT_MAX, "%" PRId64 " m", seconds / 60);
    else if (seconds < INT64_C(48) * 3600)
        (void)snprintf(text, NUMBER_TEXT_MAX, "%" PRId64 " h", seconds / 3600);
    else
        (void)snprintf(text, NUMBER_TEXT_MAX, "%" PRId64 " d", seconds / 86400);
    return text;
}

char *
number_seconds(double seconds, char text[NUMBER_TEXT_MAX])
{
    if (seconds < 0.0)
        (void)snprintf(text, NUMBER_TEXT_MAX, "?");
    else if (seconds < 999.95)
        (void)snprintf(text, NUMBER_TEXT_MAX, "%.1f", seconds);
    else if (seconds < 1e9)
        number_age((int64_t)seconds * NS_PER_S, text);
    else
        (void)snprintf(text, NUMBER_TEXT_MAX, ">31 y");
    return text;
}
