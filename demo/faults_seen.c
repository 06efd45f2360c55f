#include "demo/faults_seen.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include <jansson.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "index/cursor.h"
#include "index/event.h"
#include "index/tape.h"

enum memo_kind { MEMO_ID, MEMO_KEY, MEMO_LANE };

/* The last event (for ids: the first) with some key or id, or of some lane. */
struct memo {
    uint64_t hash; /* 0: free */
    uint64_t seq;
    int64_t number; /* MEMO_LANE: the message's own `seq` */
    int32_t partition;
};

/* Open addressing, never more than three quarters full. Hashes of 64 bits can meet by chance, so
 * what is found here is compared with the event itself before it counts. */
struct memos {
    struct memo *slots;
    size_t capacity; /* a power of two */
    size_t count;
};

struct scan {
    struct tape *tape;
    struct cursor *earlier; /* looks back at an event while the scan stands on another */
    struct memos memos;
    struct faults_seen *seen;
};

static struct memo *
memos_slot(const struct memos *memos, uint64_t hash)
{
    size_t at = hash & (memos->capacity - 1);
    while (memos->slots[at].hash != 0 && memos->slots[at].hash != hash)
        at = (at + 1) & (memos->capacity - 1);
    return &memos->slots[at];
}

static void
memos_grow(struct memos *memos)
{
    struct memos larger = {.capacity = memos->capacity == 0 ? 4096 : memos->capacity * 2};
    larger.slots = alloc_array(larger.capacity, sizeof(*larger.slots));
    for (size_t i = 0; i < memos->capacity; i++)
        if (memos->slots[i].hash != 0)
            *memos_slot(&larger, memos->slots[i].hash) = memos->slots[i];
    larger.count = memos->count;
    free(memos->slots);
    *memos = larger;
}

/* Find or make the memo for (kind, stream, bytes); *is_new says which. NULL with ERROR_LIMIT. */
static struct memo *
recall(struct scan *scan, enum memo_kind kind, const struct event *event, struct bytes bytes,
    bool *is_new, struct error *err)
{
    struct memos *memos = &scan->memos;
    if ((memos->count + 1) * 4 > memos->capacity * 3)
        memos_grow(memos);
    uint64_t seed = (uint64_t)event->stream->id * 4 + (uint64_t)kind;
    uint64_t hash = XXH3_64bits_withSeed(bytes.data, bytes.length, seed);
    struct memo *memo = memos_slot(memos, hash == 0 ? 1 : hash);
    *is_new = memo->hash == 0;
    if (!*is_new)
        return memo;
    if (memos->count >= FAULTS_SEEN_MAX) {
        error_set(
            err, ERROR_LIMIT, "the tape has more than %u keys and ids to look at", FAULTS_SEEN_MAX);
        return NULL;
    }
    memos->count++;
    *memo = (struct memo){hash == 0 ? 1 : hash, event->seq, 0, event->partition};
    return memo;
}

static void
add_witness(struct fault_sighting *sighting, const struct event *event)
{
    struct fault_witness *witness = &sighting->witnesses[sighting->witness_count++];
    snprintf(witness->stream, sizeof(witness->stream), "%s", event->stream->label);
    witness->partition = event->partition;
    witness->offset = event->offset;
    witness->seq = event->seq;
}

/* Count a sighting; true when it is the first of its kind, which gets the witnesses and the text.
 * `before` may be NULL. */
static bool
sight(struct scan *scan, enum fault fault, const struct event *before, const struct event *event)
{
    struct fault_sighting *sighting = &scan->seen->sightings[fault];
    if (sighting->count++ > 0)
        return false;
    if (before != NULL)
        add_witness(sighting, before);
    add_witness(sighting, event);
    return true;
}

static char *
sight_text(struct scan *scan, enum fault fault)
{
    return scan->seen->sightings[fault].text;
}
#define SIGHT_TEXT_MAX sizeof(((struct fault_sighting *)NULL)->text)

