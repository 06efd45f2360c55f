#include "collectors/kafka_absence.h"

bool
kafka_absence_is(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
           code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC || code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
}

bool
kafka_absence_miss(struct kafka_absence *absence, int64_t now_ns)
{
    if (absence->missed == 0)
        absence->since_ns = now_ns;
    if (absence->missed < KAFKA_ABSENCE_LOOKS)
        absence->missed++;
    if (absence->is_gone || absence->missed < KAFKA_ABSENCE_LOOKS ||
        now_ns - absence->since_ns < KAFKA_ABSENCE_NS)
        return false;
    absence->is_gone = true;
    return true;
}

bool
kafka_absence_see(struct kafka_absence *absence)
{
    bool was_gone = absence->is_gone;
    absence->is_gone = false;
    absence->missed = 0;
    return was_gone;
}

bool
kafka_absence_forgive(struct kafka_absence *absence)
{
    if (absence->unknown == KAFKA_ABSENCE_LOOKS)
        return false;
    absence->unknown++;
    return true;
}
