#include "collectors/groups_kafka.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/thread.h"
#include "collectors/kafka_conf.h"
#include "collectors/recorder.h"
#include "index/event.h"
#include "index/live.h"
#include "index/tape.h"

#define INTERVAL_MS 5000

/* Each request is given this long; a sample is at most five requests per topic and group. */
#define REQUEST_MS 2000

/* Partitions of a topic are counted anew this often, so that added ones are seen. */
#define METADATA_NS (INT64_C(60) * NS_PER_S)

/* More partitions than any broker carries in one topic: a bound for what a peer can make us keep. */
#define PARTITIONS_MAX 100000

#define NO_STREAM UINT32_MAX

/* A topic that is watched, with one list of partitions that every request about it starts from.
 * Only the sampling thread touches it. */
struct topic {
    const char *name; /* the watch's */
    int64_t counted_ns;
    int32_t partition_count; /* 0: not known yet */
    int64_t *log_start;      /* one per partition; -1: unknown */
    int64_t *end;
};

/* A group and the client that carries its name. */
struct group {
    const char *name; /* the watch's */
    rd_kafka_t *client;
};

/* One group on one topic. `reading` and `partitions` are under the sampler's lock, the rest never
 * changes after the start except stream_id, which is written once, under the lock. */
struct watch {
    char *group_name;
    char *topic_name;
    size_t group;
    size_t topic;
    uint32_t stream_id;
    int64_t
        known_committed; /* the newest sum that was known, so that an outage is no advance; or -1 */
    struct group_reading reading;
    struct group_partition *partitions;
};

struct groups_kafka {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool hurry; /* under the lock, like `stopping` when it is set */
    atomic_bool stopping;
    int interval_ms;
    char *directory; /* NULL: no rows */
    char *tap;
    struct tape *tape;  /* the sampling thread's; open until every stream is known */
    rd_kafka_t *client; /* asks for metadata, log starts and ends */
    struct topic *topics;
    size_t topic_count;
    struct group *groups;
    size_t group_count;
    struct watch *watches;
    size_t watch_count;
};

static bool
set_up(rd_kafka_conf_t *conf, const struct groups_kafka_options *options, const char *group,
    struct error *err)
{
    /* Behind the caller's own, because these are promises: nothing is made or committed. */
    return kafka_conf_set(conf, "bootstrap.servers", options->bootstrap, err) &&
           kafka_conf_set(conf, "client.id", "tapedeck", err) &&
           kafka_conf_set_all(conf, options->properties, options->property_count, err) &&
           kafka_conf_set(conf, "allow.auto.create.topics", "false", err) &&
           kafka_conf_set(conf, "enable.auto.commit", "false", err) &&
           (group == NULL || kafka_conf_set(conf, "group.id", group, err));
}

static rd_kafka_t *
make_client(const struct groups_kafka_options *options, const char *group, struct error *err)
{
    rd_kafka_conf_t *conf = kafka_conf_new();
    rd_kafka_t *client = NULL;
    if (set_up(conf, options, group, err))
        client = kafka_conf_client(&conf, RD_KAFKA_CONSUMER, err);
    else
        rd_kafka_conf_destroy(conf);
    if (client == NULL)
        (void)error_wrap(err, "cannot sample groups at %s", options->bootstrap);
    return client;
}

/* Text for a reading's `error`: what was asked, of whom, why there is no answer. */
static void
explain(char error[160], const char *what, const char *name, rd_kafka_resp_err_t code)
{
    snprintf(error, 160, "%s of %s: %s", what, name, rd_kafka_err2str(code));
}

