#include "replay/sink.h"

#include <stddef.h>
#include <string.h>

#define SINK(name) extern const struct sink_ops sink_##name;
#include "replay/sinks.def"
#undef SINK

static const struct sink_ops *const sinks[] = {
#define SINK(name) &sink_##name,
#include "replay/sinks.def"
#undef SINK
};

const struct sink_ops *
sink_find(const char *transport)
{
    for (size_t i = 0; i < sizeof(sinks) / sizeof(sinks[0]); i++)
        if (strcmp(sinks[i]->transport, transport) == 0)
            return sinks[i];
    return NULL;
}
