/* Tapes to take along, the program as it is: packed, and in a directory. */
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "tests/support/console_copying.h"
#include "tests/support/console_program.h"
#include "tests/support/console_tape.h"
#include "tests/support/unit.h"

static void
a_packed_tape_says_what_the_tape_says(void **state)
{
    const struct copying *fixture = *state;
    strange_tape_write(fixture->tape);
    copying_expect(fixture,
        WORDS("export", "--tape", fixture->tape, "--tape-file", fixture->packed), 0, "260 events",
        NULL);
    struct stat status;
    assert_int_equal(stat(fixture->packed, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    struct buffer lines = copying_output(fixture, WORDS("export", "--tape", fixture->tape));
    file_remove_tree(fixture->tape);
    struct buffer packed = copying_output(fixture, WORDS("export", "--tape", fixture->packed));
    expect_equal(&lines, &packed);
    copying_expect(fixture, WORDS("streams", "--tape", fixture->packed), 0, "shop/orders", NULL);
    copying_expect(fixture, WORDS("tape", "verify", "--tape", fixture->packed), 0, "whole", NULL);
    copying_expect(fixture, WORDS("screen", "flows", "--tape", fixture->packed), 0, "orders", NULL);
    assert_int_equal(count_entries(fixture->scratch), 0);
    /* The tape, the scratch directory and nothing half made. */
    assert_int_equal(count_entries(fixture->home), 2);
    buffer_done(&lines);
    buffer_done(&packed);
}

static void
a_portable_directory_holds_the_selection_and_its_holes(void **state)
{
    const struct copying *fixture = *state;
    small_tape_write(fixture->tape);
    sample_tape_write_hole(fixture->tape, "orders", 4, 6);
    copying_expect(fixture,
        WORDS("export", "--tape", fixture->tape, "--tape-file", fixture->other, "stream=orders"), 0,
        "2 events", NULL);
    struct buffer lines =
        copying_output(fixture, WORDS("streams", "--json", "--tape", fixture->other));
    json_t *line = json_loads(buffer_text(&lines), JSON_DISABLE_EOF_CHECK, NULL);
    assert_non_null(line);
    assert_string_equal(json_string_value(json_object_get(line, "events")), "2");
    const json_t *lane = json_array_get(json_object_get(line, "coverage"), 0);
    assert_int_equal(json_array_size(json_object_get(lane, "holes")), 1);
    json_decref(line);
    assert_null(strstr(buffer_text(&lines), "payments"));
    buffer_done(&lines);
    copying_expect(fixture, WORDS("export", "--tape", fixture->tape, "--tape-file", fixture->other),
        2, NULL, "is there already");
}

static void
a_packed_tape_without_a_match_opens_too(void **state)
{
    const struct copying *fixture = *state;
    small_tape_write(fixture->tape);
    copying_expect(fixture,
        WORDS("export", "--tape", fixture->tape, "--tape-file", fixture->packed, "key=nobody"), 0,
        "0 events", NULL);
    copying_expect(
        fixture, WORDS("search", "--count", "--tape", fixture->packed, "a"), 0, "0", NULL);
}

static void
a_packed_tape_cannot_be_changed(void **state)
{
    const struct copying *fixture = *state;
    small_tape_write(fixture->tape);
    struct buffer lines = copying_export(fixture);
    buffer_done(&lines);
    copying_expect(fixture,
        WORDS("export", "--tape", fixture->tape, "--tape-file", fixture->packed), 0, NULL, NULL);
    const char *packed = fixture->packed;
    const char *why = "is a packed tape, which can only be read";
    copying_expect(fixture, WORDS("record", "--tape", packed, "zmq://127.0.0.1:9/x"), 2, NULL, why);
    copying_expect(fixture, WORDS("import", "--tape", packed, fixture->file), 2, NULL, why);
    copying_expect(fixture, WORDS("tape", "rebuild", "--tape", packed), 2, NULL, why);
    copying_expect(
        fixture, WORDS("tape", "prune", "--keep-bytes", "1", "--tape", packed), 2, NULL, why);
    copying_expect(fixture,
        WORDS("replay", "plan", "--tape", packed, "--to", "kafka://127.0.0.1:9/x"), 2, NULL, why);
}

/* Where the events of a stream have their id goes along, to wherever the tape goes. */
static void
a_packed_tape_finds_ids_where_they_were(void **state)
{
    const struct copying *fixture = *state;
    char *config = alloc_format("%s/ids.conf", fixture->home);
    const char *ids = "[stream.orders]\nid = header:order-id\n";
    const char *event =
        "{\"v\":1,\"seq\":\"0\",\"tap\":\"shop\",\"stream\":\"orders\",\"partition\":0,"
        "\"offset\":\"7\",\"time\":null,\"time_type\":\"none\",\"received\":"
        "\"2026-11-23T14:29:31.000000000Z\",\"key\":null,\"headers\":[[\"order-id\","
        "{\"text\":\"O-1\"}]],\"payload\":null,\"size\":14}\n"
        "{\"v\":1,\"done\":true,\"matched\":\"1\",\"complete\":true,\"coverage\":[]}\n";
    write_file(config, ids, strlen(ids));
    write_file(fixture->file, event, strlen(event));
    copying_expect(fixture,
        WORDS("import", "--config", config, "--tape", fixture->tape, fixture->file), 0, NULL, NULL);
    copying_expect(fixture,
        WORDS("export", "--tape-file", fixture->packed, "--tape", fixture->tape), 0, "1 event",
        NULL);
    copying_expect(
        fixture, WORDS("search", "--count", "id=O-1", "--tape", fixture->packed), 0, "1\n", NULL);
    copying_expect(
        fixture, WORDS("search", "--count", "id=O-2", "--tape", fixture->packed), 0, "0\n", NULL);
    free(config);
}

static void
wait_until_empty(const char *path)
{
    int64_t deadline_ns = clock_monotonic_ns() + 20 * NS_PER_S;
    while (count_entries(path) > 0) {
        if (clock_monotonic_ns() > deadline_ns)
            fail_msg("%zu left in %s", count_entries(path), path);
        clock_sleep_until_ns(clock_monotonic_ns() + 5 * NS_PER_MS);
    }
}

static void
nothing_stays_unpacked_when_the_reader_is_ended(void **state)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGKILL};
    const struct copying *fixture = *state;
    small_tape_write(fixture->tape);
    copying_expect(fixture,
        WORDS("export", "--tape", fixture->tape, "--tape-file", fixture->packed), 0, NULL, NULL);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        struct program program;
        program_start(&program, fixture->home,
            WORDS("events", "--follow", "--json", "--tape", fixture->packed),
            WORDS(fixture->scratch_variable));
        program_wait_for(&program, "\"offset\":\"3\"");
        assert_int_equal(count_entries(fixture->scratch), 1);
        assert_int_equal(kill(program.pid, signals[i]), 0);
        program_finish(&program);
        program_done(&program);
        wait_until_empty(fixture->scratch);
    }
}

