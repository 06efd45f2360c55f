#include "collectors/byte_rate.h"

#include "base/clock.h"

static uint32_t
slot(const struct byte_rate *rate, uint32_t index)
{
    return (rate->first + index) % BYTE_RATE_SAMPLES;
}

static void
remember(struct byte_rate *rate, uint64_t bytes, int64_t now_ns)
{
    if (rate->count == BYTE_RATE_SAMPLES)
        rate->first = slot(rate, 1);
    else
        rate->count++;
    rate->samples[slot(rate, rate->count - 1)].at_ns = now_ns;
    rate->samples[slot(rate, rate->count - 1)].bytes = bytes;
}

uint64_t
byte_rate_look(struct byte_rate *rate, uint64_t bytes, int64_t now_ns)
{
    if (rate->count == 0 || now_ns - rate->samples[slot(rate, rate->count - 1)].at_ns >= NS_PER_S)
        remember(rate, bytes, now_ns);
    int64_t passed_ns = now_ns - rate->samples[rate->first].at_ns;
    uint64_t grown = bytes - rate->samples[rate->first].bytes;
    return passed_ns <= 0 ? 0 : (uint64_t)((double)grown / (double)passed_ns * (double)NS_PER_S);
}
