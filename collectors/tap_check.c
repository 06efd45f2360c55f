#include "collectors/tap_check.h"

#include "collectors/recorder.h"
#include "collectors/source.h"
#include "collectors/tap_url.h"

static enum error_code
say_url(tap_check_report *report, void *self, const struct error *err)
{
    struct tap_check check = {.name = "url", .verdict = TAP_VERDICT_OK, .text = "", .fix = ""};
    if (err != NULL) {
        check.verdict = TAP_VERDICT_BAD;
        check.text = err->text;
        check.fix = "correct the tap's url or properties";
        check.code = err->code;
    } else {
        check.text = "the URL and the properties are well formed";
    }
    report(self, &check);
    return check.code;
}

enum error_code
tap_check_run(const struct recorder_tap *tap, tap_check_report *report, void *self)
{
    struct error err;
    struct tap_url url = {0};
    const struct source_ops *ops = source_for(tap->url, tap->group, &err);
    if (ops == NULL || !tap_url_parse(tap->url, ops->default_port, &url, &err))
        return say_url(report, self, &err);
    struct source_config config = {
        .url = &url,
        .from = FROM_END,
        .until = UNTIL_STOPPED,
        .properties = tap->properties,
        .property_count = tap->property_count,
        .isolation = tap->isolation,
        .group = tap->group,
    };
    enum error_code code =
        ops->check(&config, &err) ? say_url(report, self, NULL) : say_url(report, self, &err);
    if (code == ERROR_NONE)
        code = ops->test(&config, report, self);
    tap_url_done(&url);
    return code;
}
