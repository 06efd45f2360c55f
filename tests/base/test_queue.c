#include <pthread.h>

#include "base/queue.h"
#include "tests/support/unit.h"

static char items[8];

static enum queue_result
push(struct queue *queue, size_t index, size_t bytes)
{
    void *item = &items[index];
    return queue_push(queue, &item, bytes, 0);
}

static void
drop_nothing(void *item)
{
    (void)item;
}

static void
is_full_by_bytes_but_takes_one_of_any_size(void **state)
{
    (void)state;
    struct queue *queue = queue_new(100);
    assert_int_equal(push(queue, 0, 1000), QUEUE_OK);
    assert_int_equal(push(queue, 1, 1), QUEUE_TIMEOUT);
    void *item;
    assert_int_equal(queue_pop(queue, &item, 0), QUEUE_OK);
    assert_ptr_equal(item, &items[0]);
    assert_int_equal(push(queue, 1, 60), QUEUE_OK);
    assert_int_equal(push(queue, 2, 40), QUEUE_OK);
    assert_int_equal(push(queue, 3, 1), QUEUE_TIMEOUT);
    queue_free(queue, drop_nothing);
}

static void
drains_after_it_was_closed(void **state)
{
    (void)state;
    struct queue *queue = queue_new(100);
    assert_int_equal(push(queue, 0, 1), QUEUE_OK);
    queue_close(queue);
    assert_int_equal(push(queue, 1, 1), QUEUE_CLOSED);
    void *item;
    assert_int_equal(queue_pop(queue, &item, -1), QUEUE_OK);
    assert_int_equal(queue_pop(queue, &item, -1), QUEUE_CLOSED);
    queue_free(queue, drop_nothing);
}

#define PUSHED 20000

static void *
push_many(void *self)
{
    for (uintptr_t i = 1; i <= PUSHED; i++) {
        void *item = (void *)i; /* NOLINT(performance-no-int-to-ptr) */
        if (queue_push(self, &item, 10, 10000) != QUEUE_OK)
            return NULL;
    }
    return self;
}

static void
hands_over_everything_of_two_threads_in_their_order(void **state)
{
    (void)state;
    struct queue *queue = queue_new(500);
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, push_many, queue), 0);
    uintptr_t sum = 0;
    for (int i = 0; i < 2 * PUSHED; i++) {
        void *item = NULL;
        assert_int_equal(queue_pop(queue, &item, 10000), QUEUE_OK);
        sum += (uintptr_t)item;
    }
    assert_int_equal(sum, (uintptr_t)PUSHED * (PUSHED + 1));
    for (int i = 0; i < 2; i++) {
        void *done = NULL;
        assert_int_equal(pthread_join(threads[i], &done), 0);
        assert_non_null(done);
    }
    queue_free(queue, drop_nothing);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_full_by_bytes_but_takes_one_of_any_size),
        cmocka_unit_test(drains_after_it_was_closed),
        cmocka_unit_test(hands_over_everything_of_two_threads_in_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
