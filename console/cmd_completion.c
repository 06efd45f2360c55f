/* `tapedeck completion SHELL`: completion made from the tables of commands and options. */

#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/error.h"
#include "console/command.h"
#include "console/nearest.h"
#include "console/options.h"
#include "console/output.h"

/* First words of all commands, each once: "replay" stands for its three. */
static bool
is_first_of_family(const struct command_table *table, size_t index, size_t length)
{
    const char *name = table->rows[index].command->name;
    for (size_t i = 0; i < index; i++) {
        const struct command *other = table->rows[i].command;
        if (other != NULL && strncmp(other->name, name, length) == 0 &&
            (other->name[length] == ' ' || other->name[length] == '\0'))
            return false;
    }
    return true;
}

static void
append_first_words(struct buffer *to, const struct command_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        if (table->rows[i].command == NULL)
            continue;
        size_t length = strcspn(table->rows[i].command->name, " ");
        if (is_first_of_family(table, i, length)) {
            buffer_append(to, table->rows[i].command->name, length);
            buffer_append_byte(to, ' ');
        }
    }
    buffer_append_text(to, "help");
}

/* "plan run verify" of the family of the command at `index`. */
static void
append_second_words(struct buffer *to, const struct command_table *table, size_t index)
{
    const char *name = table->rows[index].command->name;
    size_t length = strcspn(name, " ");
    const char *blank = "";
    for (size_t i = index; i < table->count; i++) {
        const struct command *command = table->rows[i].command;
        if (command != NULL && strncmp(command->name, name, length + 1) == 0) {
            buffer_printf(to, "%s%s", blank, command->name + length + 1);
            blank = " ";
        }
    }
}

static void
append_option_names(struct buffer *to, const struct option_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buffer_printf(to, "%s--%s", i == 0 ? "" : " ", rows[i].name);
}

static void
append_choice_words(struct buffer *to, const char *choices)
{
    for (const char *at = choices; *at != '\0'; at++)
        buffer_append_byte(to, *at == '|' ? ' ' : (unsigned char)*at);
}

/* bash: what may follow the word before the cursor, else the options of the command so far. */
static void
append_bash_values(struct buffer *to, const struct option_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i].choices != NULL) {
            buffer_printf(to, "    --%s) COMPREPLY=($(compgen -W '", rows[i].name);
            append_choice_words(to, rows[i].choices);
            buffer_append_text(to, "' -- \"$cur\")); return ;;\n");
        } else if (rows[i].kind != OPTION_FLAG) {
            buffer_printf(
                to, "    --%s) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n", rows[i].name);
        }
    }
}

static void
append_bash_commands(struct buffer *to, const struct command_table *table)
{
    size_t every_count = 0;
    const struct option_row *every = options_of_every_command(&every_count);
    for (size_t i = 0; i < table->count; i++) {
        const struct command *command = table->rows[i].command;
        if (command == NULL)
            continue;
        size_t length = strcspn(command->name, " ");
        if (command->name[length] == ' ' && is_first_of_family(table, i, length)) {
            buffer_printf(to, "    '%.*s ') words='", (int)length, command->name);
            append_second_words(to, table, i);
            buffer_append_text(to, "' ;;\n");
        }
        buffer_printf(
            to, "    '%s%s') words='", command->name, command->name[length] == ' ' ? "" : " ");
        append_option_names(to, command->options, command->option_count);
        buffer_append_byte(to, ' ');
        append_option_names(to, every, every_count);
        if (strcmp(command->name, "completion") == 0)
            buffer_append_text(to, " bash zsh fish");
        buffer_append_text(to, "' ;;\n");
    }
}

