#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "collectors/outlet.h"
#include "index/batch.h"
#include "index/event.h"
#include "index/hole_record.h"
#include "index/record.h"
#include "index/tape_writer.h"
#include "tests/support/unit.h"

#define KEPT_MAX 64

enum {
    FULL_BYTES = BATCH_TARGET_BYTES,
    LARGE_BYTES = 6 * 1024 * 1024,
    TOO_LARGE_BYTES = RECORD_MAX_BYTES, /* of payload alone */
};

/* What the outlet handed over; can be full. */
struct receiver {
    bool is_full;
    bool has_room_later; /* for whoever waits */
    bool acknowledges;   /* as the indexer does, once a batch is on the tape */
    int waits;
    int pushes;
    int64_t offsets[KEPT_MAX];
    size_t event_count;
    struct hole holes[KEPT_MAX];
    size_t hole_count;
};

static bool
push(void *self, struct batch **batch, int timeout_ms)
{
    struct receiver *receiver = self;
    receiver->pushes++;
    receiver->waits += timeout_ms > 0;
    if (receiver->is_full && !(receiver->has_room_later && timeout_ms > 0))
        return false;
    struct record record;
    struct bytes records = batch_records(*batch);
    for (size_t at = 0; at < records.length && record_decode(records, &at, &record);) {
        assert_true(receiver->event_count < KEPT_MAX);
        receiver->offsets[receiver->event_count++] = (int64_t)record.position;
    }
    struct bytes holes = batch_holes(*batch);
    for (size_t at = 0; at < holes.length && record_decode(holes, &at, &record);) {
        assert_true(receiver->hole_count < KEPT_MAX);
        assert_true(hole_record_read(&record, &receiver->holes[receiver->hole_count++]));
    }
    if (receiver->acknowledges)
        batch_acknowledge(*batch);
    batch_release(*batch);
    *batch = NULL;
    return true;
}

struct setting {
    char *directory;
    struct tape_writer *writer;
    struct receiver receiver;
    atomic_uint_fast64_t budget;
    struct outlet *outlet;
    struct tap_lane *lane;
};

static void
open_outlet(struct setting *setting, const struct outlet_options *wanted)
{
    struct error err;
    *setting = (struct setting){.directory = temp_directory_new()};
    setting->writer = tape_writer_open(setting->directory, NULL, &err);
    assert_ok(setting->writer != NULL);
    struct outlet_options options = *wanted;
    options.writer = setting->writer;
    options.push = push;
    options.push_self = &setting->receiver;
    options.tap = "shop";
    options.url = "fake://";
    if (options.until == UNTIL_EVENTS)
        options.budget = &setting->budget;
    setting->outlet = outlet_new(&options);
    setting->lane = outlet_lane(setting->outlet, "orders", 3);
}

static void
close_outlet(struct setting *setting)
{
    outlet_free(setting->outlet);
    tape_writer_close(setting->writer);
    temp_directory_remove(setting->directory);
}

static enum outlet_step
send_sized(struct setting *setting, int64_t offset, size_t size)
{
    static unsigned char bytes[FULL_BYTES];
    assert_true(size <= sizeof(bytes));
    struct event event = {
        .offset = offset,
        .time_ns = offset * NS_PER_S,
        .time_type = TIME_CREATE,
        .payload = bytes_make(bytes, size),
    };
    return outlet_event(setting->outlet, setting->lane, &event);
}

static enum outlet_step
send_event(struct setting *setting, int64_t offset)
{
    return send_sized(setting, offset, 10);
}

static void
assert_hole(const struct hole *hole, int64_t from, int64_t to, enum hole_reason reason)
{
    assert_int_equal(hole->partition, 3);
    assert_int_equal(hole->from, from);
    assert_int_equal(hole->to, to);
    assert_string_equal(hole_reason_text(hole->reason), hole_reason_text(reason));
}

