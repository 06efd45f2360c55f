/* bench_open.c - how long a tape of many segments takes to open, with the catalogue and without.
 *
 * usage: bench_open [SEGMENTS] [EVENTS-EACH]     default 1000 and 2000, some 200 MB below $TMPDIR
 *
 * "cold": the kernel was told to forget the files; "lanes" is tape_lanes() of the tape just opened, which
 * the first table of the console needs. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "index/batch.h"
#include "index/cursor.h"
#include "index/event.h"
#include "index/tape.h"
#include "index/tape_writer.h"

#define PARTITIONS 12
#define STREAMS    5

static void
die(const char *what, const struct error *err)
{
    (void)fprintf(stderr, "bench_open: %s: %s\n", what, err->text);
    exit(1); /* NOLINT(concurrency-mt-unsafe): one thread */
}

static void
fill_batch(
    struct batch *batch, const struct stream *const *streams, long segment, long from, long until)
{
    struct buffer headers = {0};
    struct error err;
    for (long i = from; i < until; i++) {
        char key[32];
        char id[64];
        char payload[400];
        long number = segment * 1000000 + i;
        unsigned long scattered = (unsigned long)number * 2654435761UL;
        int key_length = snprintf(key, sizeof(key), "o-%06ld", number * 7919 % 500000);
        (void)snprintf(id, sizeof(id), "%08lx-1111-4222-8333-%012lx", scattered & 0xffffffffUL,
            scattered & 0xffffffffffffUL);
        int length = snprintf(payload, sizeof(payload),
            "{\"type\":\"order.created\",\"number\":%ld,\"amount\":%ld,\"note\":\"leave at the "
            "door "
            "%lx\",\"city\":\"%c%c\"}",
            number, number * 13 % 9973, scattered, (char)('A' + number % 26),
            (char)('a' + number % 23));
        headers.length = 0;
        headers_begin(&headers, 1);
        headers_add(&headers, bytes_of("ce_id"), bytes_of(id));
        struct event event = {
            .received_ns = 1795000000 * NS_PER_S + number * NS_PER_MS,
            .time_ns = 1795000000 * NS_PER_S + number * NS_PER_MS,
            .time_type = TIME_CREATE,
            .offset = number,
            .stream = streams[i % STREAMS],
            .partition = (int32_t)(i % PARTITIONS),
            .key = bytes_make(key, (size_t)key_length),
            .headers = bytes_make(headers.data, headers.length),
            .payload = bytes_make(payload, (size_t)length),
        };
        if (!batch_add(batch, &event, &err))
            die("event", &err);
    }
    buffer_done(&headers);
}

static void
make_tape(const char *directory, long segments, long each)
{
    struct error err;
    struct tape_writer_options options = {
        .durability = DURABILITY_KERNEL, .journal_bytes = 1, .min_free = -1};
    struct tape_writer *writer = tape_writer_open(directory, &options, &err);
    if (writer == NULL)
        die(directory, &err);
    const struct stream *streams[STREAMS];
    for (int i = 0; i < STREAMS; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "topic-%d", i);
        streams[i] = tape_writer_stream(writer, "shop", name);
    }
    for (long i = 0; i < segments; i++) {
        struct batch *batch = batch_new();
        fill_batch(batch, streams, i, 0, each);
        if (!tape_writer_append(writer, batch, &err))
            die("append", &err);
        batch_release(batch);
    }
    tape_writer_close(writer);
}

/* Let the kernel forget the files. */
static void
cool_down(const char *path)
{
    DIR *directory = opendir(path);
    const struct dirent *entry = NULL;
    sync();
    while (directory != NULL &&
           (entry = readdir(directory)) != NULL) { /* NOLINT(concurrency-mt-unsafe) */
        int fd = openat(dirfd(directory), entry->d_name, O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
            (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
            (void)close(fd);
        }
    }
    if (directory != NULL)
        (void)closedir(directory);
}

static size_t
count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    size_t count = 0;
    while (directory != NULL && readdir(directory) != NULL) /* NOLINT(concurrency-mt-unsafe) */
        count++;
    if (directory != NULL)
        (void)closedir(directory);
    return count;
}

static double
since_ms(int64_t start_ns)
{
    return (double)(clock_monotonic_ns() - start_ns) / 1e6;
}

static void
measure(const char *directory, const char *name, bool is_cold)
{
    struct error err;
    if (is_cold)
        cool_down(directory);
    int64_t start_ns = clock_monotonic_ns();
    struct tape *tape = tape_open(directory, &err);
    if (tape == NULL)
        die("open", &err);
    double open_ms = since_ms(start_ns);
    size_t lanes;
    if (tape_lanes(tape, &lanes, &err) == NULL)
        die("lanes", &err);
    double lanes_ms = since_ms(start_ns);
    struct cursor_options options = {.order = CURSOR_BY_SEQ, .newest_first = true};
    struct cursor *cursor = cursor_new(tape, &options);
    struct event event;
    for (int i = 0; i < 50; i++) {
        if (cursor_next(cursor, 0, &event, &err) != CURSOR_EVENT)
            die("newest events", &err);
    }
    double newest_ms = since_ms(start_ns);
    cursor_free(cursor);
    printf("%-18s %s  open %7.1f ms   + lanes (%zu) %7.1f ms   + newest 50 events %7.1f ms   "
           "descriptors %zu\n",
        name, is_cold ? "cold" : "warm", open_ms, lanes, lanes_ms, newest_ms, count_descriptors());
    tape_close(tape);
}

static uint64_t
size_of(const char *path)
{
    struct error err;
    struct buffer content = {0};
    if (!file_read_whole(path, (size_t)1 << 30, &content, &err))
        die(path, &err);
    uint64_t length = content.length;
    buffer_done(&content);
    return length;
}

int
main(int argc, char **argv)
{
    long segments = argc > 1 ? strtol(argv[1], NULL, 10) : 1000;
    long each = argc > 2 ? strtol(argv[2], NULL, 10) : 2000;
    const char *base = getenv("TMPDIR"); /* NOLINT(concurrency-mt-unsafe) */
    char *directory = alloc_format("%s/bench_open.XXXXXX", base == NULL ? "/tmp" : base);
    if (segments < 1 || each < 1 || mkdtemp(directory) == NULL) {
        (void)fprintf(stderr, "usage: bench_open [SEGMENTS] [EVENTS-EACH]\n");
        return 2;
    }
    int64_t start_ns = clock_monotonic_ns();
    make_tape(directory, segments, each);
    char *catalogue = alloc_format("%s/catalogue.db", directory);
    char *first = alloc_format("%s/00000001.seg", directory);
    printf("%ld segments of %ld events (%.0f KiB each), catalogue %.0f KiB; made in %.1f s\n",
        segments, each, (double)size_of(first) / 1024, (double)size_of(catalogue) / 1024,
        since_ms(start_ns) / 1000);
    measure(directory, "with catalogue", true);
    measure(directory, "with catalogue", false);
    char *aside = alloc_format("%s/aside", directory);
    if (rename(catalogue, aside) != 0)
        return 1;
    measure(directory, "without catalogue", true);
    measure(directory, "without catalogue", false);
    free(aside);
    free(first);
    free(catalogue);
    file_remove_tree(directory);
    free(directory);
    return 0;
}
