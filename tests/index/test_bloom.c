#include <stdlib.h>

#include "base/alloc.h"
#include "index/bloom.h"
#include "tests/support/unit.h"

static const unsigned char uuid[BLOOM_UUID_BYTES] = {
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

static uint64_t
token_of(uint64_t seed, unsigned number)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "value-%u", number);
    return bloom_token(seed, bytes_of(text));
}

/* As docs/FORMAT-segment.md says that files without a token index have them: 12 bits for each token. */
static uint32_t
blocks_for(size_t tokens)
{
    return tokens == 0 ? 1 : (uint32_t)((tokens * 12 + 255) / 256);
}

static void
add(unsigned char block[BLOOM_BLOCK_BYTES], uint64_t token)
{
    static const uint32_t salts[] = {0x47b6137bu, 0x44974d91u, 0x8824ad5bu, 0xa2b7289du,
        0x705495c7u, 0x2df1424bu, 0x9efc4947u, 0x5c6bfb31u};
    for (size_t i = 0; i < 8; i++) {
        unsigned char *word = block + i * sizeof(uint32_t);
        store_u32(word, load_u32(word) | UINT32_C(1) << ((uint32_t)token * salts[i] >> 27));
    }
}

static unsigned char *
filter_of(uint64_t seed, unsigned count, uint32_t *blocks)
{
    *blocks = blocks_for(count);
    unsigned char *filter = alloc_zeroed((size_t)*blocks * BLOOM_BLOCK_BYTES);
    for (unsigned i = 0; i < count; i++) {
        uint64_t token = token_of(seed, i);
        add(filter + (size_t)bloom_block_of(*blocks, token) * BLOOM_BLOCK_BYTES, token);
    }
    return filter;
}

static unsigned
count_held(
    const unsigned char *filter, uint32_t blocks, uint64_t seed, unsigned first, unsigned end)
{
    unsigned held = 0;
    for (unsigned i = first; i < end; i++) {
        uint64_t token = token_of(seed, i);
        held += bloom_may_hold(
            filter + (size_t)bloom_block_of(blocks, token) * BLOOM_BLOCK_BYTES, token);
    }
    return held;
}

static void
never_denies_what_was_added(void **state)
{
    (void)state;
    uint32_t blocks;
    uint64_t seed = bloom_kind_seed(bloom_tape_seed(uuid), bytes_of("key"));
    unsigned char *filter = filter_of(seed, 5000, &blocks);
    assert_int_equal(count_held(filter, blocks, seed, 0, 5000), 5000);
    free(filter);
}

static void
denies_nearly_all_that_was_not(void **state)
{
    (void)state;
    uint32_t blocks;
    uint64_t seed = bloom_kind_seed(bloom_tape_seed(uuid), bytes_of("key"));
    unsigned char *filter = filter_of(seed, 5000, &blocks);
    unsigned wrong = count_held(filter, blocks, seed, 5000, 105000);
    if (wrong > 1000)
        fail_msg("%u of 100000 absent values are held possible", wrong);
    free(filter);
}

static void
tells_kinds_and_tapes_apart(void **state)
{
    (void)state;
    unsigned char other[BLOOM_UUID_BYTES] = {9};
    uint64_t seed = bloom_tape_seed(uuid);
    uint64_t key = bloom_token(bloom_kind_seed(seed, bytes_of("key")), bytes_of("v"));
    uint64_t id = bloom_token(bloom_kind_seed(seed, bytes_of("id")), bytes_of("v"));
    uint64_t elsewhere =
        bloom_token(bloom_kind_seed(bloom_tape_seed(other), bytes_of("key")), bytes_of("v"));
    assert_true(key != id);
    assert_true(key != elsewhere);
}

/* Values that are on disk wherever there is a segment. */
static void
hashes_as_it_always_did(void **state)
{
    (void)state;
    uint64_t seed = bloom_kind_seed(bloom_tape_seed(uuid), bytes_of("key"));
    unsigned char block[BLOOM_BLOCK_BYTES] = {0};
    add(block, UINT64_C(0x0123456789abcdef));
    struct buffer text = {0};
    hex_put((char *)buffer_reserve(&text, 2 * sizeof(block)), bytes_make(block, sizeof(block)));
    text.length = 2 * sizeof(block);
    buffer_printf(&text, " %016llx", (unsigned long long)bloom_token(seed, bytes_of("o-00417")));
    assert_string_equal(buffer_text(&text),
        "0000040000000800000000400000800010000000000001000010000000000001 4d6d0045f40123d9");
    buffer_done(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_denies_what_was_added),
        cmocka_unit_test(denies_nearly_all_that_was_not),
        cmocka_unit_test(tells_kinds_and_tapes_apart),
        cmocka_unit_test(hashes_as_it_always_did),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
