#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "index/batch.h"
#include "index/catalogue.h"
#include "index/cursor.h"
#include "index/event.h"
#include "index/hole.h"
#include "index/retention.h"
#include "index/sealer.h"
#include "index/tape.h"
#include "tests/support/index_tape.h"
#include "tests/support/unit.h"

/* Five segments of 100 events each of one lane: 00000001.seg to 00000005.seg. */
#define SEGMENTS 5
#define EACH     100

static void
make_tape(const char *directory)
{
    for (int i = 0; i < SEGMENTS; i++) {
        struct tape_writer *writer = test_writer_sealing(directory, 0, true);
        const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
        test_append(writer, orders, 0, (int64_t)i * EACH, EACH);
        tape_writer_close(writer);
    }
}

static int
set_up(void **state)
{
    *state = temp_directory_new();
    make_tape(*state);
    return 0;
}

static char *
path_of(const char *directory, const char *name)
{
    return alloc_format("%s/%s", directory, name);
}

static void
remove_file(const char *directory, const char *name)
{
    char *path = path_of(directory, name);
    assert_int_equal(unlink(path), 0);
    free(path);
}

/* With what SQLite keeps beside it. */
static void
remove_catalogue(const char *directory)
{
    static const char *const names[] = {"catalogue.db", "catalogue.db-wal", "catalogue.db-shm"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *path = path_of(directory, names[i]);
        (void)unlink(path);
        free(path);
    }
}

static void
move(const char *directory, const char *from, const char *to)
{
    char *old_path = path_of(directory, from);
    char *new_path = path_of(directory, to);
    assert_int_equal(rename(old_path, new_path), 0);
    free(old_path);
    free(new_path);
}

static void
copy(const char *directory, const char *from, const char *to_directory, const char *to)
{
    struct error err = {0};
    struct buffer content = {0};
    char *old_path = path_of(directory, from);
    char *new_path = path_of(to_directory, to);
    assert_ok(file_read_whole(old_path, (size_t)1 << 20, &content, &err));
    assert_ok(file_replace(new_path, content.data, content.length, &err));
    buffer_done(&content);
    free(old_path);
    free(new_path);
}

static void
write_text(const char *directory, const char *name, const char *text)
{
    struct error err = {0};
    char *path = path_of(directory, name);
    assert_ok(file_replace(path, text, strlen(text), &err));
    free(path);
}

/* Every event of the tape by seq and by offset, each checked; returns how many by seq. */
static int
count(struct tape *tape, enum cursor_order order)
{
    struct error err = {0};
    struct event event;
    struct cursor *cursor = cursor_new(tape, &(struct cursor_options){.order = order});
    int found = 0;
    int64_t last = -1;
    while (cursor_next(cursor, 0, &event, &err) == CURSOR_EVENT) {
        assert_made_event(&event);
        assert_true(event.offset > last && (uint64_t)event.offset == event.seq);
        last = event.offset;
        found++;
    }
    cursor_free(cursor);
    return found;
}

/* What a reader finds, and how many places it names; the text of the first must have `word` in it. */
static struct tape *
open_and_expect(const char *directory, int events, size_t places, const char *word)
{
    const struct tape_damage *damage;
    struct tape *tape = test_open(directory);
    assert_int_equal(count(tape, CURSOR_BY_SEQ), events);
    assert_int_equal(count(tape, CURSOR_BY_OFFSET), events);
    size_t found = tape_damage(tape, &damage);
    if (found != places || (places > 0 && strstr(damage[0].text, word) == NULL))
        fail_msg("%zu places: %s", found, found > 0 ? damage[0].text : "");
    return tape;
}

static void
expect(const char *directory, int events, size_t places, const char *word)
{
    tape_close(open_and_expect(directory, events, places, word));
}

static void
expect_range(const struct tape *tape, uint64_t first_seq, uint64_t end_seq)
{
    const struct tape_damage *damage;
    assert_int_equal(tape_damage(tape, &damage), 1);
    assert_int_equal(damage[0].first_seq, first_seq);
    assert_int_equal(damage[0].end_seq, end_seq);
}

