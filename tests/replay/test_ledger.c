#include <stdlib.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "index/notes.h"
#include "replay/ledger.h"
#include "replay/plan.h"
#include "replay/plan_store.h"
#include "replay/progress.h"
#include "replay/verify.h"
#include "tests/support/unit.h"

static struct plan *
make_plan(const char *directory)
{
    struct error err = {0};
    struct plan *plan = plan_new();
    plan_make_id(1000, plan->id);
    plan->tape = alloc_text(directory);
    plan->query = alloc_text("stream=orders");
    plan->first_seq = 100;
    plan->end_seq = 250;
    plan->events = 42;
    assert_ok(target_parse("kafka://127.0.0.1:9092/copy", &plan->target, &err));
    return plan;
}

static void
notes_each_deed(void **state)
{
    (void)state;
    struct error err = {0};
    char *directory = temp_directory_new();
    struct plan *plan = make_plan(directory);
    struct error refusal = {0};
    (void)error_set(&refusal, ERROR_REFUSED, "finished already");
    struct replay_progress done = {
        .state = REPLAY_DONE, .planned = 42, .acknowledged = 40, .elapsed_ns = 5};
    struct replay_progress nothing = {.state = REPLAY_FAILED, .planned = 42};
    struct verify_result result = {
        .planned = 42, .landed = 41, .missing = 2, .duplicates = 1, .different = 3};
    assert_ok(ledger_note_plan(directory, plan, &err));
    assert_ok(ledger_note_run(directory, plan, &done, NULL, &err));
    assert_ok(ledger_note_run(directory, plan, &nothing, &refusal, &err));
    assert_ok(ledger_note_verify(directory, plan, &result, NULL, &err));
    assert_ok(ledger_note_verify(directory, plan, NULL, &refusal, &err));

    struct notes *notes;
    assert_ok(notes_open_reader(directory, &notes, &err));
    struct ledger_entry *entries;
    size_t count;
    assert_ok(notes_list_entries(notes, plan->id, &entries, &count, &err));
    assert_int_equal(count, 5);
    assert_string_equal(entries[0].result, "planned");
    assert_string_equal(entries[0].text, "stream=orders");
    assert_int_equal(entries[0].planned, 42);
    assert_true(entries[0].sent == NOTES_NO_COUNT);
    assert_string_equal(entries[1].result, "done");
    assert_int_equal(entries[1].sent, 40);
    assert_string_equal(entries[2].result, "refused");
    assert_string_equal(entries[2].text, "finished already");
    assert_string_equal(entries[3].result, "differs");
    assert_int_equal(entries[3].landed, 41);
    assert_int_equal(entries[3].missing, 2);
    assert_int_equal(entries[3].wrong, 4);
    assert_string_equal(entries[4].result, "failed");
    assert_string_equal(entries[4].target, "kafka://127.0.0.1:9092/copy");
    notes_free_entries(entries, count);
    notes_close(notes);
    plan_free(plan);
    temp_directory_remove(directory);
}

static void
says_when_it_cannot(void **state)
{
    (void)state;
    struct error err = {0};
    struct plan *plan = make_plan("/nowhere/at/all");
    assert_false(ledger_note_plan("/nowhere/at/all", plan, &err));
    assert_non_null(strstr(err.text, "ledger"));
    plan_free(plan);
}

static void
a_stored_plan_pins_its_events(void **state)
{
    (void)state;
    struct error err = {0};
    char *directory = temp_directory_new();
    struct plan *plan = make_plan(directory);
    assert_ok(plan_store_write(directory, plan, &err));
    char *path = alloc_format("%s/pins/replay-%s", directory, plan->id);
    struct buffer pin = {0};
    assert_ok(file_read_whole(path, 100, &pin, &err));
    assert_string_equal(buffer_text(&pin), "100 250\n");
    buffer_done(&pin);
    free(path);
    plan_free(plan);
    temp_directory_remove(directory);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(notes_each_deed),
        cmocka_unit_test(says_when_it_cannot),
        cmocka_unit_test(a_stored_plan_pins_its_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
