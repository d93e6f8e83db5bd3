/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lease_private.h - what the files of a lease's arbiter share */

#ifndef VGPUD_SCHED_LEASE_PRIVATE_H
#define VGPUD_SCHED_LEASE_PRIVATE_H

#include "vgpud/sched/lease.h"

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
uint64_t lease_ready_ns(const struct lease_member *member, uint64_t now_ns);

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
