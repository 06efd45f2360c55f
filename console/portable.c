#include "console/portable.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "console/scratch.h"

#define SUFFIX      ".tar.zst"
#define CHUNK_BYTES 65536u
#define FILES_MAX   1000000u
/* "00000042.seg": at least eight digits, at most those of 64 bits. */
#define DIGITS_MIN 8u
#define DIGITS_MAX 20u

static bool
is_tape_file(const char *name)
{
    size_t digits = strspn(name, "0123456789");
    if (strcmp(name, "LOCK") == 0 || strcmp(name, "places") == 0 || strcmp(name, "deletions") == 0)
        return true;
    return digits >= DIGITS_MIN && digits <= DIGITS_MAX &&
           (strcmp(name + digits, ".seg") == 0 || strcmp(name + digits, ".jnl") == 0);
}

bool
portable_is_packed(const char *path)
{
    struct stat status;
    size_t length = strlen(path);
    size_t suffix = sizeof(SUFFIX) - 1;
    return length > suffix && strcmp(path + length - suffix, SUFFIX) == 0 &&
           (stat(path, &status) != 0 || !S_ISDIR(status.st_mode));
}

/* ---- packing ---- */

static bool
fail_archive(struct archive *archive, const char *path, struct error *err)
{
    int code = archive_errno(archive);
    const char *text = archive_error_string(archive);
    return error_set(err, code == ENOSPC || code == EDQUOT ? ERROR_DISK_FULL : ERROR_SYSTEM,
        "cannot write %s: %s", path, text == NULL ? "unknown reason" : text);
}

static bool
copy_into(struct archive *archive, int fd, const char *path, struct error *err)
{
    unsigned char chunk[CHUNK_BYTES];
    uint64_t offset = 0;
    size_t got;
    do {
        if (!file_read_at(fd, chunk, sizeof(chunk), offset, &got, err))
            return false;
        if (got > 0 && archive_write_data(archive, chunk, got) != (la_ssize_t)got)
            return fail_archive(archive, path, err);
        offset += got;
    } while (got == sizeof(chunk));
    return true;
}

static bool
pack_file(
    struct archive *archive, int directory, const char *name, const char *path, struct error *err)
{
    struct stat status;
    int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0) {
        if (fd >= 0)
            (void)close(fd);
        return error_set_system(err, "cannot read %s for %s", name, path);
    }
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0600);
    archive_entry_set_size(entry, status.st_size);
    archive_entry_set_mtime(entry, status.st_mtim.tv_sec, 0);
    bool good = archive_write_header(archive, entry) == ARCHIVE_OK
                    ? copy_into(archive, fd, path, err)
                    : fail_archive(archive, path, err);
    archive_entry_free(entry);
    (void)close(fd);
    return good;
}

static int
choose_tape_file(const struct dirent *entry)
{
    return is_tape_file(entry->d_name) ? 1 : 0;
}

static bool
pack_files(struct archive *archive, const char *directory, const char *path, struct error *err)
{
    struct dirent **entries = NULL;
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int count = fd < 0 ? -1 : scandir(directory, &entries, choose_tape_file, alphasort);
    bool good = count >= 0 || error_set_system(err, "cannot list %s", directory);
    for (int i = 0; i < count; i++) {
        good = good && pack_file(archive, fd, entries[i]->d_name, path, err);
        free(entries[i]);
    }
    free(entries);
    if (fd >= 0)
        (void)close(fd);
    return good;
}

static bool
write_archive(int fd, const char *directory, const char *path, struct error *err)
{
    struct archive *archive = archive_write_new();
    bool good = (archive_write_set_format_pax_restricted(archive) == ARCHIVE_OK &&
                    archive_write_add_filter_zstd(archive) == ARCHIVE_OK &&
                    /* What is in a segment is compressed already. */
                    archive_write_set_filter_option(archive, "zstd", "compression-level", "1") ==
                        ARCHIVE_OK &&
                    archive_write_open_fd(archive, fd) == ARCHIVE_OK) ||
                fail_archive(archive, path, err);
    good = good && pack_files(archive, directory, path, err);
    if (good && archive_write_close(archive) != ARCHIVE_OK)
        good = fail_archive(archive, path, err);
    (void)archive_write_free(archive);
    if (good && fdatasync(fd) != 0)
        good = error_set_system(err, "cannot sync %s", path);
    return good;
}

static bool
sync_parent(const char *path, struct error *err)
{
    const char *slash = strrchr(path, '/');
    char *parent = slash == NULL   ? alloc_text(".")
                   : slash == path ? alloc_text("/")
                                   : alloc_text_of(path, (size_t)(slash - path));
    bool good = file_sync_directory(parent, err);
    free(parent);
    return good;
}

bool
portable_pack(const char *directory, const char *path, struct error *err)
{
    if (access(path, F_OK) == 0)
        return error_set(err, ERROR_ARGUMENT, "%s is there already", path);
    char *temporary = alloc_format("%s.XXXXXX", path);
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) {
        (void)error_set_system(err, "cannot make %s", path);
        free(temporary);
        return false;
    }
    bool good = write_archive(fd, directory, path, err);
    if (close(fd) != 0 && good)
        good = error_set_system(err, "cannot write %s", path);
    if (good && rename(temporary, path) != 0)
        good = error_set_system(err, "cannot rename %s to %s", temporary, path);
    if (!good)
        (void)unlink(temporary);
    good = good && sync_parent(path, err);
    free(temporary);
    return good;
}

/* ---- unpacking ---- */

