/* bench_index_seal - how fast events become segments, and how fast segments answer.
 *
 * usage: bench_index_seal [EVENTS [DIRECTORY]]
 *
 * Makes EVENTS (default 2,000,000) like those of a shop: 8 streams of 8 partitions, skewed; JSON payloads
 * of some 206 bytes, keys of 16, a traceparent shared by about 6 events and a UUID as headers. Writes them
 * to journals, seals each at 64 MiB, then looks for single values, one partition, a range of time and a
 * substring, on one thread, with the files in the page cache. Needles are timed by the clock, all else by
 * the processor's time. Beside it stands what memcpy and zstd do on the same machine at the same time.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "index/event.h"
#include "index/journal.h"
#include "index/record.h"
#include "index/seal.h"
#include "index/segment.h"
#include "index/token_index.h"

#define STREAMS       8
#define PARTITIONS    8
#define TRACES        4096
#define SEGMENT_BYTES ((size_t)64 * 1024 * 1024)
#define FRAME_BYTES   ((size_t)128 * 1024)
#define NEEDLES       1000
#define RARE          "declined_code_93517"

static void
fail(const struct error *err)
{
    (void)fprintf(stderr, "bench_index_seal: %s\n", err->text);
    exit(1); /* NOLINT(concurrency-mt-unsafe): there is one thread */
}

static double
seconds(void)
{
    return (double)clock_monotonic_ns() / 1e9;
}

static double
cpu_seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- events ---- */

/* splitmix64, Steele, Lea, Flood 2014 */
static uint64_t
next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static double
next_fraction(uint64_t *state)
{
    return (double)(next_random(state) >> 11) * 0x1p-53;
}

static const char *const stream_names[STREAMS] = {
    "order", "payment", "shipment", "inventory", "click", "session", "audit", "telemetry"};
static const double stream_weights[STREAMS] = {.30, .20, .12, .10, .10, .08, .06, .04};
static const char *const states[] = {
    "created", "updated", "confirmed", "declined", "settled", "cancelled", "retried", "expired"};
static const char *const currencies[] = {"EUR", "USD", "GBP", "JPY", "CHF"};
static const char *const regions[] = {
    "eu-west-1", "eu-central-1", "us-east-1", "us-west-2", "ap-southeast-1"};
static const char *const words[] = {"customer", "asked", "for", "delivery", "before", "noon",
    "leave", "at", "door", "gift", "wrap", "fragile", "call", "on", "arrival", "back", "order",
    "partial", "shipment", "approved", "by", "risk", "engine", "manual", "review", "pending",
    "address", "verified", "loyalty", "points", "applied", "coupon"};

struct shop {
    uint64_t random;
    uint64_t number;
    int64_t now_ns;
    int64_t offsets[STREAMS][PARTITIONS];
    uint64_t traces[TRACES][2];
    int trace_uses[TRACES];
    struct buffer headers;
    char key[32];
    char trace[64];
    char id[48];
    char payload[1024];
};

static void
shop_open(struct shop *shop)
{
    *shop = (struct shop){.random = 42, .now_ns = INT64_C(1795000000000000000)};
    for (int i = 0; i < STREAMS; i++) {
        for (int k = 0; k < PARTITIONS; k++)
            shop->offsets[i][k] = (int64_t)(next_random(&shop->random) % 100000000);
    }
    for (int i = 0; i < TRACES; i++) {
        shop->traces[i][0] = next_random(&shop->random);
        shop->traces[i][1] = next_random(&shop->random);
    }
}

static unsigned
pick_stream(struct shop *shop)
{
    double share = next_fraction(&shop->random);
    unsigned stream = 0;
    while (stream < STREAMS - 1 && share >= stream_weights[stream])
        share -= stream_weights[stream++];
    return stream;
}

