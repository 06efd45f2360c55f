#include "bench/data.h"

#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "bench/figures.h"
#include "index/batch.h"
#include "index/event.h"
#include "index/record.h"
#include "index/tape_writer.h"

#define TRACES       4096
#define WINDOW_BYTES ((size_t)1024 * 1024)

const char *const data_stream_names[DATA_STREAMS] = {
    "order", "payment", "shipment", "inventory", "click", "session", "audit", "telemetry"};

static const double stream_weights[DATA_STREAMS] = {.30, .20, .12, .10, .10, .08, .06, .04};
static const char *const states[] = {
    "created", "updated", "confirmed", "declined", "settled", "cancelled", "retried", "expired"};
static const char *const currencies[] = {"EUR", "USD", "GBP", "JPY", "CHF"};
static const char *const regions[] = {
    "eu-west-1", "eu-central-1", "us-east-1", "us-west-2", "ap-southeast-1"};
static const char *const words[] = {"customer", "asked", "for", "delivery", "before", "noon",
    "leave", "at", "door", "gift", "wrap", "fragile", "call", "on", "arrival", "back", "order",
    "partial", "shipment", "approved", "by", "risk", "engine", "manual", "review", "pending",
    "address", "verified", "loyalty", "points", "applied", "coupon"};

struct data {
    uint64_t random;
    uint64_t number;
    int64_t now_ns;
    int64_t offsets[DATA_STREAMS][DATA_PARTITIONS];
    uint64_t traces[TRACES][2];
    int trace_uses[TRACES];
    struct buffer headers;
    char key[32];
    char trace[64];
    char id[48];
    char payload[1024];
};

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

struct data *
data_new(void)
{
    struct data *data = alloc_zeroed(sizeof(*data));
    data->random = 42;
    data->now_ns = INT64_C(1795000000000000000);
    for (int i = 0; i < DATA_STREAMS; i++) {
        for (int k = 0; k < DATA_PARTITIONS; k++)
            data->offsets[i][k] = (int64_t)(next_random(&data->random) % 100000000);
    }
    for (int i = 0; i < TRACES; i++) {
        data->traces[i][0] = next_random(&data->random);
        data->traces[i][1] = next_random(&data->random);
    }
    return data;
}

void
data_free(struct data *data)
{
    if (data == NULL)
        return;
    buffer_done(&data->headers);
    free(data);
}

static unsigned
pick_stream(struct data *data)
{
    double share = next_fraction(&data->random);
    unsigned stream = 0;
    while (stream < DATA_STREAMS - 1 && share >= stream_weights[stream])
        share -= stream_weights[stream++];
    return stream;
}

static void
make_headers(struct data *data)
{
    uint64_t *random = &data->random;
    size_t slot = next_random(random) % TRACES;
    if (++data->trace_uses[slot] > 5) {
        data->traces[slot][0] = next_random(random);
        data->traces[slot][1] = next_random(random);
        data->trace_uses[slot] = 0;
    }
    (void)snprintf(data->trace, sizeof(data->trace),
        "00-%016" PRIx64 "%016" PRIx64 "-%016" PRIx64 "-01", data->traces[slot][0],
        data->traces[slot][1], next_random(random));
    uint64_t high = next_random(random);
    uint64_t low = next_random(random);
    (void)snprintf(data->id, sizeof(data->id),
        "%08" PRIx64 "-%04" PRIx64 "-4%03" PRIx64 "-%c%03" PRIx64 "-%012" PRIx64, high >> 32,
        high >> 16 & 0xffff, high & 0xfff, "89ab"[low >> 62], low >> 48 & 0xfff,
        low & UINT64_C(0xffffffffffff));
    data->headers.length = 0;
    headers_begin(&data->headers, 2);
    headers_add(&data->headers, bytes_of("traceparent"), bytes_of(data->trace));
    headers_add(&data->headers, bytes_of("ce_id"), bytes_of(data->id));
}

static size_t
make_payload(struct data *data, unsigned stream, int64_t time_ns)
{
    uint64_t *random = &data->random;
    char note[128] = "";
    size_t length = 0;
    unsigned word_count = (unsigned)(2 + next_random(random) % 6);
    for (unsigned i = 0; i < word_count; i++)
        length += (size_t)snprintf(note + length, sizeof(note) - length, "%s%s", i == 0 ? "" : " ",
            words[next_random(random) % 32]);
    if (next_random(random) % 1000000 == 0)
        (void)snprintf(note, sizeof(note), "%sx", DATA_RARE);
    uint64_t picks = next_random(random);
    uint64_t amounts = next_random(random);
    return (size_t)snprintf(data->payload, sizeof(data->payload),
        "{\"type\":\"%s.%s\",\"id\":%" PRIu64 ",\"account\":\"%s\",\"amount\":%u.%02u,"
        "\"currency\":\"%s\",\"region\":\"%s\",\"at\":%" PRId64
        ",\"seq\":%u,\"note\":\"%s\",\"ok\":%s}",
        data_stream_names[stream], states[picks % 8], 80000000 + data->number / 3, data->key,
        (unsigned)(amounts % 5000), (unsigned)(amounts / 5000 % 100), currencies[picks / 8 % 5],
        regions[picks / 64 % 5], time_ns / 1000, (unsigned)(next_random(random) % 1000), note,
        next_random(random) % 20 != 0 ? "true" : "false");
}

