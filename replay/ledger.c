#include "replay/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "index/notes.h"
#include "replay/plan.h"
#include "replay/progress.h"
#include "replay/verify.h"

/* An entry about `plan` in which nothing is counted yet. The texts are borrowed for the call. */
struct deed {
    struct ledger_entry entry;
    char *replay;
    char *deed;
    char *result;
    char *target;
    char *text;
};

static struct deed
begin(const struct plan *plan, const char *deed, const char *result, const char *text)
{
    struct deed made = {
        .replay = alloc_text(plan->id),
        .deed = alloc_text(deed),
        .result = alloc_text(result),
        .target = alloc_text(plan->target.url),
        .text = alloc_text(text == NULL ? "" : text),
    };
    /* An error may quote a peer, a query may be cut: what is no text stays out of the notes. */
    if (!bytes_is_utf8(bytes_of(made.text)))
        made.text[0] = '\0';
    made.entry = (struct ledger_entry){
        .replay = made.replay,
        .deed = made.deed,
        .result = made.result,
        .time_ns = clock_now_ns(),
        .target = made.target,
        .text = made.text,
        .planned = (int64_t)plan->events,
        .sent = NOTES_NO_COUNT,
        .landed = NOTES_NO_COUNT,
        .missing = NOTES_NO_COUNT,
        .wrong = NOTES_NO_COUNT,
    };
    return made;
}

static bool
note(const char *tape, struct deed *deed, struct error *err)
{
    struct notes *notes = notes_open(tape, err);
    bool good = notes != NULL && notes_add_entry(notes, &deed->entry, err);
    notes_close(notes);
    free(deed->replay);
    free(deed->deed);
    free(deed->result);
    free(deed->target);
    free(deed->text);
    return good || error_wrap(err, "cannot note it in the ledger");
}

bool
ledger_note_plan(const char *tape, const struct plan *plan, struct error *err)
{
    struct deed deed = begin(plan, "plan", "planned", plan->query);
    return note(tape, &deed, err);
}

bool
ledger_note_run(const char *tape, const struct plan *plan, const struct replay_progress *progress,
    const struct error *failure, struct error *err)
{
    bool was_refused = failure != NULL && failure->code == ERROR_REFUSED &&
                       progress->acknowledged == 0 && progress->elapsed_ns == 0;
    const char *result = failure != NULL ? "failed" : "stopped";
    if (was_refused)
        result = "refused";
    else if (failure == NULL && progress->state == REPLAY_DONE)
        result = "done";
    struct deed deed = begin(plan, "run", result, failure == NULL ? "" : failure->text);
    deed.entry.sent = (int64_t)progress->acknowledged;
    return note(tape, &deed, err);
}

bool
ledger_note_verify(const char *tape, const struct plan *plan, const struct verify_result *result,
    const struct error *failure, struct error *err)
{
    if (result == NULL) {
        struct deed failed = begin(plan, "verify", "failed", failure->text);
        return note(tape, &failed, err);
    }
    struct deed deed = begin(plan, "verify", result->matches ? "matches" : "differs",
        result->difference_count > 0 ? result->differences[0] : "");
    deed.entry.landed = (int64_t)result->landed;
    deed.entry.missing = (int64_t)result->missing;
    deed.entry.wrong =
        (int64_t)(result->duplicates + result->different + result->disordered + result->unknown);
    return note(tape, &deed, err);
}