static void
make_headers(struct shop *shop)
{
    uint64_t *random = &shop->random;
    size_t slot = next_random(random) % TRACES;
    if (++shop->trace_uses[slot] > 5) {
        shop->traces[slot][0] = next_random(random);
        shop->traces[slot][1] = next_random(random);
        shop->trace_uses[slot] = 0;
    }
    (void)snprintf(shop->trace, sizeof(shop->trace),
        "00-%016" PRIx64 "%016" PRIx64 "-%016" PRIx64 "-01", shop->traces[slot][0],
        shop->traces[slot][1], next_random(random));
    uint64_t high = next_random(random);
    uint64_t low = next_random(random);
    (void)snprintf(shop->id, sizeof(shop->id),
        "%08" PRIx64 "-%04" PRIx64 "-4%03" PRIx64 "-%c%03" PRIx64 "-%012" PRIx64, high >> 32,
        high >> 16 & 0xffff, high & 0xfff, "89ab"[low >> 62], low >> 48 & 0xfff,
        low & UINT64_C(0xffffffffffff));
    headers_begin(&shop->headers, 2);
    headers_add(&shop->headers, bytes_of("traceparent"), bytes_of(shop->trace));
    headers_add(&shop->headers, bytes_of("ce_id"), bytes_of(shop->id));
}

static size_t
make_payload(struct shop *shop, unsigned stream, int64_t time_ns)
{
    uint64_t *random = &shop->random;
    struct buffer note = {0};
    unsigned word_count = (unsigned)(2 + next_random(random) % 6);
    for (unsigned i = 0; i < word_count; i++)
        buffer_printf(&note, "%s%s", i == 0 ? "" : " ", words[next_random(random) % 32]);
    if (next_random(random) % 1000000 == 0) {
        note.length = 0;
        buffer_append_text(&note, RARE "x");
    }
    uint64_t picks = next_random(random);
    int length = snprintf(shop->payload, sizeof(shop->payload),
        "{\"type\":\"%s.%s\",\"id\":%" PRIu64 ",\"account\":\"%s\",\"amount\":%u.%02u,"
        "\"currency\":\"%s\",\"region\":\"%s\",\"at\":%" PRId64
        ",\"seq\":%u,\"note\":\"%s\",\"ok\":%s}",
        stream_names[stream], states[picks % 8], 80000000 + shop->number / 3, shop->key,
        (unsigned)(next_random(random) % 5000), (unsigned)(next_random(random) % 100),
        currencies[picks / 8 % 5], regions[picks / 64 % 5], time_ns / 1000,
        (unsigned)(next_random(random) % 1000), buffer_text(&note),
        next_random(random) % 20 != 0 ? "true" : "false");
    buffer_done(&note);
    return (size_t)length;
}

static void
make_event(struct shop *shop, struct record *record)
{
    uint64_t *random = &shop->random;
    unsigned stream = pick_stream(shop);
    unsigned partition = (unsigned)(next_random(random) % PARTITIONS);
    shop->offsets[stream][partition] += next_random(random) % 200 == 0 ? 2 : 1;
    shop->now_ns += (int64_t)(-20000.0 * log(1 - next_fraction(random) * 0.999999));
    int64_t time_ns = shop->now_ns - (int64_t)(next_random(random) % 3000000);
    double share = next_fraction(random);
    uint64_t customer = (uint64_t)(1000000 * share * share * share);
    uint64_t hash = customer * UINT64_C(0x9e3779b97f4a7c15) >> 16;
    (void)snprintf(shop->key, sizeof(shop->key), "%.3s-%012" PRIx64, stream_names[stream], hash);
    make_headers(shop);
    size_t length = make_payload(shop, stream, time_ns);
    shop->number++;
    *record = (struct record){
        .type = RECORD_EVENT,
        .time_ns = time_ns,
        .received_ns = shop->now_ns,
        .position = (uint64_t)shop->offsets[stream][partition],
        .stream_id = stream,
        .partition = partition,
        .flags = TIME_CREATE,
        .key = bytes_of(shop->key),
        .headers = bytes_make(shop->headers.data, shop->headers.length),
        .payload = bytes_make(shop->payload, length),
    };
}

struct needle {
    char key[32];
    char trace[64];
    char id[48];
};

/* ---- writing ---- */

