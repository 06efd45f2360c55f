/* fuzz_deletions.c - arbitrary bytes as the file `deletions`; its checksum is made right, so that what is
 * behind it is reached. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "index/deletions.h"

/* Where the checksum is, and how much of the head is before it; the body follows. */
#define CHECKSUM_AT 40u
#define HEAD_BYTES  44u
#define LENGTH_AT   32u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err;
    struct deletions deletions;
    struct buffer file = {0};
    buffer_append(&file, data, size);
    if (size >= HEAD_BYTES) {
        memcpy(file.data, "TDDELE\0\1", 8);
        store_u64(file.data + LENGTH_AT, size - HEAD_BYTES);
        uint32_t checksum = crc32c(0, file.data, CHECKSUM_AT);
        store_u32(
            file.data + CHECKSUM_AT, crc32c(checksum, file.data + HEAD_BYTES, size - HEAD_BYTES));
    }
    if (deletions_decode(&deletions, "input", bytes_make(file.data, file.length), &err)) {
        uint64_t first_seq = 0;
        uint64_t end_seq = UINT64_MAX;
        uint64_t last = deletions_end_seq(&deletions);
        deletions_close_front(&deletions, last);
        if (deletions_leave(&deletions, &first_seq, &end_seq) && first_seq != last)
            abort();
    }
    deletions_done(&deletions);
    buffer_done(&file);
    return 0;
}