static void
append_bash(struct buffer *to, const struct command_table *table)
{
    size_t every_count = 0;
    const struct option_row *every = options_of_every_command(&every_count);
    buffer_append_text(to,
        "# bash completion for tapedeck; made by: tapedeck completion bash\n"
        "_tapedeck() {\n"
        "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
        "    local first='' second='' word i words=''\n"
        "    case $prev in\n");
    append_bash_values(to, every, every_count);
    for (size_t i = 0; i < table->count; i++) {
        if (table->rows[i].command != NULL)
            append_bash_values(
                to, table->rows[i].command->options, table->rows[i].command->option_count);
    }
    buffer_append_text(to, "    esac\n"
                           "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                           "        word=${COMP_WORDS[i]}\n"
                           "        [[ $word == -* ]] && continue\n"
                           "        if [[ -z $first ]]; then first=$word\n"
                           "        elif [[ -z $second ]]; then second=$word; fi\n"
                           "    done\n"
                           "    case \"$first $second\" in\n"
                           "    ' ') words='");
    append_first_words(to, table);
    buffer_append_byte(to, ' ');
    append_option_names(to, every, every_count);
    buffer_append_text(to, "' ;;\n");
    append_bash_commands(to, table);
    buffer_append_text(to, "    *) case \"$first \" in\n");
    for (size_t i = 0; i < table->count; i++) {
        const struct command *command = table->rows[i].command;
        if (command == NULL || strchr(command->name, ' ') != NULL || command->option_count == 0)
            continue;
        buffer_printf(to, "        '%s ') words='", command->name);
        append_option_names(to, command->options, command->option_count);
        buffer_append_text(to, "' ;;\n");
    }
    buffer_append_text(to,
        "        esac ;;\n"
        "    esac\n"
        "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
        "    [[ ${#COMPREPLY[@]} -gt 0 ]] || COMPREPLY=($(compgen -f -- \"$cur\"))\n"
        "}\n"
        "complete -F _tapedeck tapedeck\n");
}

/* In single quotes for a shell: ' becomes '\''. */
static void
append_quoted(struct buffer *to, const char *text)
{
    buffer_append_byte(to, '\'');
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '\'')
            buffer_append_text(to, "'\\''");
        else
            buffer_append_byte(to, (unsigned char)*at);
    }
    buffer_append_byte(to, '\'');
}

/* zsh: "name:summary" words through _describe; brackets and colons are special in it. */
static void
append_zsh_pair(struct buffer *to, const char *name, const char *text)
{
    struct buffer pair = {0};
    buffer_append_text(&pair, name);
    buffer_append_byte(&pair, ':');
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == ':' || *at == '\\')
            buffer_append_byte(&pair, '\\');
        buffer_append_byte(&pair, (unsigned char)*at);
    }
    buffer_append_text(to, " ");
    append_quoted(to, buffer_text(&pair));
    buffer_done(&pair);
}

static void
append_zsh_options(struct buffer *to, const struct option_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "--%s", rows[i].name);
        append_zsh_pair(to, name, rows[i].help);
    }
}

static void
append_zsh(struct buffer *to, const struct command_table *table)
{
    size_t every_count = 0;
    const struct option_row *every = options_of_every_command(&every_count);
    buffer_append_text(to, "#compdef tapedeck\n"
                           "# zsh completion for tapedeck; made by: tapedeck completion zsh\n"
                           "_tapedeck() {\n"
                           "    local -a items\n"
                           "    local first='' second='' word\n"
                           "    for word in ${words[2,CURRENT-1]}; do\n"
                           "        [[ $word == -* ]] && continue\n"
                           "        if [[ -z $first ]]; then first=$word\n"
                           "        elif [[ -z $second ]]; then second=$word; fi\n"
                           "    done\n"
                           "    case \"$first $second\" in\n"
                           "    ' ') items=(");
    for (size_t i = 0; i < table->count; i++) {
        const struct command *command = table->rows[i].command;
        if (command == NULL)
            continue;
        size_t length = strcspn(command->name, " ");
        char name[64];
        (void)snprintf(name, sizeof(name), "%.*s", (int)length, command->name);
        if (is_first_of_family(table, i, length))
            append_zsh_pair(
                to, name, command->name[length] == ' ' ? "several commands" : command->summary);
    }
    buffer_append_text(to, ") ;;\n");
    for (size_t i = 0; i < table->count; i++) {
        const struct command *command = table->rows[i].command;
        if (command == NULL)
            continue;
        size_t length = strcspn(command->name, " ");
        if (command->name[length] == ' ' && is_first_of_family(table, i, length)) {
            buffer_printf(to, "    '%.*s ') items=(", (int)length, command->name);
            append_second_words(to, table, i);
            buffer_append_text(to, ") ;;\n");
        }
        buffer_printf(to, "    '%s'*) items=(", command->name);
        append_zsh_options(to, command->options, command->option_count);
        buffer_append_text(to, ") ;;\n");
    }
    buffer_append_text(to, "    esac\n"
                           "    items+=(");
    append_zsh_options(to, every, every_count);
    buffer_append_text(to, ")\n"
                           "    _describe 'tapedeck' items || _files\n"
                           "}\n"
                           "_tapedeck \"$@\"\n");
}

