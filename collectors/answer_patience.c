#include "collectors/answer_patience.h"

#define WAIT_MS        900 /* a broker answers behind the fetch that it holds, for 500 ms */
#define LANES_PER_MS   10
#define WAIT_MORE_MS   2000 /* nothing is taken out of the library's queue meanwhile */
#define MISSED         1
#define LANES_PER_MISS 200

int
answer_patience_ms(size_t lanes)
{
    size_t more = lanes / LANES_PER_MS;
    return WAIT_MS + (int)(more < WAIT_MORE_MS ? more : WAIT_MORE_MS);
}

void
answer_patience_answered(struct answer_patience *patience)
{
    patience->unanswered = 0;
}

bool
answer_patience_missed(struct answer_patience *patience, size_t lanes, bool is_down)
{
    patience->unanswered++;
    return is_down || patience->unanswered > MISSED + lanes / LANES_PER_MISS;
}
