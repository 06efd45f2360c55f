/* `tapedeck bookmark add|list|remove`: names for places of the tape, which retention leaves. */

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "console/command.h"
#include "console/json_event.h"
#include "console/output.h"
#include "console/query_run.h"
#include "console/replay_options.h"
#include "console/safe_text.h"
#include "index/bloom.h"
#include "index/event.h"
#include "index/notes.h"
#include "index/retention.h"

struct add_settings {
    const char *text;
    bool no_pin;
};

static const struct option_row add_options[] = {
    {"text", OPTION_TEXT, offsetof(struct add_settings, text), "TEXT",
        "what is to be said about it", NULL},
    {"no-pin", OPTION_FLAG, offsetof(struct add_settings, no_pin), NULL,
        "retention may delete it all the same", NULL},
};

/* A name may have any character and be longer than that of a file: the pin is called after its hash. */
static char *
pin_of(const char *name)
{
    return alloc_format("bookmark-%016" PRIx64, bloom_token(0, bytes_of(name)));
}

/* ---- add ---- */

/* What the query finds, from the first to the last. */
struct found {
    uint64_t first_seq;
    uint64_t last_seq;
    int64_t time_ns;
    uint64_t count;
    int damage_code; /* of the walk, which was at its end: what could be read was looked at */
};

/* Returns the exit code of the walk but for damage; the reason for one that is not 0 was printed. */
static int
find(const struct invocation *invocation, struct found *found)
{
    struct invocation query = *invocation;
    struct query_run run;
    query.argc--; /* behind the name */
    query.argv++;
    query.json = false;
    query.quiet = true;
    int code = query_run_open(&run, &query, &(struct query_run_options){.shows_no_events = true});
    if (code != 0)
        return code;
    struct error err;
    struct event event;
    enum query_run_step step;
    *found = (struct found){0};
    while ((step = query_run_next(&run, &event, &err)) == QUERY_RUN_EVENT) {
        if (found->count++ == 0) {
            found->first_seq = event.seq;
            found->time_ns = event_time(&event);
        }
        found->last_seq = event.seq;
    }
    bool was_stopped = run.was_stopped;
    code = query_run_done(&run, step == QUERY_RUN_FAILED ? &err : NULL);
    if (step == QUERY_RUN_END && code == error_exit_code(&(struct error){.code = ERROR_DAMAGED})) {
        found->damage_code = code;
        return 0;
    }
    return code == 0 && was_stopped ? 1 : code;
}

/* Pinned before it is noted: what has a name is there. */
static bool
keep(const char *directory, const char *name, const struct found *found, bool is_pinned,
    struct error *err)
{
    char *pin = pin_of(name);
    bool good = is_pinned
                    ? retention_pin(directory, pin, found->first_seq, found->last_seq + 1, err)
                    : retention_unpin(directory, pin, err);
    free(pin);
    return good;
}

static bool
note(const char *directory, const struct invocation *invocation, const struct found *found,
    struct error *err)
{
    const struct add_settings *settings = invocation->settings;
    struct notes *notes = notes_open(directory, err);
    struct bookmark bookmark = {
        .name = invocation->argv[0],
        .seq = found->first_seq,
        .time_ns = found->time_ns,
        .made_ns = clock_now_ns(),
    };
    char *text = alloc_text(settings->text == NULL ? "" : settings->text);
    bookmark.text = text;
    bool good = notes != NULL && notes_check_bookmark(&bookmark, err) &&
                keep(directory, bookmark.name, found, !settings->no_pin, err) &&
                notes_add_bookmark(notes, &bookmark, err);
    free(text);
    notes_close(notes);
    return good;
}

static void
append_added(struct buffer *to, const struct invocation *invocation, const struct found *found)
{
    const struct add_settings *settings = invocation->settings;
    char number[REPLAY_NUMBER_MAX];
    if (invocation->json) {
        buffer_append_text(to, "{\"v\":1,\"done\":true,\"name\":");
        json_append_string(to, bytes_of(invocation->argv[0]));
        buffer_append_text(to, ",\"events\":");
        json_append_u64(to, found->count);
        buffer_append_text(to, ",\"first_seq\":");
        json_append_u64(to, found->first_seq);
        buffer_append_text(to, ",\"end_seq\":");
        json_append_u64(to, found->last_seq + 1);
        buffer_printf(to, ",\"pinned\":%s}\n", settings->no_pin ? "false" : "true");
        return;
    }
    buffer_append_text(to, "bookmark ");
    (void)safe_text_append(to, bytes_of(invocation->argv[0]), 0);
    buffer_printf(to, ": %s event%s, seq %" PRIu64, replay_number(found->count, number),
        found->count == 1 ? "" : "s", found->first_seq);
    if (found->last_seq > found->first_seq)
        buffer_printf(to, " to %" PRIu64, found->last_seq);
    buffer_append_text(to,
        settings->no_pin ? "; retention may delete them\n" : "; retention leaves their segments\n");
}

static int
run_add(const struct invocation *invocation)
{
    struct error err;
    struct found found;
    int code = find(invocation, &found);
    if (code != 0)
        return code;
    if (found.count == 0) {
        (void)error_set(&err, ERROR_ARGUMENT,
            "nothing on the tape matches: a bookmark needs an event, such as 'orders[3]@42'");
        return command_fail(&err);
    }
    char *directory = invocation_tape(invocation, &err);
    bool good = directory != NULL && note(directory, invocation, &found, &err);
    free(directory);
    if (!good)
        return command_fail(&err);
    struct output output;
    output_start(&output, STDOUT_FILENO);
    if (invocation->json || !invocation->quiet)
        append_added(&output.buffer, invocation, &found);
    return output_finish(&output, &err) ? found.damage_code : command_fail(&err);
}

