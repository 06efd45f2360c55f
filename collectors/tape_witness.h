/* tape_witness.h - what the tape itself says about the last event of a lane, to be compared with the log.
 *
 * A topic that is deleted and made again has the same name and the same offsets, with other events. The
 * client library shows no identity of the topic, so the events are what identifies it: the event at the
 * last offset on the tape must be the event at that offset in the log.
 *
 * Threads: one owns a struct tape_witness. It reads the tape's files; the recorder that writes them does not notice.
 */
#ifndef COLLECTORS_TAPE_WITNESS_H
#define COLLECTORS_TAPE_WITNESS_H

#include <stdbool.h>
#include <stdint.h>

struct error;
struct event;
struct stream;
struct tape_witness;

/* A number that differs where key, headers, payload or the transport's time differ (64 bits of hash). What the
 * recorder adds (seq, time of receipt) does not count. */
uint64_t event_fingerprint(const struct event *event);

/* See what is on the tape in `directory` now. NULL with the reason when it cannot be read. */
struct tape_witness *tape_witness_open(const char *directory, struct error *err);
void tape_witness_close(struct tape_witness *witness);

/* The offset of the lane's last event, or -1 when the tape has none. */
int64_t tape_witness_offset(
    const struct tape_witness *witness, const struct stream *stream, int32_t partition);

/* The lane's last event, and the offset behind all that the tape says of the lane: behind that event, or behind what is
 * known to be missing after it. Its views live until another event is read. False when there is none that can be read. */
bool tape_witness_last(struct tape_witness *witness, const struct stream *stream, int32_t partition,
    struct event *event, int64_t *end);

/* The lane's newest event among the `most` events of the tape before the one with this seq. Views as above. False: none is. */
bool tape_witness_before(struct tape_witness *witness, const struct stream *stream,
    int32_t partition, uint64_t seq, unsigned most, struct event *event);

/* The fingerprint of the event at exactly this offset; false when it cannot be read. */
bool tape_witness_read(struct tape_witness *witness, const struct stream *stream, int32_t partition,
    int64_t offset, uint64_t *fingerprint);

#endif
