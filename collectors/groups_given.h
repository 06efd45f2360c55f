/* groups_given.h - which partitions a group was given that never committed there, for groups_broker.
 *
 * A partition is the group's because it has a commit there, or a member that was given it. Of a consumer that ends
 * in its first event, and is started again, neither is there at most moments. So what the members had is kept, of
 * topics on which the group has no commit at all, until it commits there, its members are given others, or it is gone.
 *
 * Memory: one place for each such partition.  Threads: one owner.
 */
#ifndef COLLECTORS_GROUPS_GIVEN_H
#define COLLECTORS_GROUPS_GIVEN_H

#include "collectors/groups_sample.h"

/* A struct of zeros knows nothing. */
struct groups_given {
    struct groups_sample kept; /* groups and lanes only */
};

/* Forget the groups that are not listed; the listing is whole. */
void groups_given_forget(struct groups_given *given, const struct groups_sample *listed);

/* Keep what the members of the sample's groups were given, and give those back to groups of which nobody has any
 * partition now. Commits and members are in the sample already. */
void groups_given_take(struct groups_given *given, struct groups_sample *sample);

void groups_given_done(struct groups_given *given);

#endif
