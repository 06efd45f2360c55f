#include "tests/support/collectors_kafka_setting.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/support/collectors_tape.h"
#include "tests/support/unit.h"

int
kafka_set_up(void **state)
{
    struct kafka_setting *setting = alloc_zeroed(sizeof(*setting));
    kafka_mock_start(&setting->mock, 1);
    kafka_mock_topic(&setting->mock, "orders", 3);
    setting->directory = temp_directory_new();
    setting->url = kafka_mock_url(&setting->mock, "orders");
    *state = setting;
    return 0;
}

int
kafka_tear_down(void **state)
{
    struct kafka_setting *setting = *state;
    kafka_mock_stop(&setting->mock);
    temp_directory_remove(setting->directory);
    free(setting->url);
    free(setting);
    return 0;
}

void
kafka_use_url(struct kafka_setting *setting, char *url)
{
    free(setting->url);
    setting->url = url;
}

void
kafka_use_topics(struct kafka_setting *setting, const char *topics)
{
    kafka_use_url(setting, kafka_mock_url(&setting->mock, topics));
}

void
kafka_make_anew(struct kafka_setting *setting, int brokers)
{
    kafka_mock_stop(&setting->mock);
    kafka_mock_start(&setting->mock, brokers);
    kafka_mock_topic(&setting->mock, "orders", 3);
    kafka_use_topics(setting, "orders");
}

static struct recorder *
start_tap(struct kafka_setting *setting, const struct recorder_tap *tap, enum recorder_until until,
    struct error *err)
{
    struct recorder_options options = {
        .directory = setting->directory,
        .taps = tap,
        .tap_count = 1,
        .until = until,
    };
    return recorder_start(&options, err);
}

struct recorder *
kafka_try_start(
    struct kafka_setting *setting, const char *from, enum recorder_until until, struct error *err)
{
    struct recorder_tap tap = {.name = "shop", .url = setting->url, .from = from};
    return start_tap(setting, &tap, until, err);
}

struct recorder *
kafka_start(struct kafka_setting *setting, const char *from, enum recorder_until until)
{
    struct error err;
    struct recorder *recorder = kafka_try_start(setting, from, until, &err);
    assert_ok(recorder != NULL);
    return recorder;
}

struct recorder *
kafka_start_within(struct kafka_setting *setting, uint64_t bytes_per_second)
{
    struct error err;
    struct recorder_tap tap = {.name = "shop",
        .url = setting->url,
        .from = "beginning",
        .max_bytes_per_second = bytes_per_second};
    struct recorder *recorder = start_tap(setting, &tap, UNTIL_END, &err);
    assert_ok(recorder != NULL);
    return recorder;
}

void
kafka_record(struct kafka_setting *setting, const char *from)
{
    struct recorder *recorder = kafka_start(setting, from, UNTIL_END);
    wait_for_finish(recorder);
    stop_recorder(recorder);
}

void
kafka_expect_refused(struct kafka_setting *setting, const char *from, int code, const char *words)
{
    struct error err;
    assert_null(kafka_try_start(setting, from, UNTIL_END, &err));
    if (strstr(err.text, words) == NULL)
        fail_msg("'%s' is not in: %s", words, err.text);
    assert_int_equal(error_exit_code(&err), code);
}
