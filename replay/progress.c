#include "replay/progress.h"

const char *
replay_state_text(enum replay_state state)
{
    static const char *const names[] = {
        [REPLAY_CHECKING] = "checking",
        [REPLAY_RUNNING] = "running",
        [REPLAY_DRAINING] = "draining",
        [REPLAY_DONE] = "done",
        [REPLAY_STOPPED] = "stopped",
        [REPLAY_FAILED] = "failed",
    };
    return names[state];
}
