/* `tapedeck tape info`: the tape as a whole. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "console/command.h"
#include "console/damage.h"
#include "console/json_event.h"
#include "console/output.h"
#include "console/safe_text.h"
#include "console/sizes.h"
#include "index/live.h"
#include "index/tape.h"

struct info {
    const char *directory;
    bool is_recording;
    uint64_t first_seq;
    uint64_t end_seq;
    uint64_t events;
    size_t streams;
    size_t lanes;
    uint64_t holes;
    uint64_t event_bytes;
    int64_t first_ns;
    int64_t last_ns;
    uint64_t disk_bytes;
    uint64_t free_bytes;
    const char *catalogue_problem; /* or NULL */
    const struct tape_damage *damage;
    size_t damage_count;
};

/* Disk blocks of the files in the directory itself; a file that vanishes meanwhile takes none. */
static bool
measure_disk(struct info *info, struct error *err)
{
    DIR *directory = opendir(info->directory);
    if (directory == NULL)
        return error_set_system(err, "cannot list %s", info->directory);
    const struct dirent *entry = NULL;
    while ((entry = readdir(directory)) != NULL) { /* NOLINT(concurrency-mt-unsafe) */
        struct stat status;
        if (fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(status.st_mode))
            info->disk_bytes += (uint64_t)status.st_blocks * 512;
    }
    (void)closedir(directory);

    struct statvfs room;
    if (statvfs(info->directory, &room) != 0)
        return error_set_system(err, "cannot ask for the free space at %s", info->directory);
    info->free_bytes = (uint64_t)room.f_bavail * room.f_frsize;
    return true;
}

static bool
add_lanes(struct info *info, struct tape *tape, struct error *err)
{
    size_t count = 0;
    const struct lane_summary *lanes = tape_lanes(tape, &count, err);
    if (lanes == NULL)
        return false;
    info->lanes = count;
    for (size_t i = 0; i < count; i++) {
        info->holes += lanes[i].hole_count + lanes[i].holes_not_kept;
        info->events += lanes[i].events;
        info->event_bytes += lanes[i].bytes;
        if (lanes[i].events == 0)
            continue;
        if (info->first_ns == CLOCK_NONE || lanes[i].first_received_ns < info->first_ns)
            info->first_ns = lanes[i].first_received_ns;
        if (info->last_ns == CLOCK_NONE || lanes[i].last_received_ns > info->last_ns)
            info->last_ns = lanes[i].last_received_ns;
    }
    return true;
}

static void
append_json(struct buffer *to, const struct info *info)
{
    buffer_append_text(to, "{\"v\":1,\"directory\":");
    json_append_string(to, bytes_of(info->directory));
    buffer_printf(to, ",\"recording\":%s,\"first_seq\":", info->is_recording ? "true" : "false");
    json_append_u64(to, info->first_seq);
    buffer_append_text(to, ",\"end_seq\":");
    json_append_u64(to, info->end_seq);
    buffer_printf(to,
        ",\"streams\":%zu,\"lanes\":%zu,\"holes\":%" PRIu64 ",\"event_bytes\":", info->streams,
        info->lanes, info->holes);
    json_append_u64(to, info->event_bytes);
    buffer_append_text(to, ",\"first_received\":");
    json_append_time(to, info->first_ns);
    buffer_append_text(to, ",\"last_received\":");
    json_append_time(to, info->last_ns);
    buffer_append_text(to, ",\"disk_bytes\":");
    json_append_u64(to, info->disk_bytes);
    buffer_append_text(to, ",\"free_bytes\":");
    json_append_u64(to, info->free_bytes);
    buffer_append_text(to, ",\"catalogue_problem\":");
    if (info->catalogue_problem == NULL)
        buffer_append_text(to, "null");
    else
        json_append_string(to, bytes_of(info->catalogue_problem));
    json_append_damaged(to, info->damage, info->damage_count);
    buffer_append_text(to, "}\n");
}

static void
append_text(struct buffer *to, const struct info *info)
{
    char size[SIZES_TEXT_MAX];
    char moment[CLOCK_TEXT_MAX];
    buffer_append_text(to, "directory       ");
    (void)safe_text_append(to, bytes_of(info->directory), 0);
    buffer_printf(to, "\nrecording       %s\n", info->is_recording ? "yes" : "no");
    buffer_printf(to, "events          %" PRIu64, info->events);
    if (info->end_seq > info->first_seq)
        buffer_printf(to, " (seq %" PRIu64 " to %" PRIu64 ")", info->first_seq, info->end_seq - 1);
    buffer_printf(to, "\nstreams         %zu with %zu lanes\n", info->streams, info->lanes);
    buffer_printf(to, "holes           %" PRIu64 "\n", info->holes);
    buffer_printf(to, "first received  %s\n", clock_format(info->first_ns, moment));
    buffer_printf(to, "last received   %s\n", clock_format(info->last_ns, moment));
    buffer_printf(to, "event bytes     %s\n", sizes_format(info->event_bytes, size));
    buffer_printf(to, "on disk         %s\n", sizes_format(info->disk_bytes, size));
    buffer_printf(to, "free there      %s\n", sizes_format(info->free_bytes, size));
    if (info->catalogue_problem != NULL) {
        buffer_append_text(to, "catalogue       not used: ");
        safe_text_append_message(to, info->catalogue_problem);
        buffer_append_text(to, "; tapedeck tape rebuild makes it again\n");
    }
}

static int
print_info(const struct info *info, bool json)
{
    struct output output;
    output_start(&output, STDOUT_FILENO);
    if (json)
        append_json(&output.buffer, info);
    else
        append_text(&output.buffer, info);
    struct error err;
    return output_finish(&output, &err) ? 0 : command_fail(&err);
}

static int
run_tape_info(const struct invocation *invocation)
{
    struct error err;
    char *directory = invocation_tape(invocation, &err);
    if (directory == NULL)
        return command_fail(&err);
    struct info info = {.directory = directory, .first_ns = CLOCK_NONE, .last_ns = CLOCK_NONE};
    struct tape *tape = tape_open(directory, &err);
    int code = 0;
    if (tape == NULL || !add_lanes(&info, tape, &err) || !measure_disk(&info, &err)) {
        code = command_fail(&err);
    } else {
        info.is_recording = live_is_recording(directory);
        info.first_seq = tape_first_seq(tape);
        info.end_seq = tape_end_seq(tape);
        info.streams = tape_stream_count(tape);
        info.catalogue_problem = tape_catalogue_problem(tape);
        info.damage_count = tape_damage(tape, &info.damage);
        code = print_info(&info, invocation->json);
        if (code == 0)
            code = damage_report(tape);
    }
    tape_close(tape);
    free(directory);
    return code;
}

const struct command command_tape_info = {
    .name = "tape info",
    .usage = "",
    .summary = "say how much is on the tape, since when, and how much room there is",
    .details = NULL,
    .examples = "tapedeck tape info\n"
                "tapedeck tape info --json --tape /var/lib/tapedeck",
    .options = NULL,
    .option_count = 0,
    .settings_size = 0,
    .min_arguments = 0,
    .max_arguments = 0,
    .run = run_tape_info,
};
