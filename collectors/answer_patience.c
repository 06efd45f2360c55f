#include "collectors/answer_patience.h"

#define WAIT_MS        900 /* a broker answers behind the fetch that it holds, for 500 ms */
#define LANES_PER_MS   10
#define WAIT_MORE_MS   2000 /* nothing is taken out of the library's queue meanwhile */
#define MISSED         1
#define LANES_PER_MISS 200
#define LANES_SLOW     1000 /* so many keep the library's thread busy for long */

int
answer_patience_ms(size_t lanes)
{
    size_t more = lanes / LANES_PER_MS;
    return WAIT_MS + (int)(more < WAIT_MORE_MS ? more : WAIT_MORE_MS);
}

void
answer_patience_answered(struct answer_patience *patience, uint64_t received)
{
    patience->unanswered = 0;
    patience->received = received;
}

bool
answer_patience_missed(
    struct answer_patience *patience, size_t lanes, uint64_t received, bool is_down)
{
    if (lanes >= LANES_SLOW && received != patience->received)
        answer_patience_answered(patience, received);
    else
        patience->unanswered++;
    return is_down || patience->unanswered > MISSED + lanes / LANES_PER_MISS;
}
