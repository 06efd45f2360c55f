#include <pthread.h>

#include <zmq.h>

#include "base/alloc.h"
#include "collectors/recorder.h"
#include "tests/support/collectors_tape.h"
#include "tests/support/collectors_zmq.h"
#include "tests/support/unit.h"

/* Answers each question of the publisher's context whether someone may come in: by name and password. */
static void *
run_doorkeeper(void *argument)
{
    void *door = argument;
    for (;;) {
        char frames[8][64];
        int count = 0;
        int more = 1;
        size_t size = sizeof(more);
        while (more != 0 && count < 8) {
            int length = zmq_recv(door, frames[count], sizeof(frames[0]) - 1, 0);
            if (length < 0)
                return NULL;
            frames[count++][length < 63 ? length : 63] = '\0';
            (void)zmq_getsockopt(door, ZMQ_RCVMORE, &more, &size);
        }
        bool is_good = count == 8 && strcmp(frames[5], "PLAIN") == 0 &&
                       strcmp(frames[6], "deck") == 0 && strcmp(frames[7], "s3cret") == 0;
        (void)zmq_send(door, "1.0", 3, ZMQ_SNDMORE);
        (void)zmq_send(door, frames[1], strlen(frames[1]), ZMQ_SNDMORE);
        (void)zmq_send(door, is_good ? "200" : "400", 3, ZMQ_SNDMORE);
        (void)zmq_send(door, "", 0, ZMQ_SNDMORE);
        (void)zmq_send(door, "deck", 4, ZMQ_SNDMORE);
        (void)zmq_send(door, "", 0, 0);
        if (count < 8)
            return NULL;
    }
}

/* Open the publisher anew with an option that must be set before it is bound. */
static void
bind_guarded(struct feed_setting *setting, int option, const char *key)
{
    int none = 0;
    char endpoint[128];
    size_t length = sizeof(endpoint);
    (void)zmq_close(setting->publisher);
    setting->publisher = zmq_socket(setting->context, ZMQ_XPUB);
    (void)zmq_setsockopt(setting->publisher, ZMQ_LINGER, &none, sizeof(none));
    assert_int_equal(zmq_setsockopt(setting->publisher, option, &(int){1}, sizeof(int)), 0);
    if (key != NULL)
        assert_int_equal(zmq_setsockopt(setting->publisher, ZMQ_CURVE_SECRETKEY, key, 40), 0);
    assert_int_equal(zmq_bind(setting->publisher, "tcp://127.0.0.1:*"), 0);
    assert_int_equal(zmq_getsockopt(setting->publisher, ZMQ_LAST_ENDPOINT, endpoint, &length), 0);
    feed_use_url(setting, alloc_format("zmq://%s", endpoint + strlen("tcp://")));
}

static enum error_code
fails_to_start(struct feed_setting *setting, const char *part)
{
    struct error err;
    struct recorder_tap tap = {
        .url = setting->url, .properties = setting->properties, .property_count = 1};
    while (tap.property_count < 3 && setting->properties[tap.property_count].name != NULL)
        tap.property_count++;
    struct recorder_options options = {.directory = setting->tape, .taps = &tap, .tap_count = 1};
    assert_null(recorder_start(&options, &err));
    if (strstr(err.text, part) == NULL)
        fail_msg("'%s' is not in '%s'", part, err.text);
    return err.code;
}

