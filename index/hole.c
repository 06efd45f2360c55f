#include "index/hole.h"

const char *
hole_reason_text(enum hole_reason reason)
{
    switch (reason) {
    case HOLE_UNKNOWN:
        return "UNKNOWN";
    case HOLE_RETENTION:
        return "RETENTION";
    case HOLE_NOT_RECORDED:
        return "NOT_RECORDED";
    case HOLE_DROPPED:
        return "DROPPED";
    case HOLE_DAMAGED:
        return "DAMAGED";
    case HOLE_COMPACTED_OR_ABORTED:
        return "COMPACTED_OR_ABORTED";
    case HOLE_RECREATED:
        return "TOPIC_RECREATED";
    }
    return "UNKNOWN";
}
