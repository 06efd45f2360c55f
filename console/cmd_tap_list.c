/* `tapedeck tap list`: the configured taps and those that the running recorder was told otherwise, and how each is. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "console/command.h"
#include "console/config.h"
#include "console/config_taps.h"
#include "console/json_event.h"
#include "console/output.h"
#include "console/safe_text.h"
#include "console/sizes.h"
#include "index/live.h"

/* What the recorder of this tape says now; NULL when none runs. The caller frees it. */
static struct live_status *
read_status(const char *directory)
{
    struct error ignored; /* no page: nobody ever recorded here with one */
    struct live *live = live_open(directory, &ignored);
    if (live == NULL)
        return NULL;
    struct live_status *status = alloc_zeroed(sizeof(*status));
    bool is_recording = false;
    if (!live_read(live, status, &is_recording) || !is_recording) {
        free(status);
        status = NULL;
    }
    live_close(live);
    return status;
}

/* A tap to list. is_configured: else the recorder was told its URL, and of what else it was told only the budget is
 * known. */
struct row {
    struct recorder_tap tap;
    bool is_configured;
};

struct rows {
    struct row *rows;
    size_t count;
};

static bool
has_row(const struct rows *rows, const char *name)
{
    for (size_t i = 0; i < rows->count; i++)
        if (strcmp(rows->rows[i].tap.name, name) == 0)
            return true;
    return false;
}

/* Views of both, which must outlive the rows. */
static void
make_rows(struct rows *rows, const struct config_taps *taps, const struct live_status *status)
{
    uint32_t live_count = status == NULL ? 0 : status->tap_count;
    *rows = (struct rows){.rows = alloc_array(taps->count + live_count + 1, sizeof(*rows->rows))};
    for (size_t i = 0; i < taps->count; i++)
        rows->rows[rows->count++] = (struct row){taps->taps[i], true};
    for (uint32_t i = 0; i < live_count; i++) {
        const struct live_tap *live = &status->taps[i];
        if (!has_row(rows, live->name))
            rows->rows[rows->count++] =
                (struct row){.tap = {.name = live->name,
                                 .url = live->url,
                                 .max_bytes_per_second = live->max_bytes_per_second}};
    }
}

static const struct live_tap *
find_live(const struct live_status *status, const char *name)
{
    for (uint32_t i = 0; status != NULL && i < status->tap_count; i++)
        if (strcmp(status->taps[i].name, name) == 0)
            return &status->taps[i];
    return NULL;
}

/* Why it records nothing, or not all; "" when there is nothing to say. A full disk stops all taps. */
static const char *
reason_of(const struct live_status *status, const struct live_tap *live)
{
    if (live == NULL)
        return "";
    return status->disk_full != 0 ? "the disk is full: nothing is taken until there is room"
                                  : live->error;
}

static void
add_text_or_null(struct buffer *to, const char *text)
{
    if (text == NULL || text[0] == '\0')
        buffer_append_text(to, "null");
    else
        json_append_string(to, bytes_of(text));
}

/* Of Kafka's transactions; NULL where there are none. */
static const char *
isolation_text(const struct recorder_tap *tap)
{
    if (strncmp(tap->url, "kafka://", strlen("kafka://")) != 0)
        return NULL;
    return tap->isolation == NULL ? "read_committed" : tap->isolation;
}

/* -1: nobody knows. */
static void
add_figure(struct buffer *to, const char *name, int64_t value)
{
    buffer_printf(to, ",\"%s\":", name);
    if (value < 0)
        buffer_append_text(to, "null");
    else
        buffer_printf(to, "\"%lld\"", (long long)value);
}

/* What is configured, or null where it is not. */
static void
add_settings(struct buffer *to, const struct row *row)
{
    const struct recorder_tap *tap = &row->tap;
    buffer_append_text(to, ",\"from\":");
    add_text_or_null(to, !row->is_configured || tap->from != NULL ? tap->from : "resume");
    if (tap->max_bytes_per_second > 0)
        buffer_printf(to, ",\"max_bytes_per_second\":\"%llu\"",
            (unsigned long long)tap->max_bytes_per_second);
    else
        buffer_append_text(to, ",\"max_bytes_per_second\":null");
    buffer_append_text(to, ",\"isolation\":");
    add_text_or_null(to, row->is_configured ? isolation_text(tap) : NULL);
    buffer_append_text(to, ",\"mode\":");
    add_text_or_null(to, !row->is_configured ? NULL : tap->group == NULL ? "watch" : "group");
    buffer_append_text(to, ",\"group\":");
    add_text_or_null(to, tap->group);
}

static void
add_json(struct buffer *to, const struct row *row, const struct live_status *status)
{
    const struct recorder_tap *tap = &row->tap;
    const struct live_tap *live = find_live(status, tap->name);
    buffer_append_text(to, "{\"v\":1,\"tap\":");
    json_append_string(to, bytes_of(tap->name));
    buffer_append_text(to, ",\"url\":");
    json_append_string(to, bytes_of(tap->url));
    add_settings(to, row);
    buffer_append_text(to, ",\"state\":");
    add_text_or_null(to, live == NULL ? NULL : tap_state_text(live->state));
    buffer_append_text(to, ",\"reason\":");
    add_text_or_null(to, reason_of(status, live));
    add_figure(to, "events", live == NULL ? -1 : (int64_t)live->events);
    add_figure(to, "bytes", live == NULL ? -1 : (int64_t)live->bytes);
    add_figure(to, "wire_bytes", live == NULL ? -1 : live->wire_bytes);
    add_figure(to, "wire_bytes_per_second", live == NULL ? -1 : live->wire_bytes_per_second);
    add_figure(to, "retries", live == NULL ? -1 : (int64_t)live->retries);
    buffer_append_text(to, "}\n");
}

