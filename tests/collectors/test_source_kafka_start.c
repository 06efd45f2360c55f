/* source_kafka: where a lane is read from, on a new tape and on one that has events of it. */
#include "collectors/recorder.h"
#include "tests/support/collectors_kafka.h"
#include "tests/support/collectors_kafka_setting.h"
#include "tests/support/collectors_tape.h"
#include "tests/support/unit.h"

static void
goes_on_where_the_tape_ends(void **state)
{
    struct kafka_setting *setting = *state;
    for (int round = 0; round < 3; round++) {
        kafka_mock_send_many(&setting->mock, "orders", 0, "m", 40);
        kafka_mock_send_many(&setting->mock, "orders", 1, "m", 1);
        kafka_record(setting, round == 0 ? "beginning" : NULL);
    }
    struct taped taped;
    taped_read(&taped, setting->directory);
    assert_int_equal(taped.count, 123);
    for (int64_t offset = 0; offset < 120; offset++)
        (void)taped_at(&taped, "shop/orders", 0, offset);
    struct hole hole;
    assert_int_equal(taped_holes(setting->directory, "shop/orders", 0, &hole, 1), 0);
    taped_done(&taped);
}

static void
records_nothing_twice_when_asked_for_the_beginning_again(void **state)
{
    struct kafka_setting *setting = *state;
    kafka_mock_send_many(&setting->mock, "orders", 0, "m", 10);
    kafka_record(setting, "beginning");
    kafka_record(setting, "beginning");
    struct taped taped;
    taped_read(&taped, setting->directory);
    assert_int_equal(taped.count, 10);
    taped_done(&taped);
}

static void
names_what_was_there_before_it_began_at_the_end(void **state)
{
    struct kafka_setting *setting = *state;
    kafka_mock_send_many(&setting->mock, "orders", 0, "old", 10);
    struct recorder *recorder = kafka_start(setting, NULL, UNTIL_STOPPED);
    kafka_mock_send_many(&setting->mock, "orders", 0, "new", 2);
    wait_for_events(recorder, 2);
    stop_recorder(recorder);

    struct taped taped;
    taped_read(&taped, setting->directory);
    assert_int_equal(taped.count, 2);
    assert_true(bytes_equal_text(taped_at(&taped, "shop/orders", 0, 10)->payload, "new0"));
    taped_done(&taped);
    struct hole hole;
    assert_int_equal(taped_holes(setting->directory, "shop/orders", 0, &hole, 1), 1);
    assert_int_equal(hole.from, 0);
    assert_int_equal(hole.to, 9);
    assert_int_equal(hole.reason, HOLE_NOT_RECORDED);
}

static void
misses_nothing_after_a_start_at_the_end_without_events(void **state)
{
    struct kafka_setting *setting = *state;
    kafka_mock_send_many(&setting->mock, "orders", 0, "old", 10);
    struct recorder *recorder = kafka_start(setting, NULL, UNTIL_STOPPED);
    stop_recorder(recorder);
    kafka_mock_send_many(&setting->mock, "orders", 0, "between", 3);
    kafka_mock_send_many(&setting->mock, "orders", 1, "between", 4);
    kafka_record(setting, NULL);

    struct taped taped;
    taped_read(&taped, setting->directory);
    assert_int_equal(taped_count(&taped, "shop/orders", 0), 3);
    assert_int_equal(taped_count(&taped, "shop/orders", 1), 4);
    taped_done(&taped);
}

static void
begins_at_the_offsets_that_are_named(void **state)
{
    struct kafka_setting *setting = *state;
    for (int32_t partition = 0; partition < 3; partition++)
        kafka_mock_send_many(&setting->mock, "orders", partition, "m", 10);
    kafka_record(setting, "orders[0]@7,orders[2]@0");
    for (int32_t partition = 0; partition < 3; partition++)
        kafka_mock_send_many(&setting->mock, "orders", partition, "m", 5);
    kafka_record(setting, "0=3,1=12"); /* known lanes go on where the tape ends, or later */

    struct taped taped;
    struct hole hole;
    taped_read(&taped, setting->directory);
    assert_int_equal(taped_count(&taped, "shop/orders", 0), 8);
    assert_int_equal(taped_count(&taped, "shop/orders", 1), 3);
    assert_int_equal(taped_count(&taped, "shop/orders", 2), 15);
    (void)taped_at(&taped, "shop/orders", 0, 7);
    (void)taped_at(&taped, "shop/orders", 1, 12);
    taped_done(&taped);
    assert_int_equal(taped_holes(setting->directory, "shop/orders", 0, &hole, 1), 1);
    assert_int_equal(hole.from, 0);
    assert_int_equal(hole.to, 6);
    assert_int_equal(hole.reason, HOLE_NOT_RECORDED);
}

static void
refuses_offsets_that_are_not_there(void **state)
{
    struct kafka_setting *setting = *state;
    kafka_mock_send_many(&setting->mock, "orders", 0, "m", 10);
    kafka_expect_refused(
        setting, "3=1", 2, "partition 3 of topic 'orders', which has partitions 0 to 2");
    kafka_expect_refused(setting, "order[0]@1", 2, "has no such topic");
    kafka_expect_refused(setting, "0=11", 4, "ends at 10, before offset 11 that from names");
    kafka_expect_refused(setting, "orders[0]", 2, "expected TOPIC[PARTITION]@OFFSET");
    kafka_use_topics(setting, "orders,payments");
    kafka_expect_refused(setting, "0=5", 2, "write TOPIC[0]@5");
}

/* The mock keeps about 5 MB of a partition: more than that moves the log start. */
static void
names_what_the_broker_deleted_before_it_was_read(void **state)
{
    struct kafka_setting *setting = *state;
    static char large[512 * 1024];
    kafka_mock_send_many(&setting->mock, "orders", 0, "m", 3);
    kafka_record(setting, "beginning");
    for (int i = 0; i < 30; i++)
        kafka_mock_send(&setting->mock, "orders", 0, NULL, 0, large, sizeof(large), NULL);
    kafka_record(setting, NULL);

    struct taped taped;
    struct hole hole;
    taped_read(&taped, setting->directory);
    assert_int_equal(taped_holes(setting->directory, "shop/orders", 0, &hole, 1), 1);
    assert_int_equal(hole.reason, HOLE_RETENTION);
    assert_int_equal(hole.from, 3);
    assert_true(hole.to > 3 && hole.to < 32);
    assert_int_equal(taped.count, 3 + 32 - (size_t)hole.to);
    (void)taped_at(&taped, "shop/orders", 0, hole.to + 1);
    (void)taped_at(&taped, "shop/orders", 0, 32);
    taped_done(&taped);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        KAFKA_TEST(goes_on_where_the_tape_ends),
        KAFKA_TEST(records_nothing_twice_when_asked_for_the_beginning_again),
        KAFKA_TEST(names_what_was_there_before_it_began_at_the_end),
        KAFKA_TEST(misses_nothing_after_a_start_at_the_end_without_events),
        KAFKA_TEST(begins_at_the_offsets_that_are_named),
        KAFKA_TEST(refuses_offsets_that_are_not_there),
        KAFKA_TEST(names_what_the_broker_deleted_before_it_was_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
