/* lag: the names of states. */
#include "analysis/lag.h"
#include "tests/support/unit.h"

static void
reads_the_names_of_states(void **unused)
{
    (void)unused;
    enum lag_state state = LAG_IDLE;
    assert_true(lag_state_parse("stall,STOP", 5, &state));
    assert_int_equal(state, LAG_STALL);
    assert_false(lag_state_parse("STAL", 4, &state));
    assert_false(lag_state_parse("", 0, &state));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_names_of_states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
