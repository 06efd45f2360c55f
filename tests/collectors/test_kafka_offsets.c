#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "collectors/kafka_client.h"
#include "collectors/kafka_offsets.h"
#include "collectors/source.h"
#include "collectors/tap_url.h"
#include "tests/support/collectors_kafka.h"
#include "tests/support/unit.h"

#define LANES        4
#define TIMEOUT_MS   5000
#define LIST_OFFSETS 2 /* the request, in Kafka's protocol */

/* Four partitions with 5, 6, 7 and 8 events, on two brokers: broker 1 leads the first two. */
struct setting {
    struct kafka_mock mock;
    char *url_text;
    struct tap_url url;
    struct source_config config;
    struct kafka_client client;
    rd_kafka_topic_partition_list_t *list;
};

static void
lead(struct setting *setting, int32_t partition, int32_t broker)
{
    assert_int_equal(
        rd_kafka_mock_partition_set_leader(setting->mock.cluster, "orders", partition, broker), 0);
}

/* So that the client knows the leaders. */
static void
look(struct setting *setting)
{
    struct error err;
    const rd_kafka_metadata_t *metadata =
        kafka_client_metadata(&setting->client, NULL, true, TIMEOUT_MS, &err);
    assert_ok(metadata != NULL);
    rd_kafka_metadata_destroy(metadata);
}

static int
set_up(void **state)
{
    struct setting *setting = alloc_zeroed(sizeof(*setting));
    struct error err;
    kafka_mock_start(&setting->mock, 2);
    kafka_mock_topic(&setting->mock, "orders", LANES);
    setting->url_text = kafka_mock_url(&setting->mock, "orders");
    assert_ok(tap_url_parse(setting->url_text, 9092, &setting->url, &err));
    setting->config.url = &setting->url;
    assert_ok(kafka_client_open(&setting->client, &setting->config, &err));
    setting->list = rd_kafka_topic_partition_list_new(LANES);
    for (int32_t partition = 0; partition < LANES; partition++) {
        lead(setting, partition, partition < 2 ? 1 : 2);
        kafka_mock_send_many(&setting->mock, "orders", partition, "m", 5 + partition);
        rd_kafka_topic_partition_list_add(setting->list, "orders", partition)->offset =
            RD_KAFKA_OFFSET_END;
    }
    look(setting);
    *state = setting;
    return 0;
}

static int
tear_down(void **state)
{
    struct setting *setting = *state;
    rd_kafka_topic_partition_list_destroy(setting->list);
    kafka_client_close(&setting->client);
    kafka_mock_stop(&setting->mock);
    tap_url_done(&setting->url);
    free(setting->url_text);
    free(setting);
    return 0;
}

static int32_t
leader_of(const rd_kafka_topic_partition_t *entry)
{
    return entry->partition < 2 ? 1 : 2;
}

static void
assert_ends(const struct setting *setting, const int64_t *ends)
{
    for (int i = 0; i < LANES; i++)
        if (setting->list->elems[i].offset != ends[i])
            fail_msg("partition %d ends at %lld, not %lld", i,
                (long long)setting->list->elems[i].offset, (long long)ends[i]);
}

static void
replaces_words_by_offsets(void **state)
{
    struct setting *setting = *state;
    struct error err;
    setting->list->elems[0].offset = RD_KAFKA_OFFSET_BEGINNING;
    setting->list->elems[3].offset = RD_KAFKA_OFFSET_INVALID;
    assert_ok(kafka_offsets_ask(&setting->client, setting->list, leader_of, TIMEOUT_MS, &err));
    assert_ends(setting, (const int64_t[]){0, 6, 7, RD_KAFKA_OFFSET_INVALID});
}

/* A leader that has just changed: the question about all fails, and what it is asked in halves is answered. */
static void
asks_in_halves_when_a_broker_refuses(void **state)
{
    struct setting *setting = *state;
    struct error err;
    for (int32_t partition = 0; partition < LANES; partition++)
        lead(setting, partition, 1);
    look(setting);
    rd_kafka_mock_push_request_errors(
        setting->mock.cluster, LIST_OFFSETS, 1, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
    assert_ok(kafka_offsets_ask(&setting->client, setting->list, NULL, TIMEOUT_MS, &err));
    assert_ends(setting, (const int64_t[]){5, 6, 7, 8});
}

/* The first partition is refused whoever it is asked with. */
static void
leaves_out_the_one_that_is_refused(void **state)
{
    struct setting *setting = *state;
    struct error err;
    for (int32_t partition = 0; partition < LANES; partition++)
        lead(setting, partition, 1);
    look(setting);
    rd_kafka_mock_push_request_errors(setting->mock.cluster, LIST_OFFSETS, 3,
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
    assert_false(kafka_offsets_ask(&setting->client, setting->list, NULL, TIMEOUT_MS, &err));
    assert_ends(setting, (const int64_t[]){RD_KAFKA_OFFSET_INVALID, 6, 7, 8});
    assert_int_equal(err.code, ERROR_REMOTE);
    assert_non_null(strstr(err.text, "orders[0] on 127.0.0.1:"));
    assert_non_null(strstr(err.text, "Not leader for partition"));
}

static void
names_how_many_are_refused(void **state)
{
    struct setting *setting = *state;
    struct error err;
    lead(setting, 1, -1);
    lead(setting, 2, -1);
    look(setting);
    assert_false(kafka_offsets_ask(&setting->client, setting->list, NULL, TIMEOUT_MS, &err));
    assert_ends(setting, (const int64_t[]){5, RD_KAFKA_OFFSET_INVALID, RD_KAFKA_OFFSET_INVALID, 8});
    assert_non_null(strstr(err.text, "orders[1] and 1 more on 127.0.0.1:"));
}

/* One broker is frozen and still the leader of its partitions. */
static void
does_not_wait_for_a_silent_leader_with_the_others(void **state)
{
    struct setting *setting = *state;
    struct error err;
    assert_int_equal(rd_kafka_mock_broker_set_rtt(setting->mock.cluster, 1, 60000), 0);
    for (int round = 0; round < 3; round++) { /* leaders are asked in another order each time */
        for (int i = 0; i < LANES; i++)
            setting->list->elems[i].offset = RD_KAFKA_OFFSET_END;
        assert_false(
            kafka_offsets_ask(&setting->client, setting->list, leader_of, TIMEOUT_MS, &err));
        assert_ends(
            setting, (const int64_t[]){RD_KAFKA_OFFSET_INVALID, RD_KAFKA_OFFSET_INVALID, 7, 8});
        assert_non_null(strstr(err.text, "orders[0] and 1 more on 127.0.0.1:"));
        assert_non_null(strstr(err.text, "broker 1 does not answer"));
    }
}

#define OFFSETS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        OFFSETS_TEST(replaces_words_by_offsets),
        OFFSETS_TEST(asks_in_halves_when_a_broker_refuses),
        OFFSETS_TEST(leaves_out_the_one_that_is_refused),
        OFFSETS_TEST(names_how_many_are_refused),
        OFFSETS_TEST(does_not_wait_for_a_silent_leader_with_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
