/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lease.c - who may use a GPU, and how long */

#include "vgpud/sched/lease.h"

#include <stddef.h>

#include "vgpud/sched/lease_private.h"

void lease_init(struct lease *lease, const struct lease_settings *settings, uint64_t now_ns)
{
	*lease = (struct lease){
		.settings = *settings, .since_ns = now_ns, .at_ns = now_ns, .heard_ns = LEASE_NEVER
	};
	TAILQ_INIT(&lease->vms);
	TAILQ_INIT(&lease->charged);
}

void lease_set(struct lease *lease, const struct lease_settings *settings, uint64_t now_ns)
{
	struct lease_vm *vm;

	lease_settle(lease, now_ns);
	lease->settings = *settings;
	TAILQ_FOREACH(vm, &lease->vms, link)
		cap_set(&vm->cap, vm->settings.cap_percent, settings->turn_ns, now_ns);
}

/* --- who is there --- */

void lease_vm_join(struct lease *lease, struct lease_vm *vm, uint32_t id,
		   const struct lease_vm_settings *settings, uint64_t now_ns)
{
	lease_settle(lease, now_ns);
	*vm = (struct lease_vm){ .id = id, .settings = *settings };
	TAILQ_INIT(&vm->members);
	cap_set(&vm->cap, settings->cap_percent, lease->settings.turn_ns, now_ns);
	TAILQ_INSERT_TAIL(&lease->vms, vm, link);
}

void lease_vm_set(struct lease *lease, struct lease_vm *vm,
		  const struct lease_vm_settings *settings, uint64_t now_ns)
{
	lease_settle(lease, now_ns);
	/* What it used in one priority says nothing about its place in another. */
	if (settings->priority != vm->settings.priority)
		vm->order_ns = lease->floor_ns[settings->priority];
	else if (vm->settings.paused)
		lease_vm_enter(lease, vm);
	vm->settings = *settings;
	vm->order_rest %= settings->share;
	cap_set(&vm->cap, settings->cap_percent, lease->settings.turn_ns, now_ns);
}

void lease_vm_leave(struct lease *lease, struct lease_vm *vm)
{
	TAILQ_REMOVE(&lease->vms, vm, link);
}

void lease_join(struct lease *lease, struct lease_vm *vm, struct lease_member *member,
		enum lease_kind kind, uint64_t now_ns)
{
	lease_settle(lease, now_ns);
	*member = (struct lease_member){ .vm = vm, .kind = kind, .missed_ns = LEASE_NEVER };
	TAILQ_INSERT_TAIL(&vm->members, member, link);
}

/* The GPU has nothing of the member any more, or what it has does not count. */
static void release(struct lease *lease, struct lease_member *member)
{
	if (lease->holder == member)
		lease->holder = NULL;
	if (member->is_charged)
		TAILQ_REMOVE(&lease->charged, member, charged);
	member->is_charged = false;
}

/* The member's lease is over and its work has drained. */
static void finish(struct lease *lease, struct lease_member *member)
{
	release(lease, member);
	/* One that wants the lease again took part all the time: it need not enter. */
	member->state = member->wants ? LEASE_WAITS : LEASE_NONE;
	member->wants = member->draining = false;
	member->stuck = 0;
}

/* The lease passes on though the member's work has not drained. */
static void pass_on(struct lease *lease, struct lease_member *member)
{
	release(lease, member);
	TAILQ_INSERT_TAIL(&lease->charged, member, charged);
	member->is_charged = true;
}

static void end_member(struct lease *lease, struct lease_member *member, uint64_t now_ns)
{
	if (lease->holder == member)
		pass_on(lease, member);
	member->state = LEASE_ENDING;
	member->draining = false;
	member->revoked_ns = now_ns;
}

void lease_end(struct lease *lease, struct lease_member *member, uint64_t now_ns)
{
	lease_settle(lease, now_ns);
	if (member->state != LEASE_ENDING)
		end_member(lease, member, now_ns);
}

void lease_leave(struct lease *lease, struct lease_member *member, uint64_t now_ns)
{
	lease_settle(lease, now_ns);
	release(lease, member);
	TAILQ_REMOVE(&member->vm->members, member, link);
}

void lease_stop(struct lease *lease, struct lease_member *member, bool stopped, uint64_t now_ns)
{
	lease_settle(lease, now_ns);
	if (member->stopped && !stopped)
		lease_enter(lease, member);
	member->stopped = stopped;
}