static bool
fail_damaged(const char *path, const char *why, struct error *err)
{
    return error_set(err, ERROR_DAMAGED,
        "%s is not a whole packed tape: %s; pack it again with tapedeck export --tape-file", path,
        why == NULL ? "it is cut off" : why);
}

/* Segments take what they take: only so much as there is room for is believed. */
static bool
check_room(int directory, const char *path, int64_t size, struct error *err)
{
    struct statvfs room;
    if (fstatvfs(directory, &room) != 0)
        return error_set_system(err, "cannot ask for the free space to unpack %s", path);
    uint64_t free_bytes = (uint64_t)room.f_bavail * room.f_frsize;
    if ((uint64_t)size < free_bytes)
        return true;
    return error_set(err, ERROR_DISK_FULL,
        "no room to unpack %s: a file in it takes %" PRId64 " bytes and %" PRIu64
        " are free; TMPDIR names another place",
        path, size, free_bytes);
}

/* Exactly the bytes that the entry announced. */
static bool
copy_out(struct archive *archive, int fd, int64_t size, const char *path, struct error *err)
{
    unsigned char chunk[CHUNK_BYTES];
    int64_t total = 0;
    for (;;) {
        la_ssize_t got = archive_read_data(archive, chunk, sizeof(chunk));
        if (got == ARCHIVE_RETRY)
            continue;
        if (got < 0)
            return fail_damaged(path, archive_error_string(archive), err);
        if (got == 0)
            break;
        total += got;
        struct iovec part = {.iov_base = chunk, .iov_len = (size_t)got};
        if (total > size || !file_write_all(fd, &part, 1, err))
            return total > size ? fail_damaged(path, "a file is longer than it says", err) : false;
    }
    return total == size || fail_damaged(path, "a file is shorter than it says", err);
}

static bool
unpack_file(struct archive *archive, struct archive_entry *entry, int directory, const char *path,
    struct error *err)
{
    const char *name = archive_entry_pathname(entry);
    if (name != NULL && strncmp(name, "./", 2) == 0)
        name += 2;
    if (name != NULL && name[0] == '\0' && archive_entry_filetype(entry) == AE_IFDIR)
        return true; /* the directory itself, as tar -C DIR . packs it */
    if (name == NULL || !is_tape_file(name) || archive_entry_filetype(entry) != AE_IFREG ||
        archive_entry_hardlink(entry) != NULL || archive_entry_symlink(entry) != NULL)
        return error_set(err, ERROR_DAMAGED,
            "%s is not a packed tape: it holds '%.100s', which is no plain file of a tape; nothing "
            "was read",
            path, name == NULL ? "?" : name);
    int64_t size = archive_entry_size(entry);
    if (!archive_entry_size_is_set(entry) || size < 0)
        return fail_damaged(path, "a file has no size", err);
    if (!check_room(directory, path, size, err))
        return false;
    int fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == EEXIST ? fail_damaged(path, "a file is in it twice", err)
                               : error_set_system(err, "cannot unpack %s", path);
    bool good = copy_out(archive, fd, size, path, err);
    if (close(fd) != 0 && good)
        good = error_set_system(err, "cannot unpack %s", path);
    return good;
}

static bool
unpack_files(struct archive *archive, int directory, const char *path, struct error *err)
{
    for (size_t count = 0;; count++) {
        struct archive_entry *entry;
        int step = archive_read_next_header(archive, &entry);
        if (step == ARCHIVE_EOF)
            return count > 0 || fail_damaged(path, "it holds nothing", err);
        if (step != ARCHIVE_OK && step != ARCHIVE_WARN)
            return fail_damaged(path, archive_error_string(archive), err);
        if (count == FILES_MAX)
            return fail_damaged(path, "it holds too many files", err);
        if (!unpack_file(archive, entry, directory, path, err))
            return false;
    }
}

static bool
unpack_into(const char *directory, const char *path, int fd, struct error *err)
{
    int target = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (target < 0)
        return error_set_system(err, "cannot open %s", directory);
    struct archive *archive = archive_read_new();
    bool good = (archive_read_support_filter_zstd(archive) == ARCHIVE_OK &&
                    archive_read_support_format_tar(archive) == ARCHIVE_OK &&
                    archive_read_open_fd(archive, fd, CHUNK_BYTES) == ARCHIVE_OK) ||
                fail_damaged(path, archive_error_string(archive), err);
    good = good && unpack_files(archive, target, path, err);
    (void)archive_read_free(archive);
    (void)close(target);
    return good;
}

/* The tape that was unpacked last; a command reads one. */
static struct {
    char *path;
    char *directory;
} unpacked;

char *
portable_unpack(const char *path, struct error *err)
{
    if (unpacked.path != NULL && strcmp(unpacked.path, path) == 0)
        return alloc_text(unpacked.directory);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        if (errno == ENOENT)
            (void)error_set(err, ERROR_ARGUMENT, "there is no packed tape %s", path);
        else
            (void)error_set_system(err, "cannot open %s", path);
        return NULL;
    }
    char *directory = scratch_directory(err);
    bool good = directory != NULL && unpack_into(directory, path, fd, err);
    (void)close(fd);
    if (!good) {
        free(directory);
        return NULL;
    }
    free(unpacked.path);
    free(unpacked.directory);
    unpacked.path = alloc_text(path);
    unpacked.directory = alloc_text(directory);
    return directory;
}

const char *
portable_origin(const char *directory)
{
    bool is_it = unpacked.directory != NULL && strcmp(unpacked.directory, directory) == 0;
    return is_it ? unpacked.path : NULL;
}
