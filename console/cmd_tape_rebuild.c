/* `tapedeck tape rebuild`: make the catalogue again from the segments. */

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "console/command.h"
#include "console/json_event.h"
#include "console/output.h"
#include "console/replay_options.h"
#include "console/safe_text.h"
#include "index/catalogue.h"
#include "index/tape.h"

static void
append_json(
    struct buffer *to, const struct catalogue_counts *counts, size_t damaged, int64_t took_ns)
{
    buffer_printf(to,
        "{\"v\":1,\"done\":true,\"segments\":%" PRIu64 ",\"streams\":%" PRIu64 ",\"events\":",
        counts->segments, counts->streams);
    json_append_u64(to, counts->events);
    buffer_printf(to, ",\"damaged\":%zu,\"ms\":%lld}\n", damaged, (long long)(took_ns / NS_PER_MS));
}

static void
append_text(struct buffer *to, const struct catalogue_counts *counts, int64_t took_ns)
{
    char events[REPLAY_NUMBER_MAX];
    char duration[CLOCK_TEXT_MAX];
    buffer_printf(to,
        "catalogue made again in %s: %" PRIu64 " segment%s, %" PRIu64 " stream%s, %s events\n",
        clock_format_duration(took_ns, duration), counts->segments,
        counts->segments == 1 ? "" : "s", counts->streams, counts->streams == 1 ? "" : "s",
        replay_number(counts->events, events));
}

static void
append_damage(struct buffer *to, const struct tape_damage *damage, bool json)
{
    if (json) {
        buffer_append_text(to, "{\"v\":1,\"damage\":");
        json_append_string(to, bytes_of(damage->text));
        buffer_append_text(to, "}\n");
        return;
    }
    buffer_append_text(to, "damaged: ");
    safe_text_append_message(to, damage->text);
    buffer_append_byte(to, '\n');
}

/* What is damaged is said by a reader: it names journals too. */
static int
report(const struct invocation *invocation, const char *directory,
    const struct catalogue_counts *counts, int64_t took_ns)
{
    struct error err;
    struct tape *tape = tape_open(directory, &err);
    if (tape == NULL)
        return command_fail(&err);
    const struct tape_damage *damage = NULL;
    size_t damaged = tape_damage(tape, &damage);
    struct output output;
    output_start(&output, STDOUT_FILENO);
    for (size_t i = 0; i < damaged; i++)
        append_damage(&output.buffer, &damage[i], invocation->json);
    if (invocation->json)
        append_json(&output.buffer, counts, damaged, took_ns);
    else if (!invocation->quiet)
        append_text(&output.buffer, counts, took_ns);
    bool written = output_finish(&output, &err);
    if (written && damaged > 0)
        (void)error_set(&err, ERROR_DAMAGED,
            "%zu damaged place%s in the tape's files; what is whole is read all the same, and "
            "tapedeck tape verify names what is lost",
            damaged, damaged == 1 ? "" : "s");
    tape_close(tape);
    return written && damaged == 0 ? 0 : command_fail(&err);
}

static int
run_tape_rebuild(const struct invocation *invocation)
{
    struct error err;
    char *directory = invocation_tape_that_opens(invocation, &err);
    struct catalogue_counts counts;
    int64_t started_ns = clock_monotonic_ns();
    int code;
    if (directory == NULL || !catalogue_rebuild_alone(directory, &counts, &err))
        code = command_fail(&err);
    else
        code = report(invocation, directory, &counts, clock_monotonic_ns() - started_ns);
    free(directory);
    return code;
}

const struct command command_tape_rebuild = {
    .name = "tape rebuild",
    .usage = "",
    .summary = "make the tape's catalogue again from its segments",
    .details = "The catalogue is what lets a tape of many segments open at once; it says nothing "
               "that the segments\n"
               "did not say, and is kept by the recorder. Reads the end of each segment and no "
               "events. Exit code 6\n"
               "when a file is damaged, 5 while a recorder writes the tape.",
    .examples = "tapedeck tape rebuild --tape /var/lib/tapedeck",
    .options = NULL,
    .option_count = 0,
    .settings_size = 0,
    .min_arguments = 0,
    .max_arguments = 0,
    .changes_tape = true,
    .run = run_tape_rebuild,
};
