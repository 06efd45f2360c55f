#include "collectors/kafka_check.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <librdkafka/rdkafka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "collectors/kafka_client.h"
#include "collectors/kafka_patterns.h"
#include "collectors/kafka_reason.h"
#include "collectors/source.h"
#include "collectors/tap_url.h"

#define ANSWER_NS (4500 * NS_PER_MS)
#define PATIENCE_NS \
    (3 * NS_PER_S) /* with a failure that may mend itself, or that another broker has not */
#define TOPIC_MS 2000
#define GROUP_MS 500
#define READ_NS  (3 * NS_PER_S)

#define PATTERN_TOPICS 20 /* of those that an expression fits, so many are looked at */

#define ALLOW_FIX                                                                   \
    "let the broker's owner allow it: kafka-acls --add --allow-principal User:... " \
    "--operation Read --operation Describe --topic %s"

#define GROUP_ALLOW_FIX                                                             \
    "let the broker's owner allow it: kafka-acls --add --allow-principal User:... " \
    "--operation Read --group %s"

struct check_run {
    const struct source_config *config;
    struct kafka_client client;
    tap_check_report *report;
    void *self;
    enum error_code first; /* code of the first that is bad */
};

static void
say(struct check_run *run, const char *name, enum tap_verdict verdict, enum error_code code,
    const char *text, const char *fix)
{
    struct tap_check check = {
        .name = name, .verdict = verdict, .text = text, .fix = fix, .code = code};
    if (verdict == TAP_VERDICT_BAD && run->first == ERROR_NONE)
        run->first = code;
    run->report(run->self, &check);
}

static bool
has_protocol(const struct source_config *config, const char *part)
{
    for (size_t i = 0; i < config->property_count; i++)
        if (strcmp(config->properties[i].name, "security.protocol") == 0)
            return strcasestr(config->properties[i].value, part) != NULL;
    return false;
}

/* ---- the connection ---- */

/* True when a broker answered; otherwise *reason says how far we came. */
static bool
await_answer(struct check_run *run, struct kafka_reason *reason)
{
    struct kafka_client *client = &run->client;
    int64_t began_ns = clock_monotonic_ns();
    int64_t passed_ns = 0;
    for (int timeout_ms = 250; passed_ns < ANSWER_NS; timeout_ms = 500) {
        struct error err;
        const rd_kafka_metadata_t *metadata =
            kafka_client_metadata(client, NULL, false, timeout_ms, &err);
        if (metadata != NULL) {
            rd_kafka_metadata_destroy(metadata);
            return true;
        }
        passed_ns = clock_monotonic_ns() - began_ns;
        if (client->reason.code == ERROR_REFUSED ||
            (client->reason.code != ERROR_NONE && passed_ns > PATIENCE_NS))
            break;
    }
    *reason = client->seen;
    if (client->reason.code == ERROR_NONE)
        *reason = (struct kafka_reason){.code = ERROR_REMOTE,
            .step = KAFKA_STEP_CONNECT,
            .what = "no answer",
            .fix = "check the address, and the firewalls between"};
    return false;
}

static const struct {
    enum kafka_step step;
    const char *name;
    const char *protocol; /* only when security.protocol has this in it */
    const char *passed;
} steps[] = {
    {KAFKA_STEP_RESOLVE, "name", NULL, "the name of a broker resolves"},
    {KAFKA_STEP_CONNECT, "connect", NULL, "a broker takes connections"},
    {KAFKA_STEP_TLS, "tls", "SSL", "TLS is spoken, and the certificates are good"},
    {KAFKA_STEP_LOGIN, "login", "SASL", "the login is accepted"},
    {KAFKA_STEP_ANSWER, "answer", NULL, "a broker answers"},
};

/* One line for each step of a connection that failed at `reason` (NULL: that did not fail). A step that
 * the configuration leaves out is only named when the broker misses it. */
static void
report_connection(struct check_run *run, const struct kafka_reason *reason)
{
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        bool failed = reason != NULL && reason->step == steps[i].step;
        if (failed)
            say(run, steps[i].name, TAP_VERDICT_BAD, reason->code, reason->what, reason->fix);
        else if (steps[i].protocol != NULL && !has_protocol(run->config, steps[i].protocol))
            continue;
        else if (reason != NULL && reason->step < steps[i].step)
            say(run, steps[i].name, TAP_VERDICT_SKIPPED, ERROR_NONE, "not reached", "");
        else
            say(run, steps[i].name, TAP_VERDICT_OK, ERROR_NONE, steps[i].passed, "");
    }
}

