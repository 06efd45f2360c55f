#include "replay/receipt.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "replay/plan.h"
#include "replay/plan_store.h"
#include "replay/progress.h"
#include "replay/run_journal.h"

#define RECEIPT_MAX_BYTES ((size_t)64 * 1024 * 1024)

/* The part of the present receipt that stays; JSON null when there is none. */
static json_t *
present_part(const char *path, const char *name)
{
    struct buffer content = {0};
    struct error ignored;
    json_t *part = NULL;
    if (access(path, F_OK) == 0 && file_read_whole(path, RECEIPT_MAX_BYTES, &content, &ignored)) {
        json_error_t where;
        json_t *object = json_loadb(buffer_text(&content), content.length, 0, &where);
        part = json_incref(json_object_get(object, name));
        json_decref(object);
    }
    buffer_done(&content);
    return part != NULL ? part : json_null();
}

bool
receipt_write(
    const char *tape, const struct plan *plan, const char *name, json_t *part, struct error *err)
{
    char *path = plan_store_path(tape, plan->id, "receipt.json");
    bool is_run = strcmp(name, "run") == 0;
    json_t *run = is_run ? part : present_part(path, "run");
    json_t *verify = is_run ? json_null() : part;
    json_t *receipt = json_pack("{si ss ss ss so so}", "v", 1, "id", plan->id, "plan_sha256",
        plan->sha256, "target", plan->target.url, "run", run, "verify", verify);
    assert(receipt != NULL); /* ids, hashes and URLs are ASCII */

    char *text = json_dumps(receipt, JSON_INDENT(2));
    assert(text != NULL);
    bool written = file_replace(path, text, strlen(text), err) || error_wrap(err, "receipt");
    free(text);
    json_decref(receipt);
    free(path);
    return written;
}

static json_t *
lanes_to_json(const struct plan *plan, const struct run_lane *lanes)
{
    json_t *rows = json_array();
    for (int32_t i = 0; i < plan->preflight.partitions; i++) {
        const struct run_lane *lane = &lanes[i];
        char planned[32];
        char done[32];
        char start[32];
        char end[32];
        if (plan->landing[i] == 0)
            continue;
        snprintf(planned, sizeof(planned), "%" PRIu64, plan->landing[i]);
        snprintf(done, sizeof(done), "%" PRIu64, lane->acknowledged);
        snprintf(start, sizeof(start), "%" PRId64, lane->start_offset);
        snprintf(end, sizeof(end), "%" PRId64, lane->end_offset);
        json_array_append_new(rows,
            json_pack("{si ss ss ss ss?}", "partition", (int)i, "planned", planned, "acknowledged",
                done, "target_from", start, "target_end", lane->ended ? end : NULL));
    }
    return rows;
}

bool
receipt_write_run(const char *tape, const struct plan *plan, const struct run_lane *lanes,
    const struct replay_progress *progress, const char *reason, struct error *err)
{
    char started[CLOCK_TEXT_MAX];
    char ended[CLOCK_TEXT_MAX];
    char already[32];
    char in_doubt[32];
    char done[32];
    snprintf(already, sizeof(already), "%" PRIu64, progress->already);
    snprintf(in_doubt, sizeof(in_doubt), "%" PRIu64, progress->in_doubt);
    snprintf(done, sizeof(done), "%" PRIu64, progress->acknowledged);
    if (reason != NULL && !bytes_is_utf8(bytes_of(reason)))
        reason = "a reason that is not text";
    json_t *part = json_pack("{ss ss? ss ss ss ss ss sI sI sI so}", "state",
        replay_state_text(progress->state), "reason", reason, "started",
        clock_format(progress->started_ns, started), "ended", clock_format(clock_now_ns(), ended),
        "acknowledged_before", already, "found_in_target", in_doubt, "acknowledged", done,
        "elapsed_ms", (json_int_t)(progress->elapsed_ns / NS_PER_MS), "late_p50_us",
        (json_int_t)(progress->late_p50_ns / NS_PER_US), "late_p99_us",
        (json_int_t)(progress->late_p99_ns / NS_PER_US), "lanes", lanes_to_json(plan, lanes));
    assert(part != NULL);
    return receipt_write(tape, plan, "run", part, err);
}
