#include "console/damage.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"
#include "console/command.h"
#include "index/tape.h"

/* Places that are named; tapedeck tape verify has all. */
#define LINES_MAX 3u /* texts[] of damage_report_texts() has no more */

int
damage_report_texts(const char *const *texts, size_t count)
{
    int code = 0;
    for (size_t i = 0; i < count && i < LINES_MAX; i++) {
        struct error err;
        (void)error_set(&err, ERROR_DAMAGED, "tape damaged: %s", texts[i]);
        code = command_fail(&err);
    }
    if (count > 0)
        (void)fprintf(stderr,
            "tapedeck: %zu damaged place%s met, the rest was read; tapedeck tape verify lists "
            "all\n",
            count, count == 1 ? "" : "s");
    return code;
}

int
damage_report(const struct tape *tape)
{
    const struct tape_damage *damage = NULL;
    const char *texts[LINES_MAX];
    size_t count = tape_damage(tape, &damage);
    for (size_t i = 0; i < count && i < LINES_MAX; i++)
        texts[i] = damage[i].text;
    return damage_report_texts(texts, count);
}

bool
damage_is_cut(const struct tape *tape, struct error *err)
{
    uint64_t files = tape_missed_files(tape);
    if (files == 0)
        return false;
    (void)error_set(err, ERROR_LIMIT,
        "not complete: %" PRIu64 " file%s of %.80s %s deleted before %s could be read, and what %s "
        "had is a hole; tapedeck bookmark add keeps retention from events",
        files, files == 1 ? "" : "s", tape_directory(tape), files == 1 ? "was" : "were",
        files == 1 ? "it" : "they", files == 1 ? "it" : "they");
    return true;
}
