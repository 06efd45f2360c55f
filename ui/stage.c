#include "ui/stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "index/tape.h"
#include "ui/canvas.h"
#include "ui/deck.h"
#include "ui/frame.h"
#include "ui/help.h"
#include "ui/key.h"
#include "ui/prompt.h"
#include "ui/screen.h"
#include "ui/stage_internal.h"

#define CANCEL_TWICE_NS NS_PER_S

static bool
find_start(const char *name, size_t *index, struct error *err)
{
    size_t count;
    const struct screen_ops *const *screens = screen_list(&count);
    for (size_t i = 0; i < count; i++) {
        if (name == NULL || strcmp(screens[i]->name, name) == 0) {
            *index = i;
            return true;
        }
    }
    char known[256] = "";
    for (size_t i = 0, at = 0; i < count && at < sizeof(known); i++)
        at += (size_t)snprintf(
            known + at, sizeof(known) - at, "%s%s", i > 0 ? ", " : "", screens[i]->name);
    return error_set(err, ERROR_ARGUMENT, "there is no screen '%s'; there are: %s", name, known);
}

struct stage *
stage_open(const struct stage_options *options, struct error *err)
{
    size_t start = 0;
    if (!find_start(options->screen, &start, err))
        return NULL;
    struct deck *deck = deck_open(options->directory, options->title, options->now_ns, err);
    if (deck == NULL)
        return NULL;

    struct stage *stage = alloc_zeroed(sizeof(*stage));
    stage->deck = deck;
    stage->banner = options->banner != NULL ? alloc_text(options->banner) : NULL;
    stage->screens = screen_list(&stage->screen_count);
    stage->states = alloc_array(stage->screen_count, sizeof(void *));
    for (size_t i = 0; i < stage->screen_count; i++)
        stage->states[i] = stage->screens[i]->open(deck);
    stage->current = start;
    stage->previous = start;
    return stage;
}

void
stage_close(struct stage *stage)
{
    if (stage == NULL)
        return;
    for (size_t i = 0; i < stage->screen_count; i++)
        stage->screens[i]->close(stage->states[i]);
    deck_close(stage->deck);
    prompt_done(&stage->prompt);
    free(stage->states);
    free(stage->before.filter);
    free(stage->banner);
    free(stage);
}

static const struct screen_ops *
current_screen(const struct stage *stage)
{
    return stage->screens[stage->current];
}

static void *
current_state(const struct stage *stage)
{
    return stage->states[stage->current];
}

static void
tick_screen(struct stage *stage, int64_t monotonic_ns)
{
    stage->deck->ratio = 1.0;
    current_screen(stage)->tick(current_state(stage), stage->deck, monotonic_ns);
}

static void
show_screen(struct stage *stage, size_t index, int64_t monotonic_ns)
{
    if (index >= stage->screen_count)
        return;
    if (index != stage->current)
        stage->previous = stage->current;
    stage->current = index;
    stage->is_help = false;
    tick_screen(stage, monotonic_ns);
}

static bool
show_screen_called(struct stage *stage, const char *name, int64_t monotonic_ns)
{
    for (size_t i = 0; i < stage->screen_count; i++) {
        if (strcmp(stage->screens[i]->name, name) == 0) {
            show_screen(stage, i, monotonic_ns);
            return true;
        }
    }
    return false;
}

/* Where the deck is, before a key that may lead elsewhere. */
static struct place_before
place_of(const struct deck *deck)
{
    return (struct place_before){.filter = alloc_text(deck_filter(deck)),
        .transport = deck->transport,
        .head_seq = deck->head_seq,
        .head_ns = deck->head_ns,
        .moves = deck->moves};
}

/* Go where a screen asks; `before` is where its key was pressed. */
static void
carry_out(struct stage *stage, const struct request *request, struct place_before *before,
    int64_t monotonic_ns)
{
    struct deck *deck = stage->deck;
    struct error err = {0};

    if (request->kind != REQUEST_SCREEN) {
        free(before->filter);
        return;
    }
    if (!deck_set_filter(deck, request->text, NULL, &err))
        deck_say(deck, true, "%s", err.text);
    free(stage->before.filter);
    stage->before = *before;
    stage->before.is_known = true;
    stage->before.has_moved = before->moves != deck->moves;
    stage->before.moves = deck->moves;
    stage->before.filters = deck->filters;
    show_screen_called(stage, request->screen, monotonic_ns);
}

/* Undo what carry_out() did to filter and head, as far as nobody changed them since. */
static void
return_to_place(struct stage *stage)
{
    struct place_before *before = &stage->before;
    struct deck *deck = stage->deck;
    struct error err = {0};

    if (before->is_known && before->filters == deck->filters)
        (void)deck_set_filter(deck, before->filter, NULL, &err);
    if (before->is_known && before->has_moved && before->moves == deck->moves)
        deck_return_to(deck, before->transport, before->head_seq, before->head_ns);
    before->is_known = false;
}

