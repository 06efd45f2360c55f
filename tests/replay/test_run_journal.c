#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/file.h"
#include "replay/run_journal.h"
#include "tests/support/unit.h"

#define RECORD_BYTES 48

struct place {
    char *directory;
    char *path;
};

static int
set_up(void **state)
{
    struct place *place = alloc_zeroed(sizeof(*place));
    place->directory = temp_directory_new();
    place->path = alloc_format("%s/journal", place->directory);
    *state = place;
    return 0;
}

static int
tear_down(void **state)
{
    struct place *place = *state;
    temp_directory_remove(place->directory);
    free(place->path);
    free(place);
    return 0;
}

static off_t
size_of(const char *path)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    return status.st_size;
}

/* Two partitions: 1 has acknowledged two events, then a third. */
static void
write_journal(const struct place *place)
{
    struct error err;
    struct run_journal *journal = run_journal_open(place->path, 2, &err);
    assert_ok(journal != NULL);
    run_journal_start(journal, 1, 500);
    run_journal_acknowledge(journal, 1, 7, 500);
    run_journal_acknowledge(journal, 1, 9, 501);
    assert_ok(run_journal_sync(journal, &err));
    run_journal_acknowledge(journal, 1, 12, 502);
    assert_ok(run_journal_sync(journal, &err));
    run_journal_close(journal);
}

static void
remembers_what_was_acknowledged(void **state)
{
    struct place *place = *state;
    struct error err;
    write_journal(place);
    struct run_journal *journal = run_journal_open(place->path, 2, &err);
    assert_ok(journal != NULL);
    const struct run_lane *lanes = run_journal_lanes(journal);
    assert_false(lanes[0].started);
    assert_int_equal(lanes[0].acknowledged, 0);
    assert_int_equal(lanes[0].last_offset, -1);
    assert_true(lanes[1].started);
    assert_int_equal(lanes[1].start_offset, 500);
    assert_int_equal(lanes[1].acknowledged, 3);
    assert_int_equal(lanes[1].last_offset, 502);
    assert_int_equal(lanes[1].last_index, 12);
    assert_false(lanes[1].ended);
    run_journal_end(journal, 1, 600);
    run_journal_close(journal);
    journal = run_journal_read(place->path, 2, &err);
    assert_ok(journal != NULL);
    assert_true(run_journal_lanes(journal)[1].ended);
    assert_int_equal(run_journal_lanes(journal)[1].end_offset, 600);
    run_journal_close(journal);
}

static void
writes_one_record_per_partition_and_sync(void **state)
{
    struct place *place = *state;
    write_journal(place);
    assert_int_equal(size_of(place->path), 8 + 3 * RECORD_BYTES);
}

static void
cuts_a_torn_tail_at_any_length_and_goes_on(void **state)
{
    struct place *place = *state;
    for (off_t length = 0; length < 8 + 3 * RECORD_BYTES; length++) {
        struct error err;
        unlink(place->path);
        write_journal(place);
        assert_int_equal(truncate(place->path, length), 0);
        struct run_journal *journal = run_journal_open(place->path, 2, &err);
        assert_ok(journal != NULL);
        const struct run_lane *lane = &run_journal_lanes(journal)[1];
        assert_int_equal(lane->started, length >= 8 + RECORD_BYTES);
        assert_int_equal(lane->acknowledged, length >= 8 + 2 * RECORD_BYTES ? 2 : 0);
        uint64_t before = lane->acknowledged;
        run_journal_acknowledge(journal, 1, 99, 777);
        run_journal_close(journal);
        journal = run_journal_read(place->path, 2, &err);
        assert_ok(journal != NULL);
        assert_int_equal(run_journal_lanes(journal)[1].acknowledged, before + 1);
        assert_int_equal(run_journal_lanes(journal)[1].last_index, 99);
        run_journal_close(journal);
    }
}

static void
believes_nothing_behind_a_damaged_record(void **state)
{
    struct place *place = *state;
    struct error err;
    write_journal(place);
    int fd = open(place->path, O_RDWR);
    unsigned char byte = 0x55;
    assert_int_equal(pwrite(fd, &byte, 1, 8 + RECORD_BYTES + 20), 1);
    close(fd);
    struct run_journal *journal = run_journal_read(place->path, 2, &err);
    assert_ok(journal != NULL);
    assert_true(run_journal_lanes(journal)[1].started);
    assert_int_equal(run_journal_lanes(journal)[1].acknowledged, 0);
    run_journal_close(journal);
}

static void
refuses_a_second_run(void **state)
{
    struct place *place = *state;
    struct error err = {0};
    struct run_journal *journal = run_journal_open(place->path, 2, &err);
    assert_ok(journal != NULL);
    assert_null(run_journal_open(place->path, 2, &err));
    assert_int_equal(err.code, ERROR_REFUSED);
    run_journal_close(journal);
}

static void
refuses_other_files_and_other_plans(void **state)
{
    struct place *place = *state;
    struct error err = {0};
    write_journal(place);
    assert_null(run_journal_open(place->path, 1, &err));
    assert_int_equal(err.code, ERROR_FORMAT);
    assert_ok(file_replace(place->path, "something else", 14, &err));
    assert_null(run_journal_open(place->path, 2, &err));
    assert_int_equal(err.code, ERROR_FORMAT);
    struct buffer content = {0};
    assert_ok(file_read_whole(place->path, 100, &content, &err));
    assert_string_equal(buffer_text(&content), "something else");
    buffer_done(&content);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(remembers_what_was_acknowledged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            writes_one_record_per_partition_and_sync, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            cuts_a_torn_tail_at_any_length_and_goes_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            believes_nothing_behind_a_damaged_record, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_a_second_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_other_files_and_other_plans, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