/* Count the topic's partitions, now or when the last count is old. */
static void
count_partitions(struct groups_kafka *sampler, struct topic *topic, char error[160])
{
    int64_t now_ns = clock_monotonic_ns();
    if (topic->partition_count > 0 && now_ns - topic->counted_ns < METADATA_NS)
        return;
    if (atomic_load(&sampler->stopping))
        return;

    rd_kafka_topic_t *handle = rd_kafka_topic_new(sampler->client, topic->name, NULL);
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(sampler->client, 0, handle, &metadata, REQUEST_MS);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->topic_cnt == 1)
        code = metadata->topics[0].err;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR || metadata->topic_cnt != 1) {
        explain(error, "partitions", topic->name, code);
    } else {
        int count = metadata->topics[0].partition_cnt;
        topic->partition_count = count < 0 ? 0 : count > PARTITIONS_MAX ? PARTITIONS_MAX : count;
        topic->counted_ns = now_ns;
        size_t size = (size_t)topic->partition_count * sizeof(int64_t);
        topic->log_start = alloc_resize(topic->log_start, size + 1);
        topic->end = alloc_resize(topic->end, size + 1);
    }
    if (metadata != NULL)
        rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(handle);
}

/* The list of a topic's partitions, each at `offset`. */
static rd_kafka_topic_partition_list_t *
list_partitions(const struct topic *topic, int64_t offset)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new(topic->partition_count);
    for (int32_t i = 0; i < topic->partition_count; i++)
        rd_kafka_topic_partition_list_add(list, topic->name, i)->offset = offset;
    return list;
}

/* Ask where every partition begins or ends; false when a part of the answer is missing. One request per broker for all partitions, and it
 * keeps its time limit; rd_kafka_query_watermark_offsets() is one per partition, and while a leader
 * is down it waits many times longer than it was told to. */
static bool
ask_offsets(struct groups_kafka *sampler, struct topic *topic, int64_t which, int64_t *offsets,
    char error[160])
{
    for (int32_t i = 0; i < topic->partition_count; i++)
        offsets[i] = -1;
    if (topic->partition_count == 0 || atomic_load(&sampler->stopping))
        return false;

    rd_kafka_topic_partition_list_t *list = list_partitions(topic, which);
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(sampler->client, list, REQUEST_MS);
    int answers = code == RD_KAFKA_RESP_ERR_NO_ERROR ? list->cnt : 0;
    for (int i = 0; i < answers; i++) {
        const rd_kafka_topic_partition_t *entry = &list->elems[i];
        if (entry->err != RD_KAFKA_RESP_ERR_NO_ERROR)
            code = entry->err;
        else if (entry->offset >= 0)
            offsets[entry->partition] = entry->offset;
    }
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        explain(error, "offsets", topic->name, code);
        topic->counted_ns = INT64_MIN / 2; /* a leader moved: fetch metadata before the next try */
    }
    rd_kafka_topic_partition_list_destroy(list);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* A broker that did not say where its partitions end is not asked where they begin: each question
 * that it does not answer costs the whole time limit. */
static void
sample_topic(struct groups_kafka *sampler, struct topic *topic, char error[160])
{
    count_partitions(sampler, topic, error);
    for (int32_t i = 0; i < topic->partition_count; i++)
        topic->log_start[i] = -1;
    if (ask_offsets(sampler, topic, RD_KAFKA_OFFSET_END, topic->end, error))
        ask_offsets(sampler, topic, RD_KAFKA_OFFSET_BEGINNING, topic->log_start, error);
}

/* Ask what the group committed; the partitions are new memory. */
static struct group_partition *
ask_committed(const struct group *group, const struct topic *topic, char error[160])
{
    size_t count = (size_t)topic->partition_count;
    struct group_partition *partitions = alloc_zeroed(count * sizeof(*partitions) + 1);
    for (size_t i = 0; i < count; i++)
        partitions[i] = (struct group_partition){
            .partition = (int32_t)i, .committed = -1, .log_start = -1, .end = -1};
    if (count == 0)
        return partitions;

    rd_kafka_topic_partition_list_t *list = list_partitions(topic, RD_KAFKA_OFFSET_INVALID);
    rd_kafka_resp_err_t code = rd_kafka_committed(group->client, list, REQUEST_MS);
    int answers = code == RD_KAFKA_RESP_ERR_NO_ERROR ? list->cnt : 0;
    for (int i = 0; i < answers; i++) {
        const rd_kafka_topic_partition_t *entry = &list->elems[i];
        if (entry->err != RD_KAFKA_RESP_ERR_NO_ERROR)
            code = entry->err;
        else if (entry->offset >= 0)
            partitions[entry->partition].committed = entry->offset;
    }
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        explain(error, "commits", group->name, code);
    rd_kafka_topic_partition_list_destroy(list);
    return partitions;
}