/* Back to the screen that was on before; at the bottom ask once. */
static enum stage_effect
go_back(struct stage *stage, int64_t monotonic_ns)
{
    if (stage->current != stage->previous) {
        size_t to = stage->previous;
        return_to_place(stage);
        show_screen(stage, to, monotonic_ns);
        stage->previous = to;
        return STAGE_GOES_ON;
    }
    if (stage->asked_to_leave)
        return STAGE_QUIT;
    stage->asks_to_leave = true;
    deck_say(stage->deck, false, "q once more leaves, any other key stays");
    return STAGE_GOES_ON;
}

/* The deck's own keys work on every screen. */
static bool
act_on_deck(struct stage *stage, enum action action)
{
    struct deck *deck = stage->deck;

    switch ((int)action) {
    case ACTION_HOLD:
        if (deck->transport == TRANSPORT_LIVE)
            deck_hold(deck);
        else
            deck_follow(deck);
        return true;
    case ACTION_FOLLOW:
        deck_follow(deck);
        return true;
    case ACTION_STEP:
    case ACTION_STEP_BACK:
        deck_hold(deck);
        return true;
    case ACTION_JUMP_BACK:
    case ACTION_JUMP:
        if (deck->head_ns == CLOCK_NONE)
            return true;
        deck_seek_time(
            deck, deck->head_ns + (action == ACTION_JUMP ? deck->window_ns : -deck->window_ns));
        return true;
    default:
        return false;
    }
}

static enum stage_effect
act_globally(struct stage *stage, enum action action, int64_t monotonic_ns)
{
    switch ((int)action) {
    case ACTION_HELP:
        help_open(&stage->help, current_screen(stage));
        stage->is_help = true;
        break;
    case ACTION_COMMAND:
        prompt_open(&stage->prompt, PROMPT_COMMAND, "");
        break;
    case ACTION_FILTER:
        prompt_open(&stage->prompt, PROMPT_FILTER, deck_filter(stage->deck));
        break;
    case ACTION_SEARCH:
        prompt_open(&stage->prompt, PROMPT_SEARCH, "");
        break;
    case ACTION_GOTO:
        prompt_open(&stage->prompt, PROMPT_GOTO, "");
        break;
    case ACTION_BACK:
        return go_back(stage, monotonic_ns);
    case ACTION_QUIT:
        return STAGE_QUIT;
    case ACTION_CANCEL:
        if (stage->cancelled_ns != 0 && monotonic_ns - stage->cancelled_ns < CANCEL_TWICE_NS)
            return STAGE_QUIT;
        stage->cancelled_ns = monotonic_ns;
        deck_say(stage->deck, false, "%s; ^C once more leaves",
            deck_stop_seek(stage->deck) ? "stopped looking" : "nothing to stop");
        break;
    case ACTION_ESCAPE:
        deck_stop_seek(stage->deck);
        break;
    case ACTION_REDRAW:
        return STAGE_REDRAW;
    case ACTION_SUSPEND:
        return STAGE_SUSPEND;
    default:
        act_on_deck(stage, action);
    }
    return STAGE_GOES_ON;
}

/* Give an action to the screen; what it has no use for is done for all. */
static enum stage_effect
act(struct stage *stage, enum action action, int64_t monotonic_ns)
{
    enum stage_effect effect = STAGE_GOES_ON;
    const struct screen_ops *screen = current_screen(stage);
    struct place_before before = place_of(stage->deck);
    struct request request = screen->act(current_state(stage), stage->deck, action);

    carry_out(stage, &request, &before, monotonic_ns);
    if (request.kind == REQUEST_UNHANDLED)
        effect = act_globally(stage, action, monotonic_ns);
    tick_screen(stage, monotonic_ns);
    return effect;
}

/* `:NAME ARGUMENT`. False with *err when there is no such command. */
static bool
run_command(struct stage *stage, const char *text, enum stage_effect *effect, int64_t monotonic_ns,
    struct error *err)
{
    size_t length = strcspn(text, " ");
    const char *argument = text + length + strspn(text + length, " ");
    enum action action = keymap_find_command(text, length);
    char name[32];
    (void)snprintf(name, sizeof(name), "%.*s", (int)(length < 31 ? length : 31), text);

    if (length == 0)
        return true;
    if (strcmp(name, "q") == 0) {
        *effect = STAGE_QUIT;
        return true;
    }
    if (show_screen_called(stage, name, monotonic_ns))
        return true;
    if (action == ACTION_NONE)
        return error_set(err, ERROR_ARGUMENT, "no command is called '%s'; ? lists them", name);
    if (action == ACTION_FILTER && argument[0] != '\0') {
        size_t column = 0;
        return deck_set_filter(stage->deck, argument, &column, err);
    }
    if (action == ACTION_GOTO && argument[0] != '\0')
        return deck_seek_text(stage->deck, argument, err);
    if (action == ACTION_SEARCH && argument[0] != '\0') {
        current_screen(stage)->search(current_state(stage), stage->deck, argument);
        return true;
    }
    *effect = act(stage, action, monotonic_ns);
    return true;
}

