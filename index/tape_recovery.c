#include "index/tape_recovery.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "index/catalogue.h"
#include "index/event.h"
#include "index/hole.h"
#include "index/lanes.h"
#include "index/segment.h"
#include "index/tape.h"
#include "index/tape_gone.h"
#include "index/tape_internal.h"

/* One run of it. `segments` is in rising order once the files are listed. */
struct recovering {
    const char *directory;
    struct part_ids segments;
    uint64_t highest; /* number of all names, also of what is no file */
    bool is_end_gone; /* the catalogue has segments behind all files */
    struct tape_recovery *found;
};

static void
add_repair(struct tape_recovery *found, char *text)
{
    if (found->repairs != NULL) {
        char *both = alloc_format("%s; %s", found->repairs, text);
        free(found->repairs);
        free(text);
        text = both;
    }
    found->repairs = text;
}

/* What the configuration says, or else what a recorder before us wrote. */
static bool
settle_places(struct recovering *recovering, const struct places *given, struct error *err)
{
    if (given != NULL && given->count > 0 && !places_write(recovering->directory, given, err))
        return false;
    struct error broken;
    if (!places_read(recovering->directory, &recovering->found->places, &broken))
        add_repair(recovering->found, alloc_text(broken.text));
    return true;
}

static void
ignore_control(void *self, const struct record *record)
{
    (void)self;
    (void)record;
}

/* Cut what a crash left half written behind the last whole frame of the newest journal. */
static bool
cut_torn_tail(struct tape_recovery *found, const char *path, struct error *err)
{
    struct stat status;
    if (stat(path, &status) == 0 && status.st_size < (off_t)JOURNAL_HEADER_BYTES) {
        add_repair(found, alloc_format("removed %s, which ended inside its header", path));
        return unlink(path) == 0 || error_set_system(err, "cannot remove %s", path);
    }

    struct journal journal;
    if (!journal_open(&journal, path, err))
        return err->code == ERROR_DAMAGED;
    bool good = journal_scan(&journal, true, true, ignore_control, NULL, err);
    if (good && journal.damage_count > 0) {
        const struct journal_damage *last = &journal.damage[journal.damage_count - 1];
        if (last->at + last->bytes == (uint64_t)status.st_size) {
            bool is_broken = false;
            good = journal_end_is_broken(&journal, last->at, &is_broken, err) &&
                   (truncate(path, (off_t)last->at) == 0 ||
                       error_set_system(err, "cannot cut the torn end of %s", path));
            add_repair(found, alloc_format("cut what was %s behind the last whole frame of %s%s",
                                  is_broken ? "broken" : "torn", path,
                                  is_broken ? ": the events in it are lost" : ""));
        }
    }
    journal_close(&journal);
    return good;
}

static void
remove_file(const struct recovering *recovering, uint64_t id, const char *suffix)
{
    char *path = part_file_path(recovering->directory, id, suffix);
    (void)unlink(path);
    free(path);
}

/* Of part_file_each(). */
static void
take_file(void *self, const struct part_file *file)
{
    struct recovering *recovering = self;
    if (file->id > recovering->highest)
        recovering->highest = file->id;
    if (!file->is_file)
        return;
    if (strcmp(file->suffix, "tmp") == 0 || /* a segment that was never finished */
        strcmp(file->suffix, "new") == 0 || /* a journal that never began */
        strcmp(file->suffix, "old") == 0)   /* one that was sealed, kept for another */
        remove_file(recovering, file->id, file->suffix);
    else if (strcmp(file->suffix, "jnl") == 0)
        part_ids_add(&recovering->found->journals, file->id);
    else if (strcmp(file->suffix, "seg") == 0)
        part_ids_add(&recovering->segments, file->id);
}

