/* detail_json.h - the lines of a JSON payload. */
#ifndef UI_DETAIL_JSON_H
#define UI_DETAIL_JSON_H

#include <stdbool.h>

#include "base/bytes.h"

struct detail;
struct detail_line;

/* Add the payload as a tree of lines. False, and nothing added, when it is not a JSON object or array. */
bool detail_add_json(struct detail *detail, struct bytes payload);

/* Add one line; both texts are copied. Valid until the next one is added. */
struct detail_line *detail_add(
    struct detail *detail, int depth, struct bytes label, struct bytes value);

#endif