/* Sum the partitions up. A partition that holds no event and never did is at its end whatever the
 * group is configured to do, so a missing commit there leaves nothing unknown. */
static void
sum_partitions(
    struct group_reading *reading, const struct group_partition *partitions, size_t count)
{
    int64_t committed = 0;
    int64_t end = 0;
    int64_t lag = 0;
    for (size_t i = 0; i < count; i++) {
        const struct group_partition *at = &partitions[i];
        bool is_empty = at->end >= 0 && at->end == at->log_start;
        int64_t reached = at->committed < 0 && is_empty ? at->end : at->committed;
        committed = committed < 0 || reached < 0 ? -1 : committed + reached;
        end = end < 0 || at->end < 0 ? -1 : end + at->end;
        if (lag < 0 || reached < 0 || at->end < 0)
            lag = -1;
        else if (at->end > reached)
            lag += at->end - reached;
    }
    reading->committed = count == 0 ? -1 : committed;
    reading->end = count == 0 ? -1 : end;
    reading->lag = count == 0 ? -1 : lag;
    reading->partition_count = count;
}

/* Make `next` the newest reading of the watch. */
static void
publish(struct groups_kafka *sampler, struct watch *watch, struct group_reading *next,
    struct group_partition *partitions)
{
    pthread_mutex_lock(&sampler->lock);
    const struct group_reading *last = &watch->reading;
    next->samples = last->samples + 1;
    next->last_advance_ns = last->last_advance_ns;
    if (next->committed >= 0 && next->committed > watch->known_committed)
        next->last_advance_ns = next->sampled_ns;
    if (next->committed >= 0)
        watch->known_committed = next->committed;
    struct group_partition *old = watch->partitions;
    watch->reading = *next;
    watch->partitions = partitions;
    pthread_mutex_unlock(&sampler->lock);
    free(old);
}

/* The group's commits are asked before the ends of the topic, and a lag is therefore never negative;
 * it may be too large by what arrived in between. */
static void
sample_watch(struct groups_kafka *sampler, struct watch *watch)
{
    struct topic *topic = &sampler->topics[watch->topic];
    struct group_reading next = {.sampled_ns = clock_now_ns()};

    count_partitions(sampler, topic, next.error);
    struct group_partition *partitions =
        ask_committed(&sampler->groups[watch->group], topic, next.error);
    size_t count = (size_t)topic->partition_count;
    sample_topic(sampler, topic, next.error);
    /* Metadata may have been fetched again in between, with another count. */
    size_t known = (size_t)topic->partition_count < count ? (size_t)topic->partition_count : count;
    for (size_t i = 0; i < known; i++) {
        partitions[i].log_start = topic->log_start[i];
        partitions[i].end = topic->end[i];
    }
    sum_partitions(&next, partitions, count);
    publish(sampler, watch, &next, partitions);
}

/* Find the stream that `watch` is about on the tape; true when it is known now. */
static bool
find_stream(struct groups_kafka *sampler, struct watch *watch)
{
    if (watch->stream_id != NO_STREAM)
        return true;
    for (size_t i = 0; i < tape_stream_count(sampler->tape); i++) {
        const struct stream *stream = tape_stream(sampler->tape, i);
        if (strcmp(stream->tap, sampler->tap) != 0 || strcmp(stream->name, watch->topic_name) != 0)
            continue;
        pthread_mutex_lock(&sampler->lock);
        watch->stream_id = stream->id;
        pthread_mutex_unlock(&sampler->lock);
        return true;
    }
    return false;
}

/* Streams get their ids from the tape's writer when their first event comes. Look until all are
 * there, and then no more. A tape that cannot be read yet is tried again at the next sample. */
