#include "replay/file_end.h"

#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"

#define STEP 65536

bool
file_end_of_lines(int fd, int64_t *end, struct error *err)
{
    unsigned char part[STEP];
    struct stat status;
    if (fstat(fd, &status) != 0)
        return error_set_system(err, "cannot tell its size");
    int64_t at = (int64_t)status.st_size;
    while (at > 0) {
        size_t length = at < STEP ? (size_t)at : STEP;
        size_t got;
        if (!file_read_at(fd, part, length, (uint64_t)at - length, &got, err))
            return false;
        const unsigned char *found = got == 0 ? NULL : memrchr(part, '\n', got);
        at -= (int64_t)length;
        if (found != NULL) {
            *end = at + (found - part) + 1;
            return true;
        }
    }
    *end = 0;
    return true;
}
