#include "tests/support/index_scan.h"

#include "index/tape_writer.h"
#include "tests/support/index_segments.h"
#include "tests/support/index_tape.h"

static uint64_t seed = UINT64_C(0x2545f4914f6cdd1d);

unsigned
scan_pick(unsigned below)
{
    return (unsigned)(test_random(&seed) >> 33) % below;
}

void
scan_write(struct tape_writer *writer, int64_t offsets[6], unsigned count)
{
    static const char *const names[] = {"orders", "payments"};
    for (unsigned written = 0; written < count;) {
        unsigned lane = scan_pick(6);
        unsigned batch = 1 + scan_pick(60);
        test_append(writer, tape_writer_stream(writer, "shop", names[lane % 2]),
            (int32_t)(lane / 2), offsets[lane], (int)batch);
        offsets[lane] += batch;
        written += batch;
    }
}

void
scan_make_tape(const char *directory, unsigned sealed, unsigned unsealed)
{
    int64_t offsets[6] = {0};
    if (sealed > 0) {
        struct tape_writer *writer = test_writer_sealing(directory, SCAN_JOURNAL_BYTES, true);
        scan_write(writer, offsets, sealed);
        tape_writer_close(writer);
    }
    if (unsealed > 0) {
        struct tape_writer *writer = test_writer(directory, SCAN_JOURNAL_BYTES);
        scan_write(writer, offsets, unsealed);
        tape_writer_close(writer);
    }
}