static void
hands_over_what_it_got_in_order(void **state)
{
    (void)state;
    struct setting setting;
    open_outlet(&setting, &(struct outlet_options){.can_wait = true});
    for (int64_t offset = 7; offset < 10; offset++)
        assert_int_equal(send_event(&setting, offset), OUTLET_GO_ON);
    assert_int_equal(setting.receiver.pushes, 0);
    assert_true(outlet_finish(setting.outlet, 0));
    assert_int_equal(setting.receiver.event_count, 3);
    assert_int_equal(setting.receiver.offsets[0], 7);
    assert_int_equal(setting.receiver.offsets[2], 9);
    assert_int_equal(setting.receiver.hole_count, 0);
    close_outlet(&setting);
}

static void
tells_how_far_the_tape_has_come(void **state)
{
    (void)state;
    struct setting setting;
    open_outlet(&setting, &(struct outlet_options){.can_wait = true});
    assert_int_equal(outlet_ticket(setting.outlet), 0);
    assert_true(outlet_flush(setting.outlet, 0)); /* nothing was given: nothing is missing */
    (void)send_event(&setting, 7);
    uint64_t first = outlet_ticket(setting.outlet);
    assert_true(first > outlet_acknowledged(setting.outlet));
    assert_false(outlet_flush(setting.outlet, 0)); /* it is handed over, and no more */
    assert_int_equal(setting.receiver.event_count, 1);
    assert_int_equal(outlet_ticket(setting.outlet), first);
    assert_true(first > outlet_acknowledged(setting.outlet));

    setting.receiver.acknowledges = true;
    (void)send_event(&setting, 8);
    assert_true(outlet_ticket(setting.outlet) > first);
    assert_true(outlet_flush(setting.outlet, 0));
    assert_int_equal(outlet_acknowledged(setting.outlet), outlet_ticket(setting.outlet));
    close_outlet(&setting);
}

static void
does_not_flush_into_a_full_queue(void **state)
{
    (void)state;
    struct setting setting;
    open_outlet(&setting, &(struct outlet_options){.can_wait = true});
    setting.receiver.acknowledges = true;
    setting.receiver.is_full = true;
    (void)send_event(&setting, 7);
    assert_false(outlet_flush(setting.outlet, 1));
    assert_true(outlet_ticket(setting.outlet) > outlet_acknowledged(setting.outlet));
    close_outlet(&setting);
}

static void
ignores_an_event_that_it_had(void **state)
{
    (void)state;
    struct setting setting;
    open_outlet(&setting, &(struct outlet_options){.can_wait = true});
    (void)send_event(&setting, 4);
    (void)send_event(&setting, 5);
    (void)send_event(&setting, 4);
    (void)send_event(&setting, 5);
    (void)send_event(&setting, 6);
    assert_true(outlet_finish(setting.outlet, 0));
    assert_int_equal(setting.receiver.event_count, 3);
    assert_int_equal(setting.receiver.offsets[2], 6);
    close_outlet(&setting);
}

static void
records_a_jump_in_the_offsets_as_a_hole(void **state)
{
    (void)state;
    struct setting setting;
    open_outlet(&setting, &(struct outlet_options){.can_wait = true});
    (void)send_event(&setting, 4);
    (void)send_event(&setting, 9);
    assert_true(outlet_finish(setting.outlet, 0));
    assert_int_equal(setting.receiver.hole_count, 1);
    assert_hole(&setting.receiver.holes[0], 5, 8, HOLE_COMPACTED_OR_ABORTED);
    close_outlet(&setting);
}

static void
records_what_is_skipped_with_its_reason(void **state)
{
    (void)state;
    struct setting setting;
    open_outlet(&setting, &(struct outlet_options){.can_wait = true});
    outlet_begin_at(setting.outlet, setting.lane, 10);
    outlet_skip_to(setting.outlet, setting.lane, 15, HOLE_RETENTION);
    outlet_skip_to(setting.outlet, setting.lane, 12, HOLE_RETENTION);
    (void)send_event(&setting, 15);
    assert_true(outlet_finish(setting.outlet, 0));
    assert_int_equal(setting.receiver.hole_count, 1);
    assert_hole(&setting.receiver.holes[0], 10, 14, HOLE_RETENTION);
    assert_int_equal(setting.lane->next, 16);
    close_outlet(&setting);
}