/* Copy the bytes for a text that is printed: what is not plain ASCII becomes '?'. */
static void
plain(char *to, size_t size, struct bytes bytes)
{
    size_t length = bytes.length < size - 1 ? bytes.length : size - 1;
    memcpy(to, bytes.data, length);
    for (size_t i = 0; i < length; i++)
        if (bytes.data[i] < 0x20 || bytes.data[i] >= 0x7f)
            to[i] = '?';
    to[length] = '\0';
}

/* Read the event with that seq; false with *err when it cannot be read. */
static bool
look_back(struct scan *scan, uint64_t seq, struct event *before, struct error *err)
{
    enum cursor_step step = cursor_fetch_seq(scan->earlier, seq, before, err);
    if (step == CURSOR_EVENT)
        return true;
    if (step != CURSOR_FAILED)
        error_set(err, ERROR_DAMAGED, "event %" PRIu64 " is not on the tape any more", seq);
    return false;
}

static bool
check_id(struct scan *scan, const struct event *event, struct error *err)
{
    struct event_identity identity;
    event_identify(event, &identity);
    if (identity.id.data == NULL || identity.id.length == 0)
        return true;
    bool is_new;
    struct memo *memo = recall(scan, MEMO_ID, event, identity.id, &is_new, err);
    if (memo == NULL || is_new)
        return memo != NULL;

    struct event before;
    struct event_identity before_identity;
    if (!look_back(scan, memo->seq, &before, err))
        return false;
    event_identify(&before, &before_identity);
    if (before.stream == event->stream && bytes_equal(before_identity.id, identity.id) &&
        sight(scan, FAULT_DUPLICATE, &before, event)) {
        char id[64];
        plain(id, sizeof(id), identity.id);
        snprintf(sight_text(scan, FAULT_DUPLICATE), SIGHT_TEXT_MAX, "id %s is there twice%s", id,
            bytes_equal(before.payload, event->payload) ? ", with the same payload" : "");
    }
    return true;
}

static bool
check_key(struct scan *scan, const struct event *event, struct error *err)
{
    if (event->offset_is_synthetic || event->key.data == NULL || event->key.length == 0)
        return true;
    bool is_new;
    struct memo *memo = recall(scan, MEMO_KEY, event, event->key, &is_new, err);
    if (memo == NULL || is_new)
        return memo != NULL;

    struct event before;
    if (memo->partition != event->partition) {
        if (!look_back(scan, memo->seq, &before, err))
            return false;
        if (before.stream == event->stream && bytes_equal(before.key, event->key) &&
            sight(scan, FAULT_KEY_MOVE, &before, event)) {
            char key[64];
            plain(key, sizeof(key), event->key);
            snprintf(sight_text(scan, FAULT_KEY_MOVE), SIGHT_TEXT_MAX,
                "key %s went from partition %" PRId32 " to %" PRId32, key, before.partition,
                event->partition);
        }
    }
    memo->seq = event->seq;
    memo->partition = event->partition;
    return true;
}

/* The message's own number; false when it has none. */
static bool
payload_number(const struct event *event, int64_t *number)
{
    if (event->payload.data == NULL)
        return false;
    json_error_t reason;
    json_t *json = json_loadb((const char *)event->payload.data, event->payload.length, 0, &reason);
    json_t *seq = json_object_get(json, "seq");
    bool has_number = json_is_integer(seq);
    if (has_number)
        *number = json_integer_value(seq);
    json_decref(json);
    return has_number;
}

static bool
check_number(struct scan *scan, const struct event *event, struct error *err)
{
    int64_t number;
    if (!event->offset_is_synthetic || !payload_number(event, &number))
        return true;
    bool is_new;
    struct bytes lane = bytes_make(&event->partition, sizeof(event->partition));
    struct memo *memo = recall(scan, MEMO_LANE, event, lane, &is_new, err);
    if (memo == NULL)
        return false;

    struct event before;
    /* The difference of two numbers from payloads may not fit a signed one. */
    uint64_t step = (uint64_t)number - (uint64_t)memo->number;
    if (!is_new && number > memo->number && step > 1) {
        if (!look_back(scan, memo->seq, &before, err))
            return false;
        if (sight(scan, FAULT_GAP, &before, event))
            snprintf(sight_text(scan, FAULT_GAP), SIGHT_TEXT_MAX,
                "seq %" PRId64 " is followed by %" PRId64 ": %" PRIu64 " missing", memo->number,
                number, step - 1);
    }
    memo->seq = event->seq;
    memo->number = number;
    return true;
}

