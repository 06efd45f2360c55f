/* console_run.h - the interactive console on a tape. */
#ifndef CONSOLE_CONSOLE_RUN_H
#define CONSOLE_CONSOLE_RUN_H

struct console_options {
    const char *directory; /* the tape */
    const char *title;     /* shown at the start of row 2; NULL: the directory's last component */
    const char *banner;    /* one sentence shown until the first key; NULL: none */
    const char *screen;    /* "flows", "events"; NULL: flows */
    const char *color;     /* auto|always|never; NULL: auto */
};

/* Run until the user quits. Returns the exit code; the terminal is as it was before on every way
 * out. Says why and returns 2 when there is no terminal. */
int console_run(const struct console_options *options);

#endif
