#include <stdlib.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/file.h"
#include "console/config.h"
#include "console/config_taps.h"
#include "tests/support/unit.h"

struct fixture {
    char *directory;
    char *path;
};

static int
set_up(void **state)
{
    struct fixture *fixture = alloc_zeroed(sizeof(*fixture));
    fixture->directory = temp_directory_new();
    fixture->path = alloc_format("%s/tapedeck.conf", fixture->directory);
    *state = fixture;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *fixture = *state;
    temp_directory_remove(fixture->directory);
    free(fixture->path);
    free(fixture);
    return 0;
}

static void
write_bytes(const char *path, const void *data, size_t length)
{
    struct error err;
    assert_ok(file_replace(path, data, length, &err));
}

static bool
load(const struct fixture *fixture, const char *text, struct config *config, struct error *err)
{
    write_bytes(fixture->path, text, strlen(text));
    return config_load(fixture->path, config, err);
}

/* "PATH:" + `place` + ": " + text must be the beginning of the message. */
static void
expect_error(const struct fixture *fixture, const char *text, const char *message)
{
    struct config config;
    struct error err = {0};
    if (load(fixture, text, &config, &err)) {
        config_free(&config);
        fail_msg("accepted: %s", text);
    }
    assert_int_equal(err.code, ERROR_CONFIG);
    char *expected = alloc_format("%s:%s", fixture->path, message);
    assert_string_equal(err.text, expected);
    free(expected);
}

static void
reads_what_it_knows(void **state)
{
    struct config config;
    struct config_taps taps;
    struct error err;
    assert_ok(load(*state,
        "# ours\n"
        "[tape]\n"
        "directory = /var/lib/tapedeck\n"
        "durability = each ; slow\n"
        "journal_bytes = 8M\n"
        "min_free = 5%\n"
        "keep_bytes = 2G\n"
        "keep_age = 2d\n"
        "compression = lz4\n"
        "[tap.shop]\n"
        "type = kafka\n"
        "brokers = a:9092, b:9092\n"
        "topics = orders\n"
        "  payments\n"
        "from = beginning\n"
        "kafka.security.protocol = SASL_SSL\n"
        "[tap.prices]\n"
        "url = zmq://127.0.0.1:5556/EUR\n"
        "[stream.orders]\n"
        "id = header:message-id\n"
        "correlation = header:order id\n"
        "[target.staging]\n"
        "brokers = staging:9092\n"
        "topic = orders-copy\n",
        &config, &err));
    assert_string_equal(config.tape.directory, "/var/lib/tapedeck");
    assert_int_equal(config.tape.writer.durability, DURABILITY_EACH);
    assert_true(config.tape.writer.journal_bytes == UINT64_C(8) * 1024 * 1024);
    assert_float_equal(config.tape.writer.min_free, 0.05, 1e-9);

    assert_true(config.tape.writer.retention.keep_bytes == UINT64_C(2) << 30);
    assert_true(config.tape.writer.retention.keep_age_ns == INT64_C(2) * 86400 * 1000000000);
    assert_int_equal(config.tape.writer.codec, BLOCK_LZ4);
    const struct places *places = config.tape.writer.places;
    assert_int_equal(places->count, 1);
    assert_string_equal(places->rows[0].stream, "orders");
    assert_string_equal(places->rows[0].header[PLACE_ID], "message-id");
    assert_string_equal(places->rows[0].header[PLACE_CORRELATION], "order id");

    assert_ok(config_taps(&config, &taps, &err));
    assert_int_equal(taps.count, 2);
    assert_string_equal(taps.taps[0].name, "shop");
    assert_string_equal(taps.taps[0].url, "kafka://a:9092,b:9092/orders,payments");
    assert_string_equal(taps.taps[0].from, "beginning");
    assert_int_equal(taps.taps[0].property_count, 1);
    assert_string_equal(taps.taps[0].properties[0].name, "security.protocol");
    assert_string_equal(taps.taps[0].properties[0].value, "SASL_SSL");
    assert_string_equal(taps.taps[1].url, "zmq://127.0.0.1:5556/EUR");
    assert_null(taps.taps[1].from);
    config_taps_done(&taps);

    assert_ok(config_target(&config, "staging", &taps, &err));
    assert_string_equal(taps.taps[0].url, "kafka://staging:9092/orders-copy");
    config_taps_done(&taps);
    assert_false(config_target(&config, "stagign", &taps, &err));
    assert_string_equal(err.text, "no target 'stagign'; the nearest is 'staging'");
    config_free(&config);
}

