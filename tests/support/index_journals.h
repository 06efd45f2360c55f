/* index_journals.h - journals of a few small frames, in new files and in such that were journals before, for tests. */
#ifndef TESTS_SUPPORT_INDEX_JOURNALS_H
#define TESTS_SUPPORT_INDEX_JOURNALS_H

#include <stdbool.h>
#include <stdint.h>

#include "index/journal.h"

struct journal_spare;

/* What is in journal 1, in frames of TEST_OLD_FRAME. */
#define TEST_OLD_EVENTS 300
#define TEST_OLD_FRAME  30

struct journal_file test_journal_create(
    const char *directory, uint64_t id, uint64_t base_seq, struct journal_spare *spare);

/* `count` events, seqs from `first_seq`, as one frame. */
void test_journal_append(struct journal_file *file, uint64_t first_seq, int count);

/* Journal 1 with TEST_OLD_EVENTS, finished. */
void test_journal_write_old(const char *directory);

/* Journal 2, in the file of journal 1. */
struct journal_file test_journal_reuse(const char *directory);

/* The file says that it was written last `ago_ns` ago. */
void test_journal_set_written(const char *path, int64_t ago_ns);

void test_journal_scan(struct journal *journal, bool is_final);

#endif
