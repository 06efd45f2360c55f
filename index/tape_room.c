#include "index/tape_room.h"

#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/error.h"

#define MIB          (UINT64_C(1024) * 1024)
#define LOOK_NS      NS_PER_S
#define LOOK_BYTES   (8 * MIB)
#define SHORT_NS     (10 * NS_PER_MS) /* when there is too little */
#define MIN_JOURNAL  MIB
#define JOURNAL_PART 4u /* of what is free */

/* For what surrounds a segment: directory, catalogue, the record of deletions, the file system's own. */
#define AROUND_SEALING MIB

uint64_t
tape_room_to_seal(uint64_t journal_bytes)
{
    return journal_bytes + journal_bytes / 16 + AROUND_SEALING;
}

static void
look(struct tape_room *room, int64_t now_monotonic_ns)
{
    struct statvfs status;
    room->looked_ns = now_monotonic_ns;
    room->taken = 0;
    room->disk_bytes = 0;
    if (statvfs(room->directory, &status) != 0)
        return;
    room->free_bytes = (uint64_t)status.f_bavail * status.f_frsize;
    room->disk_bytes = (uint64_t)status.f_blocks * status.f_frsize;
}

void
tape_room_look(struct tape_room *room, int64_t now_monotonic_ns)
{
    if (room->looked_ns == 0 || now_monotonic_ns - room->looked_ns > LOOK_NS ||
        room->taken > LOOK_BYTES)
        look(room, now_monotonic_ns);
}

void
tape_room_took(struct tape_room *room, uint64_t bytes)
{
    room->taken += bytes;
    room->free_bytes -= bytes < room->free_bytes ? bytes : room->free_bytes;
}

/* What must stay free. */
static uint64_t
needed(const struct tape_room *room, const struct tape_room_load *load)
{
    uint64_t share = room->min_free > 0 ? (uint64_t)(room->min_free * (double)room->disk_bytes) : 0;
    /* Journals whose segments are larger than they are, each by a little. */
    uint64_t to_seal = load->largest == 0 ? 0 : tape_room_to_seal(load->largest) + load->all / 64;
    return share > to_seal ? share : to_seal;
}

static bool
fits(const struct tape_room *room, uint64_t bytes, uint64_t stays)
{
    return room->disk_bytes == 0 ||
           (room->free_bytes >= stays && room->free_bytes - stays >= bytes);
}

bool
tape_room_takes(struct tape_room *room, uint64_t bytes, const struct tape_room_load *load,
    int64_t now_monotonic_ns, struct error *err)
{
    tape_room_look(room, now_monotonic_ns);
    if (!fits(room, bytes, needed(room, load)) && now_monotonic_ns - room->looked_ns > SHORT_NS)
        look(room, now_monotonic_ns);
    uint64_t stays = needed(room, load);
    if (fits(room, bytes, stays))
        return true;
    if (room->min_free > 0 && (double)room->free_bytes < room->min_free * (double)room->disk_bytes)
        return error_set(err, ERROR_DISK_FULL,
            "less than %.1f %% of the disk of %.100s is free: nothing more is recorded until there "
            "is room",
            room->min_free * 100, room->directory);
    /* In steps of a MiB: what is told must not change with each batch. */
    return error_set(err, ERROR_DISK_FULL,
        "%llu MiB more must be free on the disk of %.100s, so that what is recorded can be sealed: "
        "nothing more is recorded until there is room",
        (unsigned long long)((stays + bytes - room->free_bytes + MIB - 1) / MIB), room->directory);
}

uint64_t
tape_room_journal_bytes(const struct tape_room *room, uint64_t wanted)
{
    uint64_t part = room->free_bytes / JOURNAL_PART;
    if (room->disk_bytes == 0 || part >= wanted)
        return wanted;
    return part > MIN_JOURNAL ? part : MIN_JOURNAL < wanted ? MIN_JOURNAL : wanted;
}
