#include "console/sizes.h"

#include <inttypes.h>
#include <stdio.h>

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