/* --- what members say --- */

static bool is_asked_back(const struct lease_member *member)
{
	return member->state == LEASE_REVOKED || member->state == LEASE_OUTLASTS ||
	       member->state == LEASE_FROZEN;
}

void lease_want(struct lease *lease, struct lease_member *member, uint64_t now_ns)
{
	lease_settle(lease, now_ns);
	if (member->state == LEASE_NONE) {
		lease_enter(lease, member);
		member->state = LEASE_WAITS;
	} else if (is_asked_back(member) && !member->wants) {
		member->wants = true;
	} else {
		return;
	}
	member->want_ns = now_ns;
	member->want_order = lease->next_order++;
}

void lease_rest(struct lease *lease, struct lease_member *member, uint64_t idle_ns, uint64_t now_ns)
{
	lease_settle(lease, now_ns);
	if (lease->holder != member)
		return;
	idle_ns = lease_earlier(idle_ns, member->alone_ns);
	lease_refund(lease, member, idle_ns, 0);
	member->alone_ns -= idle_ns;
}

void lease_ack(struct lease *lease, struct lease_member *member, uint64_t number, uint64_t now_ns)
{
	lease_settle(lease, now_ns);
	if (number == member->number && is_asked_back(member))
		member->acked = true;
}

void lease_draining(struct lease *lease, struct lease_member *member, uint64_t number,
		    uint64_t now_ns)
{
	lease_settle(lease, now_ns);
	if (number != member->number || lease->holder != member)
		return;
	if (member->state == LEASE_HOLDS)
		member->revoked_ns = now_ns;
	pass_on(lease, member);
	member->state = LEASE_OUTLASTS;
	member->acked = member->draining = true;
}

static void drained(struct lease *lease, struct lease_member *member)
{
	if (member->state == LEASE_FROZEN)
		member->acked = member->drained = true; /* said before it was frozen */
	else if (member->state == LEASE_HOLDS || is_asked_back(member))
		finish(lease, member);
}

void lease_drained(struct lease *lease, struct lease_member *member, uint64_t number,
		   uint64_t now_ns)
{
	lease_settle(lease, now_ns);
	if (number == member->number)
		drained(lease, member);
}

void lease_return(struct lease *lease, struct lease_member *member, uint64_t number,
		  uint64_t tail_ns, uint64_t now_ns)
{
	uint64_t contended_ns;

	lease_settle(lease, now_ns);
	if (number != member->number)
		return;
	if (lease->holder == member) {
		tail_ns = lease_earlier(tail_ns, lease->settings.idle_ns);
		tail_ns = lease_earlier(tail_ns, member->turn_billed_ns);
		contended_ns = member->turn_billed_ns - member->alone_ns;
		lease_refund(lease, member, tail_ns, lease_earlier(tail_ns, contended_ns));
	}
	drained(lease, member);
}

/* --- decisions --- */

/* Rule 7. Return: how a member that was told to stop fails to, from when on; LEASE_NEVER: it does not. */
static uint64_t failure_ns(const struct lease *lease, const struct lease_member *member,
			   enum lease_what *what)
{
	const struct lease_settings *settings = &lease->settings;
	uint64_t hung_ns = LEASE_NEVER, deaf_ns = LEASE_NEVER;

	if (member->state != LEASE_REVOKED && member->state != LEASE_OUTLASTS)
		return LEASE_NEVER;
	if (settings->kernel_ns > 0)
		hung_ns = member->revoked_ns + settings->kernel_ns;
	if (!member->acked)
		deaf_ns = member->revoked_ns + settings->ack_ns;
	if (hung_ns <= deaf_ns)
		*what = LEASE_END_HUNG;
	else if (member->missed_ns != LEASE_NEVER &&
		 deaf_ns - member->missed_ns < settings->repeat_ns)
		*what = LEASE_END_DEAF;
	else
		*what = LEASE_FREEZE;
	return lease_earlier(hung_ns, deaf_ns);
}

uint64_t lease_fails_ns(const struct lease *lease, const struct lease_member *member)
{
	enum lease_what what;

	return failure_ns(lease, member, &what);
}

void lease_heard(struct lease *lease, uint64_t until_ns)
{
	lease->heard_ns = until_ns;
}

