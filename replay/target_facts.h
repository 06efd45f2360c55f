/* target_facts.h - what the target of a replay says about itself, as plain data. */
#ifndef REPLAY_TARGET_FACTS_H
#define REPLAY_TARGET_FACTS_H

#include <stdbool.h>
#include <stdint.h>

/* What a topic says about itself. A target without partitions has one. */
struct target_facts {
    int32_t partitions;
    char cluster[64]; /* the cluster's id; "" unknown */
    bool configured;  /* the rest is known; else the broker did not tell, or there is none */
    int64_t max_message_bytes;
    int64_t retention_ms; /* -1: for ever */
    int64_t retention_bytes;
    bool stamps_messages; /* message.timestamp.type is LogAppendTime */
    char cleanup[64];     /* "delete", "compact" */
};

#endif
