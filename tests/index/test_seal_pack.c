/* A segment that several threads pack is the one that one thread packs. */
#include <pthread.h>

#include "base/error.h"
#include "index/header_shape.h"
#include "index/record.h"
#include "index/seal.h"
#include "index/seal_pack.h"
#include "tests/support/index_segments.h"
#include "tests/support/unit.h"

#define HELPERS 3

static void *
help(void *self)
{
    seal_help_join(self, 0);
    return NULL;
}

static void
start_helpers(struct seal_help *shared, pthread_t helpers[HELPERS])
{
    for (int i = 0; i < HELPERS; i++)
        assert_int_equal(pthread_create(&helpers[i], NULL, help, shared), 0);
}

static void
end_helpers(struct seal_help *shared, pthread_t helpers[HELPERS])
{
    seal_help_wake(shared);
    for (int i = 0; i < HELPERS; i++)
        assert_int_equal(pthread_join(helpers[i], NULL), 0);
}

/* Some 60 blocks in 35 lanes, with a large event among them. */
static void
fill(struct test_records *records)
{
    uint64_t seed = 5;
    for (unsigned i = 0; i < 20000; i++)
        test_records_add_usual(records, i % 5, i % 7, i, i);
    for (unsigned i = 0; i < 2000; i++)
        test_records_add_random(records, &seed);
}

static void
the_file_is_the_same_whoever_packs(void **state)
{
    struct test_records records = {0};
    fill(&records);
    struct buffer alone = test_sealed_bytes(*state, &records, NULL);
    struct seal_help *shared = seal_help_new();
    struct seal_options options = {.codec = BLOCK_ZSTD, .help = shared};
    struct buffer unhelped = test_sealed_bytes(*state, &records, &options);
    assert_int_equal(unhelped.length, alone.length);
    assert_memory_equal(unhelped.data, alone.data, alone.length);

    for (int round = 0; round < 5; round++) {
        pthread_t helpers[HELPERS];
        start_helpers(shared, helpers);
        struct buffer together = test_sealed_bytes(*state, &records, &options);
        end_helpers(shared, helpers);
        assert_int_equal(together.length, alone.length);
        assert_memory_equal(together.data, alone.data, alone.length);
        buffer_done(&together);
        seal_help_free(shared);
        shared = seal_help_new();
        options.help = shared;
    }
    seal_help_free(shared);
    buffer_done(&alone);
    buffer_done(&unhelped);
    test_records_done(&records);
}

/* Blocks on their way, and packed() fails: nobody may touch them afterwards. */
struct target {
    struct buffer out;
    uint64_t written;
    uint64_t next_at;
    int packed;
    int fails_at;
};

static bool
take(void *self, const struct block_info *info, struct error *err)
{
    struct target *target = self;
    assert_int_equal(info->at, target->next_at);
    target->next_at = target->written + target->out.length;
    if (target->packed++ == target->fails_at)
        return error_set(err, ERROR_DISK_FULL, "no room");
    return true;
}

static void
add_event(struct block_writer *writer, uint64_t seq)
{
    struct header_list list;
    struct record record = {.type = RECORD_EVENT,
        .position = seq,
        .payload = bytes_of("a payload that is packed by somebody")};
    (void)block_writer_add(writer, &record, seq, &list);
}

static void
blocks_that_nobody_wants_any_more_are_dropped(void **state)
{
    (void)state;
    for (int fails_at = 0; fails_at < 12; fails_at++) {
        struct seal_help *shared = seal_help_new();
        pthread_t helpers[HELPERS];
        start_helpers(shared, helpers);
        struct target target = {.written = 64, .next_at = 64, .fails_at = fails_at};
        struct seal_pack_target to = {&target.out, &target.written, take, &target};
        struct seal_packer *packer = seal_packer_new(BLOCK_ZSTD, shared, &to);
        struct error err = {0};
        bool good = true;
        for (uint64_t seq = 0; good && seq < 10; seq++) {
            add_event(seal_packer_block(packer), seq);
            good = seal_packer_end_block(packer, &err);
        }
        good = good && seal_packer_drain(packer, &err);
        assert_int_equal(good, fails_at >= 10);
        assert_int_equal(target.packed, fails_at < 10 ? fails_at + 1 : 10);
        seal_packer_free(packer);
        end_helpers(shared, helpers);
        seal_help_free(shared);
        buffer_done(&target.out);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            the_file_is_the_same_whoever_packs, temp_directory_set_up, temp_directory_tear_down),
        cmocka_unit_test(blocks_that_nobody_wants_any_more_are_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
