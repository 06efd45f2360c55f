#include "tests/support/unit.h"
#include "ui/key.h"
#include "ui/keymap.h"
#include "ui/screen.h"

static void
every_key_name_is_known(void **state)
{
    (void)state;
    size_t count;
    const struct keymap_row *rows = keymap_rows(&count);
    for (size_t i = 0; i < count; i++) {
        const char *at = rows[i].keys;
        const char *name;
        size_t length;
        while (keymap_next_key(&at, &name, &length))
            if (key_parse(name, length) == UI_KEY_NONE)
                fail_msg("'%.*s' of :%s is no key", (int)length, name, rows[i].command);
    }
}

static void
assert_no_clash(const struct screen_ops *screen)
{
    size_t count;
    const struct keymap_row *rows = keymap_rows(&count);
    unsigned contexts = CONTEXT_EVERYWHERE | screen->contexts;

    for (size_t i = 0; i < count; i++) {
        const char *at = rows[i].keys;
        const char *name;
        size_t length;
        if (((unsigned)rows[i].context & contexts) == 0)
            continue;
        while (keymap_next_key(&at, &name, &length))
            if (keymap_find(key_parse(name, length), contexts) != rows[i].action)
                fail_msg("'%.*s' has two meanings on %s", (int)length, name, screen->name);
    }
}

static void
no_key_has_two_meanings_on_a_screen(void **state)
{
    (void)state;
    size_t count;
    const struct screen_ops *const *screens = screen_list(&count);
    for (size_t i = 0; i < count; i++)
        assert_no_clash(screens[i]);
}

static void
every_command_has_a_name_of_its_own(void **state)
{
    (void)state;
    size_t count;
    const struct keymap_row *rows = keymap_rows(&count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(
            keymap_find_command(rows[i].command, strlen(rows[i].command)), rows[i].action);
}

static void
a_unique_beginning_is_enough(void **state)
{
    (void)state;
    assert_int_equal(keymap_find_command("filt", 4), ACTION_FILTER);
    assert_int_equal(keymap_find_command("ste", 3), ACTION_NONE); /* step, step-back */
    assert_int_equal(keymap_find_command("", 0), ACTION_NONE);
}

static void
no_row_is_without_help(void **state)
{
    (void)state;
    size_t count;
    const struct keymap_row *rows = keymap_rows(&count);
    for (size_t i = 0; i < count; i++) {
        assert_true(strlen(rows[i].help) > 3);
        assert_int_equal(rows[i].priority > 0, rows[i].hint[0] != '\0');
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_name_is_known),
        cmocka_unit_test(no_key_has_two_meanings_on_a_screen),
        cmocka_unit_test(every_command_has_a_name_of_its_own),
        cmocka_unit_test(a_unique_beginning_is_enough),
        cmocka_unit_test(no_row_is_without_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