/* Tab, line feed and carriage return are what text is made of; every other control is not. */
static bool
has_other_controls(struct bytes payload)
{
    for (size_t i = 0; i < payload.length; i++) {
        unsigned char c = payload.data[i];
        if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f)
            return true;
    }
    return false;
}

static void
check_payload(struct scan *scan, const struct event *event)
{
    struct bytes payload = event->payload;
    if (payload.data == NULL)
        return;
    bool has_controls = has_other_controls(payload);
    bool is_text = bytes_is_utf8(payload);
    if ((!has_controls && is_text) || !sight(scan, FAULT_POISON, NULL, event))
        return;
    snprintf(sight_text(scan, FAULT_POISON), SIGHT_TEXT_MAX, "the payload holds%s%s%s%s",
        memchr(payload.data, 0x1b, payload.length) != NULL ? " escape sequences," : "",
        memchr(payload.data, 0, payload.length) != NULL ? " null bytes," : "",
        has_controls ? " control bytes" : "",
        is_text        ? ""
        : has_controls ? ", invalid UTF-8"
                       : " invalid UTF-8");
}

static bool
scan_events(struct scan *scan, struct error *err)
{
    struct cursor *cursor = cursor_new(scan->tape, &(struct cursor_options){0});
    struct event event;
    enum cursor_step step;
    bool is_well = true;
    do {
        step = cursor_next(cursor, 0, &event, err);
        if (step != CURSOR_EVENT)
            continue;
        check_payload(scan, &event);
        is_well = check_id(scan, &event, err) && check_key(scan, &event, err) &&
                  check_number(scan, &event, err);
    } while (is_well && (step == CURSOR_EVENT || step == CURSOR_PAUSED));
    cursor_free(cursor);
    return is_well && step == CURSOR_END;
}

static const struct stream *
find_stream(const struct tape *tape, const char *label)
{
    for (size_t i = 0; i < tape_stream_count(tape); i++)
        if (strcmp(tape_stream(tape, i)->label, label) == 0)
            return tape_stream(tape, i);
    return NULL;
}

/* A stall counts when the event that the group did not come to is there to be seen. */
static bool
check_stall(struct scan *scan, const struct group_stall *from, struct error *err)
{
    const struct stream *stream = find_stream(scan->tape, from->stream);
    if (stream == NULL || from->stall.count == 0 || from->stall.next_offset < 0)
        return true;
    struct event event;
    enum cursor_step step = cursor_fetch_offset(
        scan->earlier, stream, from->stall.partition, from->stall.next_offset, &event, err);
    if (step == CURSOR_FAILED)
        return false;
    if (step != CURSOR_EVENT)
        return true;
    bool is_first = sight(scan, FAULT_STALL, NULL, &event);
    scan->seen->sightings[FAULT_STALL].count += from->stall.count - 1;
    if (!is_first)
        return true;

    char stood[CLOCK_TEXT_MAX];
    clock_format_duration(from->stall.seen_ns - from->stall.begin_ns, stood);
    snprintf(sight_text(scan, FAULT_STALL), SIGHT_TEXT_MAX,
        "group %s stood still for %s while its lag went from %" PRId64 " to %" PRId64
        "; the event it did not come to",
        from->group, stood, from->stall.first_lag, from->stall.last_lag);
    return true;
}

bool
faults_seen_scan(struct tape *tape, const struct group_stall *stalls, size_t stall_count,
    struct faults_seen *seen, struct error *err)
{
    struct faults_seen found = {0};
    struct scan scan = {.tape = tape, .seen = &found};
    scan.earlier = cursor_new(tape, &(struct cursor_options){0});
    bool is_well = scan_events(&scan, err);
    for (size_t i = 0; is_well && i < stall_count; i++)
        is_well = check_stall(&scan, &stalls[i], err);
    cursor_free(scan.earlier);
    free(scan.memos.slots);
    if (is_well)
        *seen = found;
    return is_well;
}
