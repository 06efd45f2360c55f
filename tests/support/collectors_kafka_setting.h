/* collectors_kafka_setting.h - a mock cluster and a recorder of its topics, for the tests of the Kafka source. */
#ifndef TESTS_SUPPORT_COLLECTORS_KAFKA_SETTING_H
#define TESTS_SUPPORT_COLLECTORS_KAFKA_SETTING_H

#include <stdint.h>

#include "collectors/recorder.h"
#include "tests/support/collectors_kafka.h"

/* One broker with the topic "orders" of three partitions, an empty directory for the tape, and the URL that leads to the
 * topic. The tap is called "shop". */
struct kafka_setting {
    struct kafka_mock mock;
    char *directory;
    char *url;
};

/* Around a test whose state it is. */
int kafka_set_up(void **state);
int kafka_tear_down(void **state);

#define KAFKA_TEST(name) cmocka_unit_test_setup_teardown(name, kafka_set_up, kafka_tear_down)

/* Other topics, as the URL names them, or another URL, which is taken. */
void kafka_use_topics(struct kafka_setting *setting, const char *topics);
void kafka_use_url(struct kafka_setting *setting, char *url);

/* Another cluster of so many brokers: the topic has the same name, and an empty log. */
void kafka_make_anew(struct kafka_setting *setting, int brokers);

/* Record from where `from` says (NULL: where a tap begins by itself). The first gives NULL with *err when that is
 * refused, the others fail the test then. */
struct recorder *kafka_try_start(
    struct kafka_setting *setting, const char *from, enum recorder_until until, struct error *err);
struct recorder *kafka_start(
    struct kafka_setting *setting, const char *from, enum recorder_until until);

/* From the beginning to the end, reading no more than so much. */
struct recorder *kafka_start_within(struct kafka_setting *setting, uint64_t bytes_per_second);

/* Record up to the present end. */
void kafka_record(struct kafka_setting *setting, const char *from);

/* Recording up to the end is refused with this exit code, and `words` are in the text. */
void kafka_expect_refused(
    struct kafka_setting *setting, const char *from, int code, const char *words);

#endif
