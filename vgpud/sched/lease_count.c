/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lease_count.c - the time of a GPU: who is charged for it, who waited for it and why */

#include <stddef.h>

#include "vgpud/sched/lease_private.h"

/*
 * Theory of operation. Between two events nothing changes but time, so one look at each event divides
 * all of it. Two sums are kept of what a member uses. What is *billed* is the time that the GPU worked
 * for it, as far as the broker can know. Its *order* (rule 3) also counts turns in which an
 * outlaster was billed instead: else its successor would keep the lowest order, and the lease, for as
 * long as the outlaster lasts. The moment in which work drains as announced is its member's alone.
 */

#define WHOLE_SHARE 100u

uint64_t lease_ready_ns(const struct lease *lease, const struct lease_member *member,
			uint64_t now_ns)
{
	uint64_t ready_ns, stuck_ns = lease->settings.stuck_ns << member->stuck;

	if (lease_is_stopped(member))
		return LEASE_NEVER;
	ready_ns = cap_ready_ns(&member->vm->cap, now_ns);
	if (member->state != LEASE_OUTLASTS || stuck_ns == 0 || ready_ns <= now_ns)
		return ready_ns;
	stuck_ns += member->revoked_ns;
	return lease_earlier(ready_ns, stuck_ns > now_ns ? stuck_ns : now_ns);
}

/*
 * Return: from when on the member that waits has waited for others alone, since lease->at_ns. The cap
 * of a VM that runs meanwhile is not asked: its turn goes to its end in any case.
 */
static uint64_t behind_since_ns(const struct lease *lease, const struct lease_member *member,
				const struct lease_member *charged)
{
	bool runs = (charged != NULL && charged->vm == member->vm) ||
		    (lease->holder != NULL && lease->holder->vm == member->vm);

	if (runs && !lease_is_stopped(member))
		return lease->at_ns;
	return lease_ready_ns(lease, member, lease->at_ns);
}

/* Return: since when, from lease->at_ns on, some member has waited for others alone. */
static uint64_t contended_since_ns(const struct lease *lease, const struct lease_member *charged)
{
	const struct lease_member *member;
	const struct lease_vm *vm;
	uint64_t first_ns = LEASE_NEVER;

	TAILQ_FOREACH(vm, &lease->vms, link)
		TAILQ_FOREACH(member, &vm->members, link)
			if (member->state == LEASE_WAITS)
				first_ns = lease_earlier(first_ns,
							 behind_since_ns(lease, member, charged));
	return first_ns;
}

/* --- rule 3 --- */

void lease_advance(struct lease_member *member, uint64_t ns)
{
	struct lease_vm *vm = member->vm;

	member->order_ns += ns;
	/* The rest is kept: a VM with a large share must not run for nothing in short turns. */
	vm->order_rest += ns * WHOLE_SHARE;
	vm->order_ns += vm->order_rest / vm->settings.share;
	vm->order_rest %= vm->settings.share;
}

static bool takes_part(const struct lease_member *member)
{
	return member->state != LEASE_NONE && member->state != LEASE_ENDING &&
	       !lease_is_stopped(member);
}

static bool vm_takes_part(const struct lease_vm *vm)
{
	const struct lease_member *member;

	TAILQ_FOREACH(member, &vm->members, link)
		if (takes_part(member))
			return true;
	return false;
}

/*
 * Return: the least order of its members that count; LEASE_NEVER: none does. One that waited for its
 * cap does not: its order falls behind as far as the cap is low, and a newcomer that began there
 * would have the GPU to itself until it had caught up with the others.
 */
static uint64_t least_order(const struct lease_vm *vm)
{
	const struct lease_member *member;
	uint64_t least_ns = LEASE_NEVER;

	TAILQ_FOREACH(member, &vm->members, link)
		if (takes_part(member) && (vm->was_ready || (member->state != LEASE_WAITS &&
							     member->state != LEASE_FROZEN)))
			least_ns = lease_earlier(least_ns, member->order_ns);
	return least_ns;
}

/*
 * What a VM could not have for its cap is not owed to it, but for a turn: else it had the GPU to
 * itself until it had caught up, once its cap is lifted: for eight minutes after ten at 10 %.
 */
static void forget_debt(const struct lease *lease, struct lease_vm *vm)
{
	uint64_t floor_ns = lease->floor_ns[vm->settings.priority];
	uint64_t turn_ns = lease->settings.turn_ns * WHOLE_SHARE / vm->settings.share;

	if (vm->settings.cap_percent != 0 && floor_ns > turn_ns &&
	    vm->order_ns < floor_ns - turn_ns)
		vm->order_ns = floor_ns - turn_ns;
}

/*
 * The least order of those that want the lease, kept when none does: a member that sleeps for an
 * hour has not saved an hour.
 */
static void note_floors(struct lease *lease)
{
	uint64_t least_ns[LEASE_PRIORITIES] = { LEASE_NEVER, LEASE_NEVER, LEASE_NEVER };
	struct lease_vm *vm;

	TAILQ_FOREACH(vm, &lease->vms, link) {
		uint64_t *of_priority = &least_ns[vm->settings.priority];
		uint64_t of_members_ns = least_order(vm);

		if (of_members_ns == LEASE_NEVER)
			continue;
		*of_priority = lease_earlier(*of_priority, vm->order_ns);
		if (of_members_ns > vm->floor_ns)
			vm->floor_ns = of_members_ns;
	}
	for (unsigned i = 0; i < LEASE_PRIORITIES; i++)
		if (least_ns[i] != LEASE_NEVER && least_ns[i] > lease->floor_ns[i])
			lease->floor_ns[i] = least_ns[i];
	TAILQ_FOREACH(vm, &lease->vms, link)
		forget_debt(lease, vm);
}