static void
expect_one_hole(const struct lane_summary *lane, int64_t from, int64_t to, enum hole_reason reason)
{
    assert_int_equal(lane->hole_count, 1);
    assert_int_equal(lane->holes[0].from, from);
    assert_int_equal(lane->holes[0].to, to);
    assert_int_equal(lane->holes[0].reason, reason);
}

static const struct lane_summary *
only_lane(struct tape *tape)
{
    struct error err = {0};
    size_t lane_count;
    const struct lane_summary *lanes = tape_lanes(tape, &lane_count, &err);
    assert_int_equal(lane_count, 1);
    assert_string_equal(lanes->stream->label, "shop/orders");
    return lanes;
}

/* Its one hole. */
static void
expect_hole_at(struct tape *tape, int64_t from, int64_t to, enum hole_reason reason)
{
    expect_one_hole(only_lane(tape), from, to, reason);
}

static void
expect_hole(struct tape *tape, enum hole_reason reason)
{
    expect_hole_at(tape, 200, 299, reason);
}

static void
a_whole_tape_fits(void **state)
{
    expect(*state, 500, 0, NULL);
}

static void
a_file_that_is_gone_is_missed_and_its_offsets_are_a_hole(void **state)
{
    remove_file(*state, "00000003.seg");
    struct tape *tape = open_and_expect(*state, 400, 1, "between 00000002.seg and 00000004.seg");
    expect_range(tape, 200, 300);
    expect_hole(tape, HOLE_UNKNOWN);
    tape_close(tape);
}

/* In the middle of the tape too. Partition 1 ends in the file, partition 2 begins there, and "late" was nowhere else. */
static void
lanes_of_a_file_that_is_gone_are_named_as_the_catalogue_has_them(void **state)
{
    struct error err = {0};
    size_t lane_count;
    char *directory = path_of(*state, "ends");
    for (int i = 0; i < 3; i++) {
        struct tape_writer *writer = test_writer_sealing(directory, 0, true);
        const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
        test_append(writer, orders, 0, (int64_t)i * EACH, EACH);
        if (i < 2)
            test_append(writer, orders, 1, (int64_t)i * EACH, EACH);
        if (i > 0)
            test_append(writer, orders, 2, (int64_t)i * EACH, EACH);
        if (i == 1)
            test_append(writer, tape_writer_stream(writer, "shop", "late"), 3, 7, EACH);
        tape_writer_close(writer);
    }
    remove_file(directory, "00000002.seg");

    for (int attempt = 0; attempt < 2; attempt++) {
        struct tape *tape = test_open(directory);
        const struct lane_summary *lanes = tape_lanes(tape, &lane_count, &err);
        assert_int_equal(lane_count, attempt == 0 ? 4 : 3);
        expect_one_hole(&lanes[0], EACH, 2 * EACH - 1, HOLE_UNKNOWN);
        assert_int_equal(lanes[1].events, EACH);
        if (attempt == 0) {
            expect_one_hole(&lanes[1], EACH, 2 * EACH - 1, HOLE_UNKNOWN);
            expect_one_hole(&lanes[2], EACH, 2 * EACH - 1, HOLE_UNKNOWN);
            assert_string_equal(lanes[3].stream->label, "shop/late");
            assert_int_equal(lanes[3].partition, 3);
            assert_int_equal(lanes[3].events, 0);
            expect_one_hole(&lanes[3], 7, 6 + EACH, HOLE_UNKNOWN);
        } else {
            assert_int_equal(lanes[1].hole_count, 0);
            assert_int_equal(lanes[2].hole_count, 0);
        }
        tape_close(tape);
        remove_catalogue(directory);
    }
    free(directory);
}

