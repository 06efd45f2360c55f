#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "replay/plan.h"
#include "tests/support/replay_world.h"
#include "tests/support/unit.h"

/* A world and a file in the directory of its tape. */
struct setting {
    struct replay_world *world;
    char *path;
    char *url;
};

static int
set_up(void **state)
{
    struct setting *setting = alloc_zeroed(sizeof(*setting));
    setting->world = world_new();
    setting->path = alloc_format("%s/copy.ndjson", setting->world->directory);
    setting->url = alloc_format("file://%s", setting->path);
    *state = setting;
    return 0;
}

static int
tear_down(void **state)
{
    struct setting *setting = *state;
    world_free(setting->world);
    free(setting->path);
    free(setting->url);
    free(setting);
    return 0;
}

static struct plan *
make_plan(const struct setting *setting)
{
    struct error err;
    struct planner_options options = {
        .tape = setting->world->directory, .target = setting->url, .max_hops = 1};
    struct plan *plan = planner_make(&options, &err);
    assert_ok(plan != NULL);
    return plan;
}

static void
append(const struct setting *setting, const char *text)
{
    int fd = open(setting->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
}

static char *
read_file(const struct setting *setting)
{
    struct error err;
    struct buffer content = {0};
    assert_ok(file_read_whole(setting->path, (size_t)64 * 1024 * 1024, &content, &err));
    char *text = alloc_text(buffer_text(&content));
    buffer_done(&content);
    return text;
}

static struct verify_result
verify(const struct setting *setting, const struct plan *plan)
{
    struct verify_result result;
    world_verify(setting->world, plan, &result);
    return result;
}

static void
a_plan_makes_no_file(void **state)
{
    struct setting *setting = *state;
    world_add_many(setting->world, 10);
    struct plan *plan = make_plan(setting);
    assert_string_equal(plan->target.transport, "file");
    assert_int_equal(plan->preflight.partitions, 1);
    assert_int_equal(access(setting->path, F_OK), -1);
    plan_free(plan);
}

/* Nulls, empty parts, bytes that are not UTF-8, and events of three partitions. */
static void
what_was_written_is_verified_byte_for_byte(void **state)
{
    struct setting *setting = *state;
    struct replay_progress progress;
    world_add_awkward(setting->world);
    world_add_many(setting->world, 5000);
    struct plan *plan = make_plan(setting);
    world_run(setting->world, plan, &progress);
    struct verify_result result = verify(setting, plan);
    if (!result.matches)
        fail_msg("does not match: %s", result.differences[0]);
    assert_int_equal(result.landed, plan->events);
    assert_int_equal(result.times_not_compared, 0);

    struct stat status;
    assert_int_equal(stat(setting->path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    plan_free(plan);
}

static void
what_was_there_stays_in_front(void **state)
{
    struct setting *setting = *state;
    struct replay_progress progress;
    append(setting, "not of a replay\n");
    world_add_many(setting->world, 10);
    struct plan *plan = make_plan(setting);
    world_run(setting->world, plan, &progress);
    assert_true(verify(setting, plan).matches);
    char *text = read_file(setting);
    assert_memory_equal(text, "not of a replay\n{\"v\":1,", 23);
    free(text);
    plan_free(plan);
}

static void
a_changed_and_a_missing_line_are_found(void **state)
{
    struct setting *setting = *state;
    struct replay_progress progress;
    struct error err;
    world_add_many(setting->world, 10);
    struct plan *plan = make_plan(setting);
    world_run(setting->world, plan, &progress);
    char *text = read_file(setting);
    *strstr(text, "o-3") = 'O';
    *strstr(text, "{\"v\":1,\"seq\":\"9\"") = ' '; /* this line is no event any more */
    assert_ok(file_replace(setting->path, text, strlen(text), &err));
    free(text);
    struct verify_result result = verify(setting, plan);
    assert_false(result.matches);
    assert_int_equal(result.different, 1);
    assert_int_equal(result.missing, 1);
    plan_free(plan);
}

static enum runner_stop
stop_after_some(void *self)
{
    int *asked = self;
    return ++*asked > 4 ? RUNNER_AT_ONCE : RUNNER_GO_ON;
}

/* What a killed run left: whole lines, and one that it could not end. */
static void
an_interrupted_run_goes_on_behind_its_last_whole_line(void **state)
{
    struct setting *setting = *state;
    struct replay_progress progress;
    struct error err;
    int asked = 0;
    world_add_many(setting->world, 2000);
    struct plan *plan = make_plan(setting);
    struct runner_options options = {
        .plan = plan, .tape = setting->world->directory, .stop = stop_after_some, .self = &asked};
    assert_ok(runner_run(&options, &progress, &err));
    assert_int_equal(progress.state, REPLAY_STOPPED);
    append(setting, "{\"v\":1,\"seq\":\"12");
    world_run(setting->world, plan, &progress);
    struct verify_result result = verify(setting, plan);
    if (!result.matches)
        fail_msg("does not match: %s", result.differences[0]);
    assert_int_equal(result.others, 0);
    plan_free(plan);
}

static void
leaves_a_file_alone_whose_last_line_is_somebody_elses(void **state)
{
    struct setting *setting = *state;
    struct replay_progress progress;
    struct error err;
    append(setting, "half a line");
    world_add_many(setting->world, 10);
    struct plan *plan = make_plan(setting);
    struct runner_options options = {.plan = plan, .tape = setting->world->directory};
    assert_false(runner_run(&options, &progress, &err));
    assert_int_equal(err.code, ERROR_REFUSED);
    assert_non_null(strstr(err.text, "its last line has no end"));
    char *text = read_file(setting);
    assert_string_equal(text, "half a line");
    free(text);
    plan_free(plan);
}

static void
says_what_is_no_file_that_can_be_written(void **state)
{
    struct setting *setting = *state;
    struct error err;
    struct planner_options options = {.tape = setting->world->directory, .max_hops = 1};
    world_add_many(setting->world, 1);
    options.target = "file:///tmp";
    assert_null(planner_make(&options, &err));
    assert_string_equal(err.text, "'/tmp' is not a file");
    options.target = "file:///nowhere/at/all";
    assert_null(planner_make(&options, &err));
    assert_non_null(strstr(err.text, "cannot make a file in '/nowhere/at/'"));
}

#define FILE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FILE_TEST(a_plan_makes_no_file),
        FILE_TEST(what_was_written_is_verified_byte_for_byte),
        FILE_TEST(what_was_there_stays_in_front),
        FILE_TEST(a_changed_and_a_missing_line_are_found),
        FILE_TEST(an_interrupted_run_goes_on_behind_its_last_whole_line),
        FILE_TEST(leaves_a_file_alone_whose_last_line_is_somebody_elses),
        FILE_TEST(says_what_is_no_file_that_can_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
