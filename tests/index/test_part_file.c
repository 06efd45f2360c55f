/* part_file: names of a tape's files, and lists of their numbers. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "index/part_file.h"
#include "tests/support/unit.h"

static void
takes_a_path_apart_as_it_was_made(void **state)
{
    (void)state;
    struct part_file file;
    char *path = part_file_path("/tape", 42, "jnl");
    assert_string_equal(path, "/tape/00000042.jnl");
    assert_true(part_file_parse(path + strlen("/tape/"), &file));
    assert_int_equal(file.id, 42);
    assert_string_equal(file.suffix, "jnl");
    assert_string_equal(file.name, "00000042.jnl");
    free(path);
}

static void
has_more_digits_when_there_are_that_many_files(void **state)
{
    (void)state;
    struct part_file file;
    assert_true(part_file_parse("123456789.seg", &file));
    assert_int_equal(file.id, 123456789);
    assert_string_equal(file.suffix, "seg");
}

static void
refuses_names_that_no_writer_makes(void **state)
{
    (void)state;
    struct part_file file;
    assert_false(part_file_parse("LOCK", &file));
    assert_false(part_file_parse("0000042.seg", &file));
    assert_false(part_file_parse("+0000042.seg", &file));
    assert_false(part_file_parse("00000042", &file));
    assert_false(part_file_parse("99999999999999999999.seg", &file));
}

static void
add_id(void *self, const struct part_file *file)
{
    part_ids_add(self, file->id);
}

static void
gives_each_file_of_a_directory(void **state)
{
    (void)state;
    struct error err = {0};
    struct part_ids found = {0};
    char *directory = temp_directory_new();
    const char *const names[] = {"00000003.jnl", "00000001.seg", "LOCK", "notes.db"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *path = alloc_format("%s/%s", directory, names[i]);
        assert_ok(file_replace(path, "", 0, &err));
        free(path);
    }
    assert_ok(part_file_each(directory, add_id, &found, &err));
    part_ids_sort(&found);
    assert_int_equal(found.count, 2);
    assert_int_equal(found.ids[0], 1);
    assert_int_equal(found.ids[1], 3);
    part_ids_done(&found);
    temp_directory_remove(directory);
}

static void
says_which_directory_cannot_be_read(void **state)
{
    (void)state;
    struct error err = {0};
    struct part_ids found = {0};
    assert_false(part_file_each("/no/such/tape", add_id, &found, &err));
    assert_non_null(strstr(err.text, "/no/such/tape"));
    assert_int_equal(found.count, 0);
}

static void
finds_a_number_in_a_list(void **state)
{
    (void)state;
    struct part_ids list = {0};
    assert_false(part_ids_has(&list, 1));
    assert_int_equal(part_ids_last(&list), 0);
    part_ids_add(&list, 7);
    part_ids_add(&list, 2);
    part_ids_add(&list, 5);
    part_ids_sort(&list);
    assert_true(part_ids_has(&list, 2));
    assert_false(part_ids_has(&list, 3));
    assert_int_equal(part_ids_last(&list), 7);
    part_ids_done(&list);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_a_path_apart_as_it_was_made),
        cmocka_unit_test(has_more_digits_when_there_are_that_many_files),
        cmocka_unit_test(refuses_names_that_no_writer_makes),
        cmocka_unit_test(gives_each_file_of_a_directory),
        cmocka_unit_test(says_which_directory_cannot_be_read),
        cmocka_unit_test(finds_a_number_in_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
