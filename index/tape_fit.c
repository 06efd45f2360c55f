#include "index/tape_fit.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "base/file.h"
#include "index/deletions.h"
#include "index/journal.h"
#include "index/part.h"
#include "index/tape.h"
#include "index/tape_gone.h"
#include "index/tape_internal.h"

/* Both kinds of files have these at the same places of a header of this length. */
#define HEAD_BYTES    64u
#define HEAD_UUID     20u
#define HEAD_CHECKSUM 60u

static bool
read_uuid(int fd, unsigned char uuid[TAPE_UUID_BYTES])
{
    unsigned char head[HEAD_BYTES];
    struct error ignored;
    size_t got = 0;
    bool good = fd >= 0 && file_read_at(fd, head, sizeof(head), 0, &got, &ignored) &&
                got == sizeof(head) &&
                load_u32(head + HEAD_CHECKSUM) == crc32c(0, head, HEAD_CHECKSUM);
    if (good)
        memcpy(uuid, head + HEAD_UUID, TAPE_UUID_BYTES);
    return good;
}

/* Read the headers of all the files that have a good one; returns how many. The system is told of all of them
 * before the first one is waited for. */
static size_t
read_uuids(char *const *paths, size_t count, unsigned char (*found)[TAPE_UUID_BYTES])
{
    int *fds = alloc_array(count, sizeof(*fds));
    size_t found_count = 0;
    for (size_t i = 0; i < count; i++) {
        fds[i] = open(paths[i], O_RDONLY | O_CLOEXEC);
        if (fds[i] >= 0)
            (void)posix_fadvise(fds[i], 0, HEAD_BYTES, POSIX_FADV_WILLNEED);
    }
    for (size_t i = 0; i < count; i++) {
        found_count += read_uuid(fds[i], found[found_count]);
        if (fds[i] >= 0)
            (void)close(fds[i]);
    }
    free(fds);
    return found_count;
}

bool
tape_fit_uuid(char *const *paths, size_t count, unsigned char *uuid)
{
    unsigned char(*found)[TAPE_UUID_BYTES] = alloc_array(count, sizeof(*found));
    size_t found_count = read_uuids(paths, count, found);

    size_t most = 0;
    for (size_t i = 0; i < found_count; i++) {
        size_t votes = 0;
        for (size_t k = 0; k < found_count; k++)
            votes += memcmp(found[i], found[k], TAPE_UUID_BYTES) == 0;
        if (votes > most)
            memcpy(uuid, found[i], TAPE_UUID_BYTES);
        most = votes > most ? votes : most;
    }
    free(found);
    return most > 0;
}

static int
compare_parts(const void *a, const void *b)
{
    const struct part *left = *(struct part *const *)a;
    const struct part *right = *(struct part *const *)b;
    if (left->first_seq != right->first_seq)
        return left->first_seq < right->first_seq ? -1 : 1;
    return (left->id > right->id) - (left->id < right->id);
}

void
tape_fit_order(struct part **parts, size_t count)
{
    if (count > 1)
        qsort(parts, count, sizeof(struct part *), compare_parts);
}

/* Take out what holds seqs that are there already, or could not have been written behind the others. */
static size_t
drop_overlaps(struct tape *tape, struct part **parts, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        struct part *part = parts[i];
        struct part *before = kept > 0 ? parts[kept - 1] : NULL;
        if (before == NULL || (part->first_seq >= before->end_seq && part->id > before->id)) {
            parts[kept++] = part;
            continue;
        }
        tape_note_damage(tape, 0, 0,
            "file %08" PRIu64 ".%s has seqs that %08" PRIu64
            ".%s has, or an older number: it is a copy; its events are left out: move it away",
            part->name_id, part->ops->suffix, before->name_id, before->ops->suffix);
        part->is_detached = true;
        part_release(part);
    }
    return kept;
}

/* Name the unread files with numbers between, and the seqs between; returns how many there are. */
static size_t
name_unread(struct tape *tape, const struct unread_file *unread, size_t unread_count,
    const struct part *before, const struct part *behind)
{
    uint64_t first_seq = before == NULL ? 0 : before->end_seq;
    uint64_t end_seq = behind == NULL ? first_seq : behind->first_seq;
    size_t count = 0;
    for (size_t i = 0; i < unread_count; i++) {
        if ((before != NULL && unread[i].id <= before->name_id) ||
            (behind != NULL && unread[i].id >= behind->name_id))
            continue;
        tape_note_damage(tape, first_seq, end_seq, "%s", unread[i].text);
        count++;
    }
    return count;
}