struct run {
    const char *directory;
    enum block_codec codec;
    uint64_t events;
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
fill_segment(struct run *run, struct shop *shop)
{
    run->arena.length = 0;
    run->region_count = 0;
    size_t start = 0;
    uint32_t count = 0;
    while (shop->number < run->events && run->arena.length < SEGMENT_BYTES) {
        struct record record;
        make_event(shop, &record);
        if (shop->number % (run->events / NEEDLES + 1) == 0 && run->needle_count < NEEDLES) {
            struct needle *needle = &run->needles[run->needle_count++];
            memcpy(needle->key, shop->key, sizeof(needle->key));
            memcpy(needle->trace, shop->trace, sizeof(needle->trace));
            memcpy(needle->id, shop->id, sizeof(needle->id));
        }
        size_t size = record_size(&record);
        record_encode(&record, buffer_reserve(&run->arena, size));
        run->arena.length += size;
        count++;
        if (run->arena.length - start < FRAME_BYTES && run->arena.length < SEGMENT_BYTES &&
            shop->number < run->events)
            continue;
        run->regions = alloc_grow(
            run->regions, run->region_count, &run->region_capacity, sizeof(*run->regions));
        run->regions[run->region_count++] = (struct seal_region){
            .records = {NULL, run->arena.length - start},
            .first_seq = shop->number - count,
            .event_count = count,
        };
        start = run->arena.length;
        count = 0;
    }
    const unsigned char *at = run->arena.data; /* it may have moved while it grew */
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
    double start = seconds();
    double cpu = cpu_seconds();
    if (!journal_create(&journal, run->directory, &header, &err))
        fail(&err);
    double synced = start;
    for (size_t i = 0; i < run->region_count; i++) {
        const struct seal_region *region = &run->regions[i];
        if (!journal_append(
                &journal, region->event_count, region->first_seq, region->records, &err))
            fail(&err);
        if (seconds() - synced > 0.2) {
            (void)fdatasync(journal.fd);
            synced = seconds();
        }
    }
    (void)fdatasync(journal.fd);
    journal_file_close(&journal);
    run->journal_seconds += seconds() - start;
    run->journal_cpu += cpu_seconds() - cpu;
    char *path = journal_path(run->directory, id, "jnl");
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
        .stream_count = STREAMS,
    };
    struct seal_options options = {.codec = run->codec};
    double start = seconds();
    double cpu = cpu_seconds();
    if (!seal_segment(run->directory, &input, &options, &result, &err))
        fail(&err);
    run->seal_seconds += seconds() - start;
    run->seal_cpu += cpu_seconds() - cpu;
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
    struct shop *shop = alloc_zeroed(sizeof(*shop));
    char tap[] = "shop";
    struct stream streams[STREAMS];
    struct stream *table[STREAMS];
    for (unsigned i = 0; i < STREAMS; i++) {
        char *name = alloc_text(stream_names[i]);
        streams[i] = (struct stream){.id = i, .tap = tap, .name = name, .label = name};
        table[i] = &streams[i];
    }
    shop_open(shop);
    while (shop->number < run->events) {
        fill_segment(run, shop);
        write_journal(run, ++run->segment_count);
        seal_one(run, run->segment_count, table);
    }
    for (unsigned i = 0; i < STREAMS; i++)
        free(streams[i].name);
    buffer_done(&shop->headers);
    free(shop);
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
        fail(&err);
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

static int
compare_times(const void *a, const void *b)
{
    const double *left = a;
    const double *right = b;
    return (*left > *right) - (*left < *right);
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
                value = bytes_make(needle->trace + 3, 32);
            double start = seconds();
            found += find(reader, kind, value);
            times[i] = seconds() - start;
        }
    }
    qsort(times, run->needle_count, sizeof(times[0]), compare_times);
    printf("  needle by %-5s warm: p50 %6.1f us, p99 %7.1f us, %.1f events each\n", kind,
        times[run->needle_count / 2] * 1e6, times[run->needle_count * 99 / 100] * 1e6,
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
        double start = seconds();
        (void)find(reader, "id", bytes_of(run->needles[i * 10].id));
        times[i] = seconds() - start;
    }
    if (count == 0)
        return;
    qsort(times, count, sizeof(times[0]), compare_times);
    printf("  needle by id    cold: p50 %6.1f us, max %7.1f us, %zu segments\n",
        times[count / 2] * 1e6, times[count - 1] * 1e6, reader->count);
}

