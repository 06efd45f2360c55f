/* zmq_resume.h - how far a lane's counter was when the tape ended.
 *
 * After a restart the first number that comes tells how many messages there were since the last one that
 * was recorded. That one is in the lane's last event, and is read from there, at the place where the
 * tap finds numbers today: nothing else is kept on disk that could say something else. An event that was
 * acknowledged is on the tape, also after a crash; one that was not is missing, and is counted as such.
 * So a counter that is configured anew is found as well, if the old events have it. What the tape knows to be
 * missing behind that event (dropped because the disk was behind, say) had numbers of its own.
 *
 * Nothing is known, and the loss has no size as without a counter, when the last event has no number at that
 * place, is no ZeroMQ message, cannot be read, or was deleted by retention. Nor where several publishers count in one
 * lane, whose first message may be anybody's: so a few events before the last one must have come of one counter
 * too, which went on as the offsets did.
 *
 * All lanes of a tap, which are few, are looked up before the first message is taken. Meanwhile libzmq keeps what
 * comes; later, in the middle of a stream, it would be too much for it, and a proxy may never wait for
 * the disk. Each lookup is one event by lane and offset. When all together take more than
 * ZMQ_RESUME_MS the others are not known either.
 *
 * Threads: one owner.
 */
#ifndef COLLECTORS_ZMQ_RESUME_H
#define COLLECTORS_ZMQ_RESUME_H

#include <stdbool.h>
#include <stdint.h>

struct event;
struct tap_lane;
struct tape_witness;
struct zmq_place;

#define ZMQ_RESUME_MS 2000

struct zmq_resume {
    struct tape_witness *tape; /* NULL: it cannot be read */
    int64_t deadline_ns;
};

/* Begin to look into the tape in `directory` (NULL: there is none). */
void zmq_resume_begin(struct zmq_resume *resume, const char *directory);
void zmq_resume_end(struct zmq_resume *resume);

/* The number of the last message before lane->next, recorded or known to be missing. False: not known. */
bool zmq_resume_find(const struct zmq_resume *resume, const struct zmq_place *place,
    const struct tap_lane *lane, uint64_t *last);

/* The number in a message that became an event; see zmq_place_read(). */
bool zmq_resume_read(
    const struct zmq_place *place, const struct event *event, uint64_t *number, unsigned *bits);

#endif