/* What the other side sent: in all, and now. */
static void
add_wire(struct buffer *to, const struct live_tap *live)
{
    char total[SIZES_TEXT_MAX];
    char rate[SIZES_TEXT_MAX];
    if (live == NULL || live->wire_bytes < 0)
        buffer_printf(to, "%9s  %11s  ", "-", "-");
    else
        buffer_printf(to, "%9s  %9s/s  ", sizes_format((uint64_t)live->wire_bytes, total),
            sizes_format((uint64_t)live->wire_bytes_per_second, rate));
}

static void
add_row(
    struct buffer *to, const struct recorder_tap *tap, const struct live_status *status, int width)
{
    const struct live_tap *live = find_live(status, tap->name);
    safe_text_append_cell(to, tap->name, (size_t)width);
    buffer_printf(to, "  %-10s  ", live == NULL ? "-" : tap_state_text(live->state));
    if (live == NULL)
        buffer_printf(to, "%12s  ", "-");
    else
        buffer_printf(to, "%12llu  ", (unsigned long long)live->events);
    add_wire(to, live);
    safe_text_append_message(to, tap->url);
    char budget[SIZES_TEXT_MAX];
    if (tap->max_bytes_per_second > 0)
        buffer_printf(to, "  at most %s/s", sizes_format(tap->max_bytes_per_second, budget));
    if (tap->isolation != NULL)
        buffer_printf(to, "  %s", tap->isolation);
    if (tap->group != NULL) {
        buffer_append_text(to, "  member of group ");
        safe_text_append_message(to, tap->group);
    }
    buffer_append_byte(to, '\n');
    const char *reason = reason_of(status, live);
    if (reason[0] != '\0') {
        buffer_printf(to, "%-*s  -> ", width, "");
        safe_text_append_message(to, reason);
        buffer_append_byte(to, '\n');
    }
}

static int
print_taps(const struct invocation *invocation, const struct rows *rows,
    const struct live_status *status, struct error *err)
{
    struct output output;
    output_start(&output, STDOUT_FILENO);
    size_t width = strlen("TAP");
    for (size_t i = 0; i < rows->count; i++) {
        size_t columns = safe_text_cell_columns(rows->rows[i].tap.name);
        width = columns > width ? columns : width;
    }
    if (!invocation->json)
        buffer_printf(&output.buffer, "%-*s  %-10s  %12s  %9s  %11s  URL\n", (int)width, "TAP",
            "STATE", "EVENTS", "RECEIVED", "RATE");
    for (size_t i = 0; i < rows->count; i++) {
        if (invocation->json)
            add_json(&output.buffer, &rows->rows[i], status);
        else
            add_row(&output.buffer, &rows->rows[i].tap, status, (int)width);
        (void)output_line(&output);
    }
    return output_finish(&output, err) ? 0 : command_fail(err);
}

static int
list_taps(const struct invocation *invocation, const struct config *config, const char *directory,
    const struct config_taps *taps)
{
    struct error err;
    struct live_status *status = read_status(directory);
    struct rows rows;
    make_rows(&rows, taps, status);
    int code;
    if (rows.count == 0) {
        (void)error_set(&err, ERROR_ARGUMENT,
            "no tap is configured, and no recorder runs on %.150s; write [tap.NAME] with url = "
            "kafka://HOST:9092/TOPIC into %.200s",
            directory, config->path == NULL ? "a file, and name it with --config" : config->path);
        code = command_fail(&err);
    } else {
        code = print_taps(invocation, &rows, status, &err);
    }
    free(rows.rows);
    free(status);
    return code;
}

static int
run_tap_list(const struct invocation *invocation)
{
    struct error err;
    struct config config;
    if (!config_load(invocation->config, &config, &err))
        return command_fail(&err);
    struct config_taps taps;
    config_taps_without_secrets(&config, &taps);
    char *directory = invocation_tape(invocation, &err);
    int code =
        directory == NULL ? command_fail(&err) : list_taps(invocation, &config, directory, &taps);
    free(directory);
    config_taps_done(&taps);
    config_free(&config);
    return code;
}

const struct command command_tap_list = {
    .name = "tap list",
    .usage = "",
    .summary = "list the taps that are configured or recorded now, and how each is",
    .details =
        "The state is that of the recorder of this tape; '-' when none runs. Taps that it was "
        "given as a URL "
        "are listed too. RECEIVED is what the "
        "brokers sent since it started, over the wire, and RATE the mean of the last ten seconds. "
        "Secrets are not looked at.",
    .examples = "tapedeck tap list\n"
                "tapedeck tap list --json",
    .options = NULL,
    .option_count = 0,
    .settings_size = 0,
    .min_arguments = 0,
    .max_arguments = 0,
    .run = run_tap_list,
};
