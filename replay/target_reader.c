#include "replay/target_reader.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "replay/sink.h"
#include "replay/target.h"

static const struct target_ops *
find_ops(const struct target *target, struct error *err)
{
    const struct sink_ops *sink = sink_find(target->transport);
    if (sink != NULL)
        return sink->target;
    error_set(err, ERROR_ARGUMENT, "there is no sink for %s", target->transport);
    return NULL;
}

bool
target_ask(const struct target *target, const struct kafka_settings *settings,
    struct target_facts *facts, struct error *err)
{
    const struct target_ops *ops = find_ops(target, err);
    return ops != NULL && ops->ask(target, settings, facts, err);
}

bool
target_can_be_read(const struct target *target)
{
    struct error ignored;
    const struct target_ops *ops = find_ops(target, &ignored);
    return ops != NULL && ops->open != NULL;
}

/* ---- a target that nothing can be read from ---- */

static struct target_reader *
open_blind(const struct target *target, const struct target_ops *ops,
    const struct kafka_settings *settings, struct error *err)
{
    struct target_reader *reader = alloc_zeroed(sizeof(*reader));
    if (ops->ask(target, settings, &reader->facts, err))
        return reader;
    free(reader);
    return NULL;
}

/* ---- all targets ---- */

struct target_reader *
target_reader_open(
    const struct target *target, const struct kafka_settings *settings, struct error *err)
{
    const struct target_ops *ops = find_ops(target, err);
    if (ops == NULL)
        return NULL;
    if (ops->open == NULL)
        return open_blind(target, ops, settings, err);
    struct target_reader *reader = ops->open(target, settings, err);
    if (reader != NULL)
        reader->ops = ops;
    return reader;
}

void
target_reader_close(struct target_reader *reader)
{
    if (reader != NULL && reader->ops != NULL)
        reader->ops->close(reader);
    else
        free(reader);
}

const struct target_facts *
target_reader_facts(const struct target_reader *reader)
{
    return &reader->facts;
}

bool
target_reader_offsets(struct target_reader *reader, int32_t partition, int64_t *first, int64_t *end,
    struct error *err)
{
    if (reader->ops != NULL)
        return reader->ops->offsets(reader, partition, first, end, err);
    *first = 0;
    *end = 0;
    return true;
}

bool
target_reader_add(
    struct target_reader *reader, int32_t partition, int64_t from, int64_t end, struct error *err)
{
    return reader->ops == NULL || reader->ops->add(reader, partition, from, end, err);
}

enum target_step
target_reader_next(
    struct target_reader *reader, int timeout_ms, struct event *event, struct error *err)
{
    return reader->ops == NULL ? TARGET_END : reader->ops->next(reader, timeout_ms, event, err);
}
