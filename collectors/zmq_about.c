#include "collectors/zmq_about.h"

#include <stdio.h>

#include <zmq.h>

static void
tell(source_about_report *report, void *self, bool is_limit, const char *text, const char *fix)
{
    const struct source_about about = {
        .scheme = "zmq", .is_limit = is_limit, .text = text, .fix = fix};
    report(self, &about);
}

void
zmq_about(source_about_report *report, void *self)
{
    char text[64];
    int major;
    int minor;
    int patch;
    bool has_curve = zmq_has("curve") != 0;
    bool has_ipc = zmq_has("ipc") != 0;
    zmq_version(&major, &minor, &patch);
    (void)snprintf(text, sizeof(text), "libzmq %d.%d.%d%s%s", major, minor, patch,
        has_curve ? " with CURVE" : "", has_ipc ? (has_curve ? ", ipc" : " with ipc") : "");
    tell(report, self, false, text, "");
    if (!has_curve)
        tell(report, self, true, "no publisher that wants CURVE can be read",
            "use a libzmq that was built with it");
    if (!has_ipc)
        tell(report, self, true, "no zmq+ipc:// URL can be read",
            "use a libzmq that was built with it");
    tell(report, self, true,
        "a publisher drops what a slow subscriber does not take, and says nothing: only a counter "
        "in "
        "the messages shows it",
        "set sequence of the tap, or of the stream");
}
