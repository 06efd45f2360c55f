#include "tests/support/index_journals.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/error.h"
#include "index/batch.h"
#include "index/event.h"
#include "index/journal_spare.h"
#include "tests/support/index_tape.h"
#include "tests/support/unit.h"

struct journal_file
test_journal_create(
    const char *directory, uint64_t id, uint64_t base_seq, struct journal_spare *spare)
{
    struct error err;
    struct journal_file file;
    struct journal_header header = {.id = id, .base_seq = base_seq};
    assert_ok(journal_create(&file, directory, &header, spare, &err));
    return file;
}

void
test_journal_append(struct journal_file *file, uint64_t first_seq, int count)
{
    static const struct stream orders = {.id = 0};
    struct error err;
    struct batch *batch = test_batch(&orders, 0, (int64_t)first_seq, count);
    assert_ok(journal_append(file, (uint32_t)count, first_seq, batch_records(batch), &err));
    batch_release(batch);
}

void
test_journal_write_old(const char *directory)
{
    struct journal_file file = test_journal_create(directory, 1, 0, NULL);
    for (int i = 0; i < TEST_OLD_EVENTS; i += TEST_OLD_FRAME)
        test_journal_append(&file, (uint64_t)i, TEST_OLD_FRAME);
    journal_file_close(&file);
}

struct journal_file
test_journal_reuse(const char *directory)
{
    test_journal_write_old(directory);
    struct journal_spare *spare = journal_spare_new(directory);
    assert_true(journal_spare_give(spare, 1));
    struct journal_file file = test_journal_create(directory, 2, TEST_OLD_EVENTS, spare);
    assert_true(file.header.is_reused);
    journal_spare_free(spare);
    return file;
}

void
test_journal_set_written(const char *path, int64_t ago_ns)
{
    int64_t ns = clock_now_ns() - ago_ns;
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {ns / NS_PER_S, ns % NS_PER_S}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void
no_control(void *self, const struct record *record)
{
    (void)self;
    (void)record;
}

void
test_journal_scan(struct journal *journal, bool is_final)
{
    struct error err;
    assert_ok(journal_scan(journal, false, is_final, no_control, NULL, &err));
}