static bool decide_failure(struct lease *lease, uint64_t now_ns, struct lease_decision *decision)
{
	const uint64_t until_ns = lease_earlier(now_ns, lease->heard_ns);
	struct lease_member *member;
	struct lease_vm *vm;

	TAILQ_FOREACH(vm, &lease->vms, link)
		TAILQ_FOREACH(member, &vm->members, link) {
			enum lease_what what = LEASE_FREEZE;

			if (failure_ns(lease, member, &what) > until_ns)
				continue;
			*decision = (struct lease_decision){ what, member, member->number };
			if (what != LEASE_FREEZE) {
				end_member(lease, member, now_ns);
				return true;
			}
			release(lease, member);
			member->missed_ns = now_ns;
			member->state = LEASE_FROZEN;
			return true;
		}
	return false;
}

/* Return: whether the holder has to give the lease back now. */
static bool is_over(struct lease *lease, struct lease_member *holder, uint64_t now_ns)
{
	const struct lease_settings *settings = &lease->settings;
	const struct lease_member *next = lease_best(lease, false, now_ns);

	if (lease_is_stopped(holder)) /* rule 1 */
		return true;
	if (next != NULL && lease_level(lease, next, now_ns) > lease_lifted(holder, holder->lift))
		return true; /* rule 2 */
	/* Rule 7: also one that is alone must show that its work ends. */
	if (settings->kernel_ns > 0 && now_ns - holder->granted_ns >= settings->kernel_ns)
		return true;
	if (now_ns - holder->turn_at_ns < settings->turn_ns) /* rule 4 */
		return false;
	if (cap_ready_ns(&holder->vm->cap, now_ns) > now_ns &&
	    now_ns - holder->granted_ns >= settings->turn_ns << holder->stuck) /* rule 5 */
		return true;
	if (next != NULL && lease_is_before(lease, next, holder, now_ns)) /* rule 3 */
		return true;
	/* Its next turn, of which no worker has to hear. */
	if (lease_is_contended(lease, now_ns) || holder->vm->cap.percent > 0) {
		holder->turn_at_ns = now_ns;
		holder->lift = 0;
	}
	return false;
}

static bool decide_revoke(struct lease *lease, uint64_t now_ns, struct lease_decision *decision)
{
	struct lease_member *holder = lease->holder;

	if (holder == NULL || holder->kind == LEASE_REQUEST) /* rule 8 */
		return false;
	if (holder->state == LEASE_REVOKED) {
		if (now_ns - holder->revoked_ns >= lease->settings.yield_ns) /* rule 7 */
		{
			pass_on(lease, holder);
			holder->state = LEASE_OUTLASTS;
		}
		return false;
	}
	if (!is_over(lease, holder, now_ns))
		return false;
	holder->state = LEASE_REVOKED;
	holder->revoked_ns = now_ns;
	holder->acked = holder->drained = false;
	*decision = (struct lease_decision){ LEASE_REVOKE, holder, holder->number };
	return true;
}

/* Rule 7. Its turn passes while it is frozen. */
static void thaw(struct lease *lease, struct lease_member *member, uint64_t now_ns)
{
	lease_advance(member, lease->settings.turn_ns);
	pass_on(lease, member);
	member->state = LEASE_OUTLASTS;
	member->revoked_ns = now_ns;
	if (member->drained)
		finish(lease, member);
}

/* A turn of one that is frozen comes while another one has the lease, which goes on. */
static bool decide_thaw(struct lease *lease, uint64_t now_ns, struct lease_decision *decision)
{
	const struct lease_member *holder = lease->holder;
	struct lease_member *member = lease_best(lease, true, now_ns);

	if (holder == NULL || holder->state != LEASE_HOLDS || holder->kind == LEASE_REQUEST ||
	    now_ns - holder->turn_at_ns < lease->settings.turn_ns || member == NULL ||
	    member->state != LEASE_FROZEN || !lease_is_before(lease, member, holder, now_ns))
		return false;
	thaw(lease, member, now_ns);
	*decision = (struct lease_decision){ LEASE_THAW, member, member->number };
	return true;
}

