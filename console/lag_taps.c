/* Which brokers `lag` and `stuck` look at, and which tape may be asked about them. */

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "console/command.h"
#include "console/config.h"
#include "console/config_taps.h"
#include "console/lag_look.h"

struct lag_taps {
    struct config config;
    struct config_taps configured;
    struct recorder_tap given;
    const struct recorder_tap **taps;
    size_t count;
    char *directory;
};

static bool
is_kafka(const char *url)
{
    return strncmp(url, "kafka://", strlen("kafka://")) == 0;
}

static bool
use_configured(struct lag_taps *taps, const struct invocation *invocation, struct error *err)
{
    if (!config_load(invocation->config, &taps->config, err) ||
        !config_taps(&taps->config, &taps->configured, err))
        return false;
    taps->taps = alloc_array(taps->configured.count + 1, sizeof(struct recorder_tap *));
    for (size_t i = 0; i < taps->configured.count; i++)
        if (is_kafka(taps->configured.taps[i].url))
            taps->taps[taps->count++] = &taps->configured.taps[i];
    if (taps->count == 0)
        return error_set(err, ERROR_ARGUMENT,
            "no broker is named: write kafka://HOST:9092, or configure a tap of Kafka");
    taps->directory = invocation_tape(invocation, err);
    return taps->directory != NULL;
}

struct lag_taps *
lag_taps_find(const struct invocation *invocation, struct error *err)
{
    struct lag_taps *taps = alloc_zeroed(sizeof(*taps));
    if (invocation->argc == 0) {
        if (use_configured(taps, invocation, err))
            return taps;
        lag_taps_free(taps);
        return NULL;
    }
    taps->given.url = invocation->argv[0];
    taps->taps = alloc_array(1, sizeof(struct recorder_tap *));
    taps->taps[0] = &taps->given;
    taps->count = 1;
    taps->directory = invocation->tape == NULL ? NULL : alloc_text(invocation->tape);
    return taps;
}

size_t
lag_taps_count(const struct lag_taps *taps)
{
    return taps->count;
}

const struct recorder_tap *
lag_taps_at(const struct lag_taps *taps, size_t index)
{
    return taps->taps[index];
}

const char *
lag_taps_directory(const struct lag_taps *taps)
{
    return taps->directory;
}

void
lag_taps_free(struct lag_taps *taps)
{
    if (taps == NULL)
        return;
    config_taps_done(&taps->configured);
    config_free(&taps->config);
    free(taps->taps);
    free(taps->directory);
    free(taps);
}
