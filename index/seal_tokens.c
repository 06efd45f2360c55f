#include "index/seal_tokens.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "index/event.h"
#include "index/header_shape.h"
#include "index/record.h"
#include "index/token_index.h"

/* What the values of a header are tokens of, by its name. */
enum role {
    ROLE_NONE,
    ROLE_ID,
    ROLE_CORRELATION,
    ROLE_TRACE,
    ROLE_TRACEPARENT,
};

struct shape_roles {
    bool known;
    bool none; /* nothing in this shape is a token */
    unsigned char role[HEADER_SHAPE_HEADERS];
    unsigned char configured[HEADER_SHAPE_HEADERS]; /* 0, or 1 + number of the configured name */
};

/* `distinct` is an open-addressing set of the tokens of block number `block`, of which there are
 * distinct_count; pairs[] has those of all blocks so far. */
struct seal_tokens {
    uint64_t key_seed;
    uint64_t id_seed;
    uint64_t correlation_seed;
    uint64_t trace_seed;
    uint64_t *header_seeds;
    const char *const *headers;
    size_t header_count;
    uint64_t *distinct;
    size_t distinct_slots;
    size_t distinct_count;
    uint32_t block;
    uint64_t *pairs;
    size_t pair_count;
    size_t pair_capacity;
    uint64_t *room; /* for as many, while the index is written */
    size_t room_capacity;
    struct buffer probe;
    struct shape_roles shapes[256];
};

struct seal_tokens *
seal_tokens_new(void)
{
    struct seal_tokens *tokens = alloc_zeroed(sizeof(*tokens));
    tokens->distinct_slots = 4096;
    tokens->distinct = alloc_array(tokens->distinct_slots, sizeof(*tokens->distinct));
    return tokens;
}

static uint64_t
seed_of_header(uint64_t tape_seed, const char *name)
{
    struct buffer kind = {0};
    buffer_printf(&kind, "header:%s", name);
    uint64_t seed = bloom_kind_seed(tape_seed, bytes_make(kind.data, kind.length));
    buffer_done(&kind);
    return seed;
}

/* The tokens of the block so far are forgotten, and what its shapes mean. */
static void
begin_block(struct seal_tokens *tokens)
{
    tokens->distinct_count = 0;
    memset(tokens->distinct, 0, tokens->distinct_slots * sizeof(*tokens->distinct));
    for (size_t i = 0; i < 256; i++)
        tokens->shapes[i].known = false;
}

void
seal_tokens_begin(struct seal_tokens *tokens, const unsigned char uuid[BLOOM_UUID_BYTES],
    const char *const *headers, size_t header_count)
{
    assert(header_count < UINT8_MAX); /* seal_segment() has a limit */

    uint64_t seed = bloom_tape_seed(uuid);
    tokens->key_seed = bloom_kind_seed(seed, bytes_of("key"));
    tokens->id_seed = bloom_kind_seed(seed, bytes_of("id"));
    tokens->correlation_seed = bloom_kind_seed(seed, bytes_of("correlation"));
    tokens->trace_seed = bloom_kind_seed(seed, bytes_of("trace"));
    tokens->headers = headers;
    tokens->header_count = header_count;
    free(tokens->header_seeds);
    tokens->header_seeds = alloc_array(header_count, sizeof(*tokens->header_seeds));
    for (size_t i = 0; i < header_count; i++)
        tokens->header_seeds[i] = seed_of_header(seed, headers[i]);
    tokens->pair_count = 0;
    tokens->block = 0;
    begin_block(tokens);
}

void
seal_tokens_free(struct seal_tokens *tokens)
{
    if (tokens == NULL)
        return;
    buffer_done(&tokens->probe);
    free(tokens->header_seeds);
    free(tokens->distinct);
    free(tokens->pairs);
    free(tokens->room);
    free(tokens);
}

/* The slot that holds the token, or the free one where it would go. */
static size_t
slot_of(const struct seal_tokens *tokens, uint64_t token)
{
    size_t slot = (size_t)token & (tokens->distinct_slots - 1);
    while (tokens->distinct[slot] != 0 && tokens->distinct[slot] != token)
        slot = (slot + 1) & (tokens->distinct_slots - 1);
    return slot;
}

static void
grow_distinct(struct seal_tokens *tokens)
{
    uint64_t *before = tokens->distinct;
    size_t count = tokens->distinct_slots;
    tokens->distinct_slots *= 2;
    tokens->distinct = alloc_array(tokens->distinct_slots, sizeof(*tokens->distinct));
    for (size_t i = 0; i < count; i++) {
        if (before[i] != 0)
            tokens->distinct[slot_of(tokens, before[i])] = before[i];
    }
    free(before);
}

static void
add_token(struct seal_tokens *tokens, uint64_t seed, struct bytes value)
{
    uint64_t token = bloom_token(seed, value);
    size_t slot = slot_of(tokens, token);
    if (tokens->distinct[slot] == token && token != 0)
        return;
    tokens->distinct[slot] = token;
    tokens->pairs = alloc_grow(
        tokens->pairs, tokens->pair_count, &tokens->pair_capacity, sizeof(*tokens->pairs));
    tokens->pairs[tokens->pair_count++] = token_pair(token, tokens->block);
    if (++tokens->distinct_count * 2 > tokens->distinct_slots)
        grow_distinct(tokens);
}

