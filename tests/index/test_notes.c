#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "index/notes.h"
#include "tests/support/unit.h"

static struct notes *
open_notes(const char *directory)
{
    struct error err = {0};
    struct notes *notes = notes_open(directory, &err);
    if (notes == NULL)
        fail_msg("%s", err.text);
    return notes;
}

static struct ledger_entry
entry_of(char *replay, char *deed)
{
    static char result[] = "done";
    static char who[] = "op";
    static char target[] = "kafka://127.0.0.1/copy";
    static char text[] = "stream=orders";
    return (struct ledger_entry){.replay = replay,
        .deed = deed,
        .result = result,
        .time_ns = 5,
        .who = who,
        .target = target,
        .text = text,
        .planned = 10,
        .sent = NOTES_NO_COUNT,
        .landed = 0,
        .missing = NOTES_NO_COUNT,
        .wrong = 3};
}

static void
keeps_bookmarks(void **state)
{
    struct error err = {0};
    struct notes *notes = open_notes(*state);
    char late[] = "late";
    char early[] = "früh";
    char text[] = "here it began";
    struct bookmark bookmark = {.name = late, .seq = 500, .time_ns = 7, .text = text, .made_ns = 9};
    assert_ok(notes_add_bookmark(notes, &bookmark, &err));
    bookmark = (struct bookmark){.name = early, .seq = 3, .time_ns = CLOCK_NONE, .made_ns = 10};
    assert_ok(notes_add_bookmark(notes, &bookmark, &err));
    bookmark.seq = 4; /* again: it moves */
    assert_ok(notes_add_bookmark(notes, &bookmark, &err));
    notes_close(notes);

    notes = open_notes(*state);
    struct bookmark *found;
    size_t count;
    assert_ok(notes_list_bookmarks(notes, &found, &count, &err));
    assert_int_equal(count, 2);
    assert_string_equal(found[0].name, early);
    assert_int_equal(found[0].seq, 4);
    assert_true(found[0].time_ns == CLOCK_NONE);
    assert_string_equal(found[0].text, "");
    assert_string_equal(found[1].name, late);
    assert_string_equal(found[1].text, text);
    assert_int_equal(found[1].made_ns, 9);
    notes_free_bookmarks(found, count);

    assert_ok(notes_remove_bookmark(notes, late, &err));
    assert_false(notes_remove_bookmark(notes, late, &err));
    assert_int_equal(err.code, ERROR_ARGUMENT);
    assert_ok(notes_list_bookmarks(notes, &found, &count, &err));
    assert_int_equal(count, 1);
    notes_free_bookmarks(found, count);
    notes_close(notes);
}

static void
refuses_names_that_are_none(void **state)
{
    struct error err = {0};
    struct notes *notes = open_notes(*state);
    char empty[] = "";
    char odd[] = "\xff\xfe";
    char *longest = alloc_zeroed(NOTES_NAME_MAX + 2);
    memset(longest, 'x', NOTES_NAME_MAX + 1);
    char *names[] = {empty, odd, longest};
    for (size_t i = 0; i < 3; i++) {
        struct bookmark bookmark = {.name = names[i]};
        struct saved_query query = {.name = names[i], .query = empty};
        assert_false(notes_add_bookmark(notes, &bookmark, &err));
        assert_int_equal(err.code, ERROR_ARGUMENT);
        assert_false(notes_save_query(notes, &query, &err));
        assert_int_equal(err.code, ERROR_ARGUMENT);
    }
    longest[NOTES_NAME_MAX] = '\0';
    struct bookmark bookmark = {.name = longest};
    assert_ok(notes_add_bookmark(notes, &bookmark, &err));
    free(longest);
    notes_close(notes);
}

static void
keeps_saved_queries(void **state)
{
    struct error err = {0};
    struct notes *notes = open_notes(*state);
    char name[] = "big ones'; DROP TABLE saved_queries; --";
    char query[] = "value.amount>100 payload~\"declined\"";
    struct saved_query saved = {.name = name, .query = query};
    assert_ok(notes_save_query(notes, &saved, &err));
    struct saved_query *found;
    size_t count;
    assert_ok(notes_list_queries(notes, &found, &count, &err));
    assert_int_equal(count, 1);
    assert_string_equal(found[0].name, name);
    assert_string_equal(found[0].query, query);
    notes_free_queries(found, count);
    assert_ok(notes_remove_query(notes, name, &err));
    assert_false(notes_remove_query(notes, name, &err));
    notes_close(notes);
}

