/* `tapedeck doctor`: is everything here as it must be; each complaint with what to do. */

#include <inttypes.h>
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "collectors/source.h"
#include "console/command.h"
#include "console/config.h"
#include "console/config_taps.h"
#include "console/json_event.h"
#include "console/output.h"
#include "console/safe_text.h"
#include "console/sizes.h"
#include "index/live.h"
#include "index/tape.h"

/* A recorder stops taking below 2 % by default; say so before it happens. */
#define LOW_SHARE 0.05
/* A clock that is before this program was written makes every time on the tape wrong. */
#define EARLIEST_NS (INT64_C(1735689600) * NS_PER_S)

enum verdict {
    VERDICT_OK,
    VERDICT_NOTE, /* works, but look at it */
    VERDICT_BAD,
};

struct doctor {
    struct output output;
    bool json;
    unsigned bad;
};

/* One line; `fix` is what to do about it, "" when nothing. */
static void
report(struct doctor *doctor, enum verdict verdict, const char *check, const char *text,
    const char *fix)
{
    static const char *const words[] = {"ok", "note", "bad"};
    struct buffer *to = &doctor->output.buffer;
    doctor->bad += verdict == VERDICT_BAD ? 1 : 0;
    if (doctor->json) {
        buffer_printf(
            to, "{\"v\":1,\"check\":\"%s\",\"verdict\":\"%s\",\"text\":", check, words[verdict]);
        json_append_string(to, bytes_of(text));
        buffer_append_text(to, ",\"fix\":");
        if (fix[0] == '\0')
            buffer_append_text(to, "null");
        else
            json_append_string(to, bytes_of(fix));
        buffer_append_text(to, "}\n");
        return;
    }
    buffer_printf(to, "%-5s %-14s ", words[verdict], check);
    safe_text_append_message(to, text);
    if (fix[0] != '\0') {
        buffer_append_text(to, "\n                     -> ");
        safe_text_append_message(to, fix);
    }
    buffer_append_byte(to, '\n');
}

static void
check_configuration(struct doctor *doctor, const struct invocation *invocation)
{
    struct config config;
    struct config_taps taps;
    struct error err;
    if (!config_load(invocation->config, &config, &err)) {
        report(doctor, VERDICT_BAD, "configuration", err.text, "correct the line that is named");
        return;
    }
    if (config.path == NULL) {
        report(
            doctor, VERDICT_OK, "configuration", "there is none, everything has its default", "");
    } else if (!config_taps(&config, &taps, &err)) {
        report(doctor, VERDICT_BAD, "configuration", err.text,
            "make the secret readable for this user, or correct where it is said to be");
    } else {
        char *text =
            alloc_format("%s: taps: %zu, their secrets are there", config.path, taps.count);
        report(doctor, VERDICT_OK, "configuration", text, "");
        free(text);
        config_taps_done(&taps);
    }
    config_free(&config);
}

static void
check_tape(struct doctor *doctor, const char *directory)
{
    struct error err;
    struct stat status;
    struct tape *tape = tape_open(directory, &err);
    const struct tape_damage *damage = NULL;
    if (tape == NULL && stat(directory, &status) == 0 && !S_ISDIR(status.st_mode)) {
        report(doctor, VERDICT_BAD, "tape", err.text,
            "a tape is a directory: name another with --tape");
    } else if (tape == NULL) {
        bool is_missing = err.code == ERROR_ARGUMENT;
        report(doctor, is_missing ? VERDICT_NOTE : VERDICT_BAD, "tape", err.text,
            is_missing ? "tapedeck record makes one" : "tapedeck tape verify says more");
    } else if (tape_damage(tape, &damage) > 0) {
        report(doctor, VERDICT_BAD, "tape", damage[0].text, "tapedeck tape verify lists all");
    } else {
        char *text = alloc_format("%s: %" PRIu64 " events, %s", directory,
            tape_end_seq(tape) - tape_first_seq(tape),
            live_is_recording(directory) ? "being recorded" : "not being recorded");
        report(doctor, VERDICT_OK, "tape", text, "");
        free(text);
    }
    tape_close(tape);
}

