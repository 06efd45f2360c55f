/* query_regex.h - regular expressions of a query, for the files query*.c only.
 *
 * A pattern that needs too many steps on a value does not match it. It is tried with few steps first, which is enough
 * for nearly all; where it is not, the effort is counted, and whoever wants to stop is heard before it is tried
 * with all of them. Machine code cannot be interrupted: its steps are some ms of work. What is interpreted asks as
 * it goes.
 *
 * Threads: a compiled pattern never changes; a matcher belongs to one thread.
 */
#ifndef INDEX_QUERY_REGEX_H
#define INDEX_QUERY_REGEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/bytes.h"
#include "index/query.h"

/* `stoppable` is the same pattern with callouts. The interpreter counts the same steps for both; machine code would
 * not, and would be several times as slow. */
struct query_regex {
    pcre2_code *code;
    pcre2_code *stoppable;
    bool is_machine_code;
};

/* False with PCRE2's number for what is wrong, and where in the pattern. */
bool query_regex_compile(
    struct query_regex *regex, struct bytes pattern, bool is_caseless, int *fault, size_t *offset);
void query_regex_done(struct query_regex *regex); /* also of zeros */

/* `gave_up` and `effort` are what query_gave_up() and query_effort() say. */
struct query_regex_matcher {
    pcre2_match_data *match;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
    uint64_t gave_up;
    uint64_t effort;
    query_stop *must_stop; /* NULL: nobody asks for it */
    void *stop_self;
};

/* It must stay where it is until query_regex_matcher_done(). */
void query_regex_matcher_init(struct query_regex_matcher *matcher);
void query_regex_matcher_done(struct query_regex_matcher *matcher); /* also of zeros */

/* Is the pattern somewhere in the value, which is not null? */
bool query_regex_matches(
    struct query_regex_matcher *matcher, const struct query_regex *regex, struct bytes value);

#endif
