#include "index/seal_pack.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define SHARED_BYTES ((size_t)1024 * 1024) /* of records: what is larger is packed where it is */

enum slot_state {
    SLOT_FREE, /* or being filled */
    SLOT_WAITING,
    SLOT_TAKEN,
    SLOT_PACKED,
};

/* The state is under the help's lock, the rest belongs to whom the state says. */
struct slot {
    enum slot_state state;
    struct slot *next; /* waiting behind it */
    const struct seal_packer *owner;
    struct block_writer *writer;
    struct block_info info;
    struct buffer bytes;
};

struct seal_help {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct slot *first; /* those that wait */
    struct slot **end;
    uint64_t wakes;
    atomic_uint joined;
};

/* Slots first .. first + count - 1, modulo their number, are ended and not yet appended; the one behind them is
 * filled. */
struct seal_packer {
    enum block_codec codec;
    struct seal_help *help;
    struct seal_pack_target target;
    struct slot slots[SEAL_PACK_SLOTS];
    size_t first;
    size_t count;
};

static void
pack(struct slot *slot)
{
    slot->bytes.length = 0;
    slot->info = (struct block_info){0};
    block_writer_finish(slot->writer, &slot->info, &slot->bytes);
}

/* ---- helping ---- */

struct seal_help *
seal_help_new(void)
{
    struct seal_help *help = alloc_zeroed(sizeof(*help));
    (void)pthread_mutex_init(&help->lock, NULL);
    (void)pthread_cond_init(&help->changed, NULL);
    help->end = &help->first;
    return help;
}

void
seal_help_free(struct seal_help *help)
{
    if (help == NULL)
        return;
    (void)pthread_cond_destroy(&help->changed);
    (void)pthread_mutex_destroy(&help->lock);
    free(help);
}

/* Pack the slot at *at. With the lock held, which is given up meanwhile. */
static void
pack_waiting(struct seal_help *help, struct slot **at)
{
    struct slot *slot = *at;
    *at = slot->next;
    if (*at == NULL)
        help->end = at;
    slot->next = NULL;
    slot->state = SLOT_TAKEN;
    (void)pthread_mutex_unlock(&help->lock);
    pack(slot);
    (void)pthread_mutex_lock(&help->lock);
    slot->state = SLOT_PACKED;
    (void)pthread_cond_broadcast(&help->changed);
}

uint64_t
seal_help_wakes(struct seal_help *help)
{
    (void)pthread_mutex_lock(&help->lock);
    uint64_t wakes = help->wakes;
    (void)pthread_mutex_unlock(&help->lock);
    return wakes;
}

void
seal_help_join(struct seal_help *help, uint64_t wakes)
{
    (void)pthread_mutex_lock(&help->lock);
    (void)atomic_fetch_add_explicit(&help->joined, 1, memory_order_relaxed);
    while (help->wakes == wakes) {
        if (help->first != NULL)
            pack_waiting(help, &help->first);
        else
            (void)pthread_cond_wait(&help->changed, &help->lock);
    }
    (void)atomic_fetch_sub_explicit(&help->joined, 1, memory_order_relaxed);
    (void)pthread_mutex_unlock(&help->lock);
}

void
seal_help_wake(struct seal_help *help)
{
    (void)pthread_mutex_lock(&help->lock);
    help->wakes++;
    (void)pthread_cond_broadcast(&help->changed);
    (void)pthread_mutex_unlock(&help->lock);
}

/* ---- packing ---- */

struct seal_packer *
seal_packer_new(
    enum block_codec codec, struct seal_help *help, const struct seal_pack_target *target)
{
    struct seal_packer *packer = alloc_zeroed(sizeof(*packer));
    packer->codec = codec;
    packer->help = help;
    packer->target = *target;
    for (size_t i = 0; i < SEAL_PACK_SLOTS; i++)
        packer->slots[i].owner = packer;
    return packer;
}

static struct slot *
slot_at(struct seal_packer *packer, size_t index)
{
    return &packer->slots[(packer->first + index) % SEAL_PACK_SLOTS];
}

struct block_writer *
seal_packer_block(struct seal_packer *packer)
{
    struct slot *slot = slot_at(packer, packer->count);
    if (slot->writer == NULL)
        slot->writer = block_writer_new(packer->codec);
    return slot->writer;
}