/* The same where it is there and cannot be opened. */
static void
lanes_that_end_in_a_file_that_cannot_be_opened_are_named_too(void **state)
{
    struct error err = {0};
    size_t lane_count;
    struct tape_writer *writer = test_writer_sealing(*state, 0, true);
    test_append(writer, tape_writer_stream(writer, "shop", "late"), 0, 0, 10);
    tape_writer_close(writer);
    writer = test_writer_sealing(*state, 0, true);
    test_append(writer, tape_writer_stream(writer, "shop", "orders"), 0, 500, EACH);
    tape_writer_close(writer);
    write_text(*state, "00000006.seg", "this is no segment");

    struct tape *tape = test_open(*state);
    const struct lane_summary *lanes = tape_lanes(tape, &lane_count, &err);
    assert_int_equal(lane_count, 2);
    assert_int_equal(lanes[0].hole_count, 0);
    assert_string_equal(lanes[1].stream->label, "shop/late");
    expect_one_hole(&lanes[1], 0, 9, HOLE_DAMAGED);
    tape_close(tape);
}

/* The gap is no second hole where one reaches to the last offset there is. */
static void
a_hole_without_end_has_the_offsets_of_a_file_that_is_gone(void **state)
{
    struct error err = {0};
    size_t lane_count;
    struct tape_writer *writer = test_writer_sealing(*state, 0, true);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    struct batch *batch = batch_new();
    batch_add_hole(
        batch, &(struct hole){
                   .stream_id = orders->id, .from = 500, .to = INT64_MAX, .reason = HOLE_DROPPED});
    assert_ok(tape_writer_append(writer, batch, &err));
    batch_release(batch);
    test_append(writer, orders, 0, 400, EACH);
    tape_writer_close(writer);
    for (int i = 5; i < 7; i++) {
        writer = test_writer_sealing(*state, 0, true);
        test_append(writer, tape_writer_stream(writer, "shop", "orders"), 0, (int64_t)i * EACH, 1);
        tape_writer_close(writer);
    }
    remove_file(*state, "00000007.seg");

    struct tape *tape = test_open(*state);
    const struct lane_summary *lanes = tape_lanes(tape, &lane_count, &err);
    assert_int_equal(lanes[0].hole_count, 1);
    assert_true(lanes[0].holes[0].to == INT64_MAX);
    tape_close(tape);
}

/* No gap shows it; the catalogue has their rows, until it is made again. */
static void
newest_files_that_are_gone_are_missed_as_the_catalogue_has_them(void **state)
{
    struct error err = {0};
    struct catalogue_counts counts;
    for (int i = SEGMENTS; i > 0; i--) {
        char name[] = "0000000?.seg";
        name[7] = (char)('0' + i);
        remove_file(*state, name);
        int left = (i - 1) * EACH;
        struct tape *tape = open_and_expect(*state, left, 1, "00000005.seg, the newest");
        expect_range(tape, (uint64_t)left, (uint64_t)SEGMENTS * EACH);
        expect_hole_at(tape, left, (int64_t)SEGMENTS * EACH - 1, HOLE_UNKNOWN);
        assert_int_equal(tape_end_seq(tape), left);
        assert_false(tape_verify(tape, &err));
        assert_int_equal(err.code, ERROR_DAMAGED);
        tape_close(tape);
    }
    assert_ok(catalogue_rebuild_alone(*state, &counts, &err));
    expect(*state, 0, 0, NULL);
}

/* No number is given twice: a bookmark of what is gone finds nothing, and the file fits when it is put back. The offsets
 * are asked for again where they are the transport's. */
static void
a_recorder_goes_on_behind_what_is_gone(void **state)
{
    move(*state, "00000005.seg", "away");
    tape_writer_close(
        test_writer_sealing(*state, 0, true)); /* one that records nothing changes nothing */
    struct tape_writer *writer = test_writer_sealing(*state, 0, true);
    assert_non_null(strstr(tape_writer_repairs(writer), "00000005.seg, the newest"));
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    assert_int_equal(tape_writer_end_seq(writer), 500);
    assert_int_equal(tape_writer_checkpoint(writer, orders, 0), 399);
    test_append(writer, orders, 0, 400, EACH);
    tape_writer_close(writer);

    struct tape *tape = test_open(*state);
    expect_range(tape, 400, 500);
    assert_int_equal(only_lane(tape)->events, 500);
    assert_int_equal(only_lane(tape)->hole_count, 0);
    tape_close(tape);
    move(*state, "away", "00000005.seg");
    const struct tape_damage *damage;
    tape = test_open(*state);
    assert_int_equal(tape_damage(tape, &damage), 0);
    assert_int_equal(only_lane(tape)->events, 600);
    tape_close(tape);
}