static void
logs_in_with_name_and_password(void **state)
{
    struct feed_setting *setting = *state;
    pthread_t doorkeeper;
    void *door = feed_open_bound(setting, ZMQ_REP, "inproc://zeromq.zap.01");
    assert_int_equal(pthread_create(&doorkeeper, NULL, run_doorkeeper, door), 0);
    bind_guarded(setting, ZMQ_PLAIN_SERVER, NULL);
    feed_use_property(setting, 0, "plain_username", "deck");
    feed_use_property(setting, 1, "plain_password", "wrong");
    assert_int_equal(
        fails_to_start(setting, "the name or password is refused; correct zeromq.plain_username"),
        ERROR_REFUSED);
    feed_use_property(setting, 1, "plain_password", "s3cret");
    struct recorder *recorder = feed_start(setting);
    feed_publish_numbers(setting, 0, 3);
    wait_for_events(recorder, 3);
    stop_recorder(recorder);

    /* A question with too few frames ends the doorkeeper. */
    (void)zmq_close(setting->publisher);
    setting->publisher = NULL;
    void *last = feed_open_connected(setting, ZMQ_REQ, "inproc://zeromq.zap.01");
    assert_int_equal(zmq_send(last, "end", 3, 0), 3);
    (void)pthread_join(doorkeeper, NULL);
    (void)zmq_close(last);
    (void)zmq_close(door);
}

static void
encrypts_with_curve_and_refuses_a_wrong_key(void **state)
{
    struct feed_setting *setting = *state;
    char public_key[41];
    char secret_key[41];
    char other_public[41];
    char other_secret[41];
    if (!zmq_has("curve"))
        unit_skip(__func__, "libzmq without CURVE");
    assert_int_equal(zmq_curve_keypair(public_key, secret_key), 0);
    assert_int_equal(zmq_curve_keypair(other_public, other_secret), 0);
    bind_guarded(setting, ZMQ_CURVE_SERVER, secret_key);
    feed_use_property(setting, 0, "curve_server_key", other_public);
    fails_to_start(setting, "zeromq.curve_server_key is probably not the public key");
    feed_use_property(setting, 0, "curve_server_key", public_key);
    feed_use_property(setting, 1, "curve_public_key", public_key);
    feed_use_property(setting, 2, "curve_secret_key", other_secret);
    fails_to_start(setting, "curve_public_key and curve_secret_key are no pair");
    feed_use_property(setting, 1, "curve_public_key", other_public);
    feed_use_property(setting, 2, "curve_secret_key", other_secret);
    struct recorder *recorder = feed_start(setting);
    feed_publish_numbers(setting, 0, 3);
    wait_for_events(recorder, 3);
    stop_recorder(recorder);
}

static void
names_the_property_that_is_wrong(void **state)
{
    struct feed_setting *setting = *state;
    feed_use_property(setting, 0, "curve_server_key", "not a key at all");
    fails_to_start(setting, "curve_server_key is not a CURVE key");
    feed_use_property(setting, 0, "plain_username", "deck");
    fails_to_start(setting, "one is missing");
    feed_use_property(setting, 0, "sequence", "frame:x");
    fails_to_start(setting, "sequence takes frame:N");
    feed_use_property(setting, 0, "sequence", "header:");
    fails_to_start(setting, "sequence takes frame:N");
    feed_use_property(setting, 0, "plain_username", "deck");
    feed_use_property(setting, 1, "plain_password", "s3cret");
    feed_use_url(setting, alloc_text("zmq+bind://127.0.0.1:1/x"));
    fails_to_start(setting, "are for a tap that connects");
    feed_use_property(setting, 1, NULL, NULL);
    feed_use_property(setting, 0, "sequence", "frame:0");
    feed_use_url(setting, alloc_text("zmq+push://h:1/x"));
    fails_to_start(setting, "zmq+pull+bind://");
    feed_use_url(setting, alloc_text("zmq+proxy://h:1/x"));
    fails_to_start(setting, "a proxy has two addresses");
    feed_use_url(setting, alloc_text("zmq+pull://h:1/x,y"));
    fails_to_start(setting, "a PULL socket cannot subscribe");
    feed_use_url(setting, alloc_text("zmq://h:1/x,"));
    fails_to_start(setting, "a prefix between two commas is missing");
}

#define ZMQ_TEST(name) cmocka_unit_test_setup_teardown(name, feed_set_up, feed_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ZMQ_TEST(logs_in_with_name_and_password),
        ZMQ_TEST(encrypts_with_curve_and_refuses_a_wrong_key),
        ZMQ_TEST(names_the_property_that_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
