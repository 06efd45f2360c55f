/* What the recorder writes onto the tape itself. */
#include <string.h>

#include "base/clock.h"
#include "collectors/diary.h"
#include "collectors/tap_note.h"
#include "index/batch.h"
#include "index/cursor.h"
#include "index/event.h"
#include "index/indexer.h"
#include "index/query.h"
#include "index/tape.h"
#include "index/tape_writer.h"
#include "tests/support/unit.h"

/* A diary on a tape of its own; `is_full` makes the queue take nothing. */
struct setting {
    char *directory;
    struct tape_writer *writer;
    struct indexer *indexer;
    struct diary *diary;
    bool is_full;
};

static bool
push(void *self, struct batch **batch, int timeout_ms)
{
    struct setting *setting = self;
    return !setting->is_full && indexer_push(setting->indexer, batch, timeout_ms);
}

static void
open_diary(struct setting *setting)
{
    struct error err;
    setting->writer = tape_writer_open(setting->directory, NULL, &err);
    assert_ok(setting->writer != NULL);
    setting->indexer = indexer_start(setting->writer, setting->directory, NULL, &err);
    assert_ok(setting->indexer != NULL);
    setting->diary = diary_new(
        &(struct diary_options){.writer = setting->writer, .push = push, .push_self = setting});
}

static void
close_diary(struct setting *setting)
{
    struct error err;
    assert_true(diary_flush(setting->diary, 10000));
    assert_int_equal(indexer_acknowledged(setting->indexer), 0); /* nothing was received */
    assert_ok(indexer_stop(setting->indexer, &err));
    diary_free(setting->diary);
    tape_writer_close(setting->writer);
}

static bool
write_entry(struct setting *setting, const char *stream, const char *key, struct bytes payload)
{
    return diary_write(setting->diary, &(struct diary_entry){.tap = "shop",
                                           .stream = stream,
                                           .key = bytes_of(key),
                                           .payload = payload,
                                           .when_ns = 77 * NS_PER_S});
}

/* What the tape has of a stream: how many events, and the payload of the last one. */
static int
read_stream(const struct setting *setting, const char *text, char *last, size_t size)
{
    struct error err = {0};
    struct tape *tape = tape_open(setting->directory, &err);
    assert_ok(tape != NULL && tape_refresh(tape, &err));
    struct query *query = query_compile(text, 0, NULL, &err);
    assert_ok(query != NULL);
    struct cursor *cursor = cursor_new(tape, &(struct cursor_options){.query = query});
    struct event event;
    int count = 0;
    while (cursor_next(cursor, 0, &event, &err) == CURSOR_EVENT) {
        assert_true(event.offset_is_synthetic);
        assert_int_equal(event.partition, 0);
        (void)snprintf(last, size, "%.*s", (int)event.payload.length, event.payload.data);
        count++;
    }
    cursor_free(cursor);
    query_free(query);
    tape_close(tape);
    return count;
}

static void
goes_on_where_the_last_recorder_ended(void **state)
{
    (void)state;
    char last[64] = "";
    struct setting setting = {.directory = temp_directory_new()};
    for (int i = 0; i < 2; i++) {
        open_diary(&setting);
        assert_true(write_entry(&setting, "@lag", "a orders", bytes_of(i == 0 ? "one" : "two")));
        close_diary(&setting);
    }
    assert_int_equal(read_stream(&setting, "", last, sizeof(last)), 0);
    assert_int_equal(read_stream(&setting, "stream=@lag key=\"a orders\"", last, 64), 2);
    assert_string_equal(last, "two");
    assert_int_equal(read_stream(&setting, "@lag[0]@1", last, sizeof(last)), 1);
    temp_directory_remove(setting.directory);
}