/* Nobody else knows what the offsets were that the recorder gave itself. */
static void
offsets_of_our_own_are_not_given_twice(void **state)
{
    struct error err = {0};
    char *directory = path_of(*state, "own");
    for (int i = 0; i < 2; i++) {
        struct tape_writer *writer = test_writer_sealing(directory, 0, true);
        const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
        struct batch *batch = batch_new();
        for (int64_t k = 0; k < EACH; k++) {
            struct made_event made;
            made_event_fill(&made, orders, 0, (int64_t)i * EACH + k);
            made.event.offset_is_synthetic = true;
            assert_ok(batch_add(batch, &made.event, &err));
            made_event_done(&made);
        }
        assert_ok(tape_writer_append(writer, batch, &err));
        batch_release(batch);
        tape_writer_close(writer);
    }
    remove_file(directory, "00000002.seg");
    struct tape_writer *writer = test_writer_sealing(directory, 0, true);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    assert_int_equal(tape_writer_checkpoint(writer, orders, 0), 2 * EACH - 1);
    tape_writer_close(writer);
    free(directory);
}

/* Its seqs belong to a tape that is no more. */
static void
a_tape_without_files_begins_anew(void **state)
{
    for (int i = SEGMENTS; i > 0; i--) {
        char name[] = "0000000?.seg";
        name[7] = (char)('0' + i);
        remove_file(*state, name);
    }
    struct tape_writer *writer = test_writer_sealing(*state, 0, true);
    assert_int_equal(tape_writer_end_seq(writer), 0);
    tape_writer_close(writer);
    expect(*state, 0, 0, NULL);
}

static void
a_newest_file_that_cannot_be_opened_has_what_the_catalogue_says(void **state)
{
    write_text(*state, "00000005.seg", "this is no segment");
    struct tape *tape = open_and_expect(*state, 400, 1, "00000005.seg");
    expect_range(tape, 400, 500);
    expect_hole_at(tape, 400, 499, HOLE_DAMAGED);
    tape_close(tape);
}

/* Of what is left of it, also for a recorder, which goes on with the same stream where that ends. */
static void
a_cut_segment_has_names_and_end_from_the_catalogue(void **state)
{
    struct error err = {0};
    char *directory = path_of(*state, "cut");
    char *path = path_of(directory, "00000001.seg");
    struct tape_writer *writer = test_writer_sealing(directory, 0, true);
    test_append(writer, tape_writer_stream(writer, "shop", "orders"), 0, 0, 6000);
    tape_writer_close(writer);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(truncate(path, status.st_size / 2), 0);

    size_t lane_count;
    struct tape *tape = test_open(directory);
    int64_t last = tape_lanes(tape, &lane_count, &err)->last_offset;
    assert_true(last > 0 && last < 5999);
    expect_hole_at(tape, last + 1, 5999, HOLE_DAMAGED);
    tape_close(tape);

    writer = test_writer_sealing(directory, 0, true);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    assert_int_equal(tape_writer_checkpoint(writer, orders, 0), last);
    tape_writer_close(writer);
    free(path);
    free(directory);
}

/* How many offsets before the first one were on the tape is not known: all of them may have been. */
static void
a_file_that_is_gone_from_the_beginning_is_missed_too(void **state)
{
    struct error err = {0};
    size_t lane_count;
    remove_file(*state, "00000001.seg");
    struct tape *tape = open_and_expect(*state, 400, 1, "before 00000002.seg");
    expect_range(tape, 0, 100);
    const struct lane_summary *lanes = tape_lanes(tape, &lane_count, &err);
    assert_int_equal(lanes[0].hole_count, 1);
    assert_int_equal(lanes[0].holes[0].from, 0);
    assert_int_equal(lanes[0].holes[0].to, 99);
    assert_int_equal(lanes[0].holes[0].reason, HOLE_UNKNOWN);
    tape_close(tape);
}

