#include "replay/plan_store.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "index/retention.h"
#include "replay/plan.h"

char *
plan_store_path(const char *tape, const char *id, const char *name)
{
    return alloc_format("%s/replays/%s/%s", tape, id, name);
}

static struct plan *
read_file(const char *path, struct error *err)
{
    struct buffer content = {0};
    struct plan *plan = NULL;
    if (file_read_whole(path, PLAN_MAX_BYTES, &content, err))
        plan = plan_from_json(buffer_text(&content), content.length, err);
    buffer_done(&content);
    if (plan == NULL)
        error_wrap(err, "plan '%s'", path);
    return plan;
}

/* True when the plan that is already there is this one. */
static bool
is_same(const char *path, const struct plan *plan, struct error *err)
{
    struct plan *present = read_file(path, err);
    if (present == NULL)
        return false;
    bool same = strcmp(present->sha256, plan->sha256) == 0;
    plan_free(present);
    return same || error_set(err, ERROR_REFUSED, "'%s' is another plan with the same id", path);
}

/* Retention leaves what a plan refers to. */
static bool
pin_range(const char *tape, const struct plan *plan, struct error *err)
{
    char *name = alloc_format("replay-%s", plan->id);
    bool pinned = retention_pin(tape, name, plan->first_seq, plan->end_seq, err) ||
                  error_wrap(err, "plan %s cannot keep its events from being deleted", plan->id);
    free(name);
    return pinned;
}

bool
plan_store_write(const char *tape, struct plan *plan, struct error *err)
{
    char *directory = alloc_format("%s/replays/%s", tape, plan->id);
    char *path = plan_store_path(tape, plan->id, "plan.json");
    char *text = plan_to_json(plan, false);
    bool written = false;

    if (!file_make_directory(directory, err))
        error_wrap(err, "plan '%s'", path);
    else if (access(path, F_OK) == 0)
        written = is_same(path, plan, err);
    else
        written = file_replace(path, text, strlen(text), err) || error_wrap(err, "plan '%s'", path);
    if (written && plan->end_seq > plan->first_seq)
        written = pin_range(tape, plan, err);
    free(text);
    free(path);
    free(directory);
    return written;
}

bool
plan_store_holds(const char *tape, const struct plan *plan, struct error *err)
{
    char *path = plan_store_path(tape, plan->id, "plan.json");
    bool held = access(path, F_OK) == 0
                    ? is_same(path, plan, err)
                    : error_set(err, ERROR_REFUSED,
                          "plan %s was not made from the tape '%s' but from '%s'; name that with "
                          "--tape, or make a new plan",
                          plan->id, tape, plan->tape);
    free(path);
    return held;
}

struct plan *
plan_store_read(const char *tape, const char *which, struct error *err)
{
    if (!plan_is_id(which)) {
        if (access(which, F_OK) == 0)
            return read_file(which, err);
        error_set(err, ERROR_ARGUMENT,
            "'%.200s' is neither the file nor the id of a plan; 'tapedeck replay plan' makes one",
            which);
        return NULL;
    }
    char *path = plan_store_path(tape, which, "plan.json");
    struct plan *plan = NULL;
    if (access(path, F_OK) == 0)
        plan = read_file(path, err);
    else
        error_set(err, ERROR_ARGUMENT, "tape '%s' has no replay %s", tape, which);
    free(path);
    return plan;
}
