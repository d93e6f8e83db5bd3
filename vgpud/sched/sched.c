/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sched.c - which request runs next */

#include "vgpud/sched/sched.h"

#include <errno.h>
#include <stddef.h>

#include "common/wire/vgpu_regs.h"

/*
 * Theory of operation: every VM has one queue in order of arrival. All requests of a VM share its
 * pool, priority and pause, and the oldest has aged most and expires first. So a VM's best request
 * is always the head of its queue, and the best of all is the best head. Choosing visits each
 * waiting VM once. Nothing is sorted, so an administrator's change has nothing to reorder.
 *
 * A VM without a token is passed over. A clock of the VM counts that time: it runs from the visit
 * that found no token until the token's time. A request's limited time is what this clock counted
 * while the request was queued.
 *
 * States of an item: NONE -push-> QUEUED -pop-> STARTED -finish-> NONE,
 *                    STARTED -requeue-> QUEUED, QUEUED -remove, expire-> NONE.
 */

void sched_init(struct sched *s, unsigned vm_queue_max, uint64_t aging_ns)
{
	*s = (struct sched){ .vm_queue_max = vm_queue_max,
			     .aging_ns = aging_ns,
			     .token_ns = SCHED_NEVER };
	TAILQ_INIT(&s->waiting);
	TAILQ_INIT(&s->started);
}

void sched_vm_init(struct sched_vm *vm, uint8_t pool, uint8_t priority, bool paused)
{
	*vm = (struct sched_vm){ .pool = pool,
				 .priority = priority,
				 .paused = paused,
				 .limited_since_ns = SCHED_NEVER };
	TAILQ_INIT(&vm->queue);
}

static uint64_t earlier(uint64_t a_ns, uint64_t b_ns)
{
	return a_ns < b_ns ? a_ns : b_ns;
}

/* --- rule 8 --- */

/* Return: the VM's clock of waiting for tokens. */
static uint64_t limited_clock_ns(const struct sched_vm *vm, uint64_t now_ns)
{
	if (vm->limited_since_ns == SCHED_NEVER)
		return vm->limited_ns;
	return vm->limited_ns + earlier(now_ns, vm->token_ns) - vm->limited_since_ns;
}

static void stop_limited_clock(struct sched_vm *vm, uint64_t now_ns)
{
	vm->limited_ns = limited_clock_ns(vm, now_ns);
	vm->limited_since_ns = SCHED_NEVER;
}

void sched_vm_limit(struct sched_vm *vm, uint32_t rate_per_s, uint32_t burst, uint64_t now_ns)
{
	if (rate_per_s == vm->limit.rate_per_s && burst == vm->limit.burst)
		return;
	stop_limited_clock(vm, now_ns);
	limit_set(&vm->limit, rate_per_s, burst, now_ns);
}

uint64_t sched_limited_ns(const struct sched_item *item, uint64_t now_ns)
{
	if (item->state != SCHED_QUEUED)
		return item->limited_ns;
	return limited_clock_ns(item->vm, now_ns) - item->limited_ns;
}

/* Return: whether the VM has a token; if not, notes since when and until when. */
static bool has_token(struct sched *s, struct sched_vm *vm, uint64_t now_ns)
{
	uint64_t ready_ns;

	if (vm->limit.rate_per_s == 0)
		return true;
	ready_ns = limit_ready_ns(&vm->limit, now_ns);
	if (ready_ns <= now_ns)
		return true;
	if (vm->limited_since_ns == SCHED_NEVER) {
		vm->limited_since_ns = now_ns;
		vm->token_ns = ready_ns;
	}
	s->token_ns = earlier(s->token_ns, ready_ns);
	return false;
}

/* --- the queues --- */

/* Keeps the VM among the waiting exactly while it has something queued. */
static void note_queued(struct sched *s, struct sched_vm *vm, int change)
{
	if (vm->queued == 0)
		TAILQ_INSERT_TAIL(&s->waiting, vm, link);
	vm->queued += (unsigned)change;
	if (vm->queued == 0) {
		TAILQ_REMOVE(&s->waiting, vm, link);
		vm->limited_since_ns = SCHED_NEVER; /* an empty queue does not wait */
	}
}

bool sched_full(const struct sched *s, const struct sched_vm *vm)
{
	return vm->queued >= s->vm_queue_max; /* rule 5 */
}

int sched_push(struct sched *s, struct sched_vm *vm, struct sched_item *item, uint64_t now_ns)
{
	if (sched_full(s, vm))
		return -EDQUOT;
	*item = (struct sched_item){
		.vm = vm,
		.order = s->next_order++,
		.arrived_ns = now_ns,
		.limited_ns = limited_clock_ns(vm, now_ns),
		.state = SCHED_QUEUED,
	};
	TAILQ_INSERT_TAIL(&vm->queue, item, link);
	note_queued(s, vm, 1);
	return 0;
}

/* Rules 2 and 6: the priority that the request has by now. */
static unsigned level(const struct sched *s, const struct sched_item *item, uint64_t now_ns)
{
	uint64_t lifted = item->vm->priority;

	if (s->aging_ns > 0 && now_ns > item->arrived_ns)
		lifted += (now_ns - item->arrived_ns) / s->aging_ns;
	return lifted > VGPU_PRIORITY_HIGH ? VGPU_PRIORITY_HIGH : (unsigned)lifted;
}

bool sched_before(const struct sched *s, const struct sched_item *a, const struct sched_item *b,
		  uint64_t now_ns)
{
	unsigned level_a = level(s, a, now_ns), level_b = level(s, b, now_ns);

	return level_a != level_b ? level_a > level_b : a->order < b->order;
}

