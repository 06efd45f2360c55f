/* bench_index_seal - how fast events become segments, and how fast segments answer.
 *
 * usage: bench_index_seal [EVENTS [DIRECTORY]]
 *
 * Writes EVENTS (default 2,000,000) of data.h to journals, seals each at 64 MiB, then looks for single values,
 * one partition, a range of time and a substring, on one thread, with the files in the page cache. Needles are
 * timed by the clock, all else by the processor's time. Beside it stands what memcpy and zstd do on the same
 * machine at the same time.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "bench/data.h"
#include "bench/figures.h"
#include "index/batch.h"
#include "index/event.h"
#include "index/journal.h"
#include "index/part_file.h"
#include "index/seal.h"
#include "index/segment.h"
#include "index/token_index.h"

#define SEGMENT_BYTES ((size_t)64 * 1024 * 1024)
#define NEEDLES       1000

/* What one event is asked for by. */
struct needle {
    char key[32];
    char trace[48];
    char id[48];
};

/* ---- writing ---- */

struct run {
    const char *directory;
    enum block_codec codec;
    uint64_t events; /* to make */
    uint64_t made;
    struct needle *needles;
    size_t needle_count;
    struct buffer arena;
    struct seal_region *regions;
    size_t region_count;
    size_t region_capacity;
    uint64_t segment_count;
    double journal_seconds;
    double journal_cpu;
    double seal_seconds;
    double seal_cpu;
    struct seal_result total;
};

static void
keep_needle(struct run *run, const struct event *event)
{
    struct event_identity identity;
    struct needle *needle = &run->needles[run->needle_count++];
    event_identify(event, &identity);
    (void)snprintf(needle->key, sizeof(needle->key), "%.*s", (int)event->key.length,
        (const char *)event->key.data);
    (void)snprintf(needle->trace, sizeof(needle->trace), "%.*s", (int)identity.trace.length,
        (const char *)identity.trace.data);
    (void)snprintf(needle->id, sizeof(needle->id), "%.*s", (int)identity.id.length,
        (const char *)identity.id.data);
}

/* One frame, as a collector makes it. Its bytes are known when the arena does not move any more. */
static void
add_region(struct run *run, struct data *data, const struct stream *const *streams)
{
    struct error err;
    struct batch *batch = batch_new();
    uint64_t first = run->made;
    while (run->made < run->events && !batch_is_full(batch)) {
        struct event event;
        data_next(data, streams, &event);
        if (++run->made % (run->events / NEEDLES + 1) == 0 && run->needle_count < NEEDLES)
            keep_needle(run, &event);
        if (!batch_add(batch, &event, &err))
            figures_fail(&err);
    }
    struct bytes records = batch_records(batch);
    buffer_append(&run->arena, records.data, records.length);
    run->regions =
        alloc_grow(run->regions, run->region_count, &run->region_capacity, sizeof(*run->regions));
    run->regions[run->region_count++] = (struct seal_region){
        .records = {NULL, records.length},
        .first_seq = first,
        .event_count = batch_event_count(batch),
    };
    batch_release(batch);
}

static void
fill_segment(struct run *run, struct data *data, const struct stream *const *streams)
{
    run->arena.length = 0;
    run->region_count = 0;
    while (run->made < run->events && run->arena.length < SEGMENT_BYTES)
        add_region(run, data, streams);
    const unsigned char *at = run->arena.data;
    for (size_t i = 0; i < run->region_count; i++) {
        run->regions[i].records.data = at;
        at += run->regions[i].records.length;
    }
}

static void
write_journal(struct run *run, uint64_t id)
{
    struct error err;
    struct journal_file journal;
    struct journal_header header = {.id = id, .base_seq = run->regions[0].first_seq};
    double start = seconds_now();
    double cpu = seconds_cpu();
    if (!journal_create(&journal, run->directory, &header, NULL, &err))
        figures_fail(&err);
    double synced = start;
    for (size_t i = 0; i < run->region_count; i++) {
        const struct seal_region *region = &run->regions[i];
        if (!journal_append(
                &journal, region->event_count, region->first_seq, region->records, &err))
            figures_fail(&err);
        if (seconds_now() - synced > 0.2) {
            (void)fdatasync(journal.fd);
            synced = seconds_now();
        }
    }
    (void)fdatasync(journal.fd);
    journal_file_close(&journal);
    run->journal_seconds += seconds_now() - start;
    run->journal_cpu += seconds_cpu() - cpu;
    char *path = part_file_path(run->directory, id, "jnl");
    (void)unlink(path);
    free(path);
}

