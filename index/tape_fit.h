/* tape_fit.h - do the files of a directory make one tape?
 *
 * Files get lost, renamed, copied between tapes. Seqs rise from file to file without gaps, and each file
 * says in its header which tape it is of: what contradicts that is named as damage, and left out where
 * its events would be taken for others.
 *
 * Threads: those of the tape.
 */
#ifndef INDEX_TAPE_FIT_H
#define INDEX_TAPE_FIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct part;
struct tape;

/* A file that is there and cannot be opened, and why. */
struct unread_file {
    uint64_t id;
    size_t kind; /* of part, for the tape */
    char text[256];
};

/* The uuid that most of these journals and segments have in their headers, of equals the first. False
 * when none has a header that can be trusted. */
bool tape_fit_uuid(char *const *paths, size_t count, unsigned char *uuid);

/* Put the parts in the order of their seqs, whatever their names say. */
void tape_fit_order(struct part **parts, size_t count);

/* Take out (and release) those of the parts, in order, whose seqs others have already, and tell the tape what is
 * lost: the seqs of unread files, and of files that are not there though retention did not delete them.
 * Returns how many parts are left.
 *
 * A listing that was taken while a recorder sealed or deleted may lack a file: `is_sure` false leaves such
 * a gap untold, and *is_open says that there is one. */
size_t tape_fit(struct tape *tape, struct part **parts, size_t count,
    const struct unread_file *unread, size_t unread_count, bool is_sure, bool *is_open);

#endif