static void
records_what_is_missing_at_the_end_without_another_event(void **state)
{
    (void)state;
    struct setting setting;
    open_outlet(&setting, &(struct outlet_options){.can_wait = true});
    outlet_begin_at(setting.outlet, setting.lane, 10);
    (void)send_event(&setting, 10);
    outlet_reach(setting.outlet, setting.lane, 11);
    outlet_reach(setting.outlet, setting.lane, 13);
    outlet_reach(setting.outlet, setting.lane, 13);
    outlet_count_lost(setting.outlet, setting.lane);
    outlet_reach(setting.outlet, setting.lane, 14);
    (void)send_event(&setting, 15);
    assert_true(outlet_finish(setting.outlet, 0));
    assert_int_equal(setting.receiver.hole_count, 3);
    assert_hole(&setting.receiver.holes[0], 11, 12, HOLE_COMPACTED_OR_ABORTED);
    assert_hole(&setting.receiver.holes[1], 13, 13, HOLE_DROPPED);
    assert_hole(&setting.receiver.holes[2], 14, 14, HOLE_COMPACTED_OR_ABORTED);
    close_outlet(&setting);
}

static void
hands_over_a_full_batch_at_once(void **state)
{
    (void)state;
    struct setting setting;
    open_outlet(&setting, &(struct outlet_options){.can_wait = true});
    (void)send_sized(&setting, 0, FULL_BYTES);
    (void)send_sized(&setting, 1, 10);
    assert_int_equal(setting.receiver.event_count, 1);
    assert_true(outlet_finish(setting.outlet, 0));
    assert_int_equal(setting.receiver.event_count, 2);
    close_outlet(&setting);
}

static void
hands_over_soon_when_nothing_follows(void **state)
{
    (void)state;
    struct setting setting;
    open_outlet(&setting, &(struct outlet_options){.can_wait = true});
    (void)send_event(&setting, 0);
    int64_t began = clock_monotonic_ns();
    while (setting.receiver.event_count == 0 && clock_monotonic_ns() < began + 5 * NS_PER_S) {
        outlet_tick(setting.outlet);
        clock_sleep_until_ns(clock_monotonic_ns() + NS_PER_MS);
    }
    assert_int_equal(setting.receiver.event_count, 1);
    assert_true(outlet_wait_ms(setting.outlet) > 10); /* nothing waits: no hurry */
    close_outlet(&setting);
}

static bool
takes_no_more(void *self)
{
    return ((struct receiver *)self)->is_full;
}

static void
does_not_wait_at_the_end_for_whom_takes_nothing_any_more(void **state)
{
    (void)state;
    struct setting setting;
    open_outlet(&setting, &(struct outlet_options){.can_wait = true, .is_over = takes_no_more});
    (void)send_sized(&setting, 0, FULL_BYTES);
    (void)send_sized(&setting, 1, FULL_BYTES);
    setting.receiver.is_full = true;
    setting.receiver.pushes = 0;
    outlet_stop(setting.outlet);
    assert_int_equal(send_sized(&setting, 2, FULL_BYTES), OUTLET_DONE);
    assert_in_range(setting.receiver.pushes, 1, 2);
    close_outlet(&setting);
}

static void
counts_and_names_what_it_loses_when_it_cannot_wait(void **state)
{
    (void)state;
    struct setting setting;
    open_outlet(&setting, &(struct outlet_options){.can_wait = false});
    (void)send_sized(&setting, 0, FULL_BYTES);
    setting.receiver.is_full = true;
    for (int64_t offset = 1; offset < 6; offset++)
        assert_int_equal(send_event(&setting, offset), OUTLET_GO_ON);
    struct live_tap tap;
    outlet_describe(setting.outlet, &tap);
    assert_int_equal(tap.dropped, 5);
    assert_int_equal(tap.events, 1);

    setting.receiver.is_full = false;
    (void)send_event(&setting, setting.lane->next);
    assert_true(outlet_finish(setting.outlet, 0));
    assert_int_equal(setting.receiver.event_count, 2);
    assert_int_equal(setting.receiver.offsets[1], 6);
    assert_int_equal(setting.receiver.hole_count, 1);
    assert_hole(&setting.receiver.holes[0], 1, 5, HOLE_DROPPED);
    close_outlet(&setting);
}

