/* `tapedeck tape verify`: read everything and check every checksum. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "console/command.h"
#include "console/json_event.h"
#include "console/output.h"
#include "console/safe_text.h"
#include "index/tape.h"

static void
append_damage(struct buffer *to, const struct tape_damage *damage, bool json)
{
    if (json) {
        buffer_append_text(to, "{\"v\":1,");
        json_append_damage(to, damage);
        buffer_append_text(to, "}\n");
        return;
    }
    buffer_append_text(to, "damaged: ");
    safe_text_append_message(to, damage->text);
    /* Of a block the text names events, seqs and offsets. */
    if (damage->events == 0 && damage->end_seq > damage->first_seq)
        buffer_printf(to, "; seq %" PRIu64 " to %" PRIu64 " cannot be read", damage->first_seq,
            damage->end_seq - 1);
    buffer_append_byte(to, '\n');
}

static void
append_verdict(
    struct buffer *to, const struct tape *tape, bool is_whole, int64_t took_ns, bool json)
{
    uint64_t events = tape_end_seq(tape) - tape_first_seq(tape);
    if (json) {
        buffer_append_text(to, "{\"v\":1,\"done\":true,\"whole\":");
        buffer_append_text(to, is_whole ? "true" : "false");
        buffer_append_text(to, ",\"events\":");
        json_append_u64(to, events);
        buffer_printf(to, ",\"ms\":%lld}\n", (long long)(took_ns / NS_PER_MS));
        return;
    }
    char duration[CLOCK_TEXT_MAX];
    if (is_whole)
        buffer_printf(to, "the tape is whole: %llu events read and checked in %s\n",
            (unsigned long long)events, clock_format_duration(took_ns, duration));
}

static int
verify(struct tape *tape, bool json)
{
    struct error err;
    int64_t started_ns = clock_monotonic_ns();
    bool is_whole = tape_verify(tape, &err);
    if (!is_whole && err.code != ERROR_DAMAGED)
        return command_fail(&err);

    struct output output;
    output_start(&output, STDOUT_FILENO);
    const struct tape_damage *damage = NULL;
    size_t count = tape_damage(tape, &damage);
    for (size_t i = 0; i < count; i++)
        append_damage(&output.buffer, &damage[i], json);
    append_verdict(&output.buffer, tape, is_whole, clock_monotonic_ns() - started_ns, json);

    struct error failure;
    if (!output_finish(&output, &failure))
        return command_fail(&failure);
    return is_whole ? 0 : command_fail(&err);
}

static int
run_tape_verify(const struct invocation *invocation)
{
    struct error err;
    char *directory = invocation_tape(invocation, &err);
    if (directory == NULL)
        return command_fail(&err);
    struct tape *tape = tape_open(directory, &err);
    int code = tape != NULL ? verify(tape, invocation->json) : command_fail(&err);
    tape_close(tape);
    free(directory);
    return code;
}

const struct command command_tape_verify = {
    .name = "tape verify",
    .usage = "",
    .summary = "read everything on the tape and check every checksum",
    .details = "Names each damaged place and the events that cannot be read because of it; exit "
               "code 6 when\n"
               "there is one. Nothing is changed. The next tapedeck record on this tape cuts a "
               "torn end, and\n"
               "leaves damage in the middle as it is: every answer goes on to name it.",
    .examples = "tapedeck tape verify",
    .options = NULL,
    .option_count = 0,
    .settings_size = 0,
    .min_arguments = 0,
    .max_arguments = 0,
    .run = run_tape_verify,
};
