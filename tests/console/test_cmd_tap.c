/* `tapedeck tap list` and `tap test`, the real program against librdkafka's mock cluster. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "index/live.h"
#include "index/tape_writer.h"
#include "tests/support/console_program.h"
#include "tests/support/unit.h"

struct setting {
    struct program program;
    rd_kafka_t *rk; /* the mock needs one */
    rd_kafka_mock_cluster_t *cluster;
    char *directory;
    char *config;
};

static int
set_up(void **state)
{
    struct setting *setting = alloc_zeroed(sizeof(*setting));
    char why[256];
    setting->rk = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), why, sizeof(why));
    assert_non_null(setting->rk);
    setting->cluster = rd_kafka_mock_cluster_new(setting->rk, 1);
    rd_kafka_mock_topic_create(setting->cluster, "orders", 3, 1);
    setting->directory = temp_directory_new();
    setting->config = alloc_format("%s/tapedeck.conf", setting->directory);
    *state = setting;
    return 0;
}

static int
tear_down(void **state)
{
    struct setting *setting = *state;
    program_done(&setting->program);
    rd_kafka_mock_cluster_destroy(setting->cluster);
    rd_kafka_destroy(setting->rk);
    temp_directory_remove(setting->directory);
    free(setting->config);
    free(setting);
    return 0;
}

/* Run `tapedeck COMMAND... --config`, with this tap as [tap.shop]. */
static void
run(struct setting *setting, const char *topics, const char *command, const char *argument)
{
    struct error err;
    char *text = alloc_format("[tap.shop]\nbrokers = %s\ntopics = %s\nmax_bytes_per_second = 5M\n"
                              "isolation = read_uncommitted\n"
                              "mode = group\ngroup = recorders\n"
                              "kafka.sasl.password = env:NOT_THERE_FOR_LIST\n",
        rd_kafka_mock_cluster_bootstraps(setting->cluster), topics);
    assert_ok(file_replace(setting->config, text, strlen(text), &err));
    free(text);
    const char *arguments[] = {"tap", command, "--config", setting->config, argument, NULL};
    program_start(&setting->program, setting->directory, arguments,
        strcmp(command, "test") == 0 ? (const char *const[]){"NOT_THERE_FOR_LIST=x", NULL} : NULL);
    program_finish(&setting->program);
}

static void
assert_says(struct buffer *said, const char *text)
{
    if (strstr(buffer_text(said), text) == NULL)
        fail_msg("'%s' is not in: %s", text, buffer_text(said));
}

static void
lists_taps_without_looking_at_secrets(void **state)
{
    struct setting *setting = *state;
    run(setting, "orders", "list", "--json");
    assert_int_equal(setting->program.code, 0);
    assert_says(&setting->program.out, "{\"v\":1,\"tap\":\"shop\",\"url\":\"kafka://127.0.0.1:");
    assert_says(&setting->program.out,
        "/orders\",\"from\":\"resume\",\"max_bytes_per_second\":\"5242880\","
        "\"isolation\":\"read_uncommitted\",\"mode\":\"group\",\"group\":\"recorders\",\"state\":"
        "null,");
}

