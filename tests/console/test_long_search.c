/* The real program with one core and with all it may have: searches that are long enough for threads say the
 * same, while the tape is recorded too. */
#include <sched.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/alloc.h"
#include "index/tape_writer.h"
#include "tests/support/console_home.h"
#include "tests/support/console_program.h"
#include "tests/support/console_tape.h"
#include "tests/support/unit.h"

#define EVENTS        600
#define PAYLOAD_BYTES 65536

/* Some 40 MB: enough for a scan to call for help. One event in seven has the word that is looked for. */
static void
write_tape(const char *directory)
{
    struct sample *samples = alloc_array(EVENTS, sizeof(*samples));
    char *payloads = alloc_array(EVENTS, PAYLOAD_BYTES);
    for (int i = 0; i < EVENTS; i++) {
        char *payload = payloads + (size_t)i * PAYLOAD_BYTES;
        memset(payload, 'a' + i % 23, PAYLOAD_BYTES);
        (void)snprintf(payload, 64, "{\"n\":%d,\"word\":\"%s\"}", i, i % 7 == 0 ? "needle" : "hay");
        samples[i] = (struct sample){
            .stream = i % 2 == 0 ? "orders" : "payments",
            .partition = i / 2 % 3,
            .offset = i,
            .key = bytes_of("k"),
            .payload = bytes_make(payload, PAYLOAD_BYTES),
            .type = i % 3 == 0 ? "order.placed" : "order.paid",
        };
    }
    sample_tape_write(directory, samples, EVENTS);
    free(samples);
    free(payloads);
}

static int
set_up(void **state)
{
    (void)program_home_set_up(state);
    write_tape(((const struct program_home *)*state)->tape);
    return 0;
}

/* Run on one core only, which needs no threads. */
static void
run_on_one_core(struct program *program, const char *home, const char *const *words)
{
    cpu_set_t all;
    cpu_set_t one;
    assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
    int core = 0;
    while (!CPU_ISSET((size_t)core, &all))
        core++;
    CPU_ZERO(&one);
    CPU_SET((size_t)core, &one);
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
    program_run(program, home, words);
    assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
}

/* Take the last line, the done line, off and give it as JSON. */
static json_t *
take_done_line(struct program *program)
{
    char *text = alloc_text(buffer_text(&program->out));
    size_t length = strlen(text);
    assert_true(length > 0 && text[length - 1] == '\n');
    text[length - 1] = '\0';
    char *line = strrchr(text, '\n');
    line = line == NULL ? text : line + 1;
    json_t *done = json_loads(line, 0, NULL);
    assert_non_null(done);
    program->out.length = (size_t)(line - text);
    free(text);
    return done;
}

/* Everything is the same but for how long it took. */
static void
expect_same(const struct program_home *fixture, const char *const *words)
{
    struct program alone;
    struct program together;
    run_on_one_core(&alone, fixture->home, words);
    program_run(&together, fixture->home, words);
    assert_int_equal(alone.code, 0);
    assert_int_equal(together.code, 0);
    json_t *done_alone = take_done_line(&alone);
    json_t *done_together = take_done_line(&together);
    assert_true(json_is_true(json_object_get(done_alone, "complete")));
    json_object_del(done_alone, "ms");
    json_object_del(done_together, "ms");
    assert_true(json_equal(done_alone, done_together));
    assert_int_equal(alone.out.length, together.out.length);
    assert_memory_equal(buffer_text(&alone.out), buffer_text(&together.out), alone.out.length);
    json_decref(done_alone);
    json_decref(done_together);
    program_done(&alone);
    program_done(&together);
}

static void
expect_all_the_same(const struct program_home *fixture)
{
    const char *tape = fixture->tape;
    expect_same(fixture, WORDS("search", "--tape", tape, "--json", "payload~needle"));
    expect_same(fixture, WORDS("search", "--tape", tape, "--json", "--count", "n"));
    expect_same(fixture, WORDS("events", "--tape", tape, "--json", "payload~needle"));
    expect_same(fixture, WORDS("export", "--tape", tape, "payload~needle"));
}

static void
says_the_same_with_all_cores(void **state)
{
    expect_all_the_same(*state);
}

static void
says_the_same_while_a_recorder_holds_the_tape(void **state)
{
    const struct program_home *fixture = *state;
    struct error err = {0};
    struct tape_writer *writer =
        tape_writer_open(fixture->tape, &(struct tape_writer_options){.min_free = -1}, &err);
    assert_non_null(writer);
    expect_all_the_same(fixture);
    tape_writer_close(writer);
}

/* 27 of the payloads are nothing but letters a: on them the pattern explodes, wherever the scan is. */
static void
says_on_how_many_values_a_pattern_gave_up(void **state)
{
    const struct program_home *fixture = *state;
    const char *const json[] = {
        "search", "--tape", fixture->tape, "--json", "payload~/(?:(?:a|aa)+)+[}\\x00]$/", NULL};
    struct program program;
    expect_same(fixture, json);
    program_run(&program, fixture->home, json);
    json_t *done = take_done_line(&program);
    assert_string_equal(json_string_value(json_object_get(done, "gave_up")), "27");
    json_decref(done);
    program_done(&program);
    program_run(&program, fixture->home,
        WORDS("search", "--tape", fixture->tape, "payload~/(?:(?:a|aa)+)+[}\\x00]$/"));
    assert_non_null(
        strstr(buffer_text(&program.err), "the query gave up on 27 values, which may match"));
    program_done(&program);
}

static void
takes_payloads_along_into_another_tape(void **state)
{
    const struct program_home *fixture = *state;
    char *copy = alloc_format("%s/copy", fixture->home);
    struct program program;
    program_run(&program, fixture->home,
        WORDS("export", "--tape", fixture->tape, "--tape-file", copy, "partition>=0"));
    assert_int_equal(program.code, 0);
    program_done(&program);
    program_run(&program, fixture->home,
        WORDS("search", "--tape", copy, "--count", "--quiet", "payload~needle"));
    assert_int_equal(program.code, 0);
    assert_string_equal(buffer_text(&program.out), "86\n");
    program_done(&program);
    free(copy);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            says_the_same_with_all_cores, set_up, program_home_tear_down),
        cmocka_unit_test_setup_teardown(
            says_the_same_while_a_recorder_holds_the_tape, set_up, program_home_tear_down),
        cmocka_unit_test_setup_teardown(
            says_on_how_many_values_a_pattern_gave_up, set_up, program_home_tear_down),
        cmocka_unit_test_setup_teardown(
            takes_payloads_along_into_another_tape, set_up, program_home_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