void lease_vm_enter(struct lease *lease, struct lease_vm *vm)
{
	uint64_t floor_ns = lease->floor_ns[vm->settings.priority];

	if (!vm_takes_part(vm) && vm->order_ns < floor_ns)
		vm->order_ns = floor_ns;
}

void lease_enter(struct lease *lease, struct lease_member *member)
{
	struct lease_vm *vm = member->vm;

	lease_vm_enter(lease, vm);
	if (member->order_ns < vm->floor_ns)
		member->order_ns = vm->floor_ns;
}

/* --- who waited --- */

static void count_rival(struct lease_vm *vm, uint32_t id, uint64_t ns)
{
	for (unsigned i = 0; i < LEASE_RIVALS; i++) {
		if (vm->rival[i].ns != 0 && vm->rival[i].id != id)
			continue;
		vm->rival[i].id = id;
		vm->rival[i].ns += ns;
		return;
	}
	vm->rival_other_ns += ns;
}

static enum lease_why why_behind(const struct lease *lease, const struct lease_member *member)
{
	const struct lease_member *holder = lease->holder;

	if (holder == NULL || holder->state == LEASE_REVOKED)
		return LEASE_WHY_HANDOVER;
	if (holder->vm == member->vm)
		return LEASE_WHY_OWN;
	return holder->vm->settings.priority > member->vm->settings.priority ? LEASE_WHY_PRIORITY
									     : LEASE_WHY_SHARE;
}

enum lease_why lease_why_now(const struct lease *lease, const struct lease_member *member)
{
	if (member->state != LEASE_WAITS)
		return LEASE_WHY_NUM;
	if (lease_is_stopped(member))
		return LEASE_WHY_PAUSED;
	return lease_ready_ns(lease, member, lease->at_ns) > lease->at_ns
		       ? LEASE_WHY_CAP
		       : why_behind(lease, member);
}

static void add_wait(struct lease_member *member, enum lease_why why, uint64_t ns)
{
	member->waited_ns[why] += ns;
	member->vm->waited_ns[why] += ns;
}

static void count_wait(const struct lease *lease, struct lease_member *member,
		       const struct lease_member *charged, uint64_t now_ns)
{
	uint64_t ready_ns = lease_earlier(behind_since_ns(lease, member, charged), now_ns);

	if (lease_is_stopped(member)) {
		add_wait(member, LEASE_WHY_PAUSED, now_ns - lease->at_ns);
		return;
	}
	add_wait(member, LEASE_WHY_CAP, ready_ns - lease->at_ns);
	if (ready_ns == now_ns)
		return;
	add_wait(member, why_behind(lease, member), now_ns - ready_ns);
	if (charged != NULL)
		count_rival(member->vm, charged->vm->id, now_ns - ready_ns);
}

/* --- who is charged --- */

static void bill(struct lease *lease, struct lease_member *member, uint64_t ns,
		 uint64_t contended_ns)
{
	member->alone_ns += contended_ns - lease->at_ns;
	member->turn_billed_ns += ns;
	member->billed_ns += ns;
	member->vm->billed_ns += ns;
	lease->billed_ns += ns;
}

/* What counts in the order counts for the cap, too: a turn beside an outlaster is a turn. */
static void use(struct lease *lease, struct lease_member *member, uint64_t ns, uint64_t now_ns)
{
	struct cap *cap = &member->vm->cap;

	lease_advance(member, ns);
	/* Two steps: what the bucket gained before and could not hold is lost. */
	cap_pass(cap, 0, lease->at_ns);
	cap_pass(cap, ns, now_ns);
}

void lease_settle(struct lease *lease, uint64_t now_ns)
{
	struct lease_member *member, *charged = TAILQ_FIRST(&lease->charged);
	uint64_t ns = now_ns - lease->at_ns, contended_ns;
	struct lease_vm *vm;

	if (charged == NULL)
		charged = lease->holder;
	TAILQ_FOREACH(vm, &lease->vms, link) {
		vm->was_ready = cap_ready_ns(&vm->cap, lease->at_ns) <= lease->at_ns;
		TAILQ_FOREACH(member, &vm->members, link)
			if (member->state == LEASE_WAITS)
				count_wait(lease, member, charged, now_ns);
	}
	contended_ns = lease_earlier(contended_since_ns(lease, charged), now_ns);
	if (charged != NULL) {
		bill(lease, charged, ns, contended_ns);
		use(lease, charged, ns, now_ns);
		if (lease->holder != NULL && lease->holder != charged && !charged->draining)
			use(lease, lease->holder, ns, now_ns);
	} else {
		lease->idle_ns += contended_ns - lease->at_ns;
		lease->overhead_ns += now_ns - contended_ns;
	}
	lease->at_ns = now_ns;
	note_floors(lease);
}

void lease_refund(struct lease *lease, struct lease_member *member, uint64_t ns,
		  uint64_t contended_ns)
{
	cap_give_back(&member->vm->cap, ns);
	member->turn_billed_ns -= ns;
	member->billed_ns -= ns;
	member->vm->billed_ns -= ns;
	lease->billed_ns -= ns;
	lease->overhead_ns += contended_ns;
	lease->idle_ns += ns - contended_ns;
}
