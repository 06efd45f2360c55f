#include "console/nearest.h"

#include <string.h>

/* Longer words are compared by their beginnings; no name of ours is that long. */
#define WORD_MAX 64

static size_t
least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Optimal string alignment; three rows of the table are kept and take turns. */
static size_t
distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t rows[3][WORD_MAX + 1];
    for (size_t j = 0; j <= b_length; j++)
        rows[1][j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t *two_back = rows[(i + 2) % 3];
        size_t *previous = rows[i % 3];
        size_t *now = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t change = previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            now[j] = least(change, least(previous[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least(now[j], two_back[j - 2] + 1);
        }
    }
    return rows[(a_length + 1) % 3][b_length];
}

static void
offer(struct nearest *nearest, const char *candidate, size_t length)
{
    size_t word_length = least(strlen(nearest->word), WORD_MAX);
    size_t found = distance(nearest->word, word_length, candidate, least(length, WORD_MAX));
    if (nearest->best == NULL || found < nearest->distance) {
        nearest->best = candidate;
        nearest->distance = found;
    }
}

void
nearest_offer(struct nearest *nearest, const char *candidate)
{
    offer(nearest, candidate, strlen(candidate));
}

size_t
nearest_choice_length(const char *choice)
{
    return strcspn(choice, "|");
}

void
nearest_offer_choices(struct nearest *nearest, const char *choices)
{
    for (const char *at = choices; *at != '\0';) {
        size_t length = nearest_choice_length(at);
        offer(nearest, at, length);
        at += length;
        if (*at == '|')
            at++;
    }
}
