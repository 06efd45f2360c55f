/* tap_check.h - can this tap be recorded, step by step: `tapedeck tap test`.
 *
 * The same client as a recorder's asks the broker, so that what passes here passes there. It reads
 * nothing for keeps, joins no group and creates nothing.
 *
 * Threads: any; a check runs on the caller's and waits.
 */
#ifndef COLLECTORS_TAP_CHECK_H
#define COLLECTORS_TAP_CHECK_H

#include "base/error.h"

struct recorder_tap;

enum tap_verdict {
    TAP_VERDICT_OK,
    TAP_VERDICT_BAD,
    TAP_VERDICT_SKIPPED, /* something before it failed, or it cannot be known */
};

/* One step: "url", "name", "connect", "tls", "login", "answer", "topic", "read", "pattern". */
struct tap_check {
    const char *name;
    enum tap_verdict verdict;
    const char *text;
    const char *fix;      /* "" when there is nothing to do */
    enum error_code code; /* of what is bad */
};

typedef void tap_check_report(void *self, const struct tap_check *check);

/* Run the checks of a tap, in the order above, and report each one. Takes about 10 s at most; less when
 * all is well. Returns the code of the first that is bad: ERROR_NONE, ERROR_ARGUMENT, ERROR_CONFIG,
 * ERROR_REMOTE or ERROR_REFUSED. */
enum error_code tap_check_run(const struct recorder_tap *tap, tap_check_report *report, void *self);

#endif