static void
knows_what_came_over_the_wire_when_it_is_told(void **state)
{
    (void)state;
    struct setting setting;
    struct live_tap tap;
    open_outlet(&setting, &(struct outlet_options){.max_bytes_per_second = 5000});
    outlet_describe(setting.outlet, &tap);
    assert_int_equal(tap.wire_bytes, -1);
    assert_int_equal(tap.wire_bytes_per_second, -1);
    assert_int_equal(tap.max_bytes_per_second, 5000);
    outlet_count_wire(setting.outlet, 3000000000);
    outlet_count_wire(setting.outlet, 3000000000);
    outlet_describe(setting.outlet, &tap);
    assert_int_equal(tap.wire_bytes, 6000000000);
    assert_true(tap.wire_bytes_per_second > 0);
    close_outlet(&setting);
}

static void
names_a_loss_also_when_nothing_follows(void **state)
{
    (void)state;
    struct setting setting;
    open_outlet(&setting, &(struct outlet_options){.can_wait = false});
    (void)send_sized(&setting, 0, FULL_BYTES);
    setting.receiver.is_full = true;
    (void)send_event(&setting, 1);
    setting.receiver.is_full = false;
    assert_true(outlet_finish(setting.outlet, 0));
    assert_int_equal(setting.receiver.hole_count, 1);
    assert_hole(&setting.receiver.holes[0], 1, 1, HOLE_DROPPED);
    close_outlet(&setting);
}

static void
keeps_two_losses_apart(void **state)
{
    (void)state;
    struct setting setting;
    open_outlet(&setting, &(struct outlet_options){.can_wait = false});
    (void)send_event(&setting, 0);
    outlet_lose(setting.outlet, setting.lane);
    (void)send_event(&setting, 2);
    outlet_lose(setting.outlet, setting.lane);
    (void)send_event(&setting, 4);
    assert_true(outlet_finish(setting.outlet, 0));
    assert_int_equal(setting.receiver.event_count, 3);
    assert_int_equal(setting.receiver.hole_count, 2);
    assert_hole(&setting.receiver.holes[0], 1, 1, HOLE_DROPPED);
    assert_hole(&setting.receiver.holes[1], 3, 3, HOLE_DROPPED);
    close_outlet(&setting);
}

static void
makes_room_for_what_never_came(void **state)
{
    (void)state;
    struct setting setting;
    struct live_tap tap;
    open_outlet(&setting, &(struct outlet_options){.can_wait = false});
    (void)send_event(&setting, 0);
    outlet_miss(setting.outlet, setting.lane, 10, HOLE_NOT_RECORDED);
    assert_int_equal(setting.lane->next, 11);
    (void)send_event(&setting, 11);
    outlet_lose(setting.outlet, setting.lane);
    outlet_miss(setting.outlet, setting.lane, 3, HOLE_DROPPED);
    (void)send_event(&setting, 16);
    outlet_lose(setting.outlet, setting.lane);
    outlet_miss(setting.outlet, setting.lane, 2, HOLE_NOT_RECORDED);
    assert_true(outlet_finish(setting.outlet, 0));
    assert_int_equal(setting.receiver.hole_count, 4);
    assert_hole(&setting.receiver.holes[0], 1, 10, HOLE_NOT_RECORDED);
    assert_hole(&setting.receiver.holes[1], 12, 15, HOLE_DROPPED);
    assert_hole(&setting.receiver.holes[2], 17, 17, HOLE_DROPPED);
    assert_hole(&setting.receiver.holes[3], 18, 19, HOLE_NOT_RECORDED);
    outlet_describe(setting.outlet, &tap);
    assert_int_equal(tap.dropped, 17);
    close_outlet(&setting);
}

