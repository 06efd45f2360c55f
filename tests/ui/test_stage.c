/* The stage without a terminal: keys in, a canvas out. */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "tests/support/ui_stage.h"
#include "tests/support/ui_tape.h"
#include "tests/support/unit.h"
#include "ui/key.h"
#include "ui/stage.h"

static void
the_banner_goes_away_with_the_first_key(void **state)
{
    (void)state;
    struct fixture fixture;
    open_stage(&fixture, true, NULL);
    assert_seen(&fixture, "the banner");
    type(&fixture, "j");
    assert_unseen(&fixture, "the banner");
    close_stage(&fixture);
}

static void
enter_on_a_stream_shows_its_events(void **state)
{
    (void)state;
    struct fixture fixture;
    open_stage(&fixture, true, NULL);
    look(&fixture);
    type(&fixture, "j\r");
    assert_seen(&fixture, "filter: stream=\"shop/payments\"");
    assert_seen(&fixture, "[2 Events]");
    assert_unseen(&fixture, "fraud.scores");
    type(&fixture, "\033"); /* drops the filter */
    assert_seen(&fixture, "filter: none");
    assert_seen(&fixture, "fraud.scores");
    type(&fixture, "q"); /* back to where we were */
    assert_seen(&fixture, "[1 Flows]");
    close_stage(&fixture);
}

static void
going_back_brings_the_filter_back(void **state)
{
    (void)state;
    struct fixture fixture;
    open_stage(&fixture, true, NULL);
    look(&fixture);
    type(&fixture, "j\r");
    assert_seen(&fixture, "filter: stream=\"shop/payments\"");
    type(&fixture, "q");
    assert_seen(&fixture, "[1 Flows]");
    assert_seen(&fixture, "filter: none");
    assert_seen(&fixture, "▸payments");

    look(&fixture);
    type(&fixture, "\r:filter key=o-00419\rq"); /* one that was typed stays */
    assert_seen(&fixture, "[1 Flows]");
    assert_seen(&fixture, "filter: key=o-00419");
    close_stage(&fixture);
}

static void
escape_undoes_one_layer_at_a_time(void **state)
{
    (void)state;
    struct fixture fixture;
    open_stage(&fixture, true, "events");
    look(&fixture);
    type(&fixture, "fkey=o-00419\r");
    assert_seen(&fixture, "filter: key=o-00419");
    type(&fixture, "\r");
    assert_seen(&fixture, "[tree]");
    type(&fixture, "\033");
    assert_unseen(&fixture, "[tree]");
    assert_seen(&fixture, "filter: key=o-00419");
    type(&fixture, "\033");
    assert_seen(&fixture, "filter: none");
    type(&fixture, "\033\033\033"); /* never leaves */
    assert_seen(&fixture, "[2 Events]");
    close_stage(&fixture);
}

static void
moving_the_cursor_holds_the_tape(void **state)
{
    (void)state;
    struct fixture fixture;
    open_stage(&fixture, true, "events");
    assert_seen(&fixture, "LIVE");
    type(&fixture, "k");
    assert_seen(&fixture, "HELD");
    ui_tape_add(
        &fixture.tape, "orders", UI_TAPE_NOW_NS, 9000001, bytes_of("newer"), bytes_of("{}"));
    assert_seen(&fixture, "HELD +1");
    assert_unseen(&fixture, "newer  ");
    type(&fixture, " ");
    assert_seen(&fixture, "newer  ");
    assert_seen(&fixture, "LIVE");
    close_stage(&fixture);
}

static void
all_screens_share_the_head(void **state)
{
    (void)state;
    struct fixture fixture;
    open_stage(&fixture, true, "events");
    look(&fixture);
    type(&fixture, " 1");
    assert_seen(&fixture, "HELD");
    type(&fixture, "2");
    assert_seen(&fixture, "HELD");
    close_stage(&fixture);
}

static void
add_many(struct fixture *fixture, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char key[32];
        (void)snprintf(key, sizeof(key), "many-%05u", i);
        ui_tape_add(
            &fixture->tape, "orders", UI_TAPE_NOW_NS, 9000000 + i, bytes_of(key), bytes_of("{}"));
    }
}

/* Type a key until the text is on the screen; fails after so many. */
static void
type_until(struct fixture *fixture, const char *keys, const char *expected, unsigned most)
{
    for (unsigned i = 0; i < most; i++) {
        if (strstr(look(fixture), expected) != NULL)
            return;
        type(fixture, keys);
    }
    assert_seen(fixture, expected);
}

