/* ui_stage.h - a stage on the canned tape, without a terminal: keys in, text out. */
#ifndef TESTS_SUPPORT_UI_STAGE_H
#define TESTS_SUPPORT_UI_STAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "tests/support/ui_tape.h"

struct canvas;
struct stage;

struct fixture {
    struct ui_tape tape;
    struct stage *stage;
    struct canvas *canvas;
    struct buffer text;
    int64_t now_ns;
    int64_t monotonic_ns; /* moves when the test says */
};

void open_stage(struct fixture *fixture, bool recording, const char *screen);
/* On the tape with consumer groups. */
void open_stage_with_groups(struct fixture *fixture, const char *screen);
void close_stage(struct fixture *fixture);

void type(struct fixture *fixture, const char *keys);

/* What the stage draws when it has nothing more to read, as lines of text. */
const char *look(struct fixture *fixture);

void assert_seen(struct fixture *fixture, const char *expected);
void assert_unseen(struct fixture *fixture, const char *unexpected);

#endif
