#include "collectors/read_budget.h"

#include "base/clock.h"

void
read_budget_set(struct read_budget *budget, uint64_t bytes_per_second, int64_t now_ns)
{
    *budget = (struct read_budget){.bytes_per_second = bytes_per_second, .filled_ns = now_ns};
}

int64_t
read_budget_wait(struct read_budget *budget, int64_t now_ns)
{
    if (budget->bytes_per_second == 0)
        return 0;
    double rate = (double)budget->bytes_per_second;
    budget->bytes += (double)(now_ns - budget->filled_ns) / (double)NS_PER_S * rate;
    budget->filled_ns = now_ns;
    if (budget->bytes > rate)
        budget->bytes = rate;
    return budget->bytes >= 0 ? 0 : (int64_t)(-budget->bytes / rate * (double)NS_PER_S) + 1;
}

void
read_budget_spend(struct read_budget *budget, uint64_t events, uint64_t wire)
{
    budget->events += events;
    budget->wire += wire;
    uint64_t most = budget->events * READ_BUDGET_WORST;
    uint64_t due = budget->wire < most ? budget->wire : most;
    if (due < budget->events)
        due = budget->events;
    if (budget->bytes_per_second > 0)
        budget->bytes -= (double)(due - budget->paid);
    budget->paid = due;
}