/* The seqs between belong to the damaged one of two files. */
static void
tell_broken(struct tape *tape, const struct part *before, const struct part *behind,
    uint64_t first_seq, uint64_t end_seq)
{
    const struct part *broken = before != NULL && before->is_salvaged ? before : behind;
    tape_note_damage(tape, first_seq, end_seq,
        "file %08" PRIu64 ".%s is damaged: events at its %s are lost", broken->name_id,
        broken->ops->suffix, broken == before ? "end" : "beginning");
}

/* `behind` without a kind is the end of what the catalogue knows. */
static void
tell_gone(struct tape *tape, const struct part *before, const struct part *behind,
    uint64_t first_seq, uint64_t end_seq)
{
    if (behind->ops == NULL)
        tape_note_damage(tape, first_seq, end_seq,
            "%08" PRIu64
            ".seg, the newest file of the catalogue, is not there, and retention did not "
            "delete it: put it back, or tapedeck tape rebuild forgets it",
            behind->id);
    else if (before == NULL)
        tape_note_damage(tape, first_seq, end_seq,
            "a file before %08" PRIu64
            ".%s, the first one, is not there, and retention did not delete "
            "it: it was removed or lost",
            behind->name_id, behind->ops->suffix);
    else
        tape_note_damage(tape, first_seq, end_seq,
            "a file between %08" PRIu64 ".%s and %08" PRIu64
            ".%s is not there, and retention did not delete it: it was removed or lost",
            before->name_id, before->ops->suffix, behind->name_id, behind->ops->suffix);
}

/* The question of tape_fit(). */
struct fitting {
    struct tape *tape;
    const struct unread_file *unread;
    size_t unread_count;
    bool is_sure;
    bool
        is_open; /* for a gap no reason is known: a listing that was taken earlier may lack the file */
};

/* Are there seqs between the part and the one in front of it (NULL: none is) that no file has, and why? */
static enum part_gap
find_gap(struct fitting *fitting, const struct part *before, const struct part *part)
{
    struct tape *tape = fitting->tape;
    uint64_t first_seq = before == NULL ? 0 : before->end_seq;
    uint64_t end_seq = part->first_seq;
    bool is_gap = end_seq > first_seq;
    bool is_unread = name_unread(tape, fitting->unread, fitting->unread_count, before, part) > 0;
    if (!is_gap)
        return PART_NO_GAP;
    if (is_unread)
        return PART_GAP_DAMAGED;
    if (!deletions_leave(tape_deletions(tape), &first_seq, &end_seq))
        return PART_GAP_DELETED;
    if (part->is_salvaged || (before != NULL && before->is_salvaged)) {
        tell_broken(tape, before, part, first_seq, end_seq);
        return PART_GAP_DAMAGED;
    }
    fitting->is_open = true;
    if (fitting->is_sure)
        tell_gone(tape, before, part, first_seq, end_seq);
    return PART_GAP_GONE;
}

/* The same behind the last part (NULL: there is none). Of a salvaged one any lane may have lost its end. */
static void
fit_end(struct fitting *fitting, const struct part *last)
{
    struct tape_gone *gone = tape_gone(fitting->tape);
    uint64_t end_seq = last == NULL ? 0 : last->end_seq;
    const struct part end = {
        .id = gone->id,
        .name_id = UINT64_MAX,
        .first_seq = gone->end_seq > end_seq ? gone->end_seq : end_seq,
    };
    gone->gap = find_gap(fitting, last, &end);
    if (gone->gap == PART_NO_GAP && last != NULL && last->is_salvaged)
        gone->gap = PART_GAP_DAMAGED;
}

size_t
tape_fit(struct tape *tape, struct part **parts, size_t count, const struct unread_file *unread,
    size_t unread_count, bool is_sure, bool *is_open)
{
    struct fitting fitting = {
        .tape = tape, .unread = unread, .unread_count = unread_count, .is_sure = is_sure};
    count = drop_overlaps(tape, parts, count);
    const struct part *last = NULL;
    for (size_t i = 0; i < count; i++) {
        parts[i]->gap = find_gap(&fitting, last, parts[i]);
        last = parts[i];
    }
    fit_end(&fitting, last);
    if (is_sure || !fitting.is_open)
        tape_gone_learn_between(tape_gone(tape), tape, parts, count);
    *is_open = fitting.is_open;
    return count;
}