static void
names_the_nearest_section_and_key(void **state)
{
    expect_error(*state, "\n[tpae]\n", "2:2: unknown section 'tpae'; the nearest is [tape]");
    expect_error(*state, "[taps.a]\n", "1:2: unknown section 'taps'; the nearest is [tap.NAME]");
    expect_error(*state, "[tape]\n  durabilty = each\n",
        "2:3: unknown key 'durabilty' in [tape]; the nearest is 'durability'");
    expect_error(*state, "[tap.a]\nkafkka.x = 1\n",
        "2:1: unknown key 'kafkka.x' in [tap]; the nearest is 'kafka.PROPERTY'");
    expect_error(*state, "[tap.a]\nkafka. = 1\n",
        "2:1: unknown key 'kafka.' in [tap]; the nearest is 'kafka.PROPERTY'");
}

static void
refuses_sections_that_are_wrong(void **state)
{
    expect_error(*state, "[tap]\n",
        "1:2: a name of letters, digits, '-', '_' and '.' is needed, as in [tap.NAME], not ''");
    expect_error(*state, "[tape.x]\n", "1:2: the section is [tape], without a name");
    expect_error(
        *state, "[tap.a]\nurl=zmq://h:1/\n[tap.a]\n", "3:2: this section already begins at line 1");
    expect_error(*state, "[tape\n", "1:1: a section is [NAME]; the ']' is missing");
    expect_error(*state, "[tape] x\n", "1:8: nothing may stand behind the section");
    expect_error(*state, "[mask.cards]\n",
        "1:2: masking is not available in this version: payloads would be recorded as they are;"
        " remove 'mask'");
    expect_error(
        *state, "directory = /x\n", "1:1: a section like [tap.NAME] must stand before 'directory'");
}

static void
refuses_lines_that_are_wrong(void **state)
{
    expect_error(*state, "[tape]\njust words\n", "2:1: expected KEY = VALUE or [SECTION]");
    expect_error(*state, "[tape]\ndirectory = /a\ndirectory = /b\n",
        "3:1: this section has two values for 'directory'");
    char line[400];
    (void)snprintf(line, sizeof(line), "[tape]\ndirectory = /%0300d\n", 0);
    expect_error(
        *state, line, "2:1: the line is too long; go on with the value in indented lines below it");
}

static void
refuses_values_that_are_wrong(void **state)
{
    expect_error(*state, "[tape]\ndirectory = here\n",
        "2:13: directory takes an absolute path or one that begins with ~/, not 'here'");
    expect_error(*state, "[tape]\ndurability = often\n",
        "2:14: durability takes kernel, interval or each, not 'often'");
    expect_error(*state, "[tape]\njournal_bytes = 12\n",
        "2:17: journal_bytes takes a size from 1M to 32G, like 64M, not '12'");
    expect_error(*state, "[tape]\njournal_bytes = 99999999999G\n",
        "2:17: journal_bytes takes a size from 1M to 32G, like 64M, not '99999999999G'");
    expect_error(*state, "[tape]\njournal_bytes = 33G\n",
        "2:17: journal_bytes takes a size from 1M to 32G, like 64M, not '33G'");
    expect_error(*state, "[tape]\nmin_free = nan%\n",
        "2:12: min_free takes a share of the disk from 0% to 90%, like 2%, not 'nan%'");
    expect_error(*state, "[tape]\nkeep_age = 7\n",
        "2:12: keep_age takes a length of time from 1m on, like 7d, not '7'");
    expect_error(
        *state, "[tape]\ncompression = gzip\n", "2:15: compression takes zstd or lz4, not 'gzip'");
    expect_error(*state, "[tap.a]\ntype = kafak\n",
        "2:8: unknown type 'kafak' (kafka, zeromq); the nearest is kafka");
    expect_error(*state, "[tap.a]\nurl = kafka://h/t\nfrom = tomorrow\n",
        "3:8: from takes resume, beginning, end, a time or offsets, not 'tomorrow'");
    expect_error(*state, "[tap.a]\nurl = kafka://h/t\nfrom = 0=12, t[1]\n",
        "3:8: from: 't[1]' is not an offset to begin at; expected TOPIC[PARTITION]@OFFSET, or "
        "PARTITION=OFFSET of one topic");
    expect_error(*state, "[tap.a]\nurl = zmq://h:1\nfrom = 0=12\n",
        "3:8: zeromq has no offsets to begin at");
    expect_error(
        *state, "[stream.a]\nid = message-id\n", "2:6: id takes header:NAME, not 'message-id'");
}

