/* Which brokers `lag` and `stuck` look at, and which tape may be asked about them. */

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "console/command.h"
#include "console/config.h"
#include "console/config_taps.h"
#include "console/lag_look.h"
#include "index/live.h"

struct lag_taps {
    struct config config;
    struct config_taps configured;
    struct recorder_tap given;
    struct live_status *status; /* of the recorder whose URLs are used; NULL: none are */
    struct recorder_tap *recorded;
    const struct recorder_tap **taps;
    size_t count;
    char *directory;
};

static bool
is_kafka(const char *url)
{
    return strncmp(url, "kafka://", strlen("kafka://")) == 0;
}

/* A URL that is as long as there is room for may have been cut. */
static bool
is_usable(const struct live_tap *tap)
{
    return is_kafka(tap->url) && strlen(tap->url) < sizeof(tap->url) - 1;
}

/* The taps of Kafka that the running recorder was given as URLs: of the tape that says so, one need not say the broker again. */
static void
use_recorded(struct lag_taps *taps)
{
    struct error ignored; /* no page: nobody records */
    struct live *live = live_open(taps->directory, &ignored);
    bool is_recording = false;
    taps->status = alloc_zeroed(sizeof(*taps->status));
    if (live != NULL && live_read(live, taps->status, &is_recording) && is_recording) {
        uint32_t count = taps->status->tap_count;
        taps->recorded = alloc_zeroed((count + 1) * sizeof(*taps->recorded));
        taps->taps = alloc_array(count + 1, sizeof(struct recorder_tap *));
        for (uint32_t i = 0; i < count; i++) {
            const struct live_tap *tap = &taps->status->taps[i];
            if (!is_usable(tap))
                continue;
            taps->recorded[taps->count] = (struct recorder_tap){.name = tap->name, .url = tap->url};
            taps->taps[taps->count] = &taps->recorded[taps->count];
            taps->count++;
        }
    }
    live_close(live);
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
    return true;
}

/* What is configured, else what is being recorded. */
static bool
use_what_is_known(struct lag_taps *taps, const struct invocation *invocation, struct error *err)
{
    if (!use_configured(taps, invocation, err))
        return false;
    taps->directory = invocation_tape(invocation, err);
    if (taps->directory == NULL)
        return false;
    if (taps->count == 0) {
        free(taps->taps);
        taps->taps = NULL;
        use_recorded(taps);
    }
    return taps->count > 0 ||
           error_set(err, ERROR_ARGUMENT,
               "no broker is named: write kafka://HOST:9092, or configure a tap of Kafka");
}

struct lag_taps *
lag_taps_find(const struct invocation *invocation, struct error *err)
{
    struct lag_taps *taps = alloc_zeroed(sizeof(*taps));
    if (invocation->argc == 0) {
        if (use_what_is_known(taps, invocation, err))
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
    free(taps->recorded);
    free(taps->status);
    free(taps);
}