static void
the_ledger_keeps_its_order_and_what_was_not_counted(void **state)
{
    struct error err = {0};
    struct notes *notes = open_notes(*state);
    char one[] = "ONE";
    char two[] = "TWO";
    char plan[] = "plan";
    char run[] = "run";
    struct ledger_entry entries[] = {entry_of(one, plan), entry_of(two, plan), entry_of(one, run)};
    entries[2].who = NULL; /* whoever we are */
    for (size_t i = 0; i < 3; i++)
        assert_ok(notes_add_entry(notes, &entries[i], &err));
    struct ledger_entry *found;
    size_t count;
    assert_ok(notes_list_entries(notes, NULL, &found, &count, &err));
    assert_int_equal(count, 3);
    assert_string_equal(found[1].replay, "TWO");
    notes_free_entries(found, count);
    assert_ok(notes_list_entries(notes, "ONE", &found, &count, &err));
    assert_int_equal(count, 2);
    assert_string_equal(found[0].deed, "plan");
    assert_string_equal(found[0].target, "kafka://127.0.0.1/copy");
    assert_int_equal(found[0].planned, 10);
    assert_true(found[0].sent == NOTES_NO_COUNT);
    assert_int_equal(found[0].landed, 0);
    assert_int_equal(found[0].wrong, 3);
    assert_string_equal(found[1].deed, "run");
    assert_true(found[1].who[0] != '\0');
    notes_free_entries(found, count);
    notes_close(notes);
}

static void
several_processes_write_at_once(void **state)
{
    enum { WRITERS = 4, EACH = 25 };
    pid_t children[WRITERS];
    struct error err = {0};
    for (int i = 0; i < WRITERS; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            char id[] = "SAME";
            char run[] = "run";
            bool good = true;
            for (int k = 0; good && k < EACH; k++) {
                struct ledger_entry entry = entry_of(id, run);
                struct notes *notes =
                    notes_open(*state, &err); /* the file is made by one of them */
                good = notes != NULL && notes_add_entry(notes, &entry, &err);
                notes_close(notes);
            }
            if (!good)
                (void)fprintf(stderr, "writer %d: %s\n", i, err.text);
            _exit(good ? 0 : 1);
        }
    }
    for (int i = 0; i < WRITERS; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    struct notes *notes;
    assert_ok(notes_open_reader(*state, &notes, &err));
    struct ledger_entry *found;
    size_t count;
    assert_ok(notes_list_entries(notes, NULL, &found, &count, &err));
    assert_int_equal(count, WRITERS * EACH);
    notes_free_entries(found, count);
    notes_close(notes);
}

static void
where_nothing_was_noted_the_lists_are_empty(void **state)
{
    struct error err = {0};
    struct notes *notes;
    struct bookmark *bookmarks;
    struct saved_query *queries;
    struct ledger_entry *entries;
    size_t counts[3];
    assert_ok(notes_open_reader(*state, &notes, &err));
    assert_null(notes);
    assert_ok(notes_list_bookmarks(notes, &bookmarks, &counts[0], &err));
    assert_ok(notes_list_queries(notes, &queries, &counts[1], &err));
    assert_ok(notes_list_entries(notes, NULL, &entries, &counts[2], &err));
    assert_int_equal(counts[0] + counts[1] + counts[2], 0);
    notes_free_bookmarks(bookmarks, counts[0]);
    notes_free_queries(queries, counts[1]);
    notes_free_entries(entries, counts[2]);
}

static void
what_is_broken_or_newer_stays_as_it_is(void **state)
{
    struct error err = {0};
    struct stat status;
    char *path = alloc_format("%s/notes.db", (char *)*state);
    notes_close(open_notes(*state));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);

    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 7", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_null(notes_open(*state, &err));
    assert_int_equal(err.code, ERROR_FORMAT);
    assert_non_null(strstr(err.text, "version 7"));

    char junk[] = "these were notes once, before somebody wrote over them; they are still theirs";
    assert_ok(file_replace(path, junk, sizeof(junk), &err));
    assert_null(notes_open(*state, &err));
    assert_int_equal(err.code, ERROR_DAMAGED);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, sizeof(junk));
    free(path);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, temp_directory_set_up, temp_directory_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keeps_bookmarks),
        TEST(refuses_names_that_are_none),
        TEST(keeps_saved_queries),
        TEST(the_ledger_keeps_its_order_and_what_was_not_counted),
        TEST(several_processes_write_at_once),
        TEST(where_nothing_was_noted_the_lists_are_empty),
        TEST(what_is_broken_or_newer_stays_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