/* ---- archives that others made ---- */

static void
add_entry(struct archive *archive, const char *name, unsigned type, const char *content)
{
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, type);
    archive_entry_set_perm(entry, 0600);
    if (type == AE_IFLNK)
        archive_entry_set_symlink(entry, content);
    else
        archive_entry_set_size(entry, (la_int64_t)strlen(content));
    assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
    if (type == AE_IFREG)
        assert_int_equal(archive_write_data(archive, content, strlen(content)), strlen(content));
    archive_entry_free(entry);
}

/* Pack LOCK and one more entry, twice when `is_twice`. */
static void
pack(const char *path, const char *name, unsigned type, const char *content, bool is_twice)
{
    struct archive *archive = archive_write_new();
    (void)unlink(path);
    assert_int_equal(archive_write_set_format_pax(archive), ARCHIVE_OK);
    assert_int_equal(archive_write_add_filter_zstd(archive), ARCHIVE_OK);
    assert_int_equal(archive_write_open_filename(archive, path), ARCHIVE_OK);
    add_entry(archive, "LOCK", AE_IFREG, "1\n");
    add_entry(archive, name, type, content);
    if (is_twice)
        add_entry(archive, name, type, content);
    assert_int_equal(archive_write_close(archive), ARCHIVE_OK);
    archive_write_free(archive);
}

static void
expect_no_tape(const struct copying *fixture, const char *why)
{
    copying_expect(fixture, WORDS("streams", "--tape", fixture->packed), 6, NULL, why);
    assert_int_equal(count_entries(fixture->scratch), 0);
}

static void
unpacks_only_plain_files_of_a_tape(void **state)
{
    const struct copying *fixture = *state;
    const char *path = fixture->packed;
    pack(path, "../00000001.seg", AE_IFREG, "x", false);
    expect_no_tape(fixture, "no plain file of a tape");
    pack(path, "/tmp/00000001.seg", AE_IFREG, "x", false);
    expect_no_tape(fixture, "no plain file of a tape");
    pack(path, "sub/00000001.seg", AE_IFREG, "x", false);
    expect_no_tape(fixture, "no plain file of a tape");
    pack(path, "catalogue.db", AE_IFREG, "x", false);
    expect_no_tape(fixture, "catalogue.db");
    pack(path, "00000001.seg", AE_IFLNK, "/etc/passwd", false);
    expect_no_tape(fixture, "no plain file of a tape");
    pack(path, "00000001.seg", AE_IFIFO, "", false);
    expect_no_tape(fixture, "no plain file of a tape");
    pack(path, "00000001.seg", AE_IFREG, "x", true);
    expect_no_tape(fixture, "twice");
    pack(path, "\033[2J", AE_IFREG, "x", false);
    expect_no_tape(fixture, "it holds ' [2J'"); /* the terminal is not cleared by a name */
    assert_int_equal(count_entries(fixture->home), 2);
}

static void
says_when_a_packed_tape_is_cut_off(void **state)
{
    const struct copying *fixture = *state;
    strange_tape_write(fixture->tape);
    copying_expect(fixture,
        WORDS("export", "--tape", fixture->tape, "--tape-file", fixture->packed), 0, NULL, NULL);
    struct stat status;
    assert_int_equal(stat(fixture->packed, &status), 0);
    assert_int_equal(truncate(fixture->packed, status.st_size / 2), 0);
    expect_no_tape(fixture, "not a whole packed tape");
    write_file(fixture->packed, "junk", 4);
    expect_no_tape(fixture, "not a whole packed tape");
    write_file(fixture->packed, "", 0);
    expect_no_tape(fixture, "not a whole packed tape");
    assert_int_equal(unlink(fixture->packed), 0);
    copying_expect(
        fixture, WORDS("streams", "--tape", fixture->packed), 2, NULL, "there is no packed tape");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, copying_set_up, copying_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_packed_tape_says_what_the_tape_says),
        TEST(a_portable_directory_holds_the_selection_and_its_holes),
        TEST(a_packed_tape_without_a_match_opens_too),
        TEST(a_packed_tape_cannot_be_changed),
        TEST(nothing_stays_unpacked_when_the_reader_is_ended),
        TEST(unpacks_only_plain_files_of_a_tape),
        TEST(says_when_a_packed_tape_is_cut_off),
        TEST(a_packed_tape_finds_ids_where_they_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
