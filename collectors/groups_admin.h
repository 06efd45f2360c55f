/* groups_admin.h - the client that asks coordinators about groups: for their commits, and what else only they know.
 *
 * Apart from the one that asks for everything else, because of two ways in which librdkafka 2.0.2 ends the
 * process: without a group.id it dereferences NULL when a coordinator answers that it is none any more, so
 * this one has a name, which never appears on the broker; and a request that timed out inside the library
 * leaves a callback behind that fires when its coordinator comes back, so requests here never time out:
 * a client that got no answer in our own time is thrown away with them.
 * Threads: one owner.
 */
#ifndef COLLECTORS_GROUPS_ADMIN_H
#define COLLECTORS_GROUPS_ADMIN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <librdkafka/rdkafka.h>

struct error;
struct group_state;
struct groups_sample;
struct recorder_property;

struct groups_admin_options {
    const char *address;
    const struct recorder_property *properties; /* set in this order */
    size_t property_count;
    /* Which topics' commits are taken. */
    bool (*wants_topic)(const void *self, const char *topic);
    const void *self;
    const atomic_bool *is_cancelled; /* NULL: never */
};

/* A struct with `options` only has no client yet. What they point to outlives it. */
struct groups_admin {
    struct groups_admin_options options;
    rd_kafka_t *client;
    rd_kafka_queue_t *answers;
};

/* Make the client, unless there is one. False with ERROR_CONFIG. Nothing is sent. */
bool groups_admin_open(struct groups_admin *admin, struct error *err);

/* Throw it away, with every request that has no answer yet. */
void groups_admin_close(struct groups_admin *admin);

/* What is asked of the coordinator of each group. */
struct groups_question {
    rd_kafka_admin_op_t op;
    rd_kafka_event_type_t answer;
    void (*send)(
        struct groups_admin *admin, const char *group, const rd_kafka_AdminOptions_t *options);
    rd_kafka_resp_err_t (*take)(
        struct groups_admin *admin, struct group_state *group, rd_kafka_event_t *event);
};

struct groups_answers {
    size_t count;
    size_t lost; /* of them by somebody who is no coordinator */
};

/* Ask it of these groups, until the monotonic deadline, or for longer, but not beyond latest_ns, while answers come: of
 * many thousand groups it takes that long. take() is called for each answer, also one that is an error. When one did not
 * come, or came from somebody who is not the coordinator, the client is thrown away. Requests go to each broker one
 * behind the other. */
struct groups_answers groups_admin_ask(struct groups_admin *admin,
    const struct groups_question *question, struct group_state **groups, size_t count,
    int64_t deadline_ns, int64_t latest_ns);

/* Fill the sample's groups with what they committed, as groups_admin_ask() does. A group that got no answer, or one by
 * somebody who is not its coordinator, has that for its problem. */
void groups_admin_read_commits(struct groups_admin *admin, struct groups_sample *sample,
    int64_t deadline_ns, int64_t latest_ns);

/* Wait for an event on a queue until the monotonic deadline, or until *is_cancelled (NULL: never), which
 * is looked at every 100 ms. NULL: none came. */
rd_kafka_event_t *groups_wait_for_event(
    rd_kafka_queue_t *queue, int64_t deadline_ns, const atomic_bool *is_cancelled);

/* Milliseconds until the monotonic deadline, 1 to limit_ms: the library takes 0 for "for ever" in places. */
int64_t groups_left_ms(int64_t deadline_ns, int64_t limit_ms);

#endif
