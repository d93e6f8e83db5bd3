/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lease_private.h - what the files of a lease's arbiter share */

#ifndef VGPUD_SCHED_LEASE_PRIVATE_H
#define VGPUD_SCHED_LEASE_PRIVATE_H

#include "vgpud/sched/lease.h"

#define LEASE_PRIORITY_MOST (LEASE_PRIORITIES - 1)
#define LEASE_STUCK_MOST 10 /* doublings of stuck_ns */

static inline uint64_t lease_earlier(uint64_t a_ns, uint64_t b_ns)
{
	return a_ns < b_ns ? a_ns : b_ns;
}

/* Rule 1. Return: whether the member may have no lease whatever else holds. */
static inline bool lease_is_stopped(const struct lease_member *member)
{
	return member->stopped || member->vm->settings.paused;
}

/* Rules 1 and 5. Return: from when on a member that waits may have the lease; LEASE_NEVER: not yet. */
uint64_t lease_ready_ns(const struct lease *lease, const struct lease_member *member,
			uint64_t now_ns);

/* Rule 2. Return: the priority that a member has which has risen by so much. */
unsigned lease_lifted(const struct lease_member *member, uint64_t lift);

/* Rule 2. Return: by how much a member that waits has risen; its priority with that. */
uint64_t lease_lift(const struct lease *lease, const struct lease_member *member, uint64_t now_ns);
unsigned lease_level(const struct lease *lease, const struct lease_member *member, uint64_t now_ns);

/* Return: whether a comes before b. The holder counts as if it wanted its next turn from now on. */
bool lease_is_before(const struct lease *lease, const struct lease_member *a,
		     const struct lease_member *b, uint64_t now_ns);

/*
 * Return: whether the member waits for the lease. An outlaster does when it wants more: its kernels may
 * wait for one that it holds back. With a bound on kernels (rule 7) it has to drain first: else what
 * never ends could not be told from what goes on.
 */
bool lease_is_waiting(const struct lease *lease, const struct lease_member *member);

/* Return: the first that may have the lease now; NULL: none. frozen: whether those count, too. */
struct lease_member *lease_best(const struct lease *lease, bool frozen, uint64_t now_ns);

/* Counts the time since the last call: who is charged, who waited and why. */
void lease_settle(struct lease *lease, uint64_t now_ns);

/* Takes back what was charged to the member. contended_ns: how much of it others wanted to have. */
void lease_refund(struct lease *lease, struct lease_member *member, uint64_t ns,
		  uint64_t contended_ns);

/* Rule 3. The member's turn, or its punishment, counts in the order. */
void lease_advance(struct lease_member *member, uint64_t ns);

/* Rule 3. The VM, the member wants the lease from now on: it counts as the least of those who do. */
void lease_vm_enter(struct lease *lease, struct lease_vm *vm);
void lease_enter(struct lease *lease, struct lease_member *member);

#endif
