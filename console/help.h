/* help.h - what --help prints, made from the tables.  Threads: any. */
#ifndef CONSOLE_HELP_H
#define CONSOLE_HELP_H

struct buffer;
struct command;
struct command_table;

/* All commands under their headings, the options of every command, the exit codes. */
void help_append_overview(struct buffer *to, const struct command_table *table);

/* The commands whose names begin with the word `family`. */
void help_append_family(struct buffer *to, const struct command_table *table, const char *family);

/* Everything about one command. */
void help_append_command(struct buffer *to, const struct command *command);

#endif