static enum stage_effect
accept_prompt(struct stage *stage, int64_t monotonic_ns)
{
    struct prompt *prompt = &stage->prompt;
    enum stage_effect effect = STAGE_GOES_ON;
    enum prompt_kind kind = prompt->kind;
    size_t column = 0;
    struct error err = {0};
    char text[PROMPT_MAX_BYTES];
    bool is_well = true;

    memcpy(text, prompt->text, sizeof(text));
    prompt_remember(prompt);
    prompt_close(prompt); /* a command may open another one */
    if (kind == PROMPT_FILTER)
        is_well = deck_set_filter(stage->deck, text, &column, &err);
    else if (kind == PROMPT_SEARCH)
        current_screen(stage)->search(current_state(stage), stage->deck, text);
    else if (kind == PROMPT_GOTO)
        is_well = text[0] == '\0' || deck_seek_text(stage->deck, text, &err);
    else if (kind == PROMPT_COMMAND)
        is_well = run_command(stage, text, &effect, monotonic_ns, &err);
    if (!is_well) {
        /* The caret says which column. */
        const char *reason = column > 0 ? strchr(err.text, ' ') : NULL;
        reason = reason != NULL ? strstr(reason, ": ") : NULL;
        prompt_open(prompt, kind, text);
        prompt_fail(prompt, column, reason != NULL ? reason + 2 : err.text);
    }
    tick_screen(stage, monotonic_ns);
    return effect;
}

static enum stage_effect
key_in_prompt(struct stage *stage, uint32_t key, int64_t monotonic_ns)
{
    switch (prompt_key(&stage->prompt, key)) {
    case PROMPT_GOES_ON:
        break;
    case PROMPT_ACCEPTED:
        return accept_prompt(stage, monotonic_ns);
    case PROMPT_CANCELLED:
        prompt_close(&stage->prompt);
        break;
    }
    return STAGE_GOES_ON;
}

enum stage_effect
stage_key(struct stage *stage, uint32_t key, int64_t monotonic_ns)
{
    struct deck *deck = stage->deck;

    if (key == UI_KEY_FOCUS_IN || key == UI_KEY_FOCUS_OUT)
        return STAGE_GOES_ON;
    if (key == UI_KEY_PASTE_BEGIN || key == UI_KEY_PASTE_END)
        stage->is_pasting = key == UI_KEY_PASTE_BEGIN;
    if (stage->prompt.kind != PROMPT_NONE)
        return key_in_prompt(stage, key, monotonic_ns);
    if (stage->is_pasting)
        return STAGE_GOES_ON; /* text that nobody asked for is not a row of commands */

    free(stage->banner);
    stage->banner = NULL;
    if (deck->seek == NULL)
        deck->message[0] = '\0';
    stage->asked_to_leave = stage->asks_to_leave;
    stage->asks_to_leave = false;
    if (stage->is_help && key != UI_KEY_CTRL('C') && key != UI_KEY_CTRL('L') &&
        key != UI_KEY_CTRL('Z')) {
        stage->is_help = help_key(&stage->help, key);
        return STAGE_GOES_ON;
    }
    if (key >= '1' && key <= '9') {
        stage->before.is_known = false; /* who goes by himself takes filter and head along */
        show_screen(stage, key - '1', monotonic_ns);
        return STAGE_GOES_ON;
    }
    unsigned contexts = CONTEXT_EVERYWHERE | current_screen(stage)->contexts;
    enum action action = keymap_find(key, contexts);
    return action == ACTION_NONE ? STAGE_GOES_ON : act(stage, action, monotonic_ns);
}

bool
stage_tick(struct stage *stage, int64_t now_ns, int64_t monotonic_ns)
{
    tape_wait(stage->deck->tape, 0);
    bool changed = deck_tick(stage->deck, now_ns);
    stage->deck->ratio = 1.0;
    changed |= current_screen(stage)->tick(current_state(stage), stage->deck, monotonic_ns);
    return changed;
}

bool
stage_is_busy(const struct stage *stage)
{
    return stage->deck->is_busy;
}

int
stage_interval_ms(const struct stage *stage)
{
    return current_screen(stage)->interval_ms;
}

int
stage_wait_fd(const struct stage *stage)
{
    return tape_wait_fd(stage->deck->tape);
}

void
stage_draw(struct stage *stage, struct canvas *canvas)
{
    canvas_clear(canvas);
    if (canvas->rows < STAGE_MIN_ROWS || canvas->columns < STAGE_MIN_COLUMNS) {
        frame_draw_too_small(canvas);
        return;
    }
    frame_draw(stage, canvas);
    struct screen_area area = {.row = 2, .rows = canvas->rows - 4, .columns = canvas->columns};
    if (stage->is_help)
        help_draw(&stage->help, canvas, area.row, area.rows);
    else
        current_screen(stage)->draw(current_state(stage), stage->deck, canvas, area);
    frame_draw_foot(stage, canvas);
}
