#include "console/sizes.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *
sizes_format(uint64_t bytes, char text[SIZES_TEXT_MAX])
{
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    if (bytes < 1000) {
        (void)snprintf(text, SIZES_TEXT_MAX, "%" PRIu64 " B", bytes);
        return text;
    }
    double value = (double)bytes / 1000.0;
    size_t unit = 0;
    /* 999.95 would be shown as 1000.0. */
    while (value >= 999.95 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        value /= 1000.0;
        unit++;
    }
    (void)snprintf(text, SIZES_TEXT_MAX, "%.1f %s", value, units[unit]);
    return text;
}

bool
sizes_parse(const char *text, uint64_t least, uint64_t *bytes)
{
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || errno != 0)
        return false;
    unsigned shift = 0;
    if (*end != '\0') {
        const char *units = "KMGT";
        const char *unit = strchr(units, *end);
        if (unit == NULL || end[1] != '\0')
            return false;
        shift = 10 * (unsigned)(unit - units + 1);
    }
    const uint64_t most = UINT64_C(1024) << 40;
    if (number > most >> shift || number << shift < least)
        return false;
    *bytes = (uint64_t)number << shift;
    return true;
}