/* Is there a segment of this number that can be opened? */
static bool
is_sealed(const struct recovering *recovering, uint64_t id)
{
    if (!part_ids_has(&recovering->segments, id))
        return false;
    struct error ignored;
    char *path = part_file_path(recovering->directory, id, "seg");
    struct segment *segment = segment_open(path, &ignored);
    bool is_whole = segment != NULL && segment_info(segment)->id == id;
    segment_close(segment);
    free(path);
    return is_whole;
}

/* Has the file still the header of a sealed journal that it was before? Then a power failure came before any of its own
 * bytes was on the disk for certain (journal_spare.h). */
static bool
never_began(const struct recovering *recovering, uint64_t id)
{
    struct error ignored;
    struct journal journal;
    char *path = part_file_path(recovering->directory, id, "jnl");
    bool is_other = false;
    if (journal_open(&journal, path, &ignored)) {
        is_other = journal.header.id < id && is_sealed(recovering, journal.header.id);
        journal_close(&journal);
    }
    free(path);
    return is_other;
}

/* Is the journal only left over from a crash, because all of it is in a segment? While the segment cannot
 * be opened it is all that there is, and is sealed once more. */
static bool
is_left_over(const struct recovering *recovering, uint64_t id)
{
    return is_sealed(recovering, id) || never_began(recovering, id);
}

/* List the files. A journal whose segment is there is left over from a crash and goes. */
static bool
list_files(struct recovering *recovering, struct error *err)
{
    if (!part_file_each(recovering->directory, take_file, recovering, err))
        return false;
    struct part_ids *journals = &recovering->found->journals;
    part_ids_sort(journals);
    part_ids_sort(&recovering->segments);
    size_t kept = 0;
    for (size_t i = 0; i < journals->count; i++) {
        if (is_left_over(recovering, journals->ids[i]))
            remove_file(recovering, journals->ids[i], "jnl");
        else
            journals->ids[kept++] = journals->ids[i];
    }
    journals->count = kept;
    return true;
}

static void
copy_streams(struct tape_recovery *found, const struct tape *tape)
{
    for (size_t i = 0; i < tape_stream_count(tape); i++) {
        const struct stream *stream = tape_stream(tape, i);
        struct stream *own = stream_table_add(
            &found->streams, stream->id, bytes_of(stream->tap), bytes_of(stream->name));
        own->places = places_of(&found->places, own);
    }
    found->last_count = found->streams.count;
    found->last_partitions = alloc_array(found->last_count + 1, sizeof(int32_t));
    for (size_t i = 0; i < found->last_count; i++)
        found->last_partitions[i] = -1;
}

static void
note_partition(struct tape_recovery *found, uint32_t stream_id, int32_t partition)
{
    assert(stream_id < found->last_count);
    if (partition > found->last_partitions[stream_id])
        found->last_partitions[stream_id] = partition;
}

/* Offsets that are known to hold nothing need not be asked for again. What was in a file that is gone may still be had
 * from where it came, unless the offsets were our own. */
static bool
is_settled(const struct lane_summary *lane, const struct hole *hole)
{
    return hole->noticed_ns != CLOCK_NONE || lane->offsets_are_synthetic;
}

static void
copy_checkpoints(struct tape_recovery *found, const struct lane_summary *lanes, size_t count)
{
    found->checkpoints = lanes_new();
    for (size_t i = 0; i < count; i++) {
        struct lane *lane = lanes_get(found->checkpoints, lanes[i].stream->id, lanes[i].partition);
        note_partition(found, lanes[i].stream->id, lanes[i].partition);
        lane->events = lanes[i].events;
        lane->last_offset = lanes[i].last_offset;
        for (size_t k = 0; k < lanes[i].hole_count; k++) {
            const struct hole *hole = &lanes[i].holes[k];
            if (is_settled(&lanes[i], hole) &&
                (hole->to > lane->last_offset || lane->events == 0)) {
                lane->last_offset = hole->to;
                lane->events++;
            }
        }
    }
}