static void
a_file_that_cannot_be_opened_says_which_seqs_it_had(void **state)
{
    write_text(*state, "00000003.seg", "this is no segment");
    struct tape *tape = open_and_expect(*state, 400, 1, "00000003.seg");
    expect_range(tape, 200, 300);
    expect_hole(tape, HOLE_DAMAGED);
    tape_close(tape);
}

/* 100 more events behind what is there. */
static void
go_on(const char *directory)
{
    struct tape_writer *writer = test_writer_sealing(directory, 0, true);
    test_append(
        writer, tape_writer_stream(writer, "shop", "orders"), 0, (int64_t)SEGMENTS * EACH, EACH);
    tape_writer_close(writer);
}

/* What is said of a file of a newer version has that word in it, and so may a path. */
static void
the_name_of_the_directory_does_not_matter(void **state)
{
    char *directory = alloc_format("%s/newer", (char *)*state);
    make_tape(directory);
    write_text(directory, "00000003.seg", "this is no segment");
    expect(directory, 400, 1, "00000003.seg");
    write_text(directory, "00000006.jnl",
        "this is no journal either, though it is long enough to have the header of a journal");
    go_on(directory);
    expect(directory, 500, 2, "00000003.seg");
    free(directory);
}

/* Nobody else has them open: who opened the pipe would wait for ever. */
static void
what_is_no_file_is_named_and_hides_nothing(void **state)
{
    char *directory = path_of(*state, "00000006.seg");
    char *pipe = path_of(*state, "00000007.jnl");
    char *link = path_of(*state, "00000008.seg");
    assert_int_equal(mkdir(directory, 0700), 0);
    assert_int_equal(mkfifo(pipe, 0600), 0);
    assert_int_equal(symlink("nowhere", link), 0);
    expect(*state, 500, 3, "is no file");
    go_on(*state);
    expect(*state, 600, 3, "is no file");
    struct error err = {0};
    struct retention_result result;
    assert_ok(retention_apply(*state, &(struct retention){.keep_bytes = 1, .keep_newest = true},
        clock_now_ns(), false, &result, &err));
    assert_int_equal(result.deleted_files, 5);
    free(directory);
    free(pipe);
    free(link);
}

static void
a_number_behind_which_there_is_none_is_not_of_the_tape(void **state)
{
    copy(*state, "00000005.seg", *state, "18446744073709551615.seg");
    copy(*state, "00000005.seg", *state, "99999999999999999999999.seg");
    expect(*state, 500, 0, NULL);
    go_on(*state);
    expect(*state, 600, 0, NULL);
}

/* Reading one's own memory at 0 is an error, as reading a bad place of a disk is. */
static void
a_file_that_cannot_be_read_hides_no_other_and_nothing_is_written_behind_it(void **state)
{
    struct error err = {0};
    char *link = path_of(*state, "00000000.jnl");
    assert_int_equal(symlink("/proc/self/mem", link), 0);
    expect(*state, 500, 1, "00000000.jnl: cannot read");
    assert_null(tape_writer_open(*state, NULL, &err));
    assert_non_null(strstr(err.text, "cannot read"));
    assert_non_null(strstr(err.text, "move it away"));
    assert_int_equal(unlink(link), 0);
    go_on(*state);
    expect(*state, 600, 0, NULL);
    free(link);
}

static void
renamed_files_are_read_in_their_place(void **state)
{
    move(*state, "00000002.seg", "00000009.seg");
    expect(*state, 500, 1, "is number 00000002");
}

static void
swapped_files_are_read_in_their_places(void **state)
{
    move(*state, "00000002.seg", "aside");
    move(*state, "00000004.seg", "00000002.seg");
    move(*state, "aside", "00000004.seg");
    expect(*state, 500, 2, "rename it");
}

