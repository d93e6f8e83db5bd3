/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lease_order.c - who has the GPU next: rules 1 to 3, 5 and 8 */

#include <stddef.h>

#include "vgpud/sched/lease_private.h"

unsigned lease_lifted(const struct lease_member *member, uint64_t lift)
{
	uint64_t level = member->vm->settings.priority + lift;

	return level > LEASE_PRIORITY_MOST ? LEASE_PRIORITY_MOST : (unsigned)level;
}

uint64_t lease_lift(const struct lease *lease, const struct lease_member *member, uint64_t now_ns)
{
	if (lease->settings.aging_ns == 0 || member->state != LEASE_WAITS)
		return 0;
	return (now_ns - member->want_ns) / lease->settings.aging_ns;
}

unsigned lease_level(const struct lease *lease, const struct lease_member *member, uint64_t now_ns)
{
	return lease_lifted(member, lease_lift(lease, member, now_ns));
}

/*
 * Rule 3. Return: whether VM a comes before VM b; where both are equal, the one that had no turn
 * longest.
 */
static bool vm_is_before(const struct lease_vm *a, const struct lease_vm *b)
{
	if (a->order_ns != b->order_ns)
		return a->order_ns < b->order_ns;
	if (a->number != b->number)
		return a->number < b->number;
	return a->id < b->id;
}

bool lease_is_before(const struct lease *lease, const struct lease_member *a,
		     const struct lease_member *b, uint64_t now_ns)
{
	unsigned level_a = lease_level(lease, a, now_ns), level_b = lease_level(lease, b, now_ns);

	if (level_a != level_b)
		return level_a > level_b;
	if (a->vm->settings.priority != b->vm->settings.priority)
		return a->vm->settings.priority < b->vm->settings.priority;
	if (a->kind != b->kind)
		return a->kind == LEASE_REQUEST;
	if (a->vm != b->vm)
		return vm_is_before(a->vm, b->vm);
	if (a->order_ns != b->order_ns)
		return a->order_ns < b->order_ns;
	if (a->number != b->number)
		return a->number < b->number;
	return a->want_order < b->want_order;
}

bool lease_is_waiting(const struct lease *lease, const struct lease_member *member)
{
	return member->state == LEASE_WAITS ||
	       (member->state == LEASE_OUTLASTS && member->wants && member->acked &&
		!member->draining && lease->settings.kernel_ns == 0);
}

struct lease_member *lease_best(const struct lease *lease, bool frozen, uint64_t now_ns)
{
	struct lease_member *member, *first = NULL;
	const struct lease_vm *vm;

	TAILQ_FOREACH(vm, &lease->vms, link)
		TAILQ_FOREACH(member, &vm->members, link) {
			if (!lease_is_waiting(lease, member) &&
			    !(frozen && member->state == LEASE_FROZEN))
				continue;
			if (lease_ready_ns(lease, member, now_ns) > now_ns)
				continue;
			if (first == NULL || lease_is_before(lease, member, first, now_ns))
				first = member;
		}
	return first;
}

struct lease_member *lease_next(const struct lease *lease, uint64_t now_ns)
{
	return lease_best(lease, false, now_ns);
}

bool lease_is_contended(const struct lease *lease, uint64_t now_ns)
{
	return lease_best(lease, true, now_ns) != NULL;
}