/* The tape's own number: that of its files, else a new one. */
static void
choose_uuid(struct tape_recovery *found, const struct tape *tape)
{
    if (tape_uuid(tape, found->uuid) ||
        getrandom(found->uuid, sizeof(found->uuid), 0) == (ssize_t)sizeof(found->uuid))
        return;
    int64_t now_ns = clock_now_ns();
    memcpy(found->uuid, &now_ns, sizeof(now_ns));
}

/* What is written next gets numbers that nothing on this tape had, be it gone or not. A tape without files is a new one. */
static void
find_end(struct recovering *recovering, struct tape *tape)
{
    struct tape_recovery *found = recovering->found;
    const struct tape_gone *gone = tape_gone(tape);
    found->end_seq = tape_end_seq(tape);
    found->next_id = recovering->highest + 1;
    if (tape_part_count(tape) == 0 || gone->end_seq <= found->end_seq)
        return;
    recovering->is_end_gone = true;
    found->end_seq = gone->end_seq;
    if (gone->id >= found->next_id)
        found->next_id = gone->id + 1;
}

/* Learn streams, checkpoints and the end from what is on the tape. */
static bool
read_tape(struct recovering *recovering, struct error *err)
{
    struct tape_recovery *found = recovering->found;
    struct tape *tape = tape_open_locked(recovering->directory, err);
    if (tape == NULL)
        return false;
    size_t count;
    const struct lane_summary *lanes = NULL;
    if (tape_unreadable(tape) != NULL) /* which seqs it has is not known */
        (void)error_set(err, ERROR_SYSTEM,
            "%s; nothing is written behind a file that cannot be read: make it readable, or move "
            "it away",
            tape_unreadable(tape));
    else
        lanes = tape_lanes(tape, &count, err);
    if (lanes != NULL) {
        copy_streams(found, tape);
        copy_checkpoints(found, lanes, count);
        choose_uuid(found, tape);
        find_end(recovering, tape);
    }
    const struct tape_damage *damage;
    size_t damage_count = tape_damage(tape, &damage);
    if (damage_count > 0)
        add_repair(found, alloc_format("the tape is damaged in %zu place%s (%s); what is readable "
                                       "was kept, tapedeck tape verify lists it",
                              damage_count, damage_count == 1 ? "" : "s", damage[0].text));
    tape_close(tape);
    return lanes != NULL;
}

/* A crash, or somebody who copied files, may have left the catalogue behind. It is only a cache: that it
 * cannot be written is said and nothing more. While nothing else knows of segments that are gone it stays as it is. */
static void
update_catalogue(struct recovering *recovering)
{
    struct catalogue_counts counts;
    struct error err;
    if (!catalogue_update(recovering->directory, &counts, &err))
        add_repair(recovering->found,
            alloc_format(
                "the catalogue cannot be brought up to date (%s); readers open the segments "
                "instead",
                err.text));
}

/* What must be so before the tape is read. */
static bool
repair(struct recovering *recovering, const struct places *given, struct error *err)
{
    struct tape_recovery *found = recovering->found;
    if (!settle_places(recovering, given, err) || !list_files(recovering, err))
        return false;
    uint64_t journal = part_ids_last(&found->journals);
    uint64_t segment = part_ids_last(&recovering->segments);
    if (journal > segment) {
        char *path = part_file_path(recovering->directory, journal, "jnl");
        bool good = cut_torn_tail(found, path, err);
        free(path);
        if (!good)
            return false;
    }
    return true;
}

bool
tape_recover(const char *directory, const struct places *given, struct tape_recovery *found,
    struct error *err)
{
    struct recovering recovering = {.directory = directory, .found = found};
    bool good = repair(&recovering, given, err) && read_tape(&recovering, err);
    if (good && !recovering.is_end_gone)
        update_catalogue(&recovering);
    part_ids_done(&recovering.segments);
    return good;
}

void
tape_recovery_done(struct tape_recovery *found)
{
    part_ids_done(&found->journals);
    stream_table_done(&found->streams);
    places_done(&found->places);
    lanes_free(found->checkpoints);
    free(found->last_partitions);
    free(found->repairs);
}
