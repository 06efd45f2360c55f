#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "index/token_index.h"
#include "tests/support/index_segments.h"
#include "tests/support/unit.h"

#define BLOCKS 300u

/* Tokens and the blocks that hold them, in the order of the blocks, and the pages made of them. */
struct index {
    uint64_t *tokens;
    uint32_t *blocks;
    size_t count;
    size_t capacity;
    uint32_t block_count;
    struct buffer pages;
};

static void
add(struct index *index, uint64_t token, uint32_t block)
{
    if (index->count == index->capacity) {
        index->capacity = index->capacity * 2 + 1024;
        index->tokens = alloc_resize(index->tokens, index->capacity * sizeof(*index->tokens));
        index->blocks = alloc_resize(index->blocks, index->capacity * sizeof(*index->blocks));
    }
    index->tokens[index->count] = token;
    index->blocks[index->count++] = block;
}

static void
write_index(struct index *index, uint32_t block_count)
{
    uint64_t *pairs = alloc_array(index->count + 1, sizeof(*pairs));
    uint64_t *room = alloc_array(index->count + 1, sizeof(*room));
    for (size_t i = 0; i < index->count; i++)
        pairs[i] = token_pair(index->tokens[i], index->blocks[i]);
    index->block_count = block_count;
    token_index_write(pairs, room, index->count, block_count, &index->pages);
    free(pairs);
    free(room);
}

static void
index_done(struct index *index)
{
    free(index->tokens);
    free(index->blocks);
    buffer_done(&index->pages);
}

static uint32_t
page_count(const struct index *index)
{
    return (uint32_t)(index->pages.length / TOKEN_PAGE_BYTES);
}

static unsigned char *
page_of(const struct index *index, uint64_t token)
{
    return index->pages.data +
           (size_t)token_index_page(page_count(index), token) * TOKEN_PAGE_BYTES;
}

/* The set of the blocks that may hold the token; freed with free(). NULL: there are none. */
static uint64_t *
find(const struct index *index, uint64_t token)
{
    uint64_t *blocks = alloc_array(block_set_words(index->block_count), sizeof(*blocks));
    bool found = token_page_find(page_of(index, token), token, blocks, index->block_count);
    assert_int_equal(token_page_find(page_of(index, token), token, NULL, 0), found);
    if (found)
        return blocks;
    free(blocks);
    return NULL;
}

/* In how many blocks it may be. */
static unsigned
count_found(const struct index *index, uint64_t token)
{
    uint64_t *blocks = find(index, token);
    unsigned count = 0;
    for (uint32_t i = 0; blocks != NULL && i < index->block_count; i++)
        count += block_set_has(blocks, i);
    free(blocks);
    return count;
}

/* Every token is found in its block; all pages are whole. */
static void
expect_all(const struct index *index)
{
    for (uint32_t i = 0; i < page_count(index); i++) {
        const unsigned char *page = index->pages.data + (size_t)i * TOKEN_PAGE_BYTES;
        assert_int_equal(token_page_total(page), page_count(index));
        assert_true(token_page_is_whole(page, i, page_count(index)));
    }
    for (size_t i = 0; i < index->count; i++) {
        uint64_t *blocks = find(index, index->tokens[i]);
        if (blocks == NULL || !block_set_has(blocks, index->blocks[i]))
            fail_msg("token %zu is denied in block %u", i, index->blocks[i]);
        free(blocks);
    }
}

static unsigned
count_wrong(const struct index *index, uint64_t seed, unsigned asked)
{
    unsigned wrong = 0;
    for (unsigned i = 0; i < asked; i++)
        wrong += count_found(index, test_random(&seed)) > 0;
    return wrong;
}

static void
names_the_blocks_of_a_token_and_few_others(void **state)
{
    (void)state;
    struct index index = {0};
    uint64_t seed = 1;
    for (uint32_t block = 0; block < BLOCKS; block++) {
        for (unsigned i = 0; i < 100; i++)
            add(&index, test_random(&seed), block);
    }
    write_index(&index, BLOCKS);
    expect_all(&index);
    unsigned found = 0;
    for (size_t i = 0; i < index.count; i++)
        found += count_found(&index, index.tokens[i]);
    assert_in_range(found, index.count, index.count + index.count / 100);
    assert_true(count_wrong(&index, 77, 10000) < 60);
    /* Three bytes for each, and the pages are nearly full. */
    assert_true(index.pages.length < index.count * 31 / 10);
    index_done(&index);
}

/* Tokens that are in nearly all blocks, among others that are in one. */
static void
takes_common_tokens(void **state)
{
    (void)state;
    struct index index = {0};
    uint64_t seed = 2;
    uint64_t common[40];
    for (size_t i = 0; i < 40; i++)
        common[i] = test_random(&seed);
    for (uint32_t block = 0; block < BLOCKS; block++) {
        for (size_t i = 0; i < 40; i++) {
            if ((block + i) % 5 != 0)
                add(&index, common[i], block);
        }
        for (unsigned i = 0; i < 20; i++)
            add(&index, test_random(&seed), block);
    }
    write_index(&index, BLOCKS);
    expect_all(&index);
    for (size_t i = 0; i < 40; i++)
        assert_in_range(count_found(&index, common[i]), BLOCKS / 5 * 4, BLOCKS / 5 * 4 + 2);
    assert_true(count_wrong(&index, 78, 10000) < 60);
    /* A bit for each block, where the others take three bytes for each. */
    assert_true(index.pages.length < index.count * 2);
    index_done(&index);
}

