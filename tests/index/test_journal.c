#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/file.h"
#include "index/batch.h"
#include "index/event.h"
#include "index/hole.h"
#include "index/hole_record.h"
#include "index/journal.h"
#include "index/journal_format.h"
#include "index/part_file.h"
#include "tests/support/index_tape.h"
#include "tests/support/unit.h"

#define GOLDEN_PATH TEST_SOURCE_DIR "/tests/golden/journal_v1.hex"
#define GOLDEN_SEQ  1000

/* A frame says when it was written: here that is always the same moment. */
int
/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): libc's are reserved */
clock_gettime(clockid_t clock, struct timespec *now)
{
    (void)clock;
    *now = (struct timespec){.tv_sec = 1795000000, .tv_nsec = 123456789};
    return 0;
}

static const struct stream orders = {.id = 0};
static const struct stream prices = {.id = 1};

/* Usual ones, and one where everything that can be missing is. */
static struct batch *
golden_batch(void)
{
    struct error err = {0};
    struct batch *batch = test_batch(&orders, 2, 40, 3);
    struct event bare = {
        .received_ns = 5,
        .time_ns = CLOCK_NONE,
        .time_type = TIME_NONE,
        .offset = INT64_MAX,
        .offset_is_synthetic = true,
        .stream = &prices,
        .key = BYTES_NULL,
        .payload = bytes_make("", 0),
    };
    assert_ok(batch_add(batch, &bare, &err));
    bare.key = bytes_make("", 0);
    bare.payload = BYTES_NULL;
    assert_ok(batch_add(batch, &bare, &err));
    return batch;
}

static const struct hole golden_hole = {.stream_id = 1,
    .partition = 3,
    .from = 7,
    .to = 12,
    .reason = HOLE_RETENTION,
    .noticed_ns = 1795000000000000001};

static const struct journal_header golden_header = {
    .uuid = {0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe, 1, 2, 3, 4, 5, 6, 7, 8},
    .id = 1,
    .base_seq = GOLDEN_SEQ,
    .created_ns = 1795000000000000000,
};

static char *
write_golden(const char *directory)
{
    struct error err = {0};
    struct journal_file file;
    struct buffer control = {0};
    char tap[] = "shop";
    char name[] = "orders";
    char label[] = "shop/orders";
    struct stream stream = {.tap = tap, .name = name, .label = label};
    struct batch *batch = golden_batch();
    assert_ok(journal_create(&file, directory, &golden_header, NULL, &err));
    stream_record_append(&control, &stream);
    assert_ok(journal_append(&file, 0, GOLDEN_SEQ, bytes_make(control.data, control.length), &err));
    control.length = 0;
    hole_record_append(&control, &golden_hole);
    assert_ok(journal_append(&file, 0, GOLDEN_SEQ, bytes_make(control.data, control.length), &err));
    assert_ok(
        journal_append(&file, batch_event_count(batch), GOLDEN_SEQ, batch_records(batch), &err));
    batch_release(batch);
    buffer_done(&control);
    journal_file_close(&file);
    return part_file_path(directory, 1, "jnl");
}

/* If this fails, the bytes on disk have changed, and every journal that a crash left to a user is of
 * another format. TAPEDECK_UPDATE_GOLDEN=1 rewrites the file. */
static void
writes_the_bytes_of_version_1(void **state)
{
    struct error err = {0};
    struct buffer bytes = {0};
    char *path = write_golden(*state);
    assert_ok(file_read_whole(path, 1u << 20, &bytes, &err));
    assert_golden_bytes(GOLDEN_PATH, bytes_make(bytes.data, bytes.length));
    buffer_done(&bytes);
    free(path);
}

struct controls {
    unsigned streams;
    unsigned holes;
};

static void
check_control(void *self, const struct record *record)
{
    struct controls *controls = self;
    struct hole hole;
    if (record->type == RECORD_STREAM) {
        assert_true(bytes_equal_text(record->key, "shop"));
        assert_true(bytes_equal_text(record->payload, "orders"));
        assert_int_equal(record->stream_id, 0);
        controls->streams++;
        return;
    }
    assert_true(hole_record_read(record, &hole));
    assert_int_equal(hole.stream_id, golden_hole.stream_id);
    assert_int_equal(hole.partition, golden_hole.partition);
    assert_int_equal(hole.from, golden_hole.from);
    assert_int_equal(hole.to, golden_hole.to);
    assert_int_equal(hole.reason, golden_hole.reason);
    assert_true(hole.noticed_ns == golden_hole.noticed_ns);
    controls->holes++;
}

