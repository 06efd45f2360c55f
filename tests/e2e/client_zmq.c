/* client_zmq.c - a ZeroMQ publisher for the end-to-end tests.
 *
 *   client_zmq COUNT     prints its endpoint, waits for a subscriber, publishes COUNT numbered
 *                        messages, prints "sent COUNT", and ends when its standard input does
 *   client_zmq -         prints its endpoint, does what the lines of its standard input say, and ends with it:
 *                        "wait" waits for a subscriber and prints "subscribed", "send N" publishes N messages
 *                        and prints "sent TOTAL"
 *
 * The socket is an XPUB, which is a PUB that sees its subscriptions: what is sent before the
 * subscription is up would rightly be lost. The frames of message N are: the topic "ticks", N as text,
 * and then none, an empty one, all byte values, or all byte values, an empty one and N again, by N
 * modulo 4.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zmq.h>

_Noreturn static void
die(const char *what)
{
    fprintf(stderr, "client_zmq: %s: %s\n", what, zmq_strerror(zmq_errno()));
    fflush(stdout);
    _exit(1); /* not exit(): there are ZeroMQ's threads */
}

static void
send_frame(void *socket, const void *data, size_t length, int flags)
{
    if (zmq_send(socket, data, length, flags) < 0)
        die("send");
}

static void
send_numbered(void *socket, long number)
{
    char text[32];
    unsigned char all[256];
    for (size_t i = 0; i < sizeof(all); i++)
        all[i] = (unsigned char)i;

    snprintf(text, sizeof(text), "%ld", number);
    send_frame(socket, "ticks", 5, ZMQ_SNDMORE);
    send_frame(socket, text, strlen(text), number % 4 == 0 ? 0 : ZMQ_SNDMORE);
    if (number % 4 == 1)
        send_frame(socket, "", 0, 0);
    if (number % 4 >= 2)
        send_frame(socket, all, sizeof(all), number % 4 == 2 ? 0 : ZMQ_SNDMORE);
    if (number % 4 == 3) {
        send_frame(socket, "", 0, ZMQ_SNDMORE);
        send_frame(socket, text, strlen(text), 0);
    }
}

static void
wait_for_subscriber(void *socket)
{
    char frame[256];
    int wait_ms = 60000;
    zmq_setsockopt(socket, ZMQ_RCVTIMEO, &wait_ms, sizeof(wait_ms));
    do {
        if (zmq_recv(socket, frame, sizeof(frame), 0) < 1)
            die("no subscription came");
    } while (frame[0] != 1);
}

/* Publish `count` messages, of which the first is number `from`. */
static void
send_all(void *socket, long from, long count)
{
    for (long i = 0; i < count; i++)
        send_numbered(socket, from + i);
    printf("sent %ld\n", from + count);
    fflush(stdout);
}

static void
obey(void *socket)
{
    char line[64];
    long sent = 0;
    while (fgets(line, sizeof(line), stdin) != NULL) {
        if (strncmp(line, "send ", 5) == 0) {
            long count = strtol(line + 5, NULL, 10);
            send_all(socket, sent, count);
            sent += count;
        } else {
            wait_for_subscriber(socket);
            printf("subscribed\n");
            fflush(stdout);
        }
    }
}

/* The other side takes what is still queued while we wait. */
static void
send_and_wait(void *socket, long count)
{
    char byte;
    wait_for_subscriber(socket);
    send_all(socket, 0, count);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        continue;
}

int
main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: client_zmq COUNT|-\n");
        return 2;
    }
    void *context = zmq_ctx_new();
    void *socket = zmq_socket(context, ZMQ_XPUB);
    int no_limit = 0; /* nothing may be lost on this side */
    int each = 1;     /* a new subscription is told also when an earlier one is not yet gone */
    zmq_setsockopt(socket, ZMQ_SNDHWM, &no_limit, sizeof(no_limit));
    zmq_setsockopt(socket, ZMQ_XPUB_VERBOSE, &each, sizeof(each));
    if (zmq_bind(socket, "tcp://127.0.0.1:*") != 0)
        die("bind");

    char endpoint[64];
    size_t length = sizeof(endpoint);
    if (zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &length) != 0)
        die("endpoint");
    printf("%s\n", endpoint);
    fflush(stdout);

    if (strcmp(argv[1], "-") == 0)
        obey(socket);
    else
        send_and_wait(socket, strtol(argv[1], NULL, 10));
    zmq_close(socket);
    zmq_ctx_term(context);
    return 0;
}