/* Their prints in the list of common tokens are the same: nothing tells them apart, and none is denied. */
static void
denies_no_token_that_looks_like_a_common_one(void **state)
{
    (void)state;
    struct index index = {0};
    const uint64_t token = UINT64_C(0x8000000000000000);
    const uint64_t alike[] = {token, token | UINT64_C(1) << 20, token | UINT64_C(2) << 20};
    for (uint32_t block = 0; block < BLOCKS; block++) {
        if (block < 100)
            add(&index, alike[0], block);
        else if (block < 200)
            add(&index, alike[1], block);
        else if (block == 250)
            add(&index, alike[2], block);
    }
    write_index(&index, BLOCKS);
    assert_int_equal(page_count(&index), 1);
    expect_all(&index);
    index_done(&index);
}

/* No number of pages parts what has the same place. */
static void
a_page_that_overflows_excludes_nothing(void **state)
{
    (void)state;
    struct index index = {0};
    uint64_t seed = 3;
    for (unsigned i = 0; i < 5000; i++)
        add(&index, (uint64_t)i << 20 | UINT64_C(1) << 63, i * BLOCKS / 5000);
    write_index(&index, BLOCKS);
    expect_all(&index);
    assert_int_equal(count_found(&index, UINT64_C(1) << 63 | 123), BLOCKS);
    assert_int_equal(count_found(&index, test_random(&seed) >> 1), 0);
    index_done(&index);
}

static void
takes_none_and_one(void **state)
{
    (void)state;
    struct index index = {0};
    write_index(&index, 0);
    assert_int_equal(page_count(&index), 1);
    assert_int_equal(count_found(&index, 42), 0);
    index_done(&index);

    struct index other = {0};
    add(&other, 42, 0);
    write_index(&other, 1);
    expect_all(&other);
    assert_int_equal(count_found(&other, UINT64_MAX), 0);
    index_done(&other);
}

static void
knows_a_broken_page_and_one_of_elsewhere(void **state)
{
    (void)state;
    struct index index = {0};
    uint64_t seed = 4;
    for (unsigned i = 0; i < 3000; i++)
        add(&index, test_random(&seed), i / 100);
    write_index(&index, 30);
    uint32_t pages = page_count(&index);
    assert_true(pages > 1);
    unsigned char *page = index.pages.data;
    assert_false(token_page_is_whole(page, 1, pages));
    assert_false(token_page_is_whole(page, 0, pages + 1));
    for (size_t i = 0; i < TOKEN_PAGE_BYTES; i++) {
        page[i] ^= 4;
        assert_false(token_page_is_whole(page, 0, pages));
        page[i] ^= 4;
    }
    assert_true(token_page_is_whole(page, 0, pages));
    index_done(&index);
}

/* A checksum is right over whatever somebody wrote: nothing outside of the page is looked at. */
static void
believes_no_page_that_cannot_be(void **state)
{
    (void)state;
    struct index index = {0};
    uint64_t seed = 5;
    for (unsigned i = 0; i < 1000; i++)
        add(&index, test_random(&seed), i / 100);
    write_index(&index, 10);
    unsigned char *page = alloc_copy(index.pages.data, TOKEN_PAGE_BYTES);
    uint64_t blocks[1];
    for (unsigned i = 0; i < 20000; i++) {
        memcpy(page, index.pages.data, TOKEN_PAGE_BYTES);
        page[TOKEN_PAGE_BYTES - 20 + i % 8] = (unsigned char)test_random(&seed);
        page[test_random(&seed) % 256] = (unsigned char)test_random(&seed);
        blocks[0] = 0;
        (void)token_page_find(page, test_random(&seed), blocks, 10);
        assert_true(blocks[0] < 1u << 10);
    }
    memset(page, 0xff, 256); /* more entries than there is room for */
    blocks[0] = 0;
    assert_true(token_page_find(page, 42, blocks, 10));
    assert_int_equal(blocks[0], (1u << 10) - 1);
    blocks[0] = 0;
    assert_true(token_page_find(index.pages.data, 42, blocks, 9)); /* of another segment */
    assert_int_equal(blocks[0], (1u << 9) - 1);
    free(page);
    index_done(&index);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_the_blocks_of_a_token_and_few_others),
        cmocka_unit_test(takes_common_tokens),
        cmocka_unit_test(denies_no_token_that_looks_like_a_common_one),
        cmocka_unit_test(a_page_that_overflows_excludes_nothing),
        cmocka_unit_test(takes_none_and_one),
        cmocka_unit_test(knows_a_broken_page_and_one_of_elsewhere),
        cmocka_unit_test(believes_no_page_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
