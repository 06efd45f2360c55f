#include "console/console_run.h"

#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "console/command.h"
#include "ui/loop.h"

int
console_run(const struct console_options *options)
{
    struct error err = {0};
    int code = 0;

    /* The user's locale decides what is drawn; inside, text is UTF-8 whatever it says. */
    /* NOLINTBEGIN(concurrency-mt-unsafe): before anything else uses the locale */
    setlocale(LC_CTYPE, "");
    bool is_utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    if (!is_utf8)
        setlocale(LC_CTYPE, "C.UTF-8");
    /* NOLINTEND(concurrency-mt-unsafe) */
    struct loop_options loop = {
        .stage = {.directory = options->directory,
            .title = options->title,
            .banner = options->banner,
            .screen = options->screen},
        .color = options->color,
        .ascii = !is_utf8,
    };
    if (!loop_run(&loop, &code, &err))
        return command_fail(&err);
    return code;
}