static bool decide_grant(struct lease *lease, uint64_t now_ns, struct lease_decision *decision)
{
	struct lease_member *member;

	if (lease->holder != NULL)
		return false;
	member = lease_best(lease, true, now_ns);
	if (member == NULL)
		return false;
	if (member->state == LEASE_FROZEN) {
		thaw(lease, member, now_ns);
		*decision = (struct lease_decision){ LEASE_THAW, member, member->number };
		return true;
	}
	release(lease, member);
	member->wants = false;
	member->grants++;
	if (cap_ready_ns(&member->vm->cap, now_ns) <= now_ns)
		member->stuck = 0;
	else if (member->stuck < LEASE_STUCK_MOST)
		member->stuck++;
	member->lift = (uint8_t)lease_earlier(lease_lift(lease, member, now_ns),
					      LEASE_PRIORITY_MOST);
	member->state = LEASE_HOLDS;
	member->number = member->vm->number = ++lease->number;
	member->granted_ns = member->turn_at_ns = now_ns;
	member->turn_billed_ns = member->alone_ns = 0;
	lease->holder = member;
	*decision = (struct lease_decision){ LEASE_GRANT, member, member->number };
	return true;
}

bool lease_decide(struct lease *lease, uint64_t now_ns, struct lease_decision *decision)
{
	struct lease_member *member, *next;

	lease_settle(lease, now_ns);
	for (member = TAILQ_FIRST(&lease->charged); member != NULL; member = next) {
		next = TAILQ_NEXT(member, charged);
		if (now_ns - member->revoked_ns < lease->settings.yield_ns)
			continue;
		member->draining = false;
		if (member->state == LEASE_ENDING)
			release(lease, member);
	}
	return decide_failure(lease, now_ns, decision) || decide_thaw(lease, now_ns, decision) ||
	       decide_revoke(lease, now_ns, decision) || decide_grant(lease, now_ns, decision);
}

/* --- when to decide --- */

/* When the member that waits may get the lease, or rises above the holder. */
static uint64_t waiting_next_ns(const struct lease *lease, const struct lease_member *member,
				uint64_t now_ns)
{
	uint64_t next_ns = lease_ready_ns(lease, member, now_ns),
		 aging_ns = lease->settings.aging_ns;

	if (next_ns <= now_ns)
		next_ns = LEASE_NEVER;
	if (aging_ns > 0 && member->state == LEASE_WAITS &&
	    lease_level(lease, member, now_ns) < LEASE_PRIORITY_MOST)
		next_ns = lease_earlier(next_ns,
					member->want_ns +
						(lease_lift(lease, member, now_ns) + 1) * aging_ns);
	return next_ns;
}

static uint64_t holder_next_ns(const struct lease *lease, uint64_t now_ns)
{
	const struct lease_settings *settings = &lease->settings;
	const struct lease_member *holder = lease->holder;
	uint64_t next_ns = LEASE_NEVER;

	if (holder == NULL || holder->kind == LEASE_REQUEST)
		return LEASE_NEVER;
	if (holder->state == LEASE_REVOKED)
		return holder->revoked_ns + settings->yield_ns;
	if (settings->kernel_ns > 0)
		next_ns = holder->granted_ns + settings->kernel_ns;
	if (holder->vm->cap.percent > 0 || lease_is_contended(lease, now_ns))
		next_ns = lease_earlier(next_ns, holder->turn_at_ns + settings->turn_ns);
	return next_ns;
}

uint64_t lease_next_ns(const struct lease *lease, uint64_t now_ns)
{
	uint64_t next_ns = holder_next_ns(lease, now_ns);
	const struct lease_member *member;
	const struct lease_vm *vm;
	enum lease_what what;

	TAILQ_FOREACH(vm, &lease->vms, link)
		TAILQ_FOREACH(member, &vm->members, link) {
			next_ns = lease_earlier(next_ns, failure_ns(lease, member, &what));
			if (member->is_charged &&
			    (member->state == LEASE_ENDING || member->draining))
				next_ns = lease_earlier(next_ns, member->revoked_ns +
									 lease->settings.yield_ns);
			if (lease_is_waiting(lease, member))
				next_ns = lease_earlier(next_ns,
							waiting_next_ns(lease, member, now_ns));
			else if (member->state == LEASE_FROZEN &&
				 lease_ready_ns(lease, member, now_ns) > now_ns)
				next_ns = lease_earlier(next_ns,
							lease_ready_ns(lease, member, now_ns));
		}
	return next_ns;
}