/* Nothing in the configuration is taken and then left alone. */
static void
refuses_places_that_are_not_looked_in(void **state)
{
    expect_error(*state, "[stream.a]\nid = value:$.id\n",
        "2:6: id cannot be looked up in payloads in this version; name a header (header:NAME), "
        "and ask for members of the payload with value.PATH=");
    expect_error(*state, "[stream.a]\ntime = header:at\n",
        "2:1: 'time' cannot be taken from an event in this version: events have the time of the "
        "transport, else when they were received");
}

static void
refuses_taps_that_say_too_little_or_too_much(void **state)
{
    expect_error(*state, "[tap.a]\n", "1:1: [tap.a] needs url, or brokers and topics");
    expect_error(*state, "[tap.a]\nbrokers = h\n", "1:1: [tap.a] needs url, or brokers and topics");
    expect_error(
        *state, "[target.a]\ntype = kafka\n", "1:1: [target.a] needs url, or brokers and topic");
    expect_error(*state, "[tap.a]\nurl = kafka://h/t\nbrokers = h\n",
        "3:1: brokers cannot stand beside url (line 2)");
    expect_error(*state, "[tap.a]\ntype = zeromq\nurl = kafka://h/t\n",
        "3:7: the url is not one of type zeromq (line 2)");
    expect_error(*state, "[tap.a]\nurl = zmq://h:1/\nkafka.x = 1\n",
        "3:1: 'kafka.x' has no meaning for zeromq");
}

static void
refuses_zero_bytes(void **state)
{
    const struct fixture *fixture = *state;
    struct config config;
    struct error err;
    write_bytes(fixture->path, "[tape]\ndir\0ectory\n", 18);
    assert_false(config_load(fixture->path, &config, &err));
    assert_non_null(strstr(err.text, ":2:4: a zero byte in the text"));
}

static void
needs_the_file_that_was_named(void **state)
{
    const struct fixture *fixture = *state;
    struct config config;
    struct error err;
    assert_false(config_load(fixture->path, &config, &err));
    assert_int_equal(err.code, ERROR_CONFIG);
    assert_false(config_load(fixture->directory, &config, &err));
    assert_int_equal(err.code, ERROR_CONFIG);
}

static void
goes_without_a_file_that_nobody_named(void **state)
{
    const struct fixture *fixture = *state;
    struct config config;
    struct config_taps taps;
    struct error err;
    assert_int_equal(
        setenv("XDG_CONFIG_HOME", fixture->directory, 1), 0); /* NOLINT(concurrency-mt-unsafe) */
    assert_ok(config_load(NULL, &config, &err));
    assert_null(config.path);
    assert_null(config.tape.directory);
    assert_ok(config_taps(&config, &taps, &err));
    assert_int_equal(taps.count, 0);
    config_taps_done(&taps);
    config_free(&config);
    assert_int_equal(unsetenv("XDG_CONFIG_HOME"), 0); /* NOLINT(concurrency-mt-unsafe) */
}

static void
expect_caret(const struct fixture *fixture, const char *text, const char *expected)
{
    struct config config;
    struct error err;
    assert_false(load(fixture, text, &config, &err));
    struct buffer caret = {0};
    config_append_caret(&caret, &err);
    assert_string_equal(buffer_text(&caret), expected);
    buffer_done(&caret);
}

static void
draws_the_line_with_a_caret(void **state)
{
    expect_caret(*state, "[tape]\ndurability = often\n",
        "    durability = often\n"
        "                 ^\n");
    expect_caret(*state, "[tape]\n\xC3\xA4\x1b = 1\n",
        "    \xC3\xA4\\x1b = ...\n"
        "    ^\n");
}

static void
hides_values_where_a_key_is_wrong(void **state)
{
    expect_caret(*state, "[tap.a]\n kafka_sasl.password = hunter2\n",
        "     kafka_sasl.password = ...\n"
        "     ^\n");
}

/* The value of kafka.sasl.password of a tap with `value`, or the error. */
static char *
resolve(const struct fixture *fixture, const char *value, struct error *err)
{
    struct config config;
    struct config_taps taps;
    char *text = alloc_format("[tap.a]\nurl = kafka://h/t\nkafka.sasl.password = %s\n", value);
    if (!load(fixture, text, &config, err))
        fail_msg("%s", err->text);
    free(text);
    char *found = NULL;
    if (config_taps(&config, &taps, err)) {
        assert_int_equal(taps.taps[0].property_count, 1);
        found = alloc_text(taps.taps[0].properties[0].value);
        config_taps_done(&taps);
    }
    config_free(&config);
    return found;
}