/* Whatever later versions write, this one stays readable. */
static void
reads_the_bytes_of_version_1(void **state)
{
    struct error err = {0};
    struct journal journal;
    struct controls controls = {0};
    struct buffer frame = {0};
    char *path = part_file_path(*state, 1, "jnl");
    golden_bytes_copy(GOLDEN_PATH, path);
    assert_ok(journal_open(&journal, path, &err));
    assert_memory_equal(journal.header.uuid, golden_header.uuid, TAPE_UUID_BYTES);
    assert_int_equal(journal.header.id, 1);
    assert_true(journal.header.created_ns == golden_header.created_ns);
    assert_ok(journal_scan(&journal, true, true, check_control, &controls, &err));
    assert_int_equal(controls.streams, 1);
    assert_int_equal(controls.holes, 1);
    assert_int_equal(journal.damage_count, 0);
    assert_int_equal(journal.frame_count, 1);
    assert_int_equal(journal.frames[0].first_seq, GOLDEN_SEQ);
    assert_int_equal(journal.end_seq, GOLDEN_SEQ + 5);

    /* The records are those that are made of the events today: they are compared one by one, so that
     * null and empty are told apart. */
    struct batch *batch = golden_batch();
    assert_ok(journal_read_frame(&journal, &journal.frames[0], &frame, &err));
    struct bytes body =
        bytes_make(frame.data + FRAME_HEADER_BYTES, frame.length - FRAME_HEADER_BYTES);
    assert_true(bytes_equal(body, batch_records(batch)));
    struct record record = {0};
    size_t at = 0;
    int count = 0;
    while (record_decode(body, &at, &record))
        count++;
    assert_int_equal(count, 5);
    assert_int_equal(at, body.length);
    assert_non_null(record.key.data);
    assert_null(record.payload.data);
    assert_true(record.time_ns == CLOCK_NONE);
    assert_true(record.position == INT64_MAX);
    batch_release(batch);
    buffer_done(&frame);
    journal_close(&journal);
    free(path);
}

/* Heads of frames inside each other, as payloads may have them: each says that `body_bytes` follow. */
static void
append_forged(const char *path, size_t count, uint32_t body_bytes)
{
    unsigned char head[FRAME_HEADER_BYTES] = {0};
    FILE *file = fopen(path, "ab");
    assert_non_null(file);
    store_u32(head + FRAME_AT_MAGIC, FRAME_MAGIC);
    store_u32(head + FRAME_AT_LENGTH, body_bytes);
    store_u64(head + FRAME_AT_SEQ, GOLDEN_SEQ + 5);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(fwrite(head, sizeof(head), 1, file), 1);
    assert_int_equal(fclose(file), 0);
}

/* A journal with `count` such heads behind its good frame, and a good frame behind them. */
static void
open_forged(struct journal *journal, char *path, size_t count, uint32_t body_bytes)
{
    struct error err = {0};
    struct buffer forged = {0};
    append_forged(path, count, body_bytes);
    assert_ok(file_read_whole(path, (size_t)1 << 24, &forged, &err));
    struct batch *batch = golden_batch();
    struct journal_file file = {.fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC),
        .size = forged.length,
        .is_named = true,
        .header = golden_header,
        .path = path};
    assert_true(file.fd >= 0);
    assert_ok(journal_append(
        &file, batch_event_count(batch), GOLDEN_SEQ + 5, batch_records(batch), &err));
    (void)close(file.fd);
    batch_release(batch);
    buffer_done(&forged);
    assert_ok(journal_open(journal, path, &err));
}

static void
finds_the_frame_behind_forged_ones(void **state)
{
    struct error err = {0};
    struct journal journal;
    struct controls controls = {0};
    char *path = write_golden(*state);
    open_forged(&journal, path, 1000, 16000);
    assert_ok(journal_scan(&journal, false, true, check_control, &controls, &err));
    assert_int_equal(journal.frame_count, 2);
    assert_int_equal(journal.damage_count, 1);
    assert_int_equal(journal.damage[0].bytes, 1000 * FRAME_HEADER_BYTES);
    assert_true(journal.in_vain > 0);
    journal_close(&journal);
    free(path);
}

/* To check each of them would take the square of the file's length. */
static void
gives_up_on_forged_frames_inside_each_other(void **state)
{
    const uint32_t body_bytes = 2u << 20;
    struct error err = {0};
    struct journal journal;
    struct controls controls = {0};
    char *path = write_golden(*state);
    open_forged(&journal, path, (size_t)(3u << 20) / FRAME_HEADER_BYTES, body_bytes);
    assert_ok(journal_scan(&journal, true, true, check_control, &controls, &err));
    assert_int_equal(journal.frame_count, 1);
    assert_int_equal(journal.damage_count, 1);
    assert_true(journal.in_vain <= (UINT64_C(1) << 30) + UINT64_C(2) * body_bytes);
    journal_close(&journal);
    free(path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            writes_the_bytes_of_version_1, temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(
            reads_the_bytes_of_version_1, temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(
            finds_the_frame_behind_forged_ones, temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test_setup_teardown(gives_up_on_forged_frames_inside_each_other,
            temp_directory_set_up, temp_directory_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