static void
find_streams(struct groups_kafka *sampler)
{
    if (sampler->directory == NULL)
        return;
    struct error ignored;
    if (sampler->tape == NULL)
        sampler->tape = tape_open(sampler->directory, &ignored);
    else if (!tape_refresh(sampler->tape, &ignored))
        return;
    if (sampler->tape == NULL)
        return;

    bool all_known = true;
    for (size_t i = 0; i < sampler->watch_count; i++)
        all_known = find_stream(sampler, &sampler->watches[i]) && all_known;
    if (!all_known)
        return;
    tape_close(sampler->tape);
    sampler->tape = NULL;
    free(sampler->directory);
    sampler->directory = NULL;
}

/* Sleep until the next sample is due, or wanted, or the end. */
static void
wait_for_turn(struct groups_kafka *sampler, int64_t due_ns)
{
    struct timespec due = {.tv_sec = due_ns / NS_PER_S, .tv_nsec = due_ns % NS_PER_S};
    pthread_mutex_lock(&sampler->lock);
    int result = 0;
    while (!sampler->hurry && !atomic_load(&sampler->stopping) && result == 0)
        result = pthread_cond_timedwait(&sampler->wake, &sampler->lock, &due);
    sampler->hurry = false;
    pthread_mutex_unlock(&sampler->lock);
}

static void *
sampling_thread(void *self)
{
    struct groups_kafka *sampler = self;
    while (!atomic_load(&sampler->stopping)) {
        int64_t due_ns = clock_monotonic_ns() + sampler->interval_ms * NS_PER_MS;
        find_streams(sampler);
        for (size_t i = 0; i < sampler->watch_count && !atomic_load(&sampler->stopping); i++)
            sample_watch(sampler, &sampler->watches[i]);
        wait_for_turn(sampler, due_ns);
    }
    tape_close(sampler->tape);
    sampler->tape = NULL;
    return NULL;
}

/* The index of the topic called `name`, made when it is new. */
static size_t
topic_index(struct groups_kafka *sampler, const char *name)
{
    for (size_t i = 0; i < sampler->topic_count; i++)
        if (strcmp(sampler->topics[i].name, name) == 0)
            return i;
    sampler->topics[sampler->topic_count].name = name;
    return sampler->topic_count++;
}

/* Find or make the group's client. */
static bool
group_index(struct groups_kafka *sampler, const struct groups_kafka_options *options,
    const char *name, size_t *index, struct error *err)
{
    for (*index = 0; *index < sampler->group_count; (*index)++)
        if (strcmp(sampler->groups[*index].name, name) == 0)
            return true;
    rd_kafka_t *client = make_client(options, name, err);
    if (client == NULL)
        return false;
    sampler->groups[sampler->group_count++] = (struct group){name, client};
    return true;
}

static void
sampler_free(struct groups_kafka *sampler)
{
    for (size_t i = 0; i < sampler->group_count; i++)
        rd_kafka_destroy(sampler->groups[i].client);
    if (sampler->client != NULL)
        rd_kafka_destroy(sampler->client);
    for (size_t i = 0; i < sampler->topic_count; i++) {
        free(sampler->topics[i].log_start);
        free(sampler->topics[i].end);
    }
    for (size_t i = 0; i < sampler->watch_count; i++) {
        free(sampler->watches[i].group_name);
        free(sampler->watches[i].topic_name);
        free(sampler->watches[i].partitions);
    }
    free(sampler->topics);
    free(sampler->groups);
    free(sampler->watches);
    free(sampler->directory);
    free(sampler->tap);
    pthread_cond_destroy(&sampler->wake);
    pthread_mutex_destroy(&sampler->lock);
    free(sampler);
}

static struct groups_kafka *
sampler_new(const struct groups_kafka_options *options)
{
    struct groups_kafka *sampler = alloc_zeroed(sizeof(*sampler));
    pthread_mutex_init(&sampler->lock, NULL);
    thread_condition_init(&sampler->wake);
    atomic_init(&sampler->stopping, false);
    sampler->interval_ms = options->interval_ms > 0 ? options->interval_ms : INTERVAL_MS;
    if (options->directory != NULL && options->tap != NULL) {
        sampler->directory = alloc_text(options->directory);
        sampler->tap = alloc_text(options->tap);
    }
    sampler->topics = alloc_array(options->watch_count + 1, sizeof(*sampler->topics));
    sampler->groups = alloc_array(options->watch_count + 1, sizeof(*sampler->groups));
    sampler->watches = alloc_array(options->watch_count + 1, sizeof(*sampler->watches));
    return sampler;
}