static void
fetches_secrets_from_where_they_are(void **state)
{
    const struct fixture *fixture = *state;
    struct error err;
    char *path = alloc_format("%s/secret", fixture->directory);
    char *value = alloc_format("file:%s", path);
    write_bytes(path, "from file\n", 10);
    int failed = setenv("TAPEDECK_TEST_SECRET", "from env", 1); /* NOLINT(concurrency-mt-unsafe) */
    assert_int_equal(failed, 0);

    char *found = resolve(fixture, "env:TAPEDECK_TEST_SECRET", &err);
    assert_string_equal(found, "from env");
    free(found);
    found = resolve(fixture, value, &err);
    assert_string_equal(found, "from file");
    free(found);
    found = resolve(fixture, "cmd:printf 'from %s' command", &err);
    assert_string_equal(found, "from command");
    free(found);
    found = resolve(fixture, "as it stands", &err);
    assert_string_equal(found, "as it stands");
    free(found);
    free(value);
    free(path);
}

static void
names_a_secret_that_is_not_there(void **state)
{
    const struct fixture *fixture = *state;
    struct error err;
    assert_null(resolve(fixture, "env:TAPEDECK_TEST_NOT_SET", &err));
    assert_int_equal(err.code, ERROR_CONFIG);
    assert_non_null(strstr(err.text, ":3:1: kafka.sasl.password of [tap.a]: environment variable "
                                     "TAPEDECK_TEST_NOT_SET is not set"));
    assert_null(resolve(fixture, "file:/nowhere/at/all", &err));
    assert_int_equal(err.code, ERROR_CONFIG);
    assert_non_null(strstr(err.text, "/nowhere/at/all"));
    assert_null(resolve(fixture, "cmd:exit 3", &err));
    assert_non_null(strstr(err.text, "cmd:exit 3 ended with exit code 3"));
    assert_null(resolve(fixture, "cmd:true", &err));
    assert_non_null(strstr(err.text, "cmd:true gave nothing"));
    assert_null(resolve(fixture, "cmd:head -c 100000 /dev/zero", &err));
    assert_non_null(strstr(err.text, "gave more than 65536 bytes"));
}

static void
reads_the_isolation_of_a_tap(void **state)
{
    const struct fixture *fixture = *state;
    struct config config;
    struct config_taps taps;
    struct error err;
    assert_ok(load(fixture,
        "[tap.a]\nurl = kafka://h/orders\nisolation = read_uncommitted\n"
        "[tap.b]\nurl = kafka://h/orders\nkafka.isolation.level = read_uncommitted\n"
        "[tap.c]\nurl = kafka://h/orders\nkafka.isolation.level = env:LEVEL\n",
        &config, &err));
    config_taps_without_secrets(&config, &taps);
    assert_string_equal(taps.taps[0].isolation, "read_uncommitted");
    assert_string_equal(taps.taps[1].isolation, "read_uncommitted");
    assert_null(taps.taps[2].isolation);
    config_taps_done(&taps);
    config_free(&config);
    expect_error(fixture, "[tap.a]\nurl = kafka://h/t\nisolation = none\n",
        "3:13: isolation takes read_committed or read_uncommitted, not 'none'");
    expect_error(fixture,
        "[tap.a]\nurl = kafka://h/t\nisolation = read_committed\n"
        "kafka.isolation.level = read_committed\n",
        "4:1: kafka.isolation.level cannot stand beside isolation (line 3)");
    expect_error(fixture, "[tap.a]\nurl = zmq://h:1\nisolation = read_committed\n",
        "3:1: 'isolation' has no meaning for zeromq");
}

static void
reads_the_budget_of_a_tap(void **state)
{
    const struct fixture *fixture = *state;
    struct config config;
    struct config_taps taps;
    struct error err;
    assert_ok(load(fixture, "[tap.shop]\nurl = kafka://h/^orders-.*\nmax_bytes_per_second = 5M\n",
        &config, &err));
    config_taps_without_secrets(&config, &taps);
    assert_int_equal(taps.count, 1);
    assert_int_equal(taps.taps[0].max_bytes_per_second, 5 * 1024 * 1024);
    config_taps_done(&taps);
    config_free(&config);
    expect_error(fixture, "[tap.shop]\nurl = kafka://h/orders\nmax_bytes_per_second = 100\n",
        "3:24: max_bytes_per_second takes a size from 1K on, like 5M, not '100'");
    expect_error(fixture, "[tap.shop]\nurl = zmq://h:1\nmax_bytes_per_second = 5M\n",
        "3:1: 'max_bytes_per_second' has no meaning for zeromq: what is not read in time is lost");
}

