/* ledger.c - the bookkeeper: reads every payment and writes nothing. */
#include "demo/client.h"
#include "demo/shop_state.h"

void *
ledger_thread(void *self)
{
    struct shop_state *state = self;
    struct error err;
    struct member *member = member_open(state, "ledger", SHOP_PAYMENTS, &err);
    state_ready(state, member != NULL, &err);
    while (member != NULL && !state_is_closed(state)) {
        struct delivery payment;
        member_take(member, 50, &payment);
    }
    state_rest(state);
    member_close(member);
    return NULL;
}