static bool
add_watch(struct groups_kafka *sampler, const struct groups_kafka_options *options,
    const struct groups_kafka_watch *wanted, struct error *err)
{
    struct watch *watch = &sampler->watches[sampler->watch_count++];
    watch->group_name = alloc_text(wanted->group);
    watch->topic_name = alloc_text(wanted->topic);
    watch->stream_id = NO_STREAM;
    watch->known_committed = -1;
    watch->reading = (struct group_reading){.committed = -1, .end = -1, .lag = -1};
    watch->topic = topic_index(sampler, watch->topic_name);
    return group_index(sampler, options, watch->group_name, &watch->group, err);
}

/* Start the thread with every signal blocked: signals belong to the main thread. */
static int
start_thread(struct groups_kafka *sampler)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&sampler->thread, NULL, sampling_thread, sampler);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

struct groups_kafka *
groups_kafka_start(const struct groups_kafka_options *options, struct error *err)
{
    struct groups_kafka *sampler = sampler_new(options);
    sampler->client = make_client(options, NULL, err);
    bool is_well = sampler->client != NULL;
    for (size_t i = 0; is_well && i < options->watch_count; i++)
        is_well = add_watch(sampler, options, &options->watches[i], err);
    if (is_well && start_thread(sampler) != 0)
        is_well = error_set(err, ERROR_SYSTEM, "cannot start a thread that samples groups");
    if (!is_well) {
        sampler_free(sampler);
        return NULL;
    }
    return sampler;
}

void
groups_kafka_hurry(struct groups_kafka *sampler)
{
    pthread_mutex_lock(&sampler->lock);
    sampler->hurry = true;
    pthread_cond_signal(&sampler->wake);
    pthread_mutex_unlock(&sampler->lock);
}

void
groups_kafka_read(struct groups_kafka *sampler, size_t watch, struct group_reading *reading)
{
    pthread_mutex_lock(&sampler->lock);
    *reading = sampler->watches[watch].reading;
    pthread_mutex_unlock(&sampler->lock);
}

size_t
groups_kafka_partitions(
    struct groups_kafka *sampler, size_t watch, struct group_partition *partitions, size_t limit)
{
    pthread_mutex_lock(&sampler->lock);
    size_t count = sampler->watches[watch].reading.partition_count;
    if (count > limit)
        count = limit;
    if (count > 0)
        memcpy(partitions, sampler->watches[watch].partitions, count * sizeof(*partitions));
    pthread_mutex_unlock(&sampler->lock);
    return count;
}

uint32_t
groups_kafka_rows(void *self, struct live_group *rows, uint32_t limit)
{
    struct groups_kafka *sampler = self;
    uint32_t count = 0;
    pthread_mutex_lock(&sampler->lock);
    for (size_t i = 0; i < sampler->watch_count && count < limit; i++) {
        const struct watch *watch = &sampler->watches[i];
        if (watch->stream_id == NO_STREAM)
            continue;
        struct live_group *row = &rows[count++];
        *row = (struct live_group){.stream_id = watch->stream_id,
            .committed = watch->reading.committed,
            .end = watch->reading.end,
            .lag = watch->reading.lag,
            .sampled_ns = watch->reading.sampled_ns,
            .last_advance_ns = watch->reading.last_advance_ns,
            .waits_ns = -1};
        live_set_name(row->name, watch->group_name);
    }
    pthread_mutex_unlock(&sampler->lock);
    return count;
}

void
groups_kafka_stop(struct groups_kafka *sampler)
{
    if (sampler == NULL)
        return;
    pthread_mutex_lock(&sampler->lock);
    atomic_store(&sampler->stopping, true);
    pthread_cond_signal(&sampler->wake);
    pthread_mutex_unlock(&sampler->lock);
    pthread_join(sampler->thread, NULL);
    sampler_free(sampler);
}
