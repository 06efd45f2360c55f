/* A tape that is opened while a recorder seals, ends and begins again has all that was acknowledged before. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "index/event.h"
#include "index/tape.h"
#include "tests/support/index_tape.h"
#include "tests/support/unit.h"

#define ROUNDS 150
#define EACH   3

struct race {
    const char *directory;
    atomic_uint_fast64_t acknowledged;
    atomic_bool is_over;
    uint64_t opened;
    uint64_t short_by; /* of the first tape that lacked something */
    uint64_t wanted;
};

static void *
open_again_and_again(void *self)
{
    struct race *race = self;
    struct error err;
    while (!atomic_load(&race->is_over) && race->short_by == 0) {
        uint64_t wanted = atomic_load(&race->acknowledged);
        struct tape *tape = wanted == 0 ? NULL : tape_open(race->directory, &err);
        if (tape == NULL)
            continue;
        if (tape_end_seq(tape) < wanted) {
            race->short_by = wanted - tape_end_seq(tape);
            race->wanted = wanted;
        }
        race->opened++;
        tape_close(tape);
    }
    return NULL;
}

static void
nothing_is_missed_while_the_newest_journal_is_sealed(void **state)
{
    struct race race = {.directory = *state};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, open_again_and_again, &race), 0);
    for (int64_t i = 0; i < ROUNDS; i++) {
        struct tape_writer *writer = test_writer_sealing(*state, 0, true);
        test_append(writer, tape_writer_stream(writer, "shop", "orders"), 0, i * EACH, EACH);
        atomic_store(&race.acknowledged, (uint64_t)(i + 1) * EACH);
        tape_writer_close(writer);
    }
    atomic_store(&race.is_over, true);
    (void)pthread_join(thread, NULL);
    if (race.short_by > 0)
        fail_msg("opened %llu times: %llu of %llu events were not there",
            (unsigned long long)race.opened, (unsigned long long)race.short_by,
            (unsigned long long)race.wanted);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_missed_while_the_newest_journal_is_sealed,
            temp_directory_set_up, temp_directory_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