static void
seal_one(struct run *run, uint64_t id, struct stream *const *streams)
{
    struct error err;
    struct seal_result result;
    const struct seal_region *last = &run->regions[run->region_count - 1];
    struct seal_input input = {
        .uuid = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
        .id = id,
        .first_seq = run->regions[0].first_seq,
        .end_seq = last->first_seq + last->event_count,
        .regions = run->regions,
        .region_count = run->region_count,
        .streams = streams,
        .stream_count = DATA_STREAMS,
    };
    struct seal_options options = {.codec = run->codec};
    double start = seconds_now();
    double cpu = seconds_cpu();
    if (!seal_segment(run->directory, &input, &options, &result, &err))
        figures_fail(&err);
    run->seal_seconds += seconds_now() - start;
    run->seal_cpu += seconds_cpu() - cpu;
    run->total.file_bytes += result.file_bytes;
    run->total.record_bytes += result.record_bytes;
    run->total.block_count += result.block_count;
    run->total.filter_bytes += result.filter_bytes;
    for (size_t i = 0; i < BLOCK_SECTIONS; i++) {
        run->total.decoded[i] += result.decoded[i];
        run->total.stored[i] += result.stored[i];
    }
}

static long
peak_rss_mib(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss / 1024;
}

static void
write_segments(struct run *run)
{
    char tap[] = DATA_TAP;
    struct stream rows[DATA_STREAMS];
    struct stream *table[DATA_STREAMS];
    const struct stream *streams[DATA_STREAMS];
    struct data *data = data_new();
    for (unsigned i = 0; i < DATA_STREAMS; i++) {
        char *name = alloc_text(data_stream_names[i]);
        rows[i] = (struct stream){.id = i, .tap = tap, .name = name, .label = name};
        streams[i] = table[i] = &rows[i];
    }
    while (run->made < run->events) {
        fill_segment(run, data, streams);
        write_journal(run, ++run->segment_count);
        seal_one(run, run->segment_count, table);
    }
    for (unsigned i = 0; i < DATA_STREAMS; i++)
        free(rows[i].name);
    data_free(data);
}

static void
report_writing(const struct run *run)
{
    double events = (double)run->events;
    const struct seal_result *total = &run->total;
    printf("  sealed %.0f ev/s by the clock, %.0f per second of processor time (%.2f GB/s of "
           "records)\n",
        events / run->seal_seconds, events / run->seal_cpu,
        (double)total->record_bytes / 1e9 / run->seal_cpu);
    printf("  journal and seal on one core: %.0f ev/s by the clock, %.0f of processor time\n",
        events / (run->seal_seconds + run->journal_seconds),
        events / (run->seal_cpu + run->journal_cpu));
    printf(
        "  %.1f B/event as records, %.1f in segments: META %.1f>%.1f KEY %.1f>%.1f HDR %.1f>%.1f "
        "PAY %.1f>%.1f filters %.1f\n",
        (double)total->record_bytes / events, (double)total->file_bytes / events,
        (double)total->decoded[0] / events, (double)total->stored[0] / events,
        (double)total->decoded[1] / events, (double)total->stored[1] / events,
        (double)total->decoded[2] / events, (double)total->stored[2] / events,
        (double)total->decoded[3] / events, (double)total->stored[3] / events,
        (double)total->filter_bytes / events);
    printf("  %" PRIu64 " segments, %u blocks, peak RSS %ld MiB\n", run->segment_count,
        total->block_count, peak_rss_mib());
}

/* ---- reading ---- */

struct reader {
    struct segment **segments;
    size_t count;
    struct block *block;
};

static void
read_or_fail(struct reader *reader, size_t segment, uint32_t index, unsigned wanted)
{
    struct error err;
    if (!segment_read_block(reader->segments[segment], index, wanted, reader->block, &err))
        figures_fail(&err);
}

static bool
has_value(const struct event *event, const char *kind, struct bytes value)
{
    struct event_identity identity;
    if (kind[0] == 'k')
        return bytes_equal(event->key, value);
    event_identify(event, &identity);
    return bytes_equal(kind[0] == 'i' ? identity.id : identity.trace, value);
}

