#include "collectors/kafka_generation.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "collectors/outlet.h"

static char *
name_of(const char *topic, int number)
{
    return number == 1 ? alloc_text(topic) : alloc_format("%s#%d", topic, number);
}

struct kafka_generation
kafka_generation_newest(struct outlet *outlet, const char *topic)
{
    struct kafka_generation newest = {.number = 1, .stream = name_of(topic, 1)};
    for (;;) {
        char *next = name_of(topic, newest.number + 1);
        if (!outlet_has_stream(outlet, next)) {
            free(next);
            return newest;
        }
        free(newest.stream);
        newest = (struct kafka_generation){.number = newest.number + 1, .stream = next};
    }
}

void
kafka_generation_advance(struct kafka_generation *generation, const char *topic)
{
    free(generation->stream);
    generation->number++;
    generation->stream = name_of(topic, generation->number);
}

void
kafka_generation_done(struct kafka_generation *generation)
{
    free(generation->stream);
    *generation = (struct kafka_generation){0};
}