/* ---- topics ---- */

static void
say_not_allowed(struct check_run *run, const char *check, const char *topic)
{
    char *text = alloc_format("topic '%s' may not be read", topic);
    char *fix = alloc_format(ALLOW_FIX, topic);
    say(run, check, TAP_VERDICT_BAD, ERROR_REFUSED, text, fix);
    free(text);
    free(fix);
}

/* The first partition that has a leader, or -1 with everything said. */
static int32_t
check_topic(struct check_run *run, const rd_kafka_metadata_topic_t *topic)
{
    int32_t readable = -1;
    for (int i = topic->partition_cnt; i-- > 0;)
        if (topic->partitions[i].leader >= 0)
            readable = topic->partitions[i].id;
    if (topic->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
        say_not_allowed(run, "topic", topic->topic);
        return -1;
    }
    char *text;
    if (topic->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        text = alloc_format("topic '%s' does not exist", topic->topic);
        say(run, "topic", TAP_VERDICT_BAD, ERROR_REMOTE, text, "check the spelling, or make it");
    } else if (topic->err != RD_KAFKA_RESP_ERR_NO_ERROR || readable < 0) {
        text = alloc_format("topic '%s': %s", topic->topic,
            topic->err != RD_KAFKA_RESP_ERR_NO_ERROR ? rd_kafka_err2str(topic->err)
                                                     : "no partition has a leader");
        say(run, "topic", TAP_VERDICT_BAD, ERROR_REMOTE, text, "are its brokers running?");
        readable = -1;
    } else {
        text = alloc_format("topic '%s' has partitions: %d", topic->topic, topic->partition_cnt);
        say(run, "topic", TAP_VERDICT_OK, ERROR_NONE, text, "");
    }
    free(text);
    return readable;
}

/* Wait for the answer to a fetch at the end of the log. */
static rd_kafka_resp_err_t
await_fetch(rd_kafka_topic_t *rkt, int32_t partition)
{
    int64_t deadline_ns = clock_monotonic_ns() + READ_NS;
    while (clock_monotonic_ns() < deadline_ns) {
        rd_kafka_message_t *message = rd_kafka_consume(rkt, partition, 250);
        if (message == NULL)
            continue;
        rd_kafka_resp_err_t code = message->err;
        rd_kafka_message_destroy(message);
        if (code == RD_KAFKA_RESP_ERR__PARTITION_EOF || code == RD_KAFKA_RESP_ERR_NO_ERROR)
            return RD_KAFKA_RESP_ERR_NO_ERROR;
        if (code != RD_KAFKA_RESP_ERR__TRANSPORT)
            return code;
    }
    return RD_KAFKA_RESP_ERR__TIMED_OUT;
}

static void
check_reading(struct check_run *run, rd_kafka_topic_t *rkt, int32_t partition)
{
    const char *topic = rd_kafka_topic_name(rkt);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__FAIL;
    if (rd_kafka_consume_start(rkt, partition, RD_KAFKA_OFFSET_END) == 0) {
        code = await_fetch(rkt, partition);
        (void)rd_kafka_consume_stop(rkt, partition);
    }
    if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
        say_not_allowed(run, "read", topic);
        return;
    }
    char *text = code == RD_KAFKA_RESP_ERR_NO_ERROR
                     ? alloc_format("%s[%d] can be read", topic, partition)
                     : alloc_format("%s[%d]: %s", topic, partition, rd_kafka_err2str(code));
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        say(run, "read", TAP_VERDICT_OK, ERROR_NONE, text, "");
    else
        say(run, "read", TAP_VERDICT_BAD, ERROR_REMOTE, text,
            "can this machine reach the brokers under the names that they announce?");
    free(text);
}

static void
check_named_topic(struct check_run *run, const char *name)
{
    struct error err;
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(run->client.rk, name, NULL);
    const rd_kafka_metadata_t *metadata =
        kafka_client_metadata(&run->client, rkt, false, TOPIC_MS, &err);
    if (metadata == NULL || metadata->topic_cnt != 1) {
        say(run, "topic", TAP_VERDICT_BAD, ERROR_REMOTE, metadata == NULL ? err.text : name, "");
    } else {
        int32_t partition = check_topic(run, &metadata->topics[0]);
        if (partition >= 0)
            check_reading(run, rkt, partition);
    }
    if (metadata != NULL)
        rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(rkt);
}