struct sched_item *sched_pop(struct sched *s, unsigned gpu, uint64_t now_ns)
{
	struct sched_item *best = NULL;
	struct sched_vm *vm;

	TAILQ_FOREACH(vm, &s->waiting, link) {
		const struct sched_pool *pool = &s->pool[vm->pool];
		struct sched_item *head = TAILQ_FIRST(&vm->queue);

		if (pool->gpu != gpu || vm->stalled || vm->waits_turn)
			continue;
		if (vm->paused) /* rule 1 */
			continue;
		if (!has_token(s, vm, now_ns)) /* rule 8 */
			continue;
		if (best == NULL || sched_before(s, head, best, now_ns))
			best = head;
	}
	/* Rule 4. While the best waits for a place, no request of lower rank takes it. */
	if (best == NULL || s->started_on[gpu] >= s->pool[best->vm->pool].window)
		return NULL;

	vm = best->vm;
	stop_limited_clock(vm, now_ns);
	limit_take(&vm->limit, now_ns);
	best->limited_ns = sched_limited_ns(best, now_ns);
	TAILQ_REMOVE(&vm->queue, best, link);
	note_queued(s, vm, -1);
	TAILQ_INSERT_TAIL(&s->started, best, link);
	s->started_on[gpu]++;
	vm->started++;
	best->state = SCHED_STARTED;
	best->started_ns = now_ns;
	best->pool = vm->pool;
	best->late = false;
	best->behind = false;
	return best;
}

void sched_behind(struct sched_item *item)
{
	item->behind = true;
}

void sched_begin(struct sched_item *item, uint64_t now_ns)
{
	item->behind = false;
	item->started_ns = now_ns;
}

static void stop(struct sched *s, struct sched_item *item)
{
	TAILQ_REMOVE(&s->started, item, link);
	s->started_on[s->pool[item->pool].gpu]--;
	item->vm->started--;
}

void sched_finish(struct sched *s, struct sched_item *item, uint64_t used_ns, uint64_t now_ns)
{
	uint64_t most_ns = now_ns > item->started_ns ? now_ns - item->started_ns : 0;

	item->used_ns = item->behind ? 0 : earlier(used_ns, most_ns);
	stop(s, item);
	item->state = SCHED_NONE;
}

void sched_requeue(struct sched *s, struct sched_item *item)
{
	struct sched_item *next;

	stop(s, item);
	limit_give_back(&item->vm->limit);
	item->state = SCHED_QUEUED;
	item->started_ns = 0;
	/* As if it had been queued all the time; a wait for a token that goes on counts in full. */
	item->limited_ns = item->vm->limited_ns - item->limited_ns;
	TAILQ_FOREACH(next, &item->vm->queue, link)
		if (item->order < next->order)
			break;
	if (next != NULL)
		TAILQ_INSERT_BEFORE(next, item, link);
	else
		TAILQ_INSERT_TAIL(&item->vm->queue, item, link);
	note_queued(s, item->vm, 1);
}

void sched_remove(struct sched *s, struct sched_item *item)
{
	TAILQ_REMOVE(&item->vm->queue, item, link);
	note_queued(s, item->vm, -1);
	item->state = SCHED_NONE;
}

static uint64_t waiting_expiry_ns(const struct sched *s, const struct sched_vm *vm)
{
	const struct sched_item *head = TAILQ_FIRST(&vm->queue);

	return head->arrived_ns + s->pool[vm->pool].deadline_ns;
}

static uint64_t hung_expiry_ns(const struct sched *s, const struct sched_item *item)
{
	if (item->behind)
		return SCHED_NEVER;
	return item->started_ns + s->pool[item->pool].exec_deadline_ns;
}

static uint64_t late_expiry_ns(const struct sched *s, const struct sched_item *item)
{
	if (item->late)
		return SCHED_NEVER;
	return item->arrived_ns + s->pool[item->pool].deadline_ns;
}

bool sched_is_overdue(const struct sched *s, uint64_t now_ns)
{
	const struct sched_item *item;

	TAILQ_FOREACH(item, &s->started, link)
		if (now_ns >= earlier(hung_expiry_ns(s, item), late_expiry_ns(s, item)))
			return true;
	return false;
}

struct sched_item *sched_expire(struct sched *s, uint64_t now_ns, enum sched_expiry *how)
{
	struct sched_item *item;
	struct sched_vm *vm;

	TAILQ_FOREACH(item, &s->started, link) {
		if (now_ns >= hung_expiry_ns(s, item)) {
			*how = SCHED_EXPIRED_HUNG;
			return item;
		}
		if (now_ns >= late_expiry_ns(s, item)) {
			item->late = true;
			*how = SCHED_EXPIRED_RUNNING;
			return item;
		}
	}
	TAILQ_FOREACH(vm, &s->waiting, link) {
		if (now_ns >= waiting_expiry_ns(s, vm)) {
			item = TAILQ_FIRST(&vm->queue);
			*how = vm->paused ? SCHED_EXPIRED_PAUSED : SCHED_EXPIRED_WAITING;
			item->limited_ns = sched_limited_ns(item, now_ns);
			sched_remove(s, item);
			return item;
		}
	}
	return NULL;
}

uint64_t sched_next_expiry_ns(const struct sched *s)
{
	const struct sched_item *item;
	const struct sched_vm *vm;
	uint64_t next_ns = SCHED_NEVER;

	TAILQ_FOREACH(item, &s->started, link) {
		next_ns = earlier(next_ns, hung_expiry_ns(s, item));
		next_ns = earlier(next_ns, late_expiry_ns(s, item));
	}
	TAILQ_FOREACH(vm, &s->waiting, link)
		next_ns = earlier(next_ns, waiting_expiry_ns(s, vm));
	return next_ns;
}
