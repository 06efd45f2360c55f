/* The Events screen: which columns it has. */
#include <locale.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "tests/support/ui_stage.h"
#include "tests/support/ui_tape.h"
#include "tests/support/unit.h"
#include "ui/canvas.h"

/* 40 characters, more than there is room for beside a type. */
#define PAYLOAD "{\"from\":\"here\",\"to\":\"there\",\"amount\":12}"

static void
add_bare(struct fixture *fixture)
{
    for (int64_t i = 0; i < 3; i++)
        ui_tape_add_bare(&fixture->tape, "bare", UI_TAPE_NOW_NS - (3 - i) * NS_PER_MS, i,
            bytes_of("key"), bytes_of(PAYLOAD));
}

/* Show only the events without a type, or all. */
static void
open_events(struct fixture *fixture, int columns, const char *keys)
{
    open_stage(fixture, true, "events");
    canvas_free(fixture->canvas);
    fixture->canvas = canvas_new(24, columns);
    add_bare(fixture);
    look(fixture);
    type(fixture, "x"); /* the banner goes */
    type(fixture, keys);
}

static void
has_types_as_long_as_one_event_on_it_has_one(void **state)
{
    (void)state;
    struct fixture fixture;
    open_events(&fixture, 120, " ");
    assert_seen(&fixture, "KEY          TYPE                BYTES  PAYLOAD");
    assert_seen(&fixture, "order.created");
    assert_unseen(&fixture, PAYLOAD);
    close_stage(&fixture);
}

static void
gives_the_room_of_types_to_others_when_there_are_none(void **state)
{
    (void)state;
    struct fixture fixture;
    open_events(&fixture, 120, "fstream=bare\r ");
    assert_seen(&fixture, "KEY            BYTES  PAYLOAD");
    assert_seen(&fixture, "key               43  " PAYLOAD);
    assert_unseen(&fixture, "TYPE");
    close_stage(&fixture);
}

static void
does_so_while_it_follows(void **state)
{
    (void)state;
    struct fixture fixture;
    open_events(&fixture, 120, "fstream=bare\r");
    assert_seen(&fixture, "KEY          PAYLOAD");
    assert_seen(&fixture, "key          " PAYLOAD);
    assert_unseen(&fixture, "TYPE");
    close_stage(&fixture);
}

static void
does_so_on_a_narrow_terminal(void **state)
{
    (void)state;
    struct fixture fixture;
    open_events(&fixture, 80, "fstream=bare\r ");
    assert_seen(&fixture, "KEY       PAYLOAD");
    assert_unseen(&fixture, "TYPE");
    close_stage(&fixture);
}

static void
keeps_the_heading_while_nothing_is_there(void **state)
{
    (void)state;
    struct fixture fixture;
    open_events(&fixture, 120, "fkey=nobody\r");
    assert_seen(&fixture, "TYPE");
    close_stage(&fixture);
}

/* A pattern that explodes on one payload: nobody knows whether that one matches. */
static void
says_that_a_query_gave_up(void **state)
{
    (void)state;
    struct fixture fixture;
    char text[2001];
    memset(text, 'a', sizeof(text));
    open_events(&fixture, 120, "");
    ui_tape_add_bare(
        &fixture.tape, "bare", UI_TAPE_NOW_NS, 3, bytes_of("key"), bytes_make(text, sizeof(text)));
    look(&fixture);
    type(&fixture, "fpayload~/^(?:(?:a|aa)+)+[bc]/\r");
    assert_seen(&fixture, "Live; some events are too much for this query, and may match.");
    type(&fixture, " ");
    assert_seen(&fixture, "No event is known to match (");
    assert_seen(&fixture, "Some events are too much for this query, and may match.");
    assert_unseen(&fixture, "Every match is shown.");
    type(&fixture, "\x1b"); /* the filter goes */
    assert_seen(&fixture, "Every match is shown.");
    close_stage(&fixture);
}

int
main(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_types_as_long_as_one_event_on_it_has_one),
        cmocka_unit_test(gives_the_room_of_types_to_others_when_there_are_none),
        cmocka_unit_test(does_so_while_it_follows),
        cmocka_unit_test(does_so_on_a_narrow_terminal),
        cmocka_unit_test(keeps_the_heading_while_nothing_is_there),
        cmocka_unit_test(says_that_a_query_gave_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