static void
loses_what_a_full_queue_has_no_room_for_and_says_so(void **state)
{
    (void)state;
    static unsigned char large[100000];
    char last[64] = "";
    struct setting setting = {.directory = temp_directory_new()};
    open_diary(&setting);
    setting.is_full = true;
    int64_t began_ns = clock_monotonic_ns();
    int written = 0;
    for (int i = 0; i < 10; i++)
        written += write_entry(&setting, "@lag", "k", bytes_make(large, sizeof(large)));
    assert_int_equal(written, 2); /* one batch */
    assert_int_equal(diary_lost(setting.diary), 8);
    assert_false(diary_flush(setting.diary, 0));
    assert_true(clock_monotonic_ns() - began_ns < 5 * NS_PER_S);

    setting.is_full = false;
    assert_true(write_entry(&setting, "@lag", "k", bytes_of("after")));
    close_diary(&setting);
    assert_int_equal(read_stream(&setting, "stream=@lag", last, sizeof(last)), 3);
    assert_int_equal(read_stream(&setting, "@lag[0]@10", last, sizeof(last)), 1);
    assert_string_equal(last, "after");

    struct error err;
    struct tape *tape = tape_open(setting.directory, &err);
    assert_ok(tape != NULL && tape_refresh(tape, &err));
    size_t count = 0;
    const struct lane_summary *lanes = tape_lanes(tape, &count, &err);
    assert_int_equal(count, 1);
    assert_int_equal(lanes[0].hole_count, 1);
    assert_int_equal(lanes[0].holes[0].from, 2);
    assert_int_equal(lanes[0].holes[0].to, 9);
    assert_int_equal(lanes[0].holes[0].reason, HOLE_DROPPED);
    tape_close(tape);
    temp_directory_remove(setting.directory);
}

static void
tells_of_a_tap_what_is_out_of_the_ordinary(void **state)
{
    (void)state;
    char last[256] = "";
    struct setting setting = {.directory = temp_directory_new()};
    open_diary(&setting);
    struct tap_note note = {.diary = setting.diary, .tap = "shop"};
    tap_note_state(&note, TAP_LIVE, "", NS_PER_S);
    tap_note_state(&note, TAP_STOPPED, "", NS_PER_S);
    close_diary(&setting);
    assert_int_equal(read_stream(&setting, "stream=@taps", last, sizeof(last)), 0);

    open_diary(&setting);
    note.diary = setting.diary;
    tap_note_state(&note, TAP_RETRYING, "no \"broker\" \xff", 2 * NS_PER_S);
    close_diary(&setting);
    assert_int_equal(read_stream(&setting, "stream=@taps", last, sizeof(last)), 1);
    assert_string_equal(last, "{\"v\":1,\"tap\":\"shop\",\"state\":\"retrying\",\"reason\":\"no "
                              "\\\"broker\\\" ?\",\"since\":\"1970-01-01T00:00:02.000000000Z\"}");

    open_diary(&setting);
    note.diary = setting.diary;
    tap_note_state(&note, TAP_LIVE, "", 3 * NS_PER_S);
    close_diary(&setting);
    assert_int_equal(read_stream(&setting, "stream=@taps key=shop", last, sizeof(last)), 2);
    assert_non_null(strstr(last, "\"state\":\"live\",\"reason\":null"));
    temp_directory_remove(setting.directory);
}

static void
tells_holes_in_bounded_number(void **state)
{
    (void)state;
    char last[256] = "";
    struct setting setting = {.directory = temp_directory_new()};
    open_diary(&setting);
    struct tap_note note = {.diary = setting.diary, .tap = "shop"};
    const struct stream *orders = tape_writer_stream(setting.writer, "shop", "orders");
    struct hole hole = {.partition = 3, .from = 5, .to = 9, .reason = HOLE_COMPACTED_OR_ABORTED};
    tap_note_hole(&note, orders, &hole); /* no loss */
    hole.reason = HOLE_DROPPED;
    for (unsigned i = 0; i < 3 * TAP_NOTE_HOLES_PER_S; i++)
        tap_note_hole(&note, orders, &hole);
    hole.noticed_ns = NS_PER_S;
    hole.to = -1;
    tap_note_hole(&note, orders, &hole);
    close_diary(&setting);
    assert_int_equal(
        read_stream(&setting, "stream=@taps", last, sizeof(last)), TAP_NOTE_HOLES_PER_S + 1);
    assert_non_null(strstr(last,
        "\"state\":\"hole\",\"reason\":\"DROPPED\",\"since\":\"1970-01-01T00:00:01.000000000Z\","
        "\"stream\":\"orders\",\"partition\":3,\"from\":\"5\",\"to\":null,\"untold\":\"40\"}"));
    temp_directory_remove(setting.directory);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_on_where_the_last_recorder_ended),
        cmocka_unit_test(loses_what_a_full_queue_has_no_room_for_and_says_so),
        cmocka_unit_test(tells_of_a_tap_what_is_out_of_the_ordinary),
        cmocka_unit_test(tells_holes_in_bounded_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