const struct command command_bookmark_add = {
    .name = "bookmark add",
    .usage = "NAME QUERY...",
    .summary = "name an event, or a range of them, and keep retention from it",
    .details =
        "The bookmark is at the first event that matches; what lies from there to the last one is\n"
        "pinned: retention and tapedeck tape prune leave the segments that hold it. A bookmark of\n"
        "that name is replaced. Allowed while a recorder writes the tape.",
    .examples = "tapedeck bookmark add first-double 'orders[3]@42' --text 'charged twice'\n"
                "tapedeck bookmark add incident-7 since 14:00 until 14:30",
    .options = add_options,
    .option_count = sizeof(add_options) / sizeof(add_options[0]),
    .settings_size = sizeof(struct add_settings),
    .min_arguments = 2,
    .max_arguments = -1,
    .changes_tape = true,
    .run = run_add,
};

/* ---- list ---- */

static bool
is_pinned(const char *directory, const char *name)
{
    char *pin = pin_of(name);
    bool found = retention_has_pin(directory, pin);
    free(pin);
    return found;
}

static void
append_json(struct buffer *to, const struct bookmark *bookmark, bool pinned)
{
    buffer_append_text(to, "{\"v\":1,\"name\":");
    json_append_string(to, bytes_of(bookmark->name));
    buffer_append_text(to, ",\"seq\":");
    json_append_u64(to, bookmark->seq);
    buffer_append_text(to, ",\"time\":");
    json_append_time(to, bookmark->time_ns);
    buffer_append_text(to, ",\"text\":");
    json_append_string(to, bytes_of(bookmark->text));
    buffer_append_text(to, ",\"made\":");
    json_append_time(to, bookmark->made_ns);
    buffer_printf(to, ",\"pinned\":%s}\n", pinned ? "true" : "false");
}

static void
append_line(struct buffer *to, const struct bookmark *bookmark, bool pinned)
{
    char moment[CLOCK_TEXT_MAX];
    buffer_printf(to, "%12" PRIu64 "  %-19.19s  %-6s  ", bookmark->seq,
        clock_format(bookmark->time_ns, moment), pinned ? "pinned" : "-");
    (void)safe_text_append(to, bytes_of(bookmark->name), 0);
    if (bookmark->text[0] != '\0') {
        buffer_append_text(to, "  ");
        (void)safe_text_append(to, bytes_of(bookmark->text), 0);
    }
    buffer_append_byte(to, '\n');
}

static int
print_bookmarks(const struct invocation *invocation, const char *directory,
    const struct bookmark *bookmarks, size_t count)
{
    struct error err;
    struct output output;
    output_start(&output, STDOUT_FILENO);
    if (!invocation->json && count > 0)
        buffer_printf(&output.buffer, "%12s  %-19s  %-6s  %s\n", "SEQ", "TIME (UTC)", "", "NAME");
    for (size_t i = 0; i < count; i++) {
        bool pinned = is_pinned(directory, bookmarks[i].name);
        if (invocation->json)
            append_json(&output.buffer, &bookmarks[i], pinned);
        else
            append_line(&output.buffer, &bookmarks[i], pinned);
        if (!output_line(&output))
            break;
    }
    return output_finish(&output, &err) ? 0 : command_fail(&err);
}

static int
list(const struct invocation *invocation, const char *directory)
{
    struct error err;
    struct bookmark *bookmarks;
    size_t count;
    struct notes *notes;
    bool good = notes_open_reader(directory, &notes, &err) &&
                notes_list_bookmarks(notes, &bookmarks, &count, &err);
    notes_close(notes);
    if (!good)
        return command_fail(&err);
    if (count == 0 && !invocation->json && !invocation->quiet)
        replay_remark("no bookmarks on this tape; tapedeck bookmark add makes one");
    int code = print_bookmarks(invocation, directory, bookmarks, count);
    notes_free_bookmarks(bookmarks, count);
    return code;
}

static int
run_list(const struct invocation *invocation)
{
    struct error err;
    char *directory = invocation_tape_that_opens(invocation, &err);
    int code = directory == NULL ? command_fail(&err) : list(invocation, directory);
    free(directory);
    return code;
}

const struct command command_bookmark_list = {
    .name = "bookmark list",
    .usage = "",
    .summary = "list the bookmarks of the tape",
    .details = "By seq: the event that each is at, its time, whether retention leaves it, the name "
               "and what was\n"
               "said about it.",
    .examples = "tapedeck bookmark list\n"
                "tapedeck events 'seq>=1200' --limit 20",
    .options = NULL,
    .option_count = 0,
    .settings_size = 0,
    .min_arguments = 0,
    .max_arguments = 0,
    .run = run_list,
};

/* ---- remove ---- */

static int
run_remove(const struct invocation *invocation)
{
    struct error err;
    char *directory = invocation_tape_that_opens(invocation, &err);
    struct notes *notes = directory == NULL ? NULL : notes_open(directory, &err);
    char *pin = pin_of(invocation->argv[0]);
    bool good = notes != NULL && notes_remove_bookmark(notes, invocation->argv[0], &err) &&
                retention_unpin(directory, pin, &err);
    free(pin);
    notes_close(notes);
    free(directory);
    return good ? 0 : command_fail(&err);
}

const struct command command_bookmark_remove = {
    .name = "bookmark remove",
    .usage = "NAME",
    .summary = "remove a bookmark and its pin",
    .details = "No event is deleted by it; retention may do that from now on.",
    .examples = "tapedeck bookmark remove incident-7",
    .options = NULL,
    .option_count = 0,
    .settings_size = 0,
    .min_arguments = 1,
    .max_arguments = 1,
    .changes_tape = true,
    .run = run_remove,
};
