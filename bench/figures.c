#include "bench/figures.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"

static int missed;
static int in_budget;
static struct part_results *given; /* in memory that a part shares with its parent */

void
figures_fail(const struct error *err)
{
    (void)fprintf(stderr, "bench: %s\n", err->text);
    exit(2); /* NOLINT(concurrency-mt-unsafe): benches have one thread that could do this */
}

double
seconds_now(void)
{
    return (double)clock_monotonic_ns() / 1e9;
}

double
seconds_cpu(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- lines ---- */

static void
print_figure(const char *name, double value, const char *unit)
{
    int digits = value >= 1000 ? 0 : value >= 10 ? 1 : 3;
    printf("%-52s %12.*f %-8s", name, digits, value, unit);
}

static void
print_verdict(const char *relation, double budget, bool good)
{
    printf(" %s %-10.8g %s\n", relation, budget, good ? "ok" : "MISS");
    (void)fflush(stdout);
    missed += !good;
    in_budget += good;
}

void
figure_at_least(const char *name, double value, double budget, const char *unit)
{
    print_figure(name, value, unit);
    print_verdict(">=", budget, value >= budget);
}

void
figure_at_most(const char *name, double value, double budget, const char *unit)
{
    print_figure(name, value, unit);
    print_verdict("<=", budget, value <= budget);
}

void
figure_plain(const char *name, double value, const char *unit)
{
    print_figure(name, value, unit);
    printf("\n");
    (void)fflush(stdout);
}

int
figures_end(void)
{
    printf("%d of %d budgets kept\n", in_budget, in_budget + missed);
    return missed > 0;
}

static int
compare_doubles(const void *a, const void *b)
{
    const double *left = a;
    const double *right = b;
    return (*left > *right) - (*left < *right);
}

double
percentile(double *values, size_t count, double share)
{
    qsort(values, count, sizeof(*values), compare_doubles);
    size_t index = (size_t)((double)count * share);
    return values[index < count ? index : count - 1];
}

double
median(double *values, size_t count)
{
    return percentile(values, count, 0.5);
}

/* ---- parts ---- */

static void
stay_on_one_core(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(1 % (unsigned)sysconf(_SC_NPROCESSORS_ONLN), &set);
    if (sched_setaffinity(0, sizeof(set), &set) != 0)
        perror("bench: cannot stay on one core");
}

void
part_give(const struct part_results *results)
{
    *given = *results;
}

void
part_run(part_function *part, void *self, bool one_core, struct part_results *results)
{
    struct error err = {.text = "cannot start a part of the bench"};
    given = mmap(NULL, sizeof(*given), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (given == MAP_FAILED)
        figures_fail(&err);
    (void)fflush(stdout);
    pid_t child = fork();
    if (child < 0)
        figures_fail(&err);
    if (child == 0) {
        if (one_core)
            stay_on_one_core();
        struct part_results mine = {0};
        part(self, &mine);
        part_give(&mine);
        _exit(0);
    }
    int status;
    struct rusage usage;
    if (wait4(child, &status, 0, &usage) != child ||
        !(WIFEXITED(status) ? WEXITSTATUS(status) == 0 : WTERMSIG(status) == SIGKILL)) {
        (void)snprintf(err.text, sizeof(err.text), "a part of the bench failed");
        figures_fail(&err);
    }
    *results = *given;
    results->peak_rss_mb = (double)usage.ru_maxrss * 1024 / 1e6;
    (void)munmap(given, sizeof(*given));
}

/* ---- directories ---- */

static uint64_t
visit(const char *directory, bool forget)
{
    uint64_t bytes = 0;
    DIR *listing = opendir(directory);
    struct dirent *entry;
    while (listing != NULL && (entry = readdir(listing)) != NULL) { /* NOLINT */
        char *path = alloc_format("%s/%s", directory, entry->d_name);
        struct stat status;
        int fd = entry->d_name[0] == '.' ? -1 : open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0 && fstat(fd, &status) == 0) {
            bytes += (uint64_t)status.st_size;
            if (forget)
                (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        }
        if (fd >= 0)
            (void)close(fd);
        free(path);
    }
    if (listing != NULL)
        (void)closedir(listing);
    return bytes;
}

uint64_t
directory_bytes(const char *directory)
{
    return visit(directory, false);
}

void
directory_forget(const char *directory)
{
    (void)visit(directory, true);
}

char *
figures_directory(const char *name)
{
    const char *parent = getenv("BENCH_DIR"); /* NOLINT(concurrency-mt-unsafe) */
    if (parent == NULL)
        parent = getenv("TMPDIR"); /* NOLINT(concurrency-mt-unsafe) */
    char *path = alloc_format("%s/tapedeck-%s.XXXXXX", parent != NULL ? parent : "/tmp", name);
    if (mkdtemp(path) == NULL) {
        struct error err;
        (void)error_set_system(&err, "cannot make a directory %s", path);
        figures_fail(&err);
    }
    return path;
}

uint64_t
figures_setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name); /* NOLINT(concurrency-mt-unsafe) */
    return text != NULL && *text != '\0' ? strtoull(text, NULL, 10) : otherwise;
}

/* ---- the machine ---- */

#define PIECE_BYTES ((size_t)128 * 1024)

void
figures_machine(const void *data, size_t length)
{
    const unsigned char *bytes = data;
    unsigned char *copy = alloc_zeroed(length);
    size_t room = ZSTD_compressBound(PIECE_BYTES);
    unsigned char *packed = alloc_zeroed(room);
    ZSTD_CCtx *context = ZSTD_createCCtx();
    double copying[FIGURE_RUNS];
    double packing[FIGURE_RUNS];
    for (int run = 0; run < FIGURE_RUNS; run++) {
        memcpy(copy, bytes, length); /* both are in memory now */
        double start = seconds_now();
        memcpy(copy, bytes, length);
        copying[run] = (double)length / (seconds_now() - start) / 1e9;
        start = seconds_now();
        for (size_t at = 0; at + PIECE_BYTES <= length; at += PIECE_BYTES)
            (void)ZSTD_compressCCtx(context, packed, room, bytes + at, PIECE_BYTES, 1);
        packing[run] = (double)length / (seconds_now() - start) / 1e9;
    }
    figure_plain("this machine: memcpy", median(copying, FIGURE_RUNS), "GB/s");
    figure_plain("this machine: zstd -1 of records", median(packing, FIGURE_RUNS), "GB/s");
    (void)ZSTD_freeCCtx(context);
    free(packed);
    free(copy);
}
