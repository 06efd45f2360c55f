#include <string.h>

#include <librdkafka/rdkafka.h>

#include "collectors/kafka_reason.h"
#include "tests/support/unit.h"

static void
leaves_out_what_is_librdkafkas_own(void **state)
{
    (void)state;
    struct kafka_reason reason;
    struct error err;
    kafka_reason_read(&reason,
        "127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms "
        "in "
        "state CONNECT)",
        false, 0);
    assert_string_equal(reason.what, "connection refused");
    assert_int_equal(reason.step, KAFKA_STEP_CONNECT);
    kafka_reason_say(&reason, "127.0.0.1:1", &err);
    assert_int_equal(err.code, ERROR_REMOTE);
    assert_string_equal(err.text,
        "cannot reach kafka at 127.0.0.1:1: connection refused; is the broker "
        "running, and is this its port?");
}

static void
names_a_name_that_does_not_resolve(void **state)
{
    (void)state;
    struct kafka_reason reason;
    kafka_reason_read(&reason,
        "nowhere.invalid:9092/bootstrap: Failed to resolve 'nowhere.invalid:9092': Name or service "
        "not "
        "known (after 0ms in state CONNECT)",
        false, 0);
    assert_int_equal(reason.step, KAFKA_STEP_RESOLVE);
    assert_string_equal(
        reason.what, "failed to resolve 'nowhere.invalid:9092': Name or service not known");
    assert_non_null(strstr(reason.fix, "spelling"));
}

static void
knows_the_answer_of_a_web_server(void **state)
{
    (void)state;
    struct kafka_reason reason;
    kafka_reason_read(&reason,
        "127.0.0.1:80/bootstrap: Receive failed: Invalid response size 1213486160 (0..134217728): "
        "increase receive.message.max.bytes (after 3ms in state APIVERSION_QUERY)",
        false, 0);
    assert_string_equal(reason.what, "an HTTP server answers there, not a broker");
    assert_string_equal(reason.fix, "is it the right port?");
    assert_int_equal(reason.step, KAFKA_STEP_ANSWER);
}

static const char verify_failed[] =
    "sasl_ssl://localhost:27223/bootstrap: SSL handshake failed: error:0A000086:SSL "
    "routines::certificate verify failed: broker certificate could not be verified, verify that "
    "ssl.ca.location is correctly configured or root CA certificates are installed (install "
    "ca-certificates package) (after 5ms in state SSL_HANDSHAKE)";

static void
tells_an_expired_certificate_from_one_that_is_not_trusted(void **state)
{
    (void)state;
    struct kafka_reason reason;
    kafka_reason_read(&reason, verify_failed, false, 10);
    assert_int_equal(reason.code, ERROR_REFUSED);
    assert_int_equal(reason.step, KAFKA_STEP_TLS);
    assert_string_equal(reason.what, "the broker's certificate has expired");
    kafka_reason_read(&reason, verify_failed, false, 20);
    assert_non_null(strstr(reason.what, "not trusted"));
    assert_non_null(strstr(reason.fix, "kafka.ssl.ca.location"));
    kafka_reason_read(&reason, verify_failed, false, 62);
    assert_non_null(strstr(reason.what, "another host name"));
    kafka_reason_read(&reason, verify_failed, false, 12345);
    assert_non_null(strstr(reason.what, "could not be verified"));
}

static void
says_what_to_do_about_a_wrong_password(void **state)
{
    (void)state;
    struct kafka_reason reason;
    kafka_reason_read(&reason,
        "sasl_ssl://h:1/bootstrap: SASL authentication error: Authentication failed: Invalid "
        "username or "
        "password (after 304ms in state AUTH_REQ)",
        true, 0);
    assert_int_equal(reason.code, ERROR_REFUSED);
    assert_int_equal(reason.step, KAFKA_STEP_LOGIN);
    assert_string_equal(reason.what, "the user or the password is wrong");
    assert_string_equal(reason.fix, "check kafka.sasl.username and kafka.sasl.password");
}

/* Before 2.6.1 librdkafka cannot log in with SCRAM at Kafka 4.0 and newer, and the broker calls it a
 * wrong password. */
static void
says_when_scram_cannot_work_with_this_library(void **state)
{
    (void)state;
    struct kafka_reason reason;
    kafka_reason_read(&reason,
        "sasl_ssl://h:1/bootstrap: SASL authentication error: Authentication failed during "
        "authentication "
        "due to invalid credentials with SASL mechanism SCRAM-SHA-512 (after 327ms in state "
        "AUTH_REQ)",
        true, 0);
    assert_int_equal(reason.code, ERROR_REFUSED);
    assert_non_null(strstr(reason.fix, "kafka.sasl.password"));
    assert_int_equal(strstr(reason.fix, "2.6.1") != NULL, rd_kafka_version() < 0x020601ff);
}

static void
keeps_librdkafkas_words_where_it_knows_nothing_better(void **state)
{
    (void)state;
    struct kafka_reason reason;
    struct error err;
    kafka_reason_read(&reason, "h:1/3: Something new", false, 0);
    kafka_reason_say(&reason, "h:1", &err);
    assert_string_equal(err.text, "cannot reach kafka at h:1: something new");
}

static void
says_what_is_wrong_with_a_key(void **state)
{
    (void)state;
    struct kafka_reason reason;
    kafka_reason_read_setup(&reason,
        "ssl.key.location failed: ../ssl/ssl_rsa.c:385:SSL_CTX_use_PrivateKey_file "
        "error:0A080009:SSL routines::PEM lib");
    assert_int_equal(reason.code, ERROR_CONFIG);
    assert_string_equal(reason.what, "kafka.ssl.key.location: the file cannot be understood");
    assert_non_null(strstr(reason.fix, "kafka.ssl.key.password"));
}

static void
says_where_a_token_is_made(void **state)
{
    (void)state;
    struct kafka_reason reason;
    kafka_reason_read(&reason,
        "Failed to acquire SASL OAUTHBEARER token: Unrecognized sasl.oauthbearer.config beginning "
        "at: bogus=1",
        true, 0);
    assert_int_equal(reason.step, KAFKA_STEP_LOGIN);
    assert_string_equal(reason.fix, "check kafka.sasl.oauthbearer.config");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_is_wrong_with_a_key),
        cmocka_unit_test(says_where_a_token_is_made),
        cmocka_unit_test(leaves_out_what_is_librdkafkas_own),
        cmocka_unit_test(names_a_name_that_does_not_resolve),
        cmocka_unit_test(knows_the_answer_of_a_web_server),
        cmocka_unit_test(tells_an_expired_certificate_from_one_that_is_not_trusted),
        cmocka_unit_test(says_what_to_do_about_a_wrong_password),
        cmocka_unit_test(says_when_scram_cannot_work_with_this_library),
        cmocka_unit_test(keeps_librdkafkas_words_where_it_knows_nothing_better),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
