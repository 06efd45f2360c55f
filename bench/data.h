/* data.h - the events that the benches work on: those of a shop, the same in every run.
 *
 * 8 streams of 8 partitions, skewed; JSON payloads of some 206 bytes with ids, amounts, moments and a
 * few words; keys of 16 bytes, a million of them, some hot; a traceparent shared by about 6 events and a
 * UUID as headers. About 368 bytes each as records.  Threads: one owner each.
 */
#ifndef BENCH_DATA_H
#define BENCH_DATA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct batch;
struct event;
struct stream;
struct tape_writer;
struct tape_writer_options;

#define DATA_STREAMS    8
#define DATA_PARTITIONS 8
#define DATA_TAP        "shop"

/* In one payload of a million. */
#define DATA_RARE "declined_code_93517"

extern const char *const data_stream_names[DATA_STREAMS];

/* Makes one event after the other. */
struct data;
struct data *data_new(void);
void data_free(struct data *data);

/* Fill the next event, its stream out of `streams`; views that live until the next call. */
void data_next(
    struct data *data, const struct stream *const streams[DATA_STREAMS], struct event *event);

/* The streams of the shop on the tape of `writer`. */
void data_streams(struct tape_writer *writer, const struct stream *streams[DATA_STREAMS]);

/* Write `events` of them as records into a file: what a bench reads costs much less than making it. */
void data_write_file(const char *path, uint64_t events);

/* Reads such a file. */
struct data_file;
struct data_file *data_file_open(const char *path);
void data_file_close(struct data_file *file);
bool data_file_next(
    struct data_file *file, const struct stream *const streams[DATA_STREAMS], struct event *event);

/* Append the first `events` events of the file (0: all) to a tape, as a collector does. Returns how
 * many. With `close` the writer is closed, which seals everything; else it is left as it is for the
 * end of the process. */
uint64_t data_record(const char *path, const char *directory,
    const struct tape_writer_options *options, uint64_t events, bool close);

#endif
