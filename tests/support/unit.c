#include "tests/support/unit.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/file.h"

char *
temp_directory_new(void)
{
    const char *parent = getenv("TMPDIR"); /* NOLINT(concurrency-mt-unsafe) */
    char *path = alloc_format("%s/tapedeck-test.XXXXXX", parent != NULL ? parent : "/tmp");
    if (mkdtemp(path) == NULL)
        fail_msg("cannot make a temporary directory in %s", path);
    return path;
}

void
temp_directory_remove(char *path)
{
    file_remove_tree(path);
    free(path);
}

/* ./dev check finds this line, shows and counts it. */
void
unit_skip(const char *test, const char *why)
{
    print_message("skipped: %s: %s\n", test, why);
    skip();
}
