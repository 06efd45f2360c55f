/* `tapedeck replay log`: what was planned, sent and verified, and by whom. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "console/command.h"
#include "console/json_event.h"
#include "console/output.h"
#include "console/replay_options.h"
#include "console/safe_text.h"
#include "index/notes.h"
#include "replay/plan.h"

static void
append_count_json(struct buffer *to, const char *name, int64_t count)
{
    buffer_printf(to, ",\"%s\":", name);
    if (count == NOTES_NO_COUNT)
        buffer_append_text(to, "null");
    else
        json_append_i64(to, count);
}

static void
append_text_json(struct buffer *to, const char *name, const char *text)
{
    buffer_printf(to, ",\"%s\":", name);
    json_append_string(to, bytes_of(text));
}

static void
append_json(struct buffer *to, const struct ledger_entry *entry)
{
    buffer_append_text(to, "{\"v\":1");
    append_text_json(to, "id", entry->replay);
    append_text_json(to, "deed", entry->deed);
    append_text_json(to, "result", entry->result);
    buffer_append_text(to, ",\"time\":");
    json_append_time(to, entry->time_ns);
    append_text_json(to, "who", entry->who);
    append_text_json(to, "target", entry->target);
    append_count_json(to, "planned", entry->planned);
    append_count_json(to, "sent", entry->sent);
    append_count_json(to, "landed", entry->landed);
    append_count_json(to, "missing", entry->missing);
    append_count_json(to, "wrong", entry->wrong);
    append_text_json(to, "text", entry->text);
    buffer_append_text(to, "}\n");
}

static void
append_cell(struct buffer *to, const char *text, size_t width)
{
    safe_text_append_cell(to, text, width);
    buffer_append_text(to, "  ");
}

static void
append_number_cell(struct buffer *to, int64_t count)
{
    char number[REPLAY_NUMBER_MAX] = "-";
    if (count != NOTES_NO_COUNT)
        (void)replay_number((unsigned long long)count, number);
    buffer_printf(to, "%11s  ", number);
}

static void
append_line(struct buffer *to, const struct ledger_entry *entry)
{
    char moment[CLOCK_TEXT_MAX];
    buffer_printf(to, "%.19s  ", clock_format(entry->time_ns, moment));
    append_cell(to, entry->replay, 26);
    append_cell(to, entry->deed, 6);
    append_cell(to, entry->result, 8);
    append_cell(to, entry->who, 10);
    append_number_cell(to, entry->planned);
    append_number_cell(to, entry->sent);
    append_number_cell(to, entry->landed);
    append_number_cell(to, entry->wrong);
    (void)safe_text_append(to, bytes_of(entry->target), 0);
    if (entry->text[0] != '\0') {
        buffer_append_text(to, "  ");
        (void)safe_text_append(to, bytes_of(entry->text), 120);
    }
    buffer_append_byte(to, '\n');
}

static int
print_entries(const struct ledger_entry *entries, size_t count, bool json)
{
    struct output output;
    struct error err;
    output_start(&output, STDOUT_FILENO);
    if (!json && count > 0)
        buffer_printf(&output.buffer,
            "%-19s  %-26s  %-6s  %-8s  %-10s  %11s  %11s  %11s  %11s  %s\n", "TIME", "REPLAY",
            "DEED", "RESULT", "WHO", "PLANNED", "SENT", "LANDED", "WRONG", "TARGET");
    for (size_t i = 0; i < count; i++) {
        if (json)
            append_json(&output.buffer, &entries[i]);
        else
            append_line(&output.buffer, &entries[i]);
        if (!output_line(&output))
            break;
    }
    return output_finish(&output, &err) ? 0 : command_fail(&err);
}

static int
list(const struct invocation *invocation, const char *directory, const char *id)
{
    struct error err;
    struct notes *notes;
    struct ledger_entry *entries;
    size_t count;
    bool good = notes_open_reader(directory, &notes, &err) &&
                notes_list_entries(notes, id, &entries, &count, &err);
    notes_close(notes);
    if (!good)
        return command_fail(&err);
    if (count == 0 && !invocation->json && !invocation->quiet)
        replay_remark("no replay was planned from this tape%s%s", id == NULL ? "" : " with the id ",
            id == NULL ? "" : id);
    int code = print_entries(entries, count, invocation->json);
    notes_free_entries(entries, count);
    return code;
}

static int
run_log(const struct invocation *invocation)
{
    struct error err;
    const char *id = invocation->argc > 0 ? invocation->argv[0] : NULL;
    if (id != NULL && !plan_is_id(id)) {
        (void)error_set(&err, ERROR_ARGUMENT, "'%.100s' is not the id of a replay", id);
        return command_fail(&err);
    }
    char *directory = invocation_tape_that_opens(invocation, &err);
    int code = directory == NULL ? command_fail(&err) : list(invocation, directory, id);
    free(directory);
    return code;
}

const struct command command_replay_log = {
    .name = "replay log",
    .usage = "[ID]",
    .summary = "list what was planned, sent and verified from this tape, and by whom",
    .details = "One line per plan, run and verification, the oldest first: when, what came of it, "
               "who did it,\n"
               "how many events were planned, sent by that run, found in the target, and wrong "
               "there.",
    .examples = "tapedeck replay log\n"
                "tapedeck replay log 01KAVZ6Q3R8Y2M4N5P7S9TVWXY --json",
    .options = NULL,
    .option_count = 0,
    .settings_size = 0,
    .min_arguments = 0,
    .max_arguments = 1,
    .run = run_log,
};