/* What the expressions fit: each of these topics is looked at, as if it were named. */
static void
check_patterns(struct check_run *run, const struct kafka_patterns *patterns)
{
    struct error err;
    const rd_kafka_metadata_t *metadata =
        kafka_client_metadata(&run->client, NULL, true, TOPIC_MS, &err);
    if (metadata == NULL) {
        say(run, "topic", TAP_VERDICT_BAD, ERROR_REMOTE, err.text, "");
        return;
    }
    int count = 0;
    for (int i = 0; i < metadata->topic_cnt; i++) {
        if (!kafka_patterns_match(patterns, metadata->topics[i].topic))
            continue;
        if (count++ < PATTERN_TOPICS)
            check_named_topic(run, metadata->topics[i].topic);
    }
    char *text = alloc_format("topics that the expressions fit: %d", count);
    say(run, "pattern", TAP_VERDICT_OK, ERROR_NONE, text,
        count == 0 ? "if there should be some, are Describe and Read allowed on them?" : "");
    free(text);
    rd_kafka_metadata_destroy(metadata);
}

static void
check_topics(struct check_run *run)
{
    char *name;
    for (size_t i = 0; (name = tap_url_item(run->config->url->path, i)) != NULL; i++) {
        if (!kafka_pattern_is(name))
            check_named_topic(run, name);
        free(name);
    }
    struct kafka_patterns patterns;
    struct error err;
    if (!kafka_patterns_make(&patterns, run->config->url->path, &err))
        return; /* source_ops.check() has compiled them */
    if (patterns.count > 0)
        check_patterns(run, &patterns);
    kafka_patterns_done(&patterns);
}

/* ---- the group ---- */

/* What the coordinator says about a commit of the group, which anybody may ask who is let into it: nothing is
 * joined. That the coordinator may not even be asked for is only told as an event. */
static rd_kafka_resp_err_t
ask_group(rd_kafka_t *rk, const char *topic)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, 0);
    int64_t deadline_ns = clock_monotonic_ns() + READ_NS;
    rd_kafka_resp_err_t code;
    do {
        code = rd_kafka_committed(rk, list, GROUP_MS);
        rd_kafka_message_t *told = rd_kafka_consumer_poll(rk, 0);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR && told != NULL)
            code = told->err;
        if (told != NULL)
            rd_kafka_message_destroy(told);
    } while (code != RD_KAFKA_RESP_ERR_NO_ERROR &&
             code != RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED &&
             clock_monotonic_ns() < deadline_ns);
    rd_kafka_topic_partition_list_destroy(list);
    return code;
}

static void
check_group(struct check_run *run)
{
    const char *group = run->config->group;
    struct kafka_client member;
    struct error err;
    if (!kafka_client_open_member(&member, run->config, NULL, &err)) {
        say(run, "group", TAP_VERDICT_BAD, err.code, err.text, "correct the property");
        kafka_client_close(&member);
        return;
    }
    char *topic = tap_url_item(run->config->url->path, 0);
    rd_kafka_resp_err_t code = ask_group(member.rk, topic);
    free(topic);
    kafka_client_close(&member);
    bool is_refused = code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;
    char *text = code == RD_KAFKA_RESP_ERR_NO_ERROR
                     ? alloc_format("the coordinator of group '%s' answers", group)
                 : is_refused ? alloc_format("group '%s' may not be joined", group)
                              : alloc_format("group '%s': %s", group, rd_kafka_err2str(code));
    char *fix = is_refused ? alloc_format(GROUP_ALLOW_FIX, group)
                           : alloc_text("is the group's coordinator running?");
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        say(run, "group", TAP_VERDICT_OK, ERROR_NONE, text, "");
    else
        say(run, "group", TAP_VERDICT_BAD, is_refused ? ERROR_REFUSED : ERROR_REMOTE, text, fix);
    free(text);
    free(fix);
}

enum error_code
kafka_check_run(const struct source_config *config, tap_check_report *report, void *self)
{
    struct check_run run = {.config = config, .report = report, .self = self, .first = ERROR_NONE};
    struct error err;
    struct kafka_reason reason;
    if (!kafka_client_open(&run.client, config, &err)) {
        const struct kafka_reason *seen = &run.client.seen;
        bool is_seen = seen->what[0] != '\0';
        say(&run, "client", TAP_VERDICT_BAD, err.code, is_seen ? seen->what : err.text,
            is_seen ? seen->fix : "correct the property");
    } else if (!await_answer(&run, &reason)) {
        report_connection(&run, &reason);
    } else {
        report_connection(&run, NULL);
        check_topics(&run);
        if (config->group != NULL)
            check_group(&run);
    }
    kafka_client_close(&run.client);
    return run.first;
}
