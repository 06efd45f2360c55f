#include "console/damage.h"

#include <stddef.h>
#include <stdio.h>

#include "base/error.h"
#include "console/command.h"
#include "index/tape.h"

/* Places that are named; tapedeck tape verify has all. */
#define LINES_MAX 3u

int
damage_report(const struct tape *tape)
{
    const struct tape_damage *damage = NULL;
    size_t count = tape_damage(tape, &damage);
    int code = 0;
    for (size_t i = 0; i < count && i < LINES_MAX; i++) {
        struct error err;
        (void)error_set(&err, ERROR_DAMAGED, "tape damaged: %s", damage[i].text);
        code = command_fail(&err);
    }
    if (count > 0)
        (void)fprintf(stderr,
            "tapedeck: %zu damaged place%s met, the rest was read; tapedeck tape verify lists "
            "all\n",
            count, count == 1 ? "" : "s");
    return code;
}
