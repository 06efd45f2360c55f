/* groups_members.h - who is in the groups of a sample, and which partitions each member was given.
 *
 * All groups are asked for in one question, which every version of librdkafka has and which knows classic groups only: one
 * of the new protocol (KIP-848) is listed and yet "Dead" there, and hides its members. From 2.10 on the library has a
 * second question, to each such group's coordinator, that tells them.
 *
 * Threads: the one that owns both clients.
 */
#ifndef COLLECTORS_GROUPS_MEMBERS_H
#define COLLECTORS_GROUPS_MEMBERS_H

#include <stdint.h>

#include <librdkafka/rdkafka.h>

struct groups_admin;
struct groups_sample;

/* Fill in the members of the sample's groups, whose commits have been read: their lanes are sorted. `group` is the only one
 * that is asked for, or NULL. The one question waits no longer than timeout_ms, those behind it until the monotonic
 * deadline. The topics are those that admin->options wants; its client may have been thrown away. What has no answer stays
 * unknown, and is a problem of the sample. */
void groups_members_read(rd_kafka_t *rk, struct groups_admin *admin, const char *group,
    struct groups_sample *sample, int timeout_ms, int64_t deadline_ns);

#endif
