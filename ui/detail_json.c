#include "ui/detail_json.h"

#include <stdio.h>

#include <jansson.h>

#include "ui/detail.h"

/* A walk over text that jansson has accepted: every quote is closed, every bracket matched. */
struct walk {
    struct bytes text;
    size_t at;
    struct detail *detail;
};

static void
skip_blanks(struct walk *walk)
{
    while (walk->at < walk->text.length) {
        unsigned char byte = walk->text.data[walk->at];
        if (byte != ' ' && byte != '\t' && byte != '\n' && byte != '\r')
            return;
        walk->at++;
    }
}

static unsigned char
peek(const struct walk *walk)
{
    return walk->at < walk->text.length ? walk->text.data[walk->at] : '\0';
}

/* The string at the cursor with its quotes. */
static struct bytes
take_string(struct walk *walk)
{
    size_t from = walk->at++;
    while (walk->at < walk->text.length && walk->text.data[walk->at] != '"')
        walk->at += walk->text.data[walk->at] == '\\' ? 2 : 1;
    walk->at++;
    if (walk->at > walk->text.length)
        walk->at = walk->text.length;
    return bytes_make(walk->text.data + from, walk->at - from);
}

/* A number or a word at the cursor. */
static struct bytes
take_word(struct walk *walk)
{
    size_t from = walk->at;
    while (walk->at < walk->text.length) {
        unsigned char byte = walk->text.data[walk->at];
        if (byte == ',' || byte == '}' || byte == ']' || byte == ' ' || byte == '\t' ||
            byte == '\n' || byte == '\r')
            break;
        walk->at++;
    }
    return bytes_make(walk->text.data + from, walk->at - from);
}

static void add_value(struct walk *walk, struct bytes label, int depth);

static struct bytes
without_quotes(struct bytes string)
{
    return string.length >= 2 ? bytes_make(string.data + 1, string.length - 2) : string;
}

/* Say what the container line could not know before its members were seen. */
static void
set_summary(struct detail *detail, size_t index, bool is_object, size_t members)
{
    char text[64];
    int length = snprintf(text, sizeof(text), "%s, %zu %s", is_object ? "object" : "array", members,
        members == 1 ? (is_object ? "member" : "item") : (is_object ? "members" : "items"));
    struct detail_line *line = &detail->lines[index];
    line->value_at = detail->text.length;
    line->value_length = (size_t)length;
    line->is_missing = true;
    line->subtree = detail->count - index - 1;
    line->is_folded = line->depth >= 3 && line->subtree > 0;
    buffer_append(&detail->text, text, (size_t)length);
}

static void
add_container(struct walk *walk, struct bytes label, int depth)
{
    struct detail *detail = walk->detail;
    bool is_object = peek(walk) == '{';
    size_t index = detail->count;
    size_t members = 0;
    char number[32];

    detail_add(detail, depth, label, BYTES_NULL);
    walk->at++;
    for (;;) {
        skip_blanks(walk);
        unsigned char byte = peek(walk);
        if (byte == ',') {
            walk->at++;
            continue;
        }
        if (byte == '}' || byte == ']' || byte == '\0')
            break;
        struct bytes name;
        if (is_object) {
            name = without_quotes(take_string(walk));
            skip_blanks(walk);
            walk->at++; /* the colon */
            skip_blanks(walk);
        } else {
            name = bytes_make(number, (size_t)snprintf(number, sizeof(number), "%zu", members));
        }
        add_value(walk, name, depth + 1);
        members++;
    }
    walk->at++;
    set_summary(detail, index, is_object, members);
}

/* Recursion is as deep as jansson allows for what it accepted (JSON_PARSER_MAX_DEPTH). */
static void
add_value(struct walk *walk, struct bytes label, int depth) /* NOLINT(misc-no-recursion) */
{
    unsigned char byte = peek(walk);
    if (byte == '{' || byte == '[') {
        add_container(walk, label, depth);
        return;
    }
    struct bytes value = byte == '"' ? take_string(walk) : take_word(walk);
    if (walk->detail->count < DETAIL_MAX_LINES)
        detail_add(walk->detail, depth, label, value);
}

bool
detail_add_json(struct detail *detail, struct bytes payload)
{
    struct walk walk = {.text = payload, .detail = detail};
    skip_blanks(&walk);
    if (peek(&walk) != '{' && peek(&walk) != '[')
        return false;

    json_error_t problem;
    json_t *value = json_loadb((const char *)payload.data, payload.length,
        JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &problem);
    if (value == NULL)
        return false;
    json_decref(value);
    add_value(&walk, bytes_of("payload"), 0);
    return true;
}