/* There are more events than rows are kept: those that fell off one end come back. */
static void
paging_goes_from_the_newest_to_the_oldest_and_back(void **state)
{
    (void)state;
    struct fixture fixture;
    open_stage(&fixture, true, "events");
    add_many(&fixture, 2000);
    look(&fixture);
    type(&fixture, " ");
    assert_seen(&fixture, "many-01999");
    for (unsigned i = 0; i < 2; i++) {
        type_until(&fixture, "\002", "many-00700", 100);
        assert_unseen(&fixture, "many-00800");
        type_until(&fixture, "\002", "many-00000", 100);
        type_until(&fixture, "\002", "14:31:08", 10);
        type_until(&fixture, "\006", "many-01300", 100);
        assert_unseen(&fixture, "many-01200");
        type_until(&fixture, "\006", "many-01999", 100);
        assert_seen(&fixture, "end of the tape");
    }
    close_stage(&fixture);
}

static void
a_time_can_be_gone_to(void **state)
{
    (void)state;
    struct fixture fixture;
    open_stage(&fixture, true, "events");
    look(&fixture);
    type(&fixture, "@14:31:30\r");
    assert_seen(&fixture, "PAST  14:31:29Z");
    assert_seen(&fixture, "14:31:29.102000");
    assert_unseen(&fixture, "14:31:30.102000");
    type(&fixture, "@shop/orders[0]@4410600\r");
    assert_seen(&fixture, "14:31:55.102000");
    assert_unseen(&fixture, "14:31:56.102000");
    close_stage(&fixture);
}

static void
a_jump_before_the_beginning_stops_there(void **state)
{
    (void)state;
    struct fixture fixture;
    open_stage(&fixture, true, "events");
    look(&fixture);
    type(&fixture, "{{{");
    assert_seen(&fixture, "beginning of the tape");
    assert_seen(&fixture, "14:31:07.102000");
    close_stage(&fixture);
}

static void
a_wrong_time_is_told_under_the_prompt(void **state)
{
    (void)state;
    struct fixture fixture;
    open_stage(&fixture, true, "events");
    type(&fixture, "@half past two\r");
    assert_seen(&fixture, "go to › half past two");
    assert_seen(&fixture, "stream[partition]@offset");
    close_stage(&fixture);
}

static void
commands_are_called_by_name(void **state)
{
    (void)state;
    struct fixture fixture;
    open_stage(&fixture, true, NULL);
    look(&fixture);
    type(&fixture, ":events\r");
    assert_seen(&fixture, "[2 Events]");
    type(&fixture, ":filter key=o-00417\r");
    assert_seen(&fixture, "filter: key=o-00417");
    type(&fixture, ":frobnicate\r");
    assert_seen(&fixture, "no command is called 'frobnicate'");
    type(&fixture, "\033");
    stage_key(fixture.stage, ':', fixture.monotonic_ns);
    stage_key(fixture.stage, 'q', fixture.monotonic_ns);
    assert_int_equal(stage_key(fixture.stage, '\r', fixture.monotonic_ns), STAGE_QUIT);
    close_stage(&fixture);
}

static void
searching_goes_from_hit_to_hit(void **state)
{
    (void)state;
    struct fixture fixture;
    open_stage(&fixture, true, "events");
    look(&fixture);
    type(&fixture, "/o-00419\r");
    assert_seen(&fixture, "▸  14:32:05.102000");
    type(&fixture, "N");
    assert_seen(&fixture, "▸  14:31:58.102000");
    type(&fixture, "n");
    assert_seen(&fixture, "▸  14:32:05.102000");
    type(&fixture, "/nowhere\r");
    assert_seen(&fixture, "is in none of the");
    close_stage(&fixture);
}

static void
help_finds_a_key_by_what_it_does(void **state)
{
    (void)state;
    struct fixture fixture;
    open_stage(&fixture, true, "events");
    look(&fixture);
    type(&fixture, "?hex");
    assert_seen(&fixture, "the event as a tree, raw, in hex");
    assert_unseen(&fixture, "next row");
    type(&fixture, "\033\033");
    assert_seen(&fixture, "RECEIVED");
    close_stage(&fixture);
}

static void
ctrl_c_leaves_only_when_pressed_twice(void **state)
{
    (void)state;
    struct fixture fixture;
    open_stage(&fixture, true, "events");
    assert_int_equal(stage_key(fixture.stage, 3, fixture.monotonic_ns), STAGE_GOES_ON);
    fixture.monotonic_ns += 2 * NS_PER_S;
    assert_int_equal(stage_key(fixture.stage, 3, fixture.monotonic_ns), STAGE_GOES_ON);
    fixture.monotonic_ns += NS_PER_S / 2;
    assert_int_equal(stage_key(fixture.stage, 3, fixture.monotonic_ns), STAGE_QUIT);
    close_stage(&fixture);
}

