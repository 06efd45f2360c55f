#include <langinfo.h>
#include <locale.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "console/command.h"
#include "console/output.h"
#include "ui/canvas.h"
#include "ui/deck.h"
#include "ui/stage.h"

/* A frame is taken when nothing is left to read, and after this long in any case. */
#define DRAW_LIMIT_NS (10 * NS_PER_S)

struct settings {
    const char *size;
};

static const struct option_row options[] = {
    {"size", OPTION_TEXT, offsetof(struct settings, size), "COLUMNSxROWS",
        "the size of the frame (default 120x40)", NULL},
};

static bool
read_size(const char *text, int *columns, int *rows, struct error *err)
{
    char *end;
    long width = strtol(text, &end, 10);
    long height = *end == 'x' ? strtol(end + 1, &end, 10) : 0;

    if (*end != '\0' || width < STAGE_MIN_COLUMNS || width > CANVAS_MAX_COLUMNS ||
        height < STAGE_MIN_ROWS || height > CANVAS_MAX_ROWS)
        return error_set(err, ERROR_ARGUMENT,
            "--size '%.40s': say COLUMNSxROWS like 120x40, from %dx%d to %dx%d", text,
            STAGE_MIN_COLUMNS, STAGE_MIN_ROWS, CANVAS_MAX_COLUMNS, CANVAS_MAX_ROWS);
    *columns = (int)width;
    *rows = (int)height;
    return true;
}

/* Draw the frame as text on stdout; false with *err when it cannot be. */
static bool
print_frame(struct stage *stage, int columns, int rows, bool ascii, struct error *err)
{
    int64_t deadline = clock_monotonic_ns() + DRAW_LIMIT_NS;
    struct canvas *canvas = canvas_new(rows, columns);
    struct output output;

    do {
        stage_tick(stage, clock_now_ns(), clock_monotonic_ns());
    } while (stage_is_busy(stage) && clock_monotonic_ns() < deadline);
    stage_draw(stage, canvas);
    output_start(&output, STDOUT_FILENO);
    canvas_to_text(canvas, ascii, &output.buffer);
    canvas_free(canvas);
    return output_finish(&output, err);
}

static int
run(const struct invocation *invocation)
{
    const struct settings *settings = invocation->settings;
    struct error err = {0};
    int columns = 120;
    int rows = 40;

    if (settings->size != NULL && !read_size(settings->size, &columns, &rows, &err))
        return command_fail(&err);
    /* NOLINTBEGIN(concurrency-mt-unsafe): before anything else uses the locale */
    setlocale(LC_CTYPE, "");
    bool is_utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    setlocale(LC_CTYPE, "C.UTF-8");
    /* NOLINTEND(concurrency-mt-unsafe) */
    char *directory = invocation_tape(invocation, &err);
    if (directory == NULL)
        return command_fail(&err);
    struct stage_options stage_options = {
        .directory = directory, .screen = invocation->argv[0], .now_ns = clock_now_ns()};
    struct stage *stage = stage_open(&stage_options, &err);
    bool is_well = stage != NULL && print_frame(stage, columns, rows, !is_utf8, &err);
    stage_close(stage);
    free(directory);
    return is_well ? 0 : command_fail(&err);
}

const struct command command_screen = {
    .name = "screen",
    .usage = "NAME",
    .summary = "print one frame of a screen as text",
    .details = "NAME is the name of a screen (flows, events, lag). For tickets, chat and tests.",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .settings_size = sizeof(struct settings),
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