/* Payloads are on the tape as they came: others should not read them. */
static void
check_permissions(struct doctor *doctor, const char *directory)
{
    struct stat status;
    if (stat(directory, &status) != 0 || !S_ISDIR(status.st_mode))
        return;
    char *text = alloc_format("mode %03o of %s", (unsigned)status.st_mode & 0777u, directory);
    if ((status.st_mode & 077) != 0)
        report(doctor, VERDICT_NOTE, "permissions", text, "others can look at it: chmod 700");
    else
        report(doctor, VERDICT_OK, "permissions", text, "");
    free(text);
    if (access(directory, W_OK) != 0)
        report(doctor, VERDICT_NOTE, "permissions", "this user cannot write there",
            "looking works; to record, run as the owner of the directory");
}

static void
take_about(void *self, const struct source_about *about)
{
    report(
        self, about->is_limit ? VERDICT_NOTE : VERDICT_OK, about->scheme, about->text, about->fix);
}

/* Where the tape is, or the nearest directory above it that exists. */
static void
check_disk(struct doctor *doctor, const char *directory)
{
    char *place = alloc_text(directory);
    struct statvfs room;
    int failed = statvfs(place, &room);
    for (char *slash = strrchr(place, '/'); failed != 0 && slash != NULL && slash != place;
         slash = strrchr(place, '/')) {
        *slash = '\0';
        failed = statvfs(place, &room);
    }
    char size[SIZES_TEXT_MAX];
    if (failed != 0 || room.f_blocks == 0) {
        report(doctor, VERDICT_NOTE, "disk", "the free space is not known", "");
        free(place);
        return;
    }
    double share = (double)room.f_bavail / (double)room.f_blocks;
    char *text = alloc_format("%s free at %s (%.0f %%)",
        sizes_format((uint64_t)room.f_bavail * room.f_frsize, size), place, share * 100.0);
    report(doctor, share < LOW_SHARE ? VERDICT_BAD : VERDICT_OK, "disk", text,
        share < LOW_SHARE ? "make room, or set keep_bytes or keep_age under [tape]" : "");
    free(text);
    free(place);
}

static void
check_clock(struct doctor *doctor)
{
    char text[CLOCK_TEXT_MAX];
    int64_t now_ns = clock_now_ns();
    (void)clock_format(now_ns, text);
    report(doctor, now_ns < EARLIEST_NS ? VERDICT_BAD : VERDICT_OK, "clock", text,
        now_ns < EARLIEST_NS ? "set the system's time: received times would be wrong" : "");
}

static void
check_terminal(struct doctor *doctor)
{
    const char *charset = nl_langinfo(CODESET); /* NOLINT(concurrency-mt-unsafe) */
    bool is_utf8 = strcmp(charset, "UTF-8") == 0;
    report(doctor, is_utf8 ? VERDICT_OK : VERDICT_NOTE, "locale", charset,
        is_utf8 ? "" : "text that is not ASCII will look wrong: set LC_ALL=C.UTF-8");
    const char *name = getenv("TERM"); /* NOLINT(concurrency-mt-unsafe) */
    bool is_named = name != NULL && name[0] != '\0' && strcmp(name, "dumb") != 0;
    report(doctor, is_named ? VERDICT_OK : VERDICT_NOTE, "terminal", name == NULL ? "" : name,
        is_named ? "" : "the console needs a terminal and TERM; the other commands do not");
}

static int
run_doctor(const struct invocation *invocation)
{
    struct error err;
    struct doctor doctor = {.json = invocation->json};
    output_start(&doctor.output, STDOUT_FILENO);
    check_configuration(&doctor, invocation);
    char *directory = invocation_tape(invocation, &err);
    if (directory != NULL) {
        check_tape(&doctor, directory);
        check_permissions(&doctor, directory);
        check_disk(&doctor, directory);
    }
    sources_about(take_about, &doctor);
    check_clock(&doctor);
    check_terminal(&doctor);
    free(directory);
    if (!output_finish(&doctor.output, &err))
        return command_fail(&err);
    return doctor.bad == 0 ? 0 : 1;
}

const struct command command_doctor = {
    .name = "doctor",
    .usage = "",
    .summary = "check configuration, tape, disk, client libraries, clock and terminal, each with "
               "what to do",
    .details = "Connects to nothing. Exit code 1 when something is bad; notes are no failure.",
    .examples = "tapedeck doctor\n"
                "tapedeck doctor --json --config /etc/tapedeck/tapedeck.conf",
    .options = NULL,
    .option_count = 0,
    .settings_size = 0,
    .min_arguments = 0,
    .max_arguments = 0,
    .run = run_doctor,
};