/* Find events with the value, whole, at most 100. */
static unsigned
find(struct reader *reader, const char *kind, struct bytes value)
{
    unsigned found = 0;
    enum block_section first = kind[0] == 'k' ? BLOCK_KEY : BLOCK_HDR;
    for (size_t s = 0; s < reader->count && found < 100; s++) {
        struct segment *segment = reader->segments[s];
        struct segment_token token = segment_token(segment, kind, value);
        uint32_t count = segment_info(segment)->block_count;
        uint64_t *blocks = alloc_array(block_set_words(count), sizeof(*blocks));
        segment_find_blocks(segment, token, blocks);
        for (uint32_t i = 0; i < count && found < 100; i++) {
            if (!block_set_has(blocks, i))
                continue;
            read_or_fail(reader, s, i, BLOCK_BIT(first));
            uint32_t k = block_find(reader->block, first, value, 0);
            for (; k < reader->block->count && found < 100;
                 k = block_find(reader->block, first, value, k + 1)) {
                struct event event;
                block_event(reader->block, k, &event);
                if (!has_value(&event, kind, value))
                    continue;
                read_or_fail(reader, s, i, BLOCK_ALL);
                found++;
            }
        }
        free(blocks);
    }
    return found;
}

static void
bench_needles(struct reader *reader, const struct run *run, const char *kind)
{
    double times[NEEDLES];
    uint64_t found = 0;
    for (int pass = 0; pass < 2; pass++) { /* the second one finds everything in memory */
        found = 0;
        for (size_t i = 0; i < run->needle_count; i++) {
            const struct needle *needle = &run->needles[i];
            struct bytes value = bytes_of(needle->key);
            if (kind[0] == 'i')
                value = bytes_of(needle->id);
            else if (kind[0] == 't')
                value = bytes_of(needle->trace);
            double start = seconds_now();
            found += find(reader, kind, value);
            times[i] = seconds_now() - start;
        }
    }
    double middle = median(times, run->needle_count);
    printf("  needle by %-5s warm: p50 %6.1f us, p99 %7.1f us, %.1f events each\n", kind,
        middle * 1e6, percentile(times, run->needle_count, .99) * 1e6,
        (double)found / (double)run->needle_count);
}