static void
a_copy_gives_no_event_twice(void **state)
{
    copy(*state, "00000002.seg", *state, "00000006.seg");
    expect(*state, 500, 2, "is number 00000002");
}

static void
files_of_another_tape_are_left_out(void **state)
{
    static const char *const names[] = {"00000000.seg", "00000006.seg"};
    char *other = temp_directory_new();
    make_tape(other);
    for (size_t i = 0; i < 2; i++) {
        char *path = path_of(*state, names[i]);
        copy(other, "00000003.seg", *state, names[i]);
        expect(*state, 500, 1, "belongs to another tape");
        assert_int_equal(unlink(path), 0);
        free(path);
    }
    copy(other, "00000003.seg", *state, "00000003.seg");
    struct tape *tape = open_and_expect(*state, 400, 1, "belongs to another tape");
    expect_hole(tape, HOLE_DAMAGED);
    tape_close(tape);
    temp_directory_remove(other);
}

/* The recorder goes on with the number and the seqs of the tape, not with those of what was put there. */
static void
a_recorder_goes_on_behind_its_own_files(void **state)
{
    char *other = temp_directory_new();
    make_tape(other);
    copy(other, "00000002.seg", *state, "00000008.seg");
    temp_directory_remove(other);
    struct tape_writer *writer = test_writer_sealing(*state, 0, true);
    assert_int_equal(tape_writer_end_seq(writer), 500);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    test_append(writer, orders, 0, 500, EACH);
    tape_writer_close(writer);
    expect(*state, 600, 1, "belongs to another tape");
}

/* A crash between rename and unlink left both, and then the segment broke: the journal still has it all. */
static void
the_journal_of_a_broken_segment_is_read_and_sealed_again(void **state)
{
    struct tape_writer *writer = test_writer(*state, 0);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    test_append(writer, orders, 0, 500, EACH);
    tape_writer_close(writer);
    write_text(*state, "00000006.seg", "this is no segment");

    struct tape *tape = test_open(*state);
    assert_int_equal(count(tape, CURSOR_BY_SEQ), 600);
    tape_close(tape);
    tape_writer_close(test_writer_sealing(*state, 0, true));
    expect(*state, 600, 0, NULL);
    char *path = path_of(*state, "00000006.jnl");
    assert_int_equal(access(path, F_OK), -1);
    free(path);
}

/* Sealed under the number in its header it would replace a segment that is right. */
static void
a_journal_under_another_number_is_not_sealed(void **state)
{
    struct error err = {0};
    struct tape_writer *writer = test_writer(*state, 0);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    test_append(writer, orders, 0, 500, EACH);
    tape_writer_close(writer);
    move(*state, "00000006.jnl", "00000007.jnl");
    assert_false(sealer_seal_journal(*state, 7, BLOCK_ZSTD, &err));
    assert_int_equal(err.code, ERROR_DAMAGED);
    expect(*state, 600, 1, "is number 00000006");
}

/* Spoil a byte in the events of a segment. */
static void
spoil(const char *directory, const char *name)
{
    struct error err = {0};
    struct buffer content = {0};
    char *path = path_of(directory, name);
    assert_ok(file_read_whole(path, (size_t)16 << 20, &content, &err));
    content.data[content.length / 8] ^= 0x10; /* a block, not the filters behind them */
    assert_ok(file_replace(path, content.data, content.length, &err));
    buffer_done(&content);
    free(path);
}

