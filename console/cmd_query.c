/* `tapedeck query save|list|show|remove`: queries with a name, kept beside the tape. */

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
#include "index/notes.h"
#include "index/query.h"

/* ---- save ---- */

static int
save(const char *directory, char *name, char *text)
{
    struct error err;
    struct saved_query saved = {.name = name, .query = text};
    struct notes *notes = notes_open(directory, &err);
    bool good = notes != NULL && notes_save_query(notes, &saved, &err);
    notes_close(notes);
    return good ? 0 : command_fail(&err);
}

static int
run_save(const struct invocation *invocation)
{
    struct error err;
    size_t column = 0;
    char *text = query_run_join(invocation->argc - 1, invocation->argv + 1);
    struct query *query = query_compile(text, clock_now_ns(), &column, &err);
    int code;
    if (query == NULL) {
        code = command_fail(&err);
        query_run_caret(text, column);
    } else {
        char *directory = invocation_tape_that_opens(invocation, &err);
        code = directory == NULL ? command_fail(&err) : save(directory, invocation->argv[0], text);
        free(directory);
    }
    query_free(query);
    free(text);
    return code;
}

const struct command command_query_save = {
    .name = "query save",
    .usage = "NAME QUERY...",
    .summary = "keep a query under a name, beside the tape",
    .details =
        "The query is checked; one of that name is replaced. Times like -15m are meant when it "
        "is used.",
    .examples = "tapedeck query save declined 'payload~\"declined\" since -1h'\n"
                "tapedeck search \"$(tapedeck query show declined)\"",
    .options = NULL,
    .option_count = 0,
    .settings_size = 0,
    .min_arguments = 2,
    .max_arguments = -1,
    .changes_tape = true,
    .run = run_save,
};

/* ---- list and show ---- */

static void
append_query(struct buffer *to, const struct saved_query *saved, bool json)
{
    if (json) {
        buffer_append_text(to, "{\"v\":1,\"name\":");
        json_append_string(to, bytes_of(saved->name));
        buffer_append_text(to, ",\"query\":");
        json_append_string(to, bytes_of(saved->query));
        buffer_append_text(to, "}\n");
        return;
    }
    size_t before = to->length;
    (void)safe_text_append(to, bytes_of(saved->name), 0);
    for (size_t length = to->length - before; length < 20; length++)
        buffer_append_byte(to, ' ');
    buffer_append_text(to, "  ");
    (void)safe_text_append(to, bytes_of(saved->query), 0);
    buffer_append_byte(to, '\n');
}

static bool
read_queries(const char *directory, struct saved_query **queries, size_t *count, struct error *err)
{
    struct notes *notes;
    bool good =
        notes_open_reader(directory, &notes, err) && notes_list_queries(notes, queries, count, err);
    notes_close(notes);
    return good;
}

static int
run_list(const struct invocation *invocation)
{
    struct error err;
    struct saved_query *queries;
    size_t count;
    char *directory = invocation_tape_that_opens(invocation, &err);
    if (directory == NULL)
        return command_fail(&err);
    bool good = read_queries(directory, &queries, &count, &err);
    free(directory);
    if (!good)
        return command_fail(&err);
    if (count == 0 && !invocation->json && !invocation->quiet)
        replay_remark("no saved queries; tapedeck query save keeps one");
    struct output output;
    output_start(&output, STDOUT_FILENO);
    for (size_t i = 0; i < count; i++)
        append_query(&output.buffer, &queries[i], invocation->json);
    notes_free_queries(queries, count);
    return output_finish(&output, &err) ? 0 : command_fail(&err);
}

const struct command command_query_list = {
    .name = "query list",
    .usage = "",
    .summary = "list the saved queries",
    .details = NULL,
    .examples = "tapedeck query list",
    .options = NULL,
    .option_count = 0,
    .settings_size = 0,
    .min_arguments = 0,
    .max_arguments = 0,
    .run = run_list,
};

static int
show(const struct saved_query *queries, size_t count, const char *name, bool json)
{
    struct error err;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(queries[i].name, name) != 0)
            continue;
        struct output output;
        output_start(&output, STDOUT_FILENO);
        if (json)
            append_query(&output.buffer, &queries[i], true);
        else
            buffer_printf(&output.buffer, "%s\n", queries[i].query);
        return output_finish(&output, &err) ? 0 : command_fail(&err);
    }
    (void)error_set(
        &err, ERROR_ARGUMENT, "there is no saved query '%.100s' (tapedeck query list)", name);
    return command_fail(&err);
}

static int
run_show(const struct invocation *invocation)
{
    struct error err;
    struct saved_query *queries = NULL;
    size_t count = 0;
    char *directory = invocation_tape_that_opens(invocation, &err);
    if (directory == NULL)
        return command_fail(&err);
    int code = read_queries(directory, &queries, &count, &err)
                   ? show(queries, count, invocation->argv[0], invocation->json)
                   : command_fail(&err);
    notes_free_queries(queries, count);
    free(directory);
    return code;
}

const struct command command_query_show = {
    .name = "query show",
    .usage = "NAME",
    .summary = "print one saved query, for another command",
    .details = NULL,
    .examples = "tapedeck search \"$(tapedeck query show declined)\"",
    .options = NULL,
    .option_count = 0,
    .settings_size = 0,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run_show,
};

/* ---- remove ---- */

static int
run_remove(const struct invocation *invocation)
{
    struct error err;
    char *directory = invocation_tape_that_opens(invocation, &err);
    if (directory == NULL)
        return command_fail(&err);
    struct notes *notes = notes_open(directory, &err);
    bool good = notes != NULL && notes_remove_query(notes, invocation->argv[0], &err);
    notes_close(notes);
    free(directory);
    return good ? 0 : command_fail(&err);
}

const struct command command_query_remove = {
    .name = "query remove",
    .usage = "NAME",
    .summary = "remove a saved query",
    .details = NULL,
    .examples = "tapedeck query remove declined",
    .options = NULL,
    .option_count = 0,
    .settings_size = 0,
    .min_arguments = 1,
    .max_arguments = 1,
    .changes_tape = true,
    .run = run_remove,
};