static void
bench_absent(struct reader *reader)
{
    double start = seconds();
    unsigned found = 0;
    for (int i = 0; i < 10000; i++) {
        char value[32];
        (void)snprintf(value, sizeof(value), "zzz-%012x", (unsigned)i * 7717u);
        found += find(reader, "key", bytes_of(value));
    }
    printf("  absent key: mean %.2f us in %zu segments (%u found)\n",
        (seconds() - start) / 10000 * 1e6, reader->count, found);
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
        double start = cpu_seconds();
        taken = 0;
        for (size_t s = 0; s < reader->count; s++) {
            for (uint32_t i = 0; i < segment_info(reader->segments[s])->block_count; i++)
                taken += take_block(reader, s, i, selection);
        }
        double took = cpu_seconds() - start;
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
        double start = cpu_seconds();
        bytes = hits = 0;
        for (size_t s = 0; s < reader->count; s++) {
            for (uint32_t i = 0; i < segment_info(reader->segments[s])->block_count; i++) {
                read_or_fail(reader, s, i, BLOCK_BIT(BLOCK_PAY));
                struct block *block = reader->block;
                bytes += block->payloads.length;
                if (search)
                    hits += block_find(block, BLOCK_PAY, bytes_of(RARE), 0) < block->count;
            }
        }
        double took = cpu_seconds() - start;
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
    double start = seconds();
    for (size_t i = 0; i < reader.count; i++) {
        char *path = journal_path(run->directory, i + 1, "seg");
        reader.segments[i] = segment_open(path, &err);
        if (reader.segments[i] == NULL)
            fail(&err);
        free(path);
    }
    printf("  open %.2f ms for %zu segments\n", (seconds() - start) * 1e3, reader.count);

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

/* ---- the machine ---- */

/* What a copy and the codec alone do with records, in pieces of 128 KiB. */
static void
bench_machine(void)
{
    struct shop *shop = alloc_zeroed(sizeof(*shop));
    struct buffer records = {0};
    size_t piece = FRAME_BYTES;
    shop_open(shop);
    while (records.length < SEGMENT_BYTES / 2) {
        struct record record;
        make_event(shop, &record);
        size_t size = record_size(&record);
        record_encode(&record, buffer_reserve(&records, size));
        records.length += size;
    }
    unsigned char *copy = alloc_zeroed(records.length);
    size_t room = ZSTD_compressBound(piece);
    unsigned char *packed = alloc_zeroed(room);
    ZSTD_CCtx *context = ZSTD_createCCtx();
    ZSTD_DCtx *decontext = ZSTD_createDCtx();
    memcpy(copy, records.data, records.length);
    double start = cpu_seconds();
    memcpy(copy, records.data, records.length);
    double copied = cpu_seconds() - start;
    double packing = 0;
    double unpacking = 0;
    for (size_t at = 0; at + piece <= records.length; at += piece) {
        start = cpu_seconds();
        size_t length = ZSTD_compressCCtx(context, packed, room, records.data + at, piece, 1);
        double middle = cpu_seconds();
        (void)ZSTD_decompressDCtx(decontext, copy, piece, packed, length);
        packing += middle - start;
        unpacking += cpu_seconds() - middle;
    }
    double bytes = (double)records.length / 1e9;
    printf("this machine: memcpy %.1f GB/s, zstd -1 of records %.2f GB/s, back %.2f GB/s\n",
        bytes / copied, bytes / packing, bytes / unpacking);
    (void)ZSTD_freeCCtx(context);
    (void)ZSTD_freeDCtx(decontext);
    buffer_done(&records);
    buffer_done(&shop->headers);
    free(packed);
    free(copy);
    free(shop);
}

static void
bench_codec(const char *directory, uint64_t events, enum block_codec codec, const char *name)
{
    struct run run = {.directory = directory, .codec = codec, .events = events};
    struct error err;
    if (!file_make_directory(directory, &err))
        fail(&err);
    run.needles = alloc_array(NEEDLES, sizeof(*run.needles));
    printf("%s, %" PRIu64 " events:\n", name, events);
    write_segments(&run);
    report_writing(&run);
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
    bench_machine();
    free(directory);
    return 0;
}