static void
waits_for_room_once_when_it_may(void **state)
{
    (void)state;
    struct setting setting;
    struct live_tap tap;
    open_outlet(&setting, &(struct outlet_options){.can_wait = false});
    setting.receiver.is_full = true;
    outlet_allow_wait(setting.outlet, 50 * NS_PER_MS);
    (void)send_sized(&setting, 0, FULL_BYTES);
    (void)send_event(&setting, 1);
    (void)send_event(&setting, 2);
    assert_int_equal(setting.receiver.waits, 1); /* in vain: then no more */
    outlet_allow_wait(setting.outlet, 50 * NS_PER_MS);
    setting.receiver.has_room_later = true;
    (void)send_event(&setting, setting.lane->next);
    assert_int_equal(setting.receiver.waits, 2);
    outlet_describe(setting.outlet, &tap);
    assert_int_equal(tap.dropped, 2);
    close_outlet(&setting);
}

static void
gives_up_waiting_only_when_it_is_told_to_stop(void **state)
{
    (void)state;
    struct setting setting;
    open_outlet(&setting, &(struct outlet_options){.can_wait = true});
    (void)send_sized(&setting, 0, FULL_BYTES);
    setting.receiver.is_full = true;
    outlet_stop(setting.outlet);
    assert_int_equal(send_event(&setting, 1), OUTLET_DONE);
    assert_int_equal(setting.lane->next, 1);
    assert_true(setting.receiver.pushes > 1);
    close_outlet(&setting);
}

static void
takes_exactly_as_many_events_as_until_says(void **state)
{
    (void)state;
    struct setting setting;
    open_outlet(&setting, &(struct outlet_options){.can_wait = true, .until = UNTIL_EVENTS});
    atomic_store(&setting.budget, 2);
    assert_int_equal(send_event(&setting, 0), OUTLET_GO_ON);
    assert_false(outlet_is_done(setting.outlet));
    assert_int_equal(send_event(&setting, 1), OUTLET_GO_ON);
    assert_true(outlet_is_done(setting.outlet));
    assert_int_equal(send_event(&setting, 2), OUTLET_DONE);
    assert_true(outlet_finish(setting.outlet, 0));
    assert_int_equal(setting.receiver.event_count, 2);
    close_outlet(&setting);
}

static void
leaves_out_events_after_the_time_of_until(void **state)
{
    (void)state;
    struct setting setting;
    open_outlet(&setting,
        &(struct outlet_options){.can_wait = true, .until = UNTIL_TIME, .until_ns = 5 * NS_PER_S});
    (void)send_event(&setting, 5);
    (void)send_event(&setting, 6);
    assert_int_equal(setting.lane->next, 6); /* the next recording finds it */
    struct event early = {.offset = 7, .time_ns = 3 * NS_PER_S, .time_type = TIME_CREATE};
    (void)outlet_event(setting.outlet, setting.lane, &early);
    assert_true(outlet_finish(setting.outlet, 0));
    assert_int_equal(setting.receiver.event_count, 2);
    assert_int_equal(setting.receiver.hole_count, 1);
    assert_hole(&setting.receiver.holes[0], 6, 6, HOLE_NOT_RECORDED);
    close_outlet(&setting);
}

/* A small event and a large one, while the recorder stops. */
static enum outlet_step
send_a_large_one_behind(struct setting *setting)
{
    unsigned char *large = alloc_zeroed(LARGE_BYTES);
    struct event event = {.offset = 1, .payload = bytes_make(large, LARGE_BYTES)};
    assert_int_equal(send_event(setting, 0), OUTLET_GO_ON);
    outlet_stop(setting->outlet);
    enum outlet_step step = outlet_event(setting->outlet, setting->lane, &event);
    free(large);
    return step;
}

static void
holds_one_large_event_at_a_time_when_it_can_wait(void **state)
{
    (void)state;
    struct setting setting;
    struct outlet_options options = {.can_wait = true, .is_over = takes_no_more};
    open_outlet(&setting, &options);
    assert_int_equal(send_a_large_one_behind(&setting), OUTLET_DONE);
    assert_int_equal(setting.receiver.event_count, 1);
    assert_int_equal(setting.lane->next, 1); /* it comes again */
    close_outlet(&setting);

    open_outlet(&setting, &options);
    setting.receiver.acknowledges = true;
    assert_int_equal(send_a_large_one_behind(&setting), OUTLET_GO_ON);
    assert_int_equal(setting.receiver.event_count, 1);
    assert_int_equal(setting.lane->next, 2);
    close_outlet(&setting);
}

