#include "tests/support/ui_stage.h"

#include <sched.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "tests/support/unit.h"
#include "ui/canvas.h"
#include "ui/stage.h"

#define PATIENCE_NS (60 * NS_PER_S)

static void
open_on_tape(struct fixture *fixture, const char *screen)
{
    struct error err = {0};
    struct stage_options options = {.directory = fixture->tape.directory,
        .screen = screen,
        .banner = "the banner",
        .now_ns = UI_TAPE_NOW_NS};

    fixture->now_ns = UI_TAPE_NOW_NS;
    fixture->monotonic_ns = NS_PER_S;
    fixture->stage = stage_open(&options, &err);
    if (fixture->stage == NULL)
        fail_msg("%s", err.text);
    fixture->canvas = canvas_new(40, 120);
}

void
open_stage(struct fixture *fixture, bool recording, const char *screen)
{
    *fixture = (struct fixture){0};
    ui_tape_open(&fixture->tape, recording);
    open_on_tape(fixture, screen);
}

void
open_stage_with_groups(struct fixture *fixture, const char *screen)
{
    *fixture = (struct fixture){0};
    ui_tape_open_with_groups(&fixture->tape);
    open_on_tape(fixture, screen);
}

void
close_stage(struct fixture *fixture)
{
    stage_close(fixture->stage);
    canvas_free(fixture->canvas);
    buffer_done(&fixture->text);
    ui_tape_close(&fixture->tape);
}

void
type(struct fixture *fixture, const char *keys)
{
    for (; *keys != '\0'; keys++)
        stage_key(fixture->stage, (unsigned char)*keys, fixture->monotonic_ns);
}

const char *
look(struct fixture *fixture)
{
    int64_t deadline_ns = clock_monotonic_ns() + PATIENCE_NS;
    stage_tick(fixture->stage, fixture->now_ns, fixture->monotonic_ns);
    while (stage_is_busy(fixture->stage)) {
        if (clock_monotonic_ns() > deadline_ns)
            fail_msg("the screen is busy and does not come to an end");
        (void)sched_yield(); /* to the thread that scans */
        stage_tick(fixture->stage, fixture->now_ns, fixture->monotonic_ns);
    }
    stage_draw(fixture->stage, fixture->canvas);
    fixture->text.length = 0;
    canvas_to_text(fixture->canvas, false, &fixture->text);
    return buffer_text(&fixture->text);
}

void
assert_seen(struct fixture *fixture, const char *expected)
{
    const char *text = look(fixture);
    if (strstr(text, expected) == NULL)
        fail_msg("'%s' is not on the screen:\n%s", expected, text);
}

void
assert_unseen(struct fixture *fixture, const char *unexpected)
{
    const char *text = look(fixture);
    if (strstr(text, unexpected) != NULL)
        fail_msg("'%s' is on the screen:\n%s", unexpected, text);
}
