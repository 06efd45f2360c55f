/* plan_json.h - what writing a plan as JSON and reading it share.  Threads: any. */
#ifndef REPLAY_PLAN_JSON_H
#define REPLAY_PLAN_JSON_H

#include <jansson.h>

#include "replay/content_hash.h"

/* The SHA-256 over the object, which has no "sha256": dumped compact and with sorted keys, so that layout and key order
 * of the file do not matter, and every value does. There are no floating-point numbers in a plan. */
void plan_json_hash(const json_t *object, char text[CONTENT_HASH_TEXT]);

#endif