static void
takes_a_large_event_at_once_when_it_cannot_wait(void **state)
{
    (void)state;
    struct setting setting;
    open_outlet(&setting, &(struct outlet_options){.can_wait = false});
    assert_int_equal(send_a_large_one_behind(&setting), OUTLET_GO_ON);
    assert_int_equal(setting.lane->next, 2);
    close_outlet(&setting);
}

static void
refuses_and_names_an_event_that_is_too_large(void **state)
{
    (void)state;
    struct setting setting;
    open_outlet(&setting, &(struct outlet_options){.can_wait = true});
    unsigned char *large = alloc_zeroed(TOO_LARGE_BYTES);
    struct event event = {.offset = 0, .payload = bytes_make(large, TOO_LARGE_BYTES)};
    assert_int_equal(outlet_event(setting.outlet, setting.lane, &event), OUTLET_GO_ON);
    (void)send_event(&setting, 1);
    assert_true(outlet_finish(setting.outlet, 0));
    assert_int_equal(outlet_refused(setting.outlet), 1);
    assert_int_equal(setting.receiver.event_count, 1);
    assert_int_equal(setting.receiver.hole_count, 1);
    assert_hole(&setting.receiver.holes[0], 0, 0, HOLE_DROPPED);
    free(large);
    close_outlet(&setting);
}

static void
keeps_a_state_and_its_reason(void **state)
{
    (void)state;
    struct setting setting;
    struct error why;
    open_outlet(&setting, &(struct outlet_options){.can_wait = true});
    assert_int_equal(outlet_state(setting.outlet, &why), TAP_CONNECTING);
    outlet_set_state(setting.outlet, TAP_RETRYING, "no answer from %s", "there");
    assert_int_equal(outlet_state(setting.outlet, &why), TAP_RETRYING);
    assert_string_equal(why.text, "no answer from there");
    outlet_set_state(setting.outlet, TAP_LIVE, NULL);
    assert_int_equal(outlet_state(setting.outlet, &why), TAP_LIVE);
    assert_string_equal(why.text, "");
    outlet_warn(setting.outlet, "careful");
    assert_int_equal(outlet_state(setting.outlet, &why), TAP_LIVE);
    assert_string_equal(why.text, "careful");
    close_outlet(&setting);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hands_over_what_it_got_in_order),
        cmocka_unit_test(tells_how_far_the_tape_has_come),
        cmocka_unit_test(does_not_flush_into_a_full_queue),
        cmocka_unit_test(ignores_an_event_that_it_had),
        cmocka_unit_test(records_a_jump_in_the_offsets_as_a_hole),
        cmocka_unit_test(records_what_is_skipped_with_its_reason),
        cmocka_unit_test(records_what_is_missing_at_the_end_without_another_event),
        cmocka_unit_test(hands_over_a_full_batch_at_once),
        cmocka_unit_test(hands_over_soon_when_nothing_follows),
        cmocka_unit_test(does_not_wait_at_the_end_for_whom_takes_nothing_any_more),
        cmocka_unit_test(counts_and_names_what_it_loses_when_it_cannot_wait),
        cmocka_unit_test(knows_what_came_over_the_wire_when_it_is_told),
        cmocka_unit_test(names_a_loss_also_when_nothing_follows),
        cmocka_unit_test(keeps_two_losses_apart),
        cmocka_unit_test(makes_room_for_what_never_came),
        cmocka_unit_test(waits_for_room_once_when_it_may),
        cmocka_unit_test(gives_up_waiting_only_when_it_is_told_to_stop),
        cmocka_unit_test(takes_exactly_as_many_events_as_until_says),
        cmocka_unit_test(leaves_out_events_after_the_time_of_until),
        cmocka_unit_test(holds_one_large_event_at_a_time_when_it_can_wait),
        cmocka_unit_test(takes_a_large_event_at_once_when_it_cannot_wait),
        cmocka_unit_test(refuses_and_names_an_event_that_is_too_large),
        cmocka_unit_test(keeps_a_state_and_its_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