void
data_next(struct data *data, const struct stream *const streams[DATA_STREAMS], struct event *event)
{
    uint64_t *random = &data->random;
    unsigned stream = pick_stream(data);
    unsigned partition = (unsigned)(next_random(random) % DATA_PARTITIONS);
    data->offsets[stream][partition] += next_random(random) % 200 == 0 ? 2 : 1;
    data->now_ns += (int64_t)(-20000.0 * log(1 - next_fraction(random) * 0.999999));
    int64_t time_ns = data->now_ns - (int64_t)(next_random(random) % 3000000);
    double share = next_fraction(random);
    uint64_t customer = (uint64_t)(1000000 * share * share * share);
    uint64_t hash = customer * UINT64_C(0x9e3779b97f4a7c15) >> 16;
    (void)snprintf(data->key, sizeof(data->key), "%.3s-%012" PRIx64, data_stream_names[stream],
        hash & UINT64_C(0xffffffffffff));
    make_headers(data);
    size_t length = make_payload(data, stream, time_ns);
    data->number++;
    *event = (struct event){
        .received_ns = data->now_ns,
        .time_ns = time_ns,
        .time_type = TIME_CREATE,
        .offset = data->offsets[stream][partition],
        .stream = streams[stream],
        .partition = (int32_t)partition,
        .key = bytes_of(data->key),
        .headers = bytes_make(data->headers.data, data->headers.length),
        .payload = bytes_make(data->payload, length),
    };
}

void
data_streams(struct tape_writer *writer, const struct stream *streams[DATA_STREAMS])
{
    for (size_t i = 0; i < DATA_STREAMS; i++)
        streams[i] = tape_writer_stream(writer, DATA_TAP, data_stream_names[i]);
}

/* ---- files ---- */

static void
write_batch(int fd, struct batch **batch)
{
    struct error err;
    struct bytes records = batch_records(*batch);
    union {
        const unsigned char *in;
        void *out;
    } view = {.in = records.data};
    struct iovec part = {view.out, records.length};
    if (records.length > 0 && !file_write_all(fd, &part, 1, &err))
        figures_fail(&err);
    batch_release(*batch);
    *batch = batch_new();
}

void
data_write_file(const char *path, uint64_t events)
{
    struct error err;
    struct stream rows[DATA_STREAMS] = {0};
    const struct stream *streams[DATA_STREAMS];
    for (uint32_t i = 0; i < DATA_STREAMS; i++) {
        rows[i].id = i;
        streams[i] = &rows[i];
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        (void)error_set_system(&err, "cannot make %s", path);
        figures_fail(&err);
    }
    struct data *data = data_new();
    struct batch *batch = batch_new();
    for (uint64_t i = 0; i < events; i++) {
        struct event event;
        data_next(data, streams, &event);
        if (!batch_add(batch, &event, &err))
            figures_fail(&err);
        if (batch_is_full(batch))
            write_batch(fd, &batch);
    }
    write_batch(fd, &batch);
    batch_release(batch);
    data_free(data);
    (void)close(fd);
}

/* window.data[at ..] is what was read and not yet given out. */
struct data_file {
    int fd;
    struct buffer window;
    size_t at;
    uint64_t read;
};

struct data_file *
data_file_open(const char *path)
{
    struct data_file *file = alloc_zeroed(sizeof(*file));
    file->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0) {
        struct error err;
        (void)error_set_system(&err, "cannot open %s", path);
        figures_fail(&err);
    }
    (void)buffer_reserve(&file->window, 2 * WINDOW_BYTES);
    return file;
}

void
data_file_close(struct data_file *file)
{
    (void)close(file->fd);
    buffer_done(&file->window);
    free(file);
}

/* False at the end of the file. */
static bool
refill(struct data_file *file)
{
    struct error err;
    size_t left = file->window.length - file->at;
    size_t got;
    memmove(file->window.data, file->window.data + file->at, left);
    file->window.length = left;
    file->at = 0;
    if (!file_read_at(file->fd, buffer_reserve(&file->window, WINDOW_BYTES), WINDOW_BYTES,
            file->read, &got, &err))
        figures_fail(&err);
    file->window.length += got;
    file->read += got;
    return got > 0;
}

bool
data_file_next(
    struct data_file *file, const struct stream *const streams[DATA_STREAMS], struct event *event)
{
    struct record record;
    while (!record_decode(bytes_make(file->window.data, file->window.length), &file->at, &record)) {
        if (!refill(file))
            return false;
    }
    record_to_event(&record, event);
    event->stream = streams[record.stream_id];
    return true;
}

static void
append(struct tape_writer *writer, struct batch **batch)
{
    struct error err;
    if (batch_event_count(*batch) > 0 && (!tape_writer_append(writer, *batch, &err) ||
                                             !tape_writer_tick(writer, clock_monotonic_ns(), &err)))
        figures_fail(&err);
    batch_release(*batch);
    *batch = batch_new();
}

uint64_t
data_record(const char *path, const char *directory, const struct tape_writer_options *options,
    uint64_t events, bool close)
{
    struct error err;
    struct tape_writer *writer = tape_writer_open(directory, options, &err);
    if (writer == NULL)
        figures_fail(&err);
    const struct stream *streams[DATA_STREAMS];
    data_streams(writer, streams);
    struct data_file *file = data_file_open(path);
    struct batch *batch = batch_new();
    struct event event;
    uint64_t count = 0;
    while ((events == 0 || count < events) && data_file_next(file, streams, &event)) {
        if (!batch_add(batch, &event, &err))
            figures_fail(&err);
        count++;
        if (batch_is_full(batch))
            append(writer, &batch);
    }
    append(writer, &batch);
    batch_release(batch);
    data_file_close(file);
    if (close)
        tape_writer_close(writer);
    return count;
}
