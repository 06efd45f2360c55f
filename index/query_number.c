#include "index/query_number.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TWO_TO_64 18446744073709551616.0

/* Step over digits; false when there are none. */
static bool
skip_digits(struct bytes text, size_t *at)
{
    size_t start = *at;
    while (*at < text.length && isdigit(text.data[*at]))
        (*at)++;
    return *at > start;
}

static bool
skip_exponent(struct bytes text, size_t *at)
{
    (*at)++;
    if (*at < text.length && (text.data[*at] == '+' || text.data[*at] == '-'))
        (*at)++;
    return skip_digits(text, at);
}

/* True when all of `text` is a decimal number; *is_whole when it has no fraction and no exponent. */
static bool
is_number(struct bytes text, bool *is_whole)
{
    size_t at = text.length > 0 && text.data[0] == '-' ? 1 : 0;
    *is_whole = true;
    if (!skip_digits(text, &at))
        return false;
    if (at < text.length && text.data[at] == '.') {
        *is_whole = false;
        at++;
        if (!skip_digits(text, &at))
            return false;
    }
    if (at < text.length && (text.data[at] == 'e' || text.data[at] == 'E')) {
        *is_whole = false;
        if (!skip_exponent(text, &at))
            return false;
    }
    return at == text.length;
}

/* The digits of a whole number; false when they do not fit into 64 bits. */
static bool
read_whole(struct bytes text, struct query_number *number)
{
    uint64_t magnitude = 0;
    bool is_negative = text.data[0] == '-';
    for (size_t i = is_negative ? 1 : 0; i < text.length; i++) {
        if (__builtin_mul_overflow(magnitude, 10u, &magnitude) ||
            __builtin_add_overflow(magnitude, (uint64_t)(text.data[i] - '0'), &magnitude))
            return false;
    }
    *number = (struct query_number){
        .is_whole = true, .is_negative = is_negative && magnitude != 0, .magnitude = magnitude};
    return true;
}

bool
query_number_parse(struct bytes text, locale_t locale, struct query_number *number)
{
    bool is_whole;
    if (text.data == NULL || text.length > QUERY_NUMBER_MAX_TEXT || !is_number(text, &is_whole))
        return false;
    if (is_whole && read_whole(text, number))
        return true;

    char copy[QUERY_NUMBER_MAX_TEXT + 1];
    memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    *number = query_number_of_real(strtod_l(copy, NULL, locale));
    return true;
}

struct query_number
query_number_of_int(int64_t value)
{
    uint64_t magnitude = value < 0 ? UINT64_C(0) - (uint64_t)value : (uint64_t)value;
    return (struct query_number){
        .is_whole = true, .is_negative = value < 0, .magnitude = magnitude};
}

struct query_number
query_number_of_real(double value)
{
    return (struct query_number){.is_negative = value < 0, .real = value};
}

/* `magnitude` against a real that is 0 or more. The whole part of a double below 2^64 converts
 * exactly, so nothing is rounded. */
static int
compare_magnitude_to_real(uint64_t magnitude, double real)
{
    if (real >= TWO_TO_64)
        return -1;
    double whole = trunc(real);
    uint64_t other = (uint64_t)whole;
    if (magnitude != other)
        return magnitude < other ? -1 : 1;
    return real > whole ? -1 : 0;
}

/* Compare what is left when the signs, known to be the same, are taken away. */
static int
compare_magnitudes(const struct query_number *a, const struct query_number *b)
{
    if (a->is_whole && b->is_whole)
        return (a->magnitude > b->magnitude) - (a->magnitude < b->magnitude);
    if (a->is_whole)
        return compare_magnitude_to_real(a->magnitude, fabs(b->real));
    if (b->is_whole)
        return -compare_magnitude_to_real(b->magnitude, fabs(a->real));
    return (fabs(a->real) > fabs(b->real)) - (fabs(a->real) < fabs(b->real));
}

int
query_number_compare(const struct query_number *a, const struct query_number *b)
{
    if (a->is_negative != b->is_negative)
        return a->is_negative ? -1 : 1;
    int order = compare_magnitudes(a, b);
    return a->is_negative ? -order : order;
}
