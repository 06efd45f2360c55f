/* lag_sampler.h - the recorder's thread that watches the consumer groups of one tap of Kafka.
 *
 * Every few seconds it asks the broker (collectors/groups_broker.h: it only asks), judges what it sees
 * (analysis/lag_judge.h), keeps rows for the live page and writes samples onto the tape, as events of the
 * internal stream @lag. The first sample comes one interval after the start.
 *
 * What a sample costs is bounded: LAG_SAMPLER_GROUPS groups are asked in one, in turn, and what is
 * written is at most LAG_SAMPLER_BYTES_PER_S on average: changes of state first, those that ask for most
 * attention before others; then changed figures, and at least once a minute each flow, what was not
 * written for longest first.
 *
 * What keeps it from asking may be put right while it runs: a file of certificates that was not there, a password
 * that was changed. While something is wrong, what came from elsewhere (recorder_tap.origins) is fetched again, and a
 * client that could not be made is made again, after one interval first, later every LAG_SAMPLER_PAUSE_S.
 *
 * Threads: one of its own. lag_sampler_rows() and lag_sampler_unseen() may be called from any, the others from one.
 */
#ifndef CONSOLE_LAG_SAMPLER_H
#define CONSOLE_LAG_SAMPLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct diary_entry;
struct error;
struct groups_sample;
struct lag_rules;
struct lag_sampler;
struct live_group;
struct recorder_tap;

#define LAG_SAMPLER_STREAM      "@lag"
#define LAG_SAMPLER_GROUPS      500
#define LAG_SAMPLER_BYTES_PER_S INT64_C(131072)
#define LAG_SAMPLER_PAUSE_S     30

struct lag_sampler_options {
    const struct recorder_tap *tap; /* name and url outlive the sampler; properties are copied */
    const char *directory;          /* of the tape */
    const char *pattern;            /* of groups' names, as a shell's; NULL: all */
    int64_t interval_ns;
    int wait_ms;                   /* for a broker, in one sample; 0: as it is for everybody */
    const struct lag_rules *rules; /* NULL: lag_rules_default */

    /* Where events of @lag go: recorder_note() and recorder_flush_notes(). */
    bool (*note)(void *self, const struct diary_entry *entry);
    void (*flush)(void *self);
    void *note_self;

    /* What changed in whether groups can be seen, one sentence; in the start and on the sampler's thread. May
     * be NULL. */
    void (*tell)(void *self, const char *tap, const char *text);
    void *tell_self;

    /* Where samples come from instead of the broker; NULL: from the broker at the tap's URL. */
    bool (*sample)(void *self, struct groups_sample *sample, struct error *err);
    void *sample_self;
};

/* Start the thread. What is wrong with the tap is told, and tried again. NULL with ERROR_SYSTEM when there is no
 * thread to be had. */
struct lag_sampler *lag_sampler_start(const struct lag_sampler_options *options, struct error *err);

/* Copy rows of the newest sample for the live page, what asks for most attention first. */
uint32_t lag_sampler_rows(struct lag_sampler *sampler, struct live_group *rows, uint32_t limit);

/* How many groups were not asked in the samples of the last LAG_RECORDED_BACK_NS (console/lag_recorded.h), since there
 * are more than LAG_SAMPLER_GROUPS: what is known of them may not be on the tape, or not where it is looked for. */
uint32_t lag_sampler_unseen(struct lag_sampler *sampler);

/* Tell it to end; returns at once. */
void lag_sampler_cancel(struct lag_sampler *sampler);

/* End the thread, within a second, or, while a command is asked for a password, as soon as that has ended: nothing is
 * written any more. Rows can still be read. */
void lag_sampler_stop(struct lag_sampler *sampler);

/* Free a stopped one. NULL is allowed. */
void lag_sampler_free(struct lag_sampler *sampler);

#endif