/* One of the packer's own that waits, by its place in the list; NULL: none does. With the lock held. */
static struct slot **
own_waiting(struct seal_packer *packer)
{
    struct slot **at = &packer->help->first;
    while (*at != NULL && (*at)->owner != packer)
        at = &(*at)->next;
    return *at == NULL ? NULL : at;
}

/* Have the oldest one packed: by whoever took it, or here. */
static void
await_first(struct seal_packer *packer)
{
    struct seal_help *help = packer->help;
    const struct slot *first = slot_at(packer, 0);
    (void)pthread_mutex_lock(&help->lock);
    while (first->state != SLOT_PACKED) {
        struct slot **own = own_waiting(packer);
        if (own != NULL)
            pack_waiting(help, own);
        else
            (void)pthread_cond_wait(&help->changed, &help->lock);
    }
    (void)pthread_mutex_unlock(&help->lock);
}

static uint64_t
place(const struct seal_packer *packer)
{
    return *packer->target.written + packer->target.out->length;
}

/* The oldest one is packed. */
static bool
append_first(struct seal_packer *packer, struct error *err)
{
    const struct seal_pack_target *target = &packer->target;
    struct slot *slot = slot_at(packer, 0);
    assert(slot->bytes.data != NULL);
    slot->state = SLOT_FREE;
    packer->first = (packer->first + 1) % SEAL_PACK_SLOTS;
    packer->count--;
    slot->info.at = place(packer);
    block_info_put(&slot->info, slot->bytes.data);
    buffer_append(target->out, slot->bytes.data, slot->bytes.length);
    return target->packed(target->self, &slot->info, err);
}

/* Let others have it. */
static void
lay_out(struct seal_help *help, struct slot *slot)
{
    (void)pthread_mutex_lock(&help->lock);
    slot->state = SLOT_WAITING;
    *help->end = slot;
    help->end = &slot->next;
    (void)pthread_cond_broadcast(&help->changed);
    (void)pthread_mutex_unlock(&help->lock);
}

bool
seal_packer_drain(struct seal_packer *packer, struct error *err)
{
    bool good = true;
    while (packer->help != NULL && good && packer->count > 0) {
        await_first(packer);
        good = append_first(packer, err);
    }
    return good;
}

static bool
pack_here(struct seal_packer *packer, struct error *err)
{
    const struct seal_pack_target *target = &packer->target;
    struct block_info info = {.at = place(packer)};
    block_writer_finish(seal_packer_block(packer), &info, target->out);
    return target->packed(target->self, &info, err);
}

bool
seal_packer_end_block(struct seal_packer *packer, struct error *err)
{
    struct slot *slot = slot_at(packer, packer->count);
    bool has_help = packer->help != NULL &&
                    atomic_load_explicit(&packer->help->joined, memory_order_relaxed) > 0;
    if (!has_help || block_writer_bytes(slot->writer) > SHARED_BYTES)
        return seal_packer_drain(packer, err) && pack_here(packer, err);
    lay_out(packer->help, slot);
    packer->count++;
    if (packer->count < SEAL_PACK_SLOTS)
        return true;
    await_first(packer);
    return append_first(packer, err);
}

/* Take back what waits, and wait for what others have. */
static void
drop_all(struct seal_packer *packer)
{
    struct seal_help *help = packer->help;
    (void)pthread_mutex_lock(&help->lock);
    struct slot **own;
    while ((own = own_waiting(packer)) != NULL)
        pack_waiting(help, own);
    for (size_t i = 0; i < packer->count; i++) {
        while (slot_at(packer, i)->state == SLOT_TAKEN)
            (void)pthread_cond_wait(&help->changed, &help->lock);
    }
    (void)pthread_mutex_unlock(&help->lock);
    packer->count = 0;
}

void
seal_packer_free(struct seal_packer *packer)
{
    if (packer == NULL)
        return;
    if (packer->help != NULL && packer->count > 0)
        drop_all(packer);
    for (size_t i = 0; i < SEAL_PACK_SLOTS; i++) {
        block_writer_free(packer->slots[i].writer);
        buffer_done(&packer->slots[i].bytes);
    }
    free(packer);
}
