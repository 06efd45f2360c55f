/* thread: manners of threads. */
#include <sys/resource.h>
#include <unistd.h>

#include "base/thread.h"
#include "tests/support/unit.h"

static int
nice_now(void)
{
    return getpriority(PRIO_PROCESS, (id_t)gettid());
}

/* On a thread of its own, because there is no way back. */
static void *
be_polite(void *self)
{
    int *seen = self;
    int before = nice_now();
    thread_let_others_first(before + 3);
    seen[0] = nice_now() - before;
    thread_let_others_first(before + 1);
    seen[1] = nice_now() - before;
    return NULL;
}

static void
a_thread_lets_others_first_and_no_less_than_it_did(void **state)
{
    (void)state;
    int before = nice_now();
    int seen[2] = {0};
    pthread_t thread;
    assert_true(thread_start(&thread, "polite", be_polite, seen));
    assert_int_equal(pthread_join(thread, NULL), 0);

    int step = before > 16 ? 19 - before : 3; /* there is nothing beyond 19 */
    assert_int_equal(seen[0], step);
    assert_int_equal(seen[1], step);
    assert_int_equal(nice_now(), before);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_lets_others_first_and_no_less_than_it_did),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