static void
makes_a_tap_a_member_of_the_group_that_is_named(void **state)
{
    const struct fixture *fixture = *state;
    struct config config;
    struct config_taps taps;
    struct error err;
    assert_ok(load(fixture,
        "[tap.a]\nurl = kafka://h/orders\nmode = group\ngroup = recorders\n"
        "[tap.b]\nurl = kafka://h/orders\nmode = watch\n",
        &config, &err));
    config_taps_without_secrets(&config, &taps);
    assert_string_equal(taps.taps[0].group, "recorders");
    assert_null(taps.taps[1].group);
    config_taps_done(&taps);
    config_free(&config);
    expect_error(fixture, "[tap.a]\nurl = kafka://h/t\nmode = member\n",
        "3:8: mode takes watch or group, not 'member'");
    expect_error(fixture, "[tap.a]\nurl = kafka://h/t\nmode = group\n",
        "3:8: mode = group needs group = NAME, the name of a consumer group for recorders only");
    expect_error(fixture, "[tap.a]\nurl = kafka://h/t\ngroup = g\n",
        "3:1: group needs mode = group: then offsets of that group are committed");
    expect_error(fixture, "[tap.a]\nurl = kafka://h/t\nmode = group\ngroup =\n",
        "4:8: group takes a name of 1 to 249 bytes, not ''");
    expect_error(fixture, "[tap.a]\nurl = zmq://h:1\nmode = group\ngroup = g\n",
        "3:1: 'mode' has no meaning for zeromq");
}

static void
gives_a_zeromq_tap_its_properties_and_counter(void **state)
{
    struct config config;
    struct config_taps taps;
    struct error err;
    assert_ok(load(*state,
        "[tap.a]\n"
        "url = zmq+bind://*:5556/x\n"
        "sequence = frame:-1:le\n"
        "zeromq.plain_username = deck\n"
        "zeromq.plain_password = cmd:echo s3cret\n"
        "[metrics]\n"
        "listen = 127.0.0.1:9464\n"
        "[lag]\n"
        "interval = 30s\n"
        "groups = shop-*\n",
        &config, &err));
    assert_int_equal(config.lag.interval_ns / NS_PER_S, 30);
    assert_string_equal(config.lag.groups, "shop-*");
    assert_false(config.lag.off);
    assert_string_equal(config.metrics_listen, "127.0.0.1:9464");
    assert_ok(config_taps(&config, &taps, &err));
    assert_int_equal(taps.taps[0].property_count, 3);
    assert_string_equal(taps.taps[0].properties[0].name, "sequence");
    assert_string_equal(taps.taps[0].properties[0].value, "frame:-1:le");
    assert_string_equal(taps.taps[0].properties[1].name, "plain_username");
    assert_string_equal(taps.taps[0].properties[2].name, "plain_password");
    assert_string_equal(taps.taps[0].properties[2].value, "s3cret");
    config_taps_done(&taps);
    config_free(&config);
    expect_error(*state, "[tap.a]\nurl = kafka://h/t\nsequence = frame:1\n",
        "3:1: 'sequence' has no meaning for kafka");
    expect_error(*state, "[tap.a]\nurl = kafka://h/t\nzeromq.plain_username = x\n",
        "3:1: 'zeromq.plain_username' has no meaning for kafka");
    expect_error(*state, "[lag.x]\n", "1:2: the section is [lag], without a name");
    expect_error(*state, "[lag]\ninterval = 10ms\n",
        "2:12: interval takes a time from 1s to 1h, not '10ms'");
    expect_error(*state, "[metrics.x]\n", "1:2: the section is [metrics], without a name");
    expect_error(*state, "[metrcs]\n", "1:2: unknown section 'metrcs'; the nearest is [metrics]");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reads_what_it_knows),
        TEST(names_the_nearest_section_and_key),
        TEST(refuses_sections_that_are_wrong),
        TEST(refuses_lines_that_are_wrong),
        TEST(refuses_values_that_are_wrong),
        TEST(refuses_places_that_are_not_looked_in),
        TEST(refuses_taps_that_say_too_little_or_too_much),
        TEST(refuses_zero_bytes),
        TEST(needs_the_file_that_was_named),
        TEST(goes_without_a_file_that_nobody_named),
        TEST(draws_the_line_with_a_caret),
        TEST(hides_values_where_a_key_is_wrong),
        TEST(fetches_secrets_from_where_they_are),
        TEST(names_a_secret_that_is_not_there),
        TEST(reads_the_isolation_of_a_tap),
        TEST(reads_the_budget_of_a_tap),
        TEST(makes_a_tap_a_member_of_the_group_that_is_named),
        TEST(gives_a_zeromq_tap_its_properties_and_counter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
