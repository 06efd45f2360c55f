/* segment_file.h - a segment of a tape that is open only while somebody reads in it.
 *
 * What is needed to know what is in it (numbers, lanes) is at hand without the file, from the catalogue
 * or since it was open last. Of the files that nobody reads in just now, those used last stay open, up
 * to SEGMENT_FILES_IDLE per tape, with what was read of them (block index, filters).
 *
 * Threads: those of the tape.
 */
#ifndef INDEX_SEGMENT_FILE_H
#define INDEX_SEGMENT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct catalogue_row;
struct error;
struct lanes;
struct segment;
struct segment_file;
struct segment_info;
struct tape;

#define SEGMENT_FILES_IDLE 128u

/* The idle open files of a tape, the one used last first. Zero-initialise; empty once every
 * segment_file of the tape is closed. */
struct segment_pool {
    struct segment_file *newest;
    struct segment_file *oldest;
    size_t count;
    size_t probes; /* of files that are not open: descriptors too, and as many at most */
};

/* Open the file at `path`, tell the tape its streams. NULL as segment_open(). */
struct segment_file *segment_file_open(struct tape *tape, const char *path, struct error *err);

/* The same of a file that is damaged, for `why`; what is lost of it is told to the tape. */
struct segment_file *segment_file_salvage(
    struct tape *tape, const char *path, uint64_t id, const char *why, struct error *err);

/* What the catalogue says of the file at `path`; takes the row's content. Opens nothing. */
struct segment_file *segment_file_known(
    struct tape *tape, const char *path, struct catalogue_row *row);

void segment_file_close(struct segment_file *file); /* nobody holds it; NULL is allowed */

const struct segment_info *segment_file_info(const struct segment_file *file);

/* Its lanes, opening the file only when the catalogue's are broken. NULL with *err. */
const struct lanes *segment_file_lanes(struct segment_file *file, struct error *err);

/* False: the file surely holds no event with these values (query_required_tokens()). Asked of a file
 * that is not open; true when that cannot be known without opening it. */
struct query_token;
bool segment_file_may_hold(
    struct segment_file *file, const struct query_token *tokens, size_t count);

/* The same will be asked soon, of this file among others: reads of several files overlap that way. Returns whether
 * something will have to be read. */
bool segment_file_expect(struct segment_file *file, const struct query_token *tokens, size_t count);

/* And when it was: if it may hold such an event it will be opened soon. Returns whether that is so. */
bool segment_file_expect_open(
    struct segment_file *file, const struct query_token *tokens, size_t count);

/* The open segment, until segment_file_release(). NULL as segment_open(): ERROR_DAMAGED also when the
 * catalogue said something else; errno is ENOENT when the file is gone. */
struct segment *segment_file_hold(struct segment_file *file, struct error *err);
void segment_file_release(struct segment_file *file);

bool segment_file_is_open(const struct segment_file *file);

#endif
