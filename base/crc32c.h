/* crc32c.h - CRC-32C (Castagnoli), the checksum of every frame and section on the tape.
 *
 * Polynomial 0x1EDC6F41 reflected, initial value and final xor all ones (RFC 3720, appendix B.4).
 * Uses the processor's instruction where there is one. Threads: any.
 */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of `data`, going on from `crc` (0 at the start): crc32c(crc32c(0, a), b) is the
 * checksum of a followed by b. */
uint32_t crc32c(uint32_t crc, const void *data, size_t length);

/* The same without the processor's instruction; for the test that compares them. */
uint32_t crc32c_portable(uint32_t crc, const void *data, size_t length);

#endif
