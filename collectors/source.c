#include "collectors/source.h"

#include <string.h>

#include "base/bytes.h"
#include "base/error.h"

#define SOURCE(name) extern const struct source_ops source_##name;
#include "collectors/sources.def"
#undef SOURCE

static const struct source_ops *const sources[] = {
#define SOURCE(name) &source_##name,
#include "collectors/sources.def"
#undef SOURCE
};

void
sources_about(source_about_report *report, void *self)
{
    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
        sources[i]->about(report, self);
}

const struct source_ops *
source_for_url(const char *url, struct error *err)
{
    size_t length = strcspn(url, ":+/");
    struct buffer known = {0};
    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        const char *scheme = sources[i]->scheme;
        if (strlen(scheme) == length && strncmp(url, scheme, length) == 0) {
            buffer_done(&known);
            return sources[i];
        }
        buffer_printf(&known, "%s%s", i == 0 ? "" : ", ", sources[i]->example);
    }
    error_set(err, ERROR_ARGUMENT, "'%.200s' is no URL that can be recorded; known are: %s", url,
        buffer_text(&known));
    buffer_done(&known);
    return NULL;
}

const struct source_ops *
source_for(const char *url, const char *group, struct error *err)
{
    const struct source_ops *ops = source_for_url(url, err);
    if (ops == NULL || group == NULL)
        return ops;
    if (ops->in_group == NULL) {
        error_set(
            err, ERROR_ARGUMENT, "'%.200s' cannot be read by a group: only Kafka has them", url);
        return NULL;
    }
    size_t length = strlen(group);
    if (length == 0 || length > SOURCE_GROUP_MAX) {
        error_set(err, ERROR_ARGUMENT, "a group's name has 1 to %d bytes, not %zu",
            SOURCE_GROUP_MAX, length);
        return NULL;
    }
    return ops->in_group;
}
