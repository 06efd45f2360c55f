/* file_end.h - where the whole lines of a file end.  Threads: any. */
#ifndef REPLAY_FILE_END_H
#define REPLAY_FILE_END_H

#include <stdbool.h>
#include <stdint.h>

struct error;

/* The offset behind the last line break; 0 without one. False with ERROR_SYSTEM. */
bool file_end_of_lines(int fd, int64_t *end, struct error *err);

#endif
