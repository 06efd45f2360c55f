#include "collectors/zmq_parts.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "index/event.h"

#define FIRST_CAPACITY 16

void
zmq_parts_drop(struct zmq_parts *parts)
{
    for (size_t i = 0; i < parts->count; i++)
        (void)zmq_msg_close(&parts->frames[i]);
    parts->count = 0;
    parts->is_too_long = false;
}

void
zmq_parts_done(struct zmq_parts *parts)
{
    zmq_parts_drop(parts);
    free(parts->frames);
    buffer_done(&parts->headers);
}

/* A zmq_msg_t may not be copied but by libzmq. */
static void
grow(struct zmq_parts *parts)
{
    size_t capacity = parts->capacity == 0 ? FIRST_CAPACITY : parts->capacity * 2;
    zmq_msg_t *frames = alloc_array(capacity, sizeof(frames[0]));
    for (size_t i = 0; i < parts->count; i++) {
        (void)zmq_msg_init(&frames[i]);
        (void)zmq_msg_move(&frames[i], &parts->frames[i]);
        (void)zmq_msg_close(&parts->frames[i]);
    }
    free(parts->frames);
    parts->frames = frames;
    parts->capacity = capacity;
}

/* The first frame says where the message belongs, also when the rest is given up. */
static void
keep_first(struct zmq_parts *parts)
{
    parts->is_too_long = true;
    while (parts->count > 1)
        (void)zmq_msg_close(&parts->frames[--parts->count]);
}

zmq_msg_t *
zmq_parts_receive(struct zmq_parts *parts, void *socket)
{
    if (parts->count == ZMQ_FRAMES_MAX)
        keep_first(parts);
    if (parts->count == parts->capacity)
        grow(parts);
    zmq_msg_t *frame = &parts->frames[parts->count];
    (void)zmq_msg_init(frame);
    if (zmq_msg_recv(frame, socket, ZMQ_DONTWAIT) < 0) {
        (void)zmq_msg_close(frame);
        return NULL;
    }
    parts->count++;
    return frame;
}

struct bytes
zmq_parts_frame(const struct zmq_parts *parts, size_t index)
{
    zmq_msg_t *frame = &parts->frames[index];
    const void *data = zmq_msg_data(frame);
    return bytes_make(data == NULL ? "" : data, zmq_msg_size(frame));
}

void
zmq_parts_event(struct zmq_parts *parts, struct event *event)
{
    size_t last = parts->count - 1;
    event->payload = zmq_parts_frame(parts, last);
    if (last == 0)
        return;
    event->key = zmq_parts_frame(parts, 0);
    if (last == 1)
        return;
    parts->headers.length = 0;
    headers_begin(&parts->headers, last - 1);
    for (size_t i = 1; i < last; i++)
        headers_add(&parts->headers, bytes_of(ZMQ_FRAME_HEADER), zmq_parts_frame(parts, i));
    event->headers = bytes_make(parts->headers.data, parts->headers.length);
}
