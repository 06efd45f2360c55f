/* `tapedeck tap test`: can a tap be recorded; each step of the way with its fix. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "collectors/tap_check.h"
#include "console/command.h"
#include "console/config.h"
#include "console/config_taps.h"
#include "console/json_event.h"
#include "console/output.h"
#include "console/safe_text.h"

struct tap_test {
    struct output output;
    const char *tap;
    bool json;
};

static void
add_json(struct buffer *to, const char *tap, const struct tap_check *check, const char *verdict)
{
    buffer_append_text(to, "{\"v\":1,\"tap\":");
    json_append_string(to, bytes_of(tap));
    buffer_printf(to, ",\"check\":\"%s\",\"verdict\":\"%s\",\"text\":", check->name, verdict);
    json_append_string(to, bytes_of(check->text));
    buffer_append_text(to, ",\"fix\":");
    if (check->fix[0] == '\0')
        buffer_append_text(to, "null");
    else
        json_append_string(to, bytes_of(check->fix));
    buffer_append_text(to, "}\n");
}

/* At once, because the next step may take seconds. */
static void
report(void *self, const struct tap_check *check)
{
    static const char *const words[] = {"ok", "bad", "-"};
    static const char *const json_words[] = {"ok", "bad", "skipped"};
    struct tap_test *test = self;
    struct buffer *to = &test->output.buffer;
    if (test->json) {
        add_json(to, test->tap, check, json_words[check->verdict]);
    } else {
        buffer_printf(to, "%-5s %-8s ", words[check->verdict], check->name);
        safe_text_append_message(to, check->text);
        if (check->fix[0] != '\0') {
            buffer_append_text(to, "\n               -> ");
            safe_text_append_message(to, check->fix);
        }
        buffer_append_byte(to, '\n');
    }
    (void)output_flush(&test->output);
}

static int
test_tap(const struct invocation *invocation, const struct recorder_tap *tap)
{
    struct tap_test test = {
        .tap = tap->name == NULL ? tap->url : tap->name, .json = invocation->json};
    struct error err = {.code = ERROR_NONE};
    output_start(&test.output, STDOUT_FILENO);
    err.code = tap_check_run(tap, report, &test);
    struct error lost;
    if (!output_finish(&test.output, &lost))
        return command_fail(&lost);
    return err.code == ERROR_NONE ? 0 : error_exit_code(&err);
}

static int
run_tap_test(const struct invocation *invocation)
{
    const char *name = invocation->argv[0];
    struct error err;
    if (strstr(name, "://") != NULL)
        return test_tap(invocation, &(struct recorder_tap){.url = name});

    struct config config;
    struct config_taps found;
    if (!config_load(invocation->config, &config, &err))
        return command_fail(&err);
    int code;
    if (config_tap(&config, name, &found, &err)) {
        code = test_tap(invocation, &found.taps[0]);
        config_taps_done(&found);
    } else {
        code = command_fail(&err);
    }
    config_free(&config);
    return code;
}

const struct command command_tap_test = {
    .name = "tap test",
    .usage = "NAME|URL",
    .summary = "see step by step whether a tap can be recorded, each with what to do",
    .details =
        "NAME is that of a [tap.NAME] in the configuration. Nothing is recorded, and nothing "
        "changes\n"
        "at the broker. Exit code 4: it cannot be reached; 5: it refuses, or we refuse its "
        "certificate.",
    .examples = "tapedeck tap test shop\n"
                "tapedeck tap test kafka://localhost:9092/orders",
    .options = NULL,
    .option_count = 0,
    .settings_size = 0,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run_tap_test,
};
