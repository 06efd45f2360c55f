/* The terminal and the tape of the screens' tests, for the tests of the whole program too. */
#include "tests/support/ui_tape.c"     /* NOLINT(bugprone-suspicious-include) */
#include "tests/support/ui_terminal.c" /* NOLINT(bugprone-suspicious-include) */
