/* source_kafka: topics that are named, that an expression fits, that come, go and are made anew. */
#include <string.h>

#include "collectors/recorder.h"
#include "tests/support/collectors_kafka.h"
#include "tests/support/collectors_kafka_setting.h"
#include "tests/support/collectors_tape.h"
#include "tests/support/unit.h"

#define FETCH 1 /* the request, in Kafka's protocol */

static void
says_which_topics_there_are_when_one_is_missing(void **state)
{
    struct kafka_setting *setting = *state;
    struct error err;
    rd_kafka_mock_topic_set_error(
        setting->mock.cluster, "order", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    kafka_mock_topic(&setting->mock, "payments", 1);
    kafka_use_topics(setting, "orders,order");
    assert_null(kafka_try_start(setting, NULL, UNTIL_STOPPED, &err));
    assert_int_equal(error_exit_code(&err), 4);
    assert_non_null(strstr(err.text, "topic 'order' does not exist on 127.0.0.1:"));
    assert_non_null(strstr(err.text, "orders, payments"));
}

static void
records_the_topics_that_an_expression_fits(void **state)
{
    struct kafka_setting *setting = *state;
    kafka_mock_topic(&setting->mock, "orders-eu", 2);
    kafka_mock_topic(&setting->mock, "orders-us", 1);
    kafka_mock_topic(&setting->mock, "payments", 1);
    kafka_mock_topic(&setting->mock, "__orders-internal", 1);
    kafka_mock_send_many(&setting->mock, "orders-eu", 1, "m", 3);
    kafka_mock_send_many(&setting->mock, "orders-us", 0, "m", 4);
    kafka_mock_send_many(&setting->mock, "payments", 0, "m", 5);
    kafka_mock_send_many(&setting->mock, "__orders-internal", 0, "m", 6);
    kafka_mock_send_many(&setting->mock, "orders", 0, "m", 7);
    kafka_use_topics(setting, "^.*orders-,orders");
    kafka_record(setting, "beginning");

    struct taped taped;
    taped_read(&taped, setting->directory);
    assert_int_equal(taped.count, 14);
    assert_int_equal(taped_count(&taped, "shop/orders-eu", 1), 3);
    assert_int_equal(taped_count(&taped, "shop/orders-us", 0), 4);
    assert_int_equal(taped_count(&taped, "shop/orders", 0), 7);
    taped_done(&taped);
}

static void
records_a_topic_that_appears_from_its_beginning(void **state)
{
    struct kafka_setting *setting = *state;
    kafka_mock_send_many(&setting->mock, "orders", 0, "old", 3);
    kafka_use_topics(setting, "^orders");
    struct recorder *recorder = kafka_start(setting, "end", UNTIL_STOPPED);
    kafka_mock_send_many(&setting->mock, "orders", 0, "new", 2);
    wait_for_events(recorder, 2);
    kafka_mock_topic(&setting->mock, "orders-late", 2);
    kafka_mock_send_many(&setting->mock, "orders-late", 1, "m", 20);
    wait_for_events(recorder, 22);
    stop_recorder(recorder);

    /* And one that appears while nothing is recorded. */
    kafka_mock_topic(&setting->mock, "orders-later", 1);
    kafka_mock_send_many(&setting->mock, "orders-later", 0, "m", 5);
    kafka_record(setting, NULL);

    struct taped taped;
    taped_read(&taped, setting->directory);
    assert_int_equal(taped_count(&taped, "shop/orders", 0), 2);
    for (int64_t offset = 0; offset < 20; offset++)
        (void)taped_at(&taped, "shop/orders-late", 1, offset);
    assert_int_equal(taped_count(&taped, "shop/orders-later", 0), 5);
    taped_done(&taped);
}

static void
waits_for_a_first_topic_that_an_expression_fits(void **state)
{
    struct kafka_setting *setting = *state;
    kafka_use_topics(setting, "^shipping-[0-9]+$");
    struct recorder *recorder = kafka_start(setting, NULL, UNTIL_STOPPED);
    assert_non_null(strstr(tap_now(recorder, 0).error, "fits '^shipping-[0-9]+$' yet"));
    kafka_mock_topic(&setting->mock, "shipping-7", 1);
    kafka_mock_send_many(&setting->mock, "shipping-7", 0, "m", 2);
    wait_for_events(recorder, 2);
    stop_recorder(recorder);
}

/* The mock cannot delete a topic, but can answer as if it were not there. */
static void
hide(struct kafka_setting *setting, const char *topic)
{
    rd_kafka_mock_topic_set_error(
        setting->mock.cluster, topic, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    rd_kafka_mock_push_request_errors(
        setting->mock.cluster, FETCH, 1, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
}

static void
goes_on_when_a_topic_of_an_expression_goes_away(void **state)
{
    struct kafka_setting *setting = *state;
    kafka_mock_topic(&setting->mock, "orders-eu", 2);
    kafka_mock_send_many(&setting->mock, "orders-eu", 1, "m", 3);
    kafka_use_topics(setting, "^orders");
    struct recorder *recorder = kafka_start(setting, "beginning", UNTIL_STOPPED);
    wait_for_events(recorder, 3);
    hide(setting, "orders-eu");
    wait_for_text(recorder, 0, "topic 'orders-eu' is gone");
    assert_int_equal(tap_now(recorder, 0).state, TAP_LIVE);
    kafka_mock_send_many(&setting->mock, "orders", 0, "m", 4);
    wait_for_events(recorder, 7);
    assert_int_equal(tap_now(recorder, 0).state, TAP_LIVE);
    assert_int_equal(tap_now(recorder, 0).retries, 0);

    rd_kafka_mock_topic_set_error(setting->mock.cluster, "orders-eu", RD_KAFKA_RESP_ERR_NO_ERROR);
    kafka_mock_send_many(&setting->mock, "orders-eu", 1, "n", 2);
    wait_for_events(recorder, 9);
    wait_for_text(recorder, 0, "topic 'orders-eu' is there again");
    stop_recorder(recorder);
}

/* With this budget the events that are gone would take half a minute. */
static void
ends_when_what_it_has_not_read_is_gone(void **state)
{
    struct kafka_setting *setting = *state;
    static char kilobyte[1024];
    kafka_mock_topic(&setting->mock, "orders-eu", 1);
    for (int i = 0; i < 1000; i++)
        kafka_mock_send(&setting->mock, "orders-eu", 0, NULL, 0, kilobyte, sizeof(kilobyte), NULL);
    kafka_mock_send_many(&setting->mock, "orders", 1, "m", 3);
    kafka_use_topics(setting, "^orders");
    struct recorder *recorder = kafka_start_within(setting, UINT64_C(32) * 1024);
    hide(setting, "orders-eu");
    wait_for_finish(recorder);
    assert_true(tap_now(recorder, 0).events < 1000);
    stop_recorder(recorder);

    struct taped taped;
    taped_read(&taped, setting->directory);
    assert_int_equal(taped_count(&taped, "shop/orders", 1), 3);
    taped_done(&taped);
}

static void
records_a_topic_that_was_made_anew_as_another_stream(void **state)
{
    struct kafka_setting *setting = *state;
    kafka_mock_send_many(&setting->mock, "orders", 0, "old", 30);
    kafka_record(setting, "beginning");
    kafka_make_anew(setting, 1);
    kafka_mock_send_many(&setting->mock, "orders", 0, "new", 4);
    kafka_record(setting, NULL);
    kafka_mock_send_many(&setting->mock, "orders", 0, "newer", 40);
    kafka_record(
        setting, NULL); /* the new log is longer than the old one was: still the new stream */

    struct taped taped;
    struct hole hole;
    taped_read(&taped, setting->directory);
    assert_int_equal(taped_count(&taped, "shop/orders", 0), 30);
    assert_int_equal(taped_count(&taped, "shop/orders#2", 0), 44);
    assert_true(bytes_equal_text(taped_at(&taped, "shop/orders#2", 0, 0)->payload, "new0"));
    assert_int_equal(taped_holes(setting->directory, "shop/orders", 0, &hole, 1), 1);
    assert_int_equal(hole.from, 30);
    assert_int_equal(hole.to, -1);
    assert_int_equal(hole.reason, HOLE_RECREATED);
    taped_done(&taped);
}

static void
never_appends_a_longer_new_log_to_an_old_lane(void **state)
{
    struct kafka_setting *setting = *state;
    kafka_mock_send_many(&setting->mock, "orders", 0, "old", 30);
    kafka_mock_send_many(&setting->mock, "orders", 1, "old", 5);
    kafka_record(setting, "beginning");
    kafka_make_anew(setting, 1);
    kafka_mock_send_many(&setting->mock, "orders", 0, "new", 40);
    kafka_record(setting, NULL);

    struct taped taped;
    taped_read(&taped, setting->directory);
    assert_int_equal(taped_count(&taped, "shop/orders", 0), 30);
    assert_int_equal(taped_count(&taped, "shop/orders", 1), 5);
    assert_int_equal(taped_count(&taped, "shop/orders#2", 0), 40);
    assert_true(bytes_equal_text(taped_at(&taped, "shop/orders#2", 0, 39)->payload, "new39"));
    taped_done(&taped);
    struct hole hole;
    assert_int_equal(taped_holes(setting->directory, "shop/orders", 0, &hole, 1), 1);
    assert_int_equal(hole.from, 30);
    assert_int_equal(hole.to, -1);
}

static void
finds_a_new_log_that_ends_where_the_tape_does(void **state)
{
    struct kafka_setting *setting = *state;
    kafka_mock_send_many(&setting->mock, "orders", 0, "old", 30);
    kafka_record(setting, "beginning");
    kafka_make_anew(setting, 1);
    kafka_mock_send_many(&setting->mock, "orders", 0, "new", 30);
    kafka_record(setting, NULL);

    struct taped taped;
    taped_read(&taped, setting->directory);
    assert_int_equal(taped_count(&taped, "shop/orders", 0), 30);
    assert_int_equal(taped_count(&taped, "shop/orders#2", 0), 30);
    taped_done(&taped);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        KAFKA_TEST(says_which_topics_there_are_when_one_is_missing),
        KAFKA_TEST(records_the_topics_that_an_expression_fits),
        KAFKA_TEST(records_a_topic_that_appears_from_its_beginning),
        KAFKA_TEST(waits_for_a_first_topic_that_an_expression_fits),
        KAFKA_TEST(goes_on_when_a_topic_of_an_expression_goes_away),
        KAFKA_TEST(ends_when_what_it_has_not_read_is_gone),
        KAFKA_TEST(records_a_topic_that_was_made_anew_as_another_stream),
        KAFKA_TEST(never_appends_a_longer_new_log_to_an_old_lane),
        KAFKA_TEST(finds_a_new_log_that_ends_where_the_tape_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