static void
a_flood_is_sampled_and_said_so(void **state)
{
    (void)state;
    struct fixture fixture;
    open_stage(&fixture, true, "events");
    look(&fixture);
    type(&fixture, "h"); /* the banner goes */
    for (int tick = 0; tick < 30; tick++) {
        for (int i = 0; i < 100; i++)
            ui_tape_add(&fixture.tape, i % 10 == 0 ? "payments" : "orders", UI_TAPE_NOW_NS,
                5000000 + tick * 100 + i, bytes_of("flood"), bytes_of("{}"));
        fixture.monotonic_ns += 100 * NS_PER_MS;
        look(&fixture);
    }
    assert_seen(&fixture, "~1:50"); /* 1 000 arrive in a second, 20 are drawn */
    assert_seen(&fixture, "1 of 50 is drawn, all are stored");
    assert_seen(&fixture, "payments"); /* the slow stream is not drowned */
    type(&fixture, " ");
    assert_unseen(&fixture, "~1:50"); /* held: every one is shown */
    close_stage(&fixture);
}

static void
an_unknown_screen_is_refused_with_the_known_ones(void **state)
{
    (void)state;
    struct error err = {0};
    struct ui_tape tape;
    ui_tape_open(&tape, false);
    struct stage_options options = {.directory = tape.directory, .screen = "nope"};
    assert_null(stage_open(&options, &err));
    assert_int_equal(err.code, ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "flows, events"));
    ui_tape_close(&tape);
}

static void
an_old_tape_is_the_past(void **state)
{
    (void)state;
    struct fixture fixture;
    open_stage(&fixture, false, "events");
    assert_seen(&fixture, "PAST");
    assert_seen(&fixture, "not recording");
    type(&fixture, "F");
    assert_seen(&fixture, "PAST"); /* there is no now to follow */
    assert_seen(&fixture, "14:32:06.102000");
    close_stage(&fixture);
}

static void
a_payload_of_one_long_line_is_opened_at_once(void **state)
{
    (void)state;
    struct fixture fixture;
    size_t length = (size_t)4 * 1024 * 1024;
    char *payload = alloc_array(length, 1);
    memset(payload, 'x', length);
    static const char begin[] = {"first\n\nthird"};
    for (size_t i = 0; begin[i] != '\0'; i++)
        payload[i] = begin[i];
    open_stage(&fixture, true, "events");
    ui_tape_add(&fixture.tape, "orders", UI_TAPE_NOW_NS, 9000001, bytes_of("long"),
        bytes_make(payload, length));
    look(&fixture);
    type(&fixture, "\r");
    assert_seen(&fixture, "4194304 bytes, too many for a tree: shown as text");
    type(&fixture, "v");
    assert_seen(&fixture, "\n first\n\n thirdxxx");
    type(&fixture, "v");
    assert_seen(&fixture, "66 69 72 73 74 0a 0a 74  68 69 72 64 78 78 78 78  first..thirdxxxx");
    type(&fixture, "\tG");
    assert_seen(&fixture, "the first 1048576 of 4194304 bytes are shown");
    free(payload);
    close_stage(&fixture);
}

int
main(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_banner_goes_away_with_the_first_key),
        cmocka_unit_test(enter_on_a_stream_shows_its_events),
        cmocka_unit_test(going_back_brings_the_filter_back),
        cmocka_unit_test(escape_undoes_one_layer_at_a_time),
        cmocka_unit_test(moving_the_cursor_holds_the_tape),
        cmocka_unit_test(all_screens_share_the_head),
        cmocka_unit_test(paging_goes_from_the_newest_to_the_oldest_and_back),
        cmocka_unit_test(a_time_can_be_gone_to),
        cmocka_unit_test(a_jump_before_the_beginning_stops_there),
        cmocka_unit_test(a_wrong_time_is_told_under_the_prompt),
        cmocka_unit_test(commands_are_called_by_name),
        cmocka_unit_test(searching_goes_from_hit_to_hit),
        cmocka_unit_test(help_finds_a_key_by_what_it_does),
        cmocka_unit_test(ctrl_c_leaves_only_when_pressed_twice),
        cmocka_unit_test(a_flood_is_sampled_and_said_so),
        cmocka_unit_test(an_unknown_screen_is_refused_with_the_known_ones),
        cmocka_unit_test(a_payload_of_one_long_line_is_opened_at_once),
        cmocka_unit_test(an_old_tape_is_the_past),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