/* The same with nothing of the files in memory but what segment_open() keeps. */
static void
bench_cold(struct reader *reader, const struct run *run)
{
    double times[NEEDLES];
    size_t count = run->needle_count / 10;
    for (size_t i = 0; i < count; i++) {
        for (size_t s = 0; s < reader->count; s++) {
            int fd = open(segment_path(reader->segments[s]), O_RDONLY | O_CLOEXEC);
            if (fd < 0)
                return;
            (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
            (void)close(fd);
            segment_trim(reader->segments[s]);
        }
        double start = seconds_now();
        (void)find(reader, "id", bytes_of(run->needles[i * 10].id));
        times[i] = seconds_now() - start;
    }
    if (count == 0)
        return;
    double middle = median(times, count); /* sorts them */
    printf("  needle by id    cold: p50 %6.1f us, max %7.1f us, %zu segments\n", middle * 1e6,
        times[count - 1] * 1e6, reader->count);
}

static void
bench_absent(struct reader *reader)
{
    double start = seconds_now();
    unsigned found = 0;
    for (int i = 0; i < 10000; i++) {
        char value[32];
        (void)snprintf(value, sizeof(value), "zzz-%012x", (unsigned)i * 7717u);
        found += find(reader, "key", bytes_of(value));
    }
    printf("  absent key: mean %.2f us in %zu segments (%u found)\n",
        (seconds_now() - start) / 10000 * 1e6, reader->count, found);
}

static bool
in_partition(const struct block_info *info)
{
    uint64_t lane = UINT64_C(3) << 32 | 5;
    uint64_t first = (uint64_t)info->first_stream << 32 | (uint32_t)info->first_partition;
    uint64_t last = (uint64_t)info->last_stream << 32 | (uint32_t)info->last_partition;
    return first <= lane && lane <= last;
}

/* What to read whole, and which events of it count. */
struct selection {
    const char *name;
    bool (*wants)(const struct block_info *info);
    bool (*takes)(const struct event *event);
};

static uint64_t
take_block(struct reader *reader, size_t segment, uint32_t index, const struct selection *selection)
{
    uint64_t taken = 0;
    if (!selection->wants(segment_block(reader->segments[segment], index)))
        return 0;
    read_or_fail(reader, segment, index, BLOCK_ALL);
    for (uint32_t i = 0; i < reader->block->count; i++) {
        struct event event;
        block_event(reader->block, i, &event);
        taken += selection->takes(&event);
    }
    return taken;
}

static void
bench_events(struct reader *reader, const struct selection *selection)
{
    double best = HUGE_VAL;
    uint64_t taken = 0;
    for (int pass = 0; pass < 5; pass++) {
        double start = seconds_cpu();
        taken = 0;
        for (size_t s = 0; s < reader->count; s++) {
            for (uint32_t i = 0; i < segment_info(reader->segments[s])->block_count; i++)
                taken += take_block(reader, s, i, selection);
        }
        double took = seconds_cpu() - start;
        best = took < best ? took : best;
    }
    printf("  %-26s %8" PRIu64 " events in %6.1f ms: %.2f M ev/s\n", selection->name, taken,
        best * 1e3, (double)taken / best / 1e6);
}

static int64_t range_from;
static int64_t range_to;

static bool
is_in_partition(const struct event *event)
{
    return event->stream->id == 3 && event->partition == 5;
}

static bool
block_in_range(const struct block_info *info)
{
    return info->max_time_ns >= range_from && info->min_time_ns <= range_to;
}

static bool
is_in_range(const struct event *event)
{
    return event->time_ns >= range_from && event->time_ns <= range_to;
}

static void
bench_substring(struct reader *reader, bool search)
{
    double best = HUGE_VAL;
    uint64_t bytes = 0;
    uint64_t hits = 0;
    for (int pass = 0; pass < 5; pass++) {
        double start = seconds_cpu();
        bytes = hits = 0;
        for (size_t s = 0; s < reader->count; s++) {
            for (uint32_t i = 0; i < segment_info(reader->segments[s])->block_count; i++) {
                read_or_fail(reader, s, i, BLOCK_BIT(BLOCK_PAY));
                struct block *block = reader->block;
                bytes += block->payloads.length;
                if (search)
                    hits += block_find(block, BLOCK_PAY, bytes_of(DATA_RARE), 0) < block->count;
            }
        }
        double took = seconds_cpu() - start;
        best = took < best ? took : best;
    }
    printf("  %-26s %.2f GB/s of payload (%" PRIu64 " blocks with a hit)\n",
        search ? "substring, META + PAY" : "decode, META + PAY", (double)bytes / best / 1e9, hits);
}

static void
read_segments(struct run *run)
{
    struct error err;
    struct reader reader = {.count = run->segment_count, .block = block_new()};
    reader.segments = alloc_array(reader.count, sizeof(struct segment *));
    double start = seconds_now();
    for (size_t i = 0; i < reader.count; i++) {
        char *path = part_file_path(run->directory, i + 1, "seg");
        reader.segments[i] = segment_open(path, &err);
        if (reader.segments[i] == NULL)
            figures_fail(&err);
        free(path);
    }
    printf("  open %.2f ms for %zu segments\n", (seconds_now() - start) * 1e3, reader.count);

    const struct segment_info *first = segment_info(reader.segments[0]);
    const struct segment_info *last = segment_info(reader.segments[reader.count - 1]);
    int64_t length = last->max_time_ns - first->min_time_ns;
    range_from = first->min_time_ns + length / 5 * 2;
    range_to = first->min_time_ns + length / 5 * 3;
    bench_needles(&reader, run, "id");
    bench_needles(&reader, run, "trace");
    bench_needles(&reader, run, "key");
    bench_cold(&reader, run);
    bench_absent(&reader);
    bench_events(
        &reader, &(struct selection){"one partition, whole", in_partition, is_in_partition});
    bench_events(
        &reader, &(struct selection){"a fifth of the time, whole", block_in_range, is_in_range});
    bench_substring(&reader, false);
    bench_substring(&reader, true);
    for (size_t i = 0; i < reader.count; i++)
        segment_close(reader.segments[i]);
    free((void *)reader.segments);
    block_free(reader.block);
}

static void
bench_codec(const char *directory, uint64_t events, enum block_codec codec, const char *name)
{
    struct run run = {.directory = directory, .codec = codec, .events = events};
    struct error err;
    if (!file_make_directory(directory, &err))
        figures_fail(&err);
    run.needles = alloc_array(NEEDLES, sizeof(*run.needles));
    printf("%s, %" PRIu64 " events:\n", name, events);
    write_segments(&run);
    report_writing(&run);
    if (codec == BLOCK_ZSTD)
        figures_machine(run.arena.data, run.arena.length);
    buffer_done(&run.arena);
    read_segments(&run);
    file_remove_tree(directory);
    free(run.needles);
    free(run.regions);
}

int
main(int argc, char **argv)
{
    uint64_t events = argc > 1 ? strtoull(argv[1], NULL, 10) : 2000000;
    char *directory = alloc_format("%s/bench-seal.%d", argc > 2 ? argv[2] : "/tmp", (int)getpid());
    if (events == 0) {
        (void)fprintf(stderr, "usage: bench_index_seal [EVENTS [DIRECTORY]]\n");
        return 2;
    }
    bench_codec(directory, events, BLOCK_ZSTD, "zstd");
    bench_codec(directory, events, BLOCK_LZ4, "lz4");
    free(directory);
    return 0;
}