static void
lists_what_taps_cost_and_a_full_disk_as_the_reason_of_every_tap(void **state)
{
    struct setting *setting = *state;
    struct error err;
    char *tape = alloc_format("%s/tape", setting->directory);
    char *option = alloc_format("--tape=%s", tape);
    struct tape_writer *writer = tape_writer_open(tape, NULL, &err);
    assert_non_null(writer);
    struct live *live = live_create(tape, &err);
    assert_non_null(live);
    struct live_status *status = alloc_zeroed(sizeof(*status));
    status->pid = getpid();
    status->started_ns = status->published_ns = clock_now_ns();
    status->tap_count = 2;
    status->taps[1] = (struct live_tap){
        .name = "kafka", .url = "kafka://host/elsewhere", .state = TAP_LIVE, .wire_bytes = -1};
    status->taps[0] = (struct live_tap){
        .name = "shop", .state = TAP_LIVE, .error = "the tape is behind: 7 messages dropped"};
    status->taps[0].wire_bytes = 123456789012;
    status->taps[0].wire_bytes_per_second = 4300000;
    status->disk_full = 1;
    live_publish(live, status);

    run(setting, "orders", "list", option);
    assert_int_equal(setting->program.code, 0);
    assert_says(
        &setting->program.out, "-> the disk is full: nothing is taken until there is room\n");
    assert_says(&setting->program.out, "   123.5 GB     4.3 MB/s  kafka://");
    assert_says(&setting->program.out, "at most 5.2 MB/s");
    assert_says(&setting->program.out, "kafka://host/elsewhere\n");

    program_done(&setting->program);
    const char *arguments[] = {"tap", "list", "--json", option, NULL};
    program_start(&setting->program, setting->directory, arguments, NULL);
    program_finish(&setting->program);
    assert_says(&setting->program.out,
        "{\"v\":1,\"tap\":\"kafka\",\"url\":\"kafka://host/elsewhere\",\"from\":null,"
        "\"max_bytes_per_second\":null,\"isolation\":null,\"mode\":null,\"group\":null,"
        "\"state\":\"live\",");
    free(status);
    live_close(live);
    tape_writer_close(writer);
    free(option);
    free(tape);
}

static void
finds_nothing_wrong_with_a_good_tap(void **state)
{
    struct setting *setting = *state;
    run(setting, "orders", "test", "shop");
    assert_says(&setting->program.out, "ok    connect");
    assert_says(&setting->program.out, "ok    topic    topic 'orders' has partitions: 3");
    assert_says(&setting->program.out, "ok    read     orders[0] can be read");
    assert_int_equal(setting->program.code, 0);
}

static void
looks_at_what_an_expression_fits(void **state)
{
    struct setting *setting = *state;
    run(setting, "^ord", "test", "shop");
    assert_says(&setting->program.out, "ok    read     orders[0] can be read");
    assert_says(&setting->program.out, "ok    pattern  topics that the expressions fit: 1");
    assert_int_equal(setting->program.code, 0);
}

static void
says_how_to_allow_what_is_not_allowed(void **state)
{
    struct setting *setting = *state;
    rd_kafka_mock_topic_set_error(
        setting->cluster, "orders", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    run(setting, "orders", "test", "shop");
    assert_says(&setting->program.out, "bad   topic    topic 'orders' may not be read");
    assert_says(&setting->program.out, "-> let the broker's owner allow it: kafka-acls");
    assert_int_equal(setting->program.code, 5);
}

static void
names_the_nearest_tap(void **state)
{
    struct setting *setting = *state;
    run(setting, "orders", "test", "shpo");
    assert_says(&setting->program.err, "no tap 'shpo'; the nearest is 'shop'");
    assert_int_equal(setting->program.code, 2);
}

static void
says_where_the_way_to_a_broker_ends(void **state)
{
    struct setting *setting = *state;
    run(setting, "orders", "test", "kafka://127.0.0.1:1/orders");
    assert_says(&setting->program.out, "ok    name");
    assert_says(&setting->program.out, "bad   connect  connection refused");
    assert_says(&setting->program.out, "-     answer   not reached");
    assert_int_equal(setting->program.code, 4);
}

#define TAP_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TAP_TEST(lists_taps_without_looking_at_secrets),
        TAP_TEST(lists_what_taps_cost_and_a_full_disk_as_the_reason_of_every_tap),
        TAP_TEST(finds_nothing_wrong_with_a_good_tap),
        TAP_TEST(looks_at_what_an_expression_fits),
        TAP_TEST(says_how_to_allow_what_is_not_allowed),
        TAP_TEST(names_the_nearest_tap),
        TAP_TEST(says_where_the_way_to_a_broker_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