static void
a_lookup_in_a_damaged_block_goes_on_behind_it(void **state)
{
    struct error err = {0};
    const struct tape_damage *damage;
    struct tape_writer *writer = test_writer_sealing(*state, 0, true);
    const struct stream *orders = tape_writer_stream(writer, "shop", "orders");
    test_append(writer, orders, 0, 500, 6000); /* several blocks */
    tape_writer_close(writer);
    spoil(*state, "00000006.seg");

    struct tape *tape = test_open(*state);
    int found = count(tape, CURSOR_BY_SEQ);
    assert_int_equal(tape_damage(tape, &damage), 1);
    int64_t first = damage[0].first.offset;
    int64_t last = damage[0].last.offset;
    assert_int_equal(damage[0].events, last - first + 1);
    assert_int_equal(found, 6500 - (int)damage[0].events);

    struct cursor *cursor = cursor_new(tape, &(struct cursor_options){.order = CURSOR_BY_SEQ});
    struct event event;
    const struct stream *stream = tape_stream(tape, 0);
    assert_int_equal(cursor_fetch_offset(cursor, stream, 0, first, &event, &err), CURSOR_EVENT);
    assert_int_equal(event.offset, last + 1);
    assert_int_equal(cursor_fetch_offset(cursor, stream, 0, first - 1, &event, &err), CURSOR_EVENT);
    assert_int_equal(event.offset, first - 1);
    cursor_free(cursor);
    tape_close(tape);
}

static uint64_t
deleted_by_age(const char *directory, int64_t keep_age_ns)
{
    struct error err = {0};
    struct retention rules = {.keep_age_ns = keep_age_ns};
    struct retention_result result;
    assert_ok(retention_apply(directory, &rules, clock_now_ns(), true, &result, &err));
    return result.deleted_files;
}

/* A clock that was an hour ahead for a while: what came later is not taken from the middle. */
static void
retention_by_age_takes_the_oldest_first(void **state)
{
    char *directory = temp_directory_new();
    static const int64_t received_ns[] = {1000, INT64_C(4102444800) * NS_PER_S, 2000};
    for (size_t i = 0; i < 3; i++) {
        struct error err = {0};
        struct tape_writer *writer = test_writer_sealing(directory, 0, true);
        struct batch *batch = batch_new();
        struct event event = {
            .stream = tape_writer_stream(writer, "shop", "orders"),
            .offset = (int64_t)i,
            .received_ns = received_ns[i],
            .time_ns = CLOCK_NONE,
        };
        assert_ok(batch_add(batch, &event, &err));
        assert_ok(tape_writer_append(writer, batch, &err));
        batch_release(batch);
        tape_writer_close(writer);
    }
    assert_int_equal(deleted_by_age(directory, 60 * NS_PER_S), 1);
    temp_directory_remove(directory);
    (void)state;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, temp_directory_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_whole_tape_fits),
        TEST(a_file_that_is_gone_is_missed_and_its_offsets_are_a_hole),
        TEST(lanes_of_a_file_that_is_gone_are_named_as_the_catalogue_has_them),
        TEST(lanes_that_end_in_a_file_that_cannot_be_opened_are_named_too),
        TEST(a_hole_without_end_has_the_offsets_of_a_file_that_is_gone),
        TEST(newest_files_that_are_gone_are_missed_as_the_catalogue_has_them),
        TEST(a_recorder_goes_on_behind_what_is_gone),
        TEST(offsets_of_our_own_are_not_given_twice),
        TEST(a_tape_without_files_begins_anew),
        TEST(a_newest_file_that_cannot_be_opened_has_what_the_catalogue_says),
        TEST(a_cut_segment_has_names_and_end_from_the_catalogue),
        TEST(a_file_that_is_gone_from_the_beginning_is_missed_too),
        TEST(a_file_that_cannot_be_opened_says_which_seqs_it_had),
        TEST(the_name_of_the_directory_does_not_matter),
        TEST(what_is_no_file_is_named_and_hides_nothing),
        TEST(a_number_behind_which_there_is_none_is_not_of_the_tape),
        TEST(a_file_that_cannot_be_read_hides_no_other_and_nothing_is_written_behind_it),
        TEST(renamed_files_are_read_in_their_place),
        TEST(swapped_files_are_read_in_their_places),
        TEST(a_copy_gives_no_event_twice),
        TEST(files_of_another_tape_are_left_out),
        TEST(a_recorder_goes_on_behind_its_own_files),
        TEST(the_journal_of_a_broken_segment_is_read_and_sealed_again),
        TEST(a_journal_under_another_number_is_not_sealed),
        TEST(a_lookup_in_a_damaged_block_goes_on_behind_it),
        cmocka_unit_test(retention_by_age_takes_the_oldest_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