static void
append_fish_options(
    struct buffer *to, const char *condition, const struct option_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buffer_append_text(to, "complete -c tapedeck");
        if (condition != NULL)
            buffer_printf(to, " -n '%s'", condition);
        buffer_printf(to, " -l %s -d ", rows[i].name);
        append_quoted(to, rows[i].help);
        if (rows[i].choices != NULL) {
            buffer_append_text(to, " -x -a '");
            append_choice_words(to, rows[i].choices);
            buffer_append_byte(to, '\'');
        } else if (rows[i].kind != OPTION_FLAG) {
            buffer_append_text(to, " -r");
        }
        buffer_append_byte(to, '\n');
    }
}

static void
append_fish_command(struct buffer *to, const struct command_table *table, size_t index)
{
    const struct command *command = table->rows[index].command;
    size_t length = strcspn(command->name, " ");
    bool is_pair = command->name[length] == ' ';
    if (!is_pair || is_first_of_family(table, index, length)) {
        buffer_printf(to, "complete -c tapedeck -f -n __fish_use_subcommand -a %.*s -d ",
            (int)length, command->name);
        append_quoted(to, is_pair ? "several commands" : command->summary);
        buffer_append_byte(to, '\n');
    }
    char condition[160];
    (void)snprintf(condition, sizeof(condition), "__fish_seen_subcommand_from %.*s", (int)length,
        command->name);
    if (is_pair) {
        const char *second = command->name + length + 1;
        buffer_printf(to, "complete -c tapedeck -f -n '%s' -a %s -d ", condition, second);
        append_quoted(to, command->summary);
        buffer_append_byte(to, '\n');
        (void)snprintf(condition, sizeof(condition),
            "__fish_seen_subcommand_from %.*s; and __fish_seen_subcommand_from %s", (int)length,
            command->name, second);
    }
    append_fish_options(to, condition, command->options, command->option_count);
}

static void
append_fish(struct buffer *to, const struct command_table *table)
{
    size_t every_count = 0;
    const struct option_row *every = options_of_every_command(&every_count);
    buffer_append_text(to, "# fish completion for tapedeck; made by: tapedeck completion fish\n");
    append_fish_options(to, NULL, every, every_count);
    for (size_t i = 0; i < table->count; i++) {
        if (table->rows[i].command != NULL)
            append_fish_command(to, table, i);
    }
}

static int
run_completion(const struct invocation *invocation)
{
    static const struct {
        const char *shell;
        void (*append)(struct buffer *to, const struct command_table *table);
    } shells[] = {{"bash", append_bash}, {"zsh", append_zsh}, {"fish", append_fish}};

    struct error err;
    for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
        if (strcmp(shells[i].shell, invocation->argv[0]) != 0)
            continue;
        struct output output;
        output_start(&output, STDOUT_FILENO);
        shells[i].append(&output.buffer, command_table_all());
        return output_finish(&output, &err) ? 0 : command_fail(&err);
    }
    struct nearest nearest = {.word = invocation->argv[0], .best = NULL};
    nearest_offer_choices(&nearest, "bash|zsh|fish");
    (void)error_set(&err, ERROR_ARGUMENT,
        "no completion for '%.80s' (bash, zsh, fish); the nearest is %.*s", invocation->argv[0],
        (int)nearest_choice_length(nearest.best), nearest.best);
    return command_fail(&err);
}

const struct command command_completion = {
    .name = "completion",
    .usage = "bash|zsh|fish",
    .summary = "print the completion of commands and options for a shell",
    .details = NULL,
    .examples = "tapedeck completion bash >/usr/share/bash-completion/completions/tapedeck\n"
                "tapedeck completion zsh >/usr/share/zsh/vendor-completions/_tapedeck\n"
                "tapedeck completion fish >/usr/share/fish/vendor_completions.d/tapedeck.fish",
    .options = NULL,
    .option_count = 0,
    .settings_size = 0,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run_completion,
};
