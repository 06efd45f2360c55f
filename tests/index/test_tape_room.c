#include "base/clock.h"
#include "base/error.h"
#include "index/tape_room.h"
#include "tests/support/unit.h"

#define MIB (UINT64_C(1) << 20)

/* As it was looked at just now: nobody asks the system. */
static struct tape_room
room_with(uint64_t free_mib, double min_free)
{
    return (struct tape_room){.directory = "/nowhere",
        .min_free = min_free,
        .free_bytes = free_mib * MIB,
        .disk_bytes = 1000 * MIB,
        .looked_ns = NS_PER_S};
}

static bool
takes(struct tape_room *room, uint64_t mib, uint64_t largest_mib)
{
    struct error err = {0};
    struct tape_room_load load = {largest_mib * MIB, largest_mib * MIB};
    bool does = tape_room_takes(room, mib * MIB, &load, NS_PER_S, &err);
    assert_true(does || err.code == ERROR_DISK_FULL);
    return does;
}

static void
keeps_what_sealing_the_largest_journal_needs(void **state)
{
    (void)state;
    struct tape_room room = room_with(100, -1);
    assert_true(takes(&room, 1, 80));
    assert_false(takes(&room, 1, 95));
    assert_false(takes(&room, 90, 80));
    tape_room_took(&room, 8 * MIB);
    assert_false(takes(&room, 1, 86));
    assert_true(takes(&room, 1, 80));
    assert_true(takes(&room, 92, 0)); /* nothing will be sealed */
    assert_false(takes(&room, 93, 0));
}

static void
keeps_the_share_that_the_user_wants_where_that_is_more(void **state)
{
    (void)state;
    struct tape_room room = room_with(100, 0.05);
    assert_true(takes(&room, 49, 1));
    assert_false(takes(&room, 51, 1));
    assert_false(takes(&room, 49, 60));
}

static void
says_how_much_is_missing(void **state)
{
    (void)state;
    struct error err = {0};
    struct tape_room room = room_with(10, -1);
    struct tape_room_load load = {16 * MIB, 16 * MIB};
    assert_false(tape_room_takes(&room, MIB / 2, &load, NS_PER_S, &err));
    assert_non_null(strstr(err.text, "9 MiB more must be free on the disk of /nowhere"));
}

static void
journals_end_sooner_where_little_is_free(void **state)
{
    (void)state;
    struct tape_room room = room_with(400, 0.02);
    assert_int_equal(tape_room_journal_bytes(&room, 64 * MIB), 64 * MIB);
    room = room_with(100, 0.02);
    assert_int_equal(tape_room_journal_bytes(&room, 64 * MIB), 25 * MIB);
    room = room_with(1, 0.02);
    assert_int_equal(tape_room_journal_bytes(&room, 64 * MIB), MIB);
    assert_int_equal(tape_room_journal_bytes(&room, 1000), 1000);
}

static void
everything_fits_on_a_disk_that_says_nothing(void **state)
{
    (void)state;
    struct tape_room room = {.directory = "/nowhere/at/all", .min_free = 0.02};
    assert_true(takes(&room, 1000, 1000));
    assert_int_equal(tape_room_journal_bytes(&room, 64 * MIB), 64 * MIB);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_what_sealing_the_largest_journal_needs),
        cmocka_unit_test(keeps_the_share_that_the_user_wants_where_that_is_more),
        cmocka_unit_test(says_how_much_is_missing),
        cmocka_unit_test(journals_end_sooner_where_little_is_free),
        cmocka_unit_test(everything_fits_on_a_disk_that_says_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
