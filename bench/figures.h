/* figures.h - what the benches share: one line per figure with its budget, and parts of a bench in
 * processes of their own.
 *
 * A figure is the median of several runs unless its line says something else.  Threads: the main one.
 */
#ifndef BENCH_FIGURES_H
#define BENCH_FIGURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

#define FIGURE_RUNS 3

/* Say what went wrong and end the process. */
_Noreturn void figures_fail(const struct error *err);

double seconds_now(void); /* by the clock */
double seconds_cpu(void); /* of this process */

/* "NAME  VALUE UNIT  >= BUDGET  ok|MISS". */
void figure_at_least(const char *name, double value, double budget, const char *unit);
void figure_at_most(const char *name, double value, double budget, const char *unit);
void figure_plain(const char *name, double value, const char *unit); /* without a budget */

/* How many budgets were missed: a bench ends with figures_end(), and 1 when there was one. */
int figures_end(void);

double median(double *values, size_t count); /* sorts them */

/* values[count * share], sorted. */
double percentile(double *values, size_t count, double share);

/* What a part of a bench gives back. */
#define PART_RESULTS 64
struct part_results {
    double values[PART_RESULTS];
    double peak_rss_mb; /* filled by part_run(), the highest of the process */
};

/* Run `part` in a process of its own, on one processor if `one_core`. Ends this one when it fails. A part
 * may end itself by SIGKILL when it has given its results with part_give(). */
typedef void part_function(void *self, struct part_results *results);
void part_run(part_function *part, void *self, bool one_core, struct part_results *results);
void part_give(const struct part_results *results);

/* The bytes of all files in a directory, and make the kernel forget what is in them. */
uint64_t directory_bytes(const char *directory);
void directory_forget(const char *directory);

/* memcpy, and zstd -1 of pieces of `length` bytes: what this machine can do now. */
void figures_machine(const void *data, size_t length);

/* A directory for the files of a bench: in BENCH_DIR, else TMPDIR, else /tmp. */
char *figures_directory(const char *name);

/* The number in an environment variable, else `otherwise`. */
uint64_t figures_setting(const char *name, uint64_t otherwise);

#endif