/* Ask event_identify() what a header of this name would be, with a value that could be any of it. */
static enum role
role_of_name(struct seal_tokens *tokens, struct bytes name)
{
    static const char traceparent[] = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01";
    struct event event = {0};
    struct event_identity identity;
    headers_begin(&tokens->probe, 1);
    headers_add(&tokens->probe, name, bytes_of(traceparent));
    event.headers = bytes_make(tokens->probe.data, tokens->probe.length);
    event_identify(&event, &identity);
    if (identity.id.data != NULL)
        return ROLE_ID;
    if (identity.correlation.data != NULL)
        return ROLE_CORRELATION;
    if (identity.trace.data == NULL)
        return ROLE_NONE;
    return identity.trace.length == sizeof(traceparent) - 1 ? ROLE_TRACE : ROLE_TRACEPARENT;
}

static unsigned char
configured_of_name(const struct seal_tokens *tokens, struct bytes name)
{
    for (size_t i = 0; i < tokens->header_count; i++) {
        if (bytes_equal_text(name, tokens->headers[i]))
            return (unsigned char)(i + 1);
    }
    return 0;
}

static void
learn_shape(struct seal_tokens *tokens, struct shape_roles *shape, const struct header_list *list)
{
    shape->known = true;
    shape->none = true;
    for (size_t i = 0; i < list->count; i++) {
        shape->role[i] = (unsigned char)role_of_name(tokens, list->headers[i].name);
        shape->configured[i] = configured_of_name(tokens, list->headers[i].name);
        if (shape->role[i] != ROLE_NONE || shape->configured[i] != 0)
            shape->none = false;
    }
}

static void
add_value(struct seal_tokens *tokens, enum role role, struct bytes value)
{
    switch (role) {
    case ROLE_NONE:
        break;
    case ROLE_ID:
        add_token(tokens, tokens->id_seed, value);
        break;
    case ROLE_CORRELATION:
        add_token(tokens, tokens->correlation_seed, value);
        break;
    case ROLE_TRACE:
        add_token(tokens, tokens->trace_seed, value);
        break;
    case ROLE_TRACEPARENT: /* the trace id in "00-<32 digits>-..." */
        if (value.length >= 35)
            add_token(tokens, tokens->trace_seed, bytes_make(value.data + 3, 32));
        break;
    }
}

static void
add_by_shape(
    struct seal_tokens *tokens, const struct shape_roles *shape, const struct header_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct bytes value = list->headers[i].value;
        if (value.data == NULL)
            continue;
        add_value(tokens, (enum role)shape->role[i], value);
        if (shape->configured[i] != 0)
            add_token(tokens, tokens->header_seeds[shape->configured[i] - 1], value);
    }
}

/* For a list that has no shape. */
static void
add_by_walking(struct seal_tokens *tokens, const struct record *record)
{
    struct event event = {.headers = record->headers};
    struct event_identity identity;
    event_identify(&event, &identity);
    if (identity.id.data != NULL)
        add_token(tokens, tokens->id_seed, identity.id);
    if (identity.correlation.data != NULL)
        add_token(tokens, tokens->correlation_seed, identity.correlation);
    if (identity.trace.data != NULL)
        add_token(tokens, tokens->trace_seed, identity.trace);

    struct event_header header;
    size_t at = 0;
    while (tokens->header_count > 0 && event_next_header(&event, &at, &header)) {
        unsigned configured = configured_of_name(tokens, header.name);
        if (configured != 0 && header.value.data != NULL)
            add_token(tokens, tokens->header_seeds[configured - 1], header.value);
    }
}

void
seal_tokens_add(struct seal_tokens *tokens, const struct record *record, unsigned shape,
    const struct header_list *list)
{
    if (record->key.data != NULL)
        add_token(tokens, tokens->key_seed, record->key);
    if (record->headers.length == 0)
        return;
    if (shape == 0) {
        add_by_walking(tokens, record);
        return;
    }
    struct shape_roles *roles = &tokens->shapes[shape];
    if (!roles->known)
        learn_shape(tokens, roles, list);
    if (!roles->none)
        add_by_shape(tokens, roles, list);
}

void
seal_tokens_end_block(struct seal_tokens *tokens)
{
    tokens->block++;
    begin_block(tokens);
}

void
seal_tokens_finish(struct seal_tokens *tokens, struct buffer *pages)
{
    if (tokens->room_capacity < tokens->pair_capacity) {
        tokens->room_capacity = tokens->pair_capacity;
        free(tokens->room);
        tokens->room = alloc_array(tokens->room_capacity, sizeof(*tokens->room));
    }
    token_index_write(tokens->pairs, tokens->room, tokens->pair_count, tokens->block, pages);
}
