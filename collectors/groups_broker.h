/* groups_broker.h - asks a broker for all of its consumer groups: members, commits, ends, ages.
 *
 * It only asks: no group is joined, nothing is committed, no topic is created. Requests to one
 * broker go one behind the other, never two at a time. The library's two ways to crash in such
 * requests (an answer from a coordinator that moved; a request that outlived its time limit) are
 * not met: the asking client has a name of its own, its requests never time out inside the library,
 * and a client that got no answer in our own time is thrown away with them.
 *
 * Threads: one owns a struct groups_broker.
 */
#ifndef COLLECTORS_GROUPS_BROKER_H
#define COLLECTORS_GROUPS_BROKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct event;
struct groups_broker;
struct groups_sample;
struct recorder_property;

struct groups_broker_options {
    const char *url; /* kafka://host:9092[/topic,^expression]: only these topics */
    const struct recorder_property *properties;
    size_t property_count;
    const char *group; /* only this one; NULL: all */
    const char
        *pattern; /* only groups whose name it matches, as a shell does: "shop-*"; NULL: all */

    /* At most so many groups are asked for their commits in one sample, in turn, so that all of them
     * are looked at in several; 0: all in each. sample->passed says how many were left out. */
    size_t groups_at_a_time;
    int wait_ms; /* for a whole sample, and no longer for a broker's first answer; 0: 4000. What has no answer by then is unknown; of all groups at once,
                  * commits are waited for as long as they come, and the rest gets half of that again */
    bool want_times; /* read the event at each commit that has events behind it, for its time */

    /* Where the time of an event may be known without reading it from the broker: true with *time_ns
     * and *offset of the first event at or behind `from`. May be NULL. */
    bool (*known_time)(void *self, const char *topic, int32_t partition, int64_t from,
        int64_t *time_ns, int64_t *offset);
    void *known_self;

    /* Becomes true, from any thread, when the answer is not wanted any more: a sample then ends within
     * a second, with what it has. It must outlive the broker; NULL: never. */
    const atomic_bool *is_cancelled;
};

/* Check the URL and the properties; nothing is connected yet. NULL with ERROR_ARGUMENT or
 * ERROR_CONFIG. What `options` points to is copied, except known_self. */
struct groups_broker *groups_broker_open(
    const struct groups_broker_options *options, struct error *err);

/* Go on with other properties, a password that was changed for example: the next sample connects with them. What
 * `properties` points to is copied. */
void groups_broker_renew(struct groups_broker *broker, const struct recorder_property *properties,
    size_t property_count);

/* The first topic that the URL names, no expression, and no broker told of for the last sample; NULL: none. The broker's own. */
const char *groups_broker_absent_topic(const struct groups_broker *broker);

/* Take a sample; the caller ends it with groups_sample_done(). Commits are asked before ends, so a
 * lag is never negative by the order of asking.
 *
 * False with ERROR_REMOTE or ERROR_REFUSED, within three seconds, when no broker answers. Single
 * brokers, groups and topics that do not answer are named in the sample instead. */
bool groups_broker_sample(
    struct groups_broker *broker, struct groups_sample *sample, struct error *err);

/* Read one partition from `from` up to the first event at or behind `until`, and give each to
 * `take`, with a stream that has the topic's name and no tap; it lives during the call. Aborted
 * events are among them. False with ERROR_REMOTE when the broker did not answer in the sample's
 * time; the end of the partition before `until` is no error. */
bool groups_broker_read(struct groups_broker *broker, const char *topic, int32_t partition,
    int64_t from, int64_t until, void (*take)(void *self, const struct event *event), void *self,
    struct error *err);

void groups_broker_close(struct groups_broker *broker);

#endif
