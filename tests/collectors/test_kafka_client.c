#include <string.h>

#include "base/error.h"
#include "collectors/kafka_client.h"
#include "collectors/recorder.h"
#include "collectors/source.h"
#include "collectors/tap_url.h"
#include "tests/support/unit.h"

static void
refuses(const struct recorder_property *properties, size_t count, const char *words)
{
    struct error err;
    struct tap_url url;
    assert_ok(tap_url_parse("kafka://127.0.0.1:1/orders", 9092, &url, &err));
    struct source_config config = {.url = &url, .properties = properties, .property_count = count};
    struct kafka_client client;
    assert_false(kafka_client_open(&client, &config, &err));
    assert_int_equal(err.code, ERROR_CONFIG);
    assert_non_null(strstr(err.text, words));
    kafka_client_close(&client);
    tap_url_done(&url);
}

static void
a_file_of_certificates_that_is_not_there_is_an_error(void **state)
{
    (void)state;
    static const struct recorder_property properties[] = {
        {"security.protocol", "SSL"},
        {"ssl.ca.location", "/nonexistent/ca.pem"},
    };
    refuses(properties, 2, "kafka.ssl.ca.location: the file cannot be read; is it there");
}

static void
a_login_without_a_user_is_an_error(void **state)
{
    (void)state;
    static const struct recorder_property properties[] = {
        {"security.protocol", "SASL_PLAINTEXT"},
        {"sasl.mechanism", "PLAIN"},
    };
    refuses(properties, 2, "a login needs a user and a password; set kafka.sasl.username");
}

static void
a_login_without_a_mechanism_is_an_error(void **state)
{
    (void)state;
    static const struct recorder_property properties[] = {
        {"security.protocol", "SASL_PLAINTEXT"},
        {"sasl.username", "reader"},
        {"sasl.password", "right"},
    };
    refuses(properties, 3, "set kafka.sasl.mechanism");
}

static void
a_token_that_nobody_makes_is_an_error(void **state)
{
    (void)state;
    static const struct recorder_property properties[] = {
        {"security.protocol", "SASL_PLAINTEXT"},
        {"sasl.mechanism", "OAUTHBEARER"},
    };
    refuses(properties, 2, "OAUTHBEARER has nothing to make a token of");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_of_certificates_that_is_not_there_is_an_error),
        cmocka_unit_test(a_login_without_a_user_is_an_error),
        cmocka_unit_test(a_login_without_a_mechanism_is_an_error),
        cmocka_unit_test(a_token_that_nobody_makes_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
