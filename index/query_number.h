/* query_number.h - numbers as queries, headers and JSON write them, compared without rounding.
 *
 * Whole numbers up to 64 bits stay whole: 9007199254740993 is not 9007199254740992. Threads: any.
 */
#ifndef INDEX_QUERY_NUMBER_H
#define INDEX_QUERY_NUMBER_H

#include <locale.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct query_number {
    bool is_whole; /* then it is `magnitude` with a sign, else `real` */
    bool is_negative;
    uint64_t magnitude;
    double real;
};

/* Longer texts are not taken for numbers. */
#define QUERY_NUMBER_MAX_TEXT 128

/* Read "-12", "0.5", "1e3"; false when `text` is anything else. `locale` is the "C" locale. */
bool query_number_parse(struct bytes text, locale_t locale, struct query_number *number);

struct query_number query_number_of_int(int64_t value);
struct query_number query_number_of_real(double value);

/* Below, equal or above zero, exactly. */
int query_number_compare(const struct query_number *a, const struct query_number *b);

#endif
