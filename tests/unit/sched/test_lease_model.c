/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_lease_model.c - the arbiter of a GPU beside a model of its rules, over random histories */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vgpud/sched/lease.h"

/*
 * The model knows no intervals: it lets time pass nanosecond by nanosecond, and in each one looks
 * anew at who is charged and who waits. So it has no sums that could be split wrongly. It also says, for
 * each nanosecond that passes, whether something had to be decided: lease_next_ns() must not be later.
 */

#define VMS 3
#define MEMBERS 8
#define STEPS 400
#define HISTORIES 600
#define NOBODY (-1)

struct model_member {
	bool is_there, stopped, wants, acked, drained, draining;
	int vm, kind, state, lift, stuck;
	int charged; /* its place among those charged before the holder; 0: none */
	uint64_t number, want_ns, want_order, granted_ns, turn_at_ns, revoked_ns, missed_ns;
	uint64_t order_ns, turn_billed_ns, alone_ns, billed_ns, waited_ns[LEASE_WHY_NUM];
};

struct model_vm {
	struct lease_vm_settings settings;
	int64_t level, most; /* of the bucket, in hundredths of a nanosecond */
	bool was_ready;
	uint64_t order_ns, order_rest, number, floor_ns, billed_ns, waited_ns[LEASE_WHY_NUM];
	uint64_t rival_ns[VMS];
};

static unsigned stuck_turns; /* turns that a cap would not have given */

struct model {
	struct lease_settings settings;
	struct model_vm vm[VMS];
	struct model_member member[MEMBERS];
	int holder, charged_next;
	uint64_t number, next_order, floor_ns[LEASE_PRIORITIES];
	uint64_t since_ns, now_ns, billed_ns, idle_ns, overhead_ns;
};

static bool is_ready(const struct model_vm *vm)
{
	return vm->settings.cap_percent == 0 || vm->level >= 0;
}

static bool is_stopped(const struct model *m, const struct model_member *member)
{
	return member->stopped || m->vm[member->vm].settings.paused;
}

/* Its work goes on, perhaps because it waits for what its cap holds back. */
static bool may_be_stuck(const struct model *m, const struct model_member *member)
{
	uint64_t stuck_ns = m->settings.stuck_ns;

	for (int i = 0; i < member->stuck; i++)
		stuck_ns *= 2;
	return member->state == LEASE_OUTLASTS && stuck_ns != 0 &&
	       m->now_ns >= member->revoked_ns + stuck_ns;
}

static bool may_have_it(const struct model *m, const struct model_member *member)
{
	return member->is_there && !is_stopped(m, member) &&
	       (is_ready(&m->vm[member->vm]) || may_be_stuck(m, member));
}

static int payer(const struct model *m)
{
	int first = m->holder, place = 0;

	for (int i = 0; i < MEMBERS; i++) {
		if (m->member[i].charged == 0 || (place != 0 && m->member[i].charged > place))
			continue;
		place = m->member[i].charged;
		first = i;
	}
	return first;
}

/* Return: whether a member that waits does so for its cap. */
static bool waits_for_cap(const struct model *m, const struct model_member *member)
{
	int pays = payer(m);

	return !is_ready(&m->vm[member->vm]) &&
	       (pays == NOBODY || m->member[pays].vm != member->vm) &&
	       (m->holder == NOBODY || m->member[m->holder].vm != member->vm);
}

static enum lease_why why_waits(const struct model *m, const struct model_member *member)
{
	const struct model_member *holder = m->holder == NOBODY ? NULL : &m->member[m->holder];

	if (is_stopped(m, member))
		return LEASE_WHY_PAUSED;
	if (waits_for_cap(m, member))
		return LEASE_WHY_CAP;
	if (holder == NULL || holder->state == LEASE_REVOKED)
		return LEASE_WHY_HANDOVER;
	if (holder->vm == member->vm)
		return LEASE_WHY_OWN;
	if (m->vm[holder->vm].settings.priority > m->vm[member->vm].settings.priority)
		return LEASE_WHY_PRIORITY;
	return LEASE_WHY_SHARE;
}

static void advance(struct model *m, int i)
{
	struct model_vm *vm = &m->vm[m->member[i].vm];

	m->member[i].order_ns++;
	for (vm->order_rest += 100; vm->order_rest >= vm->settings.share;
	     vm->order_rest -= vm->settings.share)
		vm->order_ns++;
}

/* One nanosecond passes. */
static void tick(struct model *m)
{
	int pays = payer(m), used[VMS] = { 0 };
	bool contended = false;

	for (int i = 0; i < MEMBERS; i++) {
		struct model_member *member = &m->member[i];
		enum lease_why why;

		if (!member->is_there || member->state != LEASE_WAITS)
			continue;
		why = why_waits(m, member);
		contended |= why > LEASE_WHY_CAP;
		member->waited_ns[why]++;
		m->vm[member->vm].waited_ns[why]++;
		if (why > LEASE_WHY_CAP && pays != NOBODY)
			m->vm[member->vm].rival_ns[m->member[pays].vm]++;
	}
	if (pays != NOBODY) {
		m->billed_ns++;
		m->vm[m->member[pays].vm].billed_ns++;
		m->member[pays].billed_ns++;
		m->member[pays].turn_billed_ns++;
		m->member[pays].alone_ns += !contended;
		advance(m, pays);
		used[m->member[pays].vm]++;
	} else if (contended) {
		m->overhead_ns++;
	} else {
		m->idle_ns++;
	}
	if (m->holder != NOBODY && m->holder != pays && !m->member[pays].draining) {
		advance(m, m->holder);
		used[m->member[m->holder].vm]++;
	}
	for (int i = 0; i < VMS; i++) {
		struct model_vm *vm = &m->vm[i];

		vm->level += (int64_t)vm->settings.cap_percent - 100 * used[i];
		if (vm->level > vm->most)
			vm->level = vm->most;
	}
	m->now_ns++;
}

/* Return: whether the member is one of those who want the lease. */
static bool takes_part(const struct model *m, const struct model_member *member)
{
	return member->is_there && member->state != LEASE_NONE && member->state != LEASE_ENDING &&
	       !is_stopped(m, member);
}

/* Raises *floor to the least, if there is one. */
static void raise_to(uint64_t *floor_ns, uint64_t least_ns)
{
	if (least_ns != LEASE_NEVER && least_ns > *floor_ns)
		*floor_ns = least_ns;
}

static void note_floors(struct model *m)
{
	uint64_t of_priority[LEASE_PRIORITIES] = { LEASE_NEVER, LEASE_NEVER, LEASE_NEVER };

	for (int v = 0; v < VMS; v++) {
		uint64_t least_ns = LEASE_NEVER, *level = &of_priority[m->vm[v].settings.priority];

		for (int i = 0; i < MEMBERS; i++) {
			const struct model_member *member = &m->member[i];
			bool waits = member->state == LEASE_WAITS || member->state == LEASE_FROZEN;

			if (member->vm == v && takes_part(m, member) &&
			    !(waits && !m->vm[v].was_ready) && member->order_ns < least_ns)
				least_ns = member->order_ns;
		}
		raise_to(&m->vm[v].floor_ns, least_ns);
		if (least_ns != LEASE_NEVER && m->vm[v].order_ns < *level)
			*level = m->vm[v].order_ns;
	}
	for (int i = 0; i < LEASE_PRIORITIES; i++)
		raise_to(&m->floor_ns[i], of_priority[i]);
	for (int v = 0; v < VMS; v++) {
		struct model_vm *vm = &m->vm[v];
		uint64_t floor_ns = m->floor_ns[vm->settings.priority];
		uint64_t turn_ns = m->settings.turn_ns * 100 / vm->settings.share;

		if (vm->settings.cap_percent != 0 && floor_ns > turn_ns)
			raise_to(&vm->order_ns, floor_ns - turn_ns);
	}
}

static void enter_vm(struct model *m, int v)
{
	for (int i = 0; i < MEMBERS; i++)
		if (m->member[i].vm == v && takes_part(m, &m->member[i]))
			return;
	raise_to(&m->vm[v].order_ns, m->floor_ns[m->vm[v].settings.priority]);
}

/* --- the model's decisions --- */

static int at_most_high(uint64_t level)
{
	return level > 2 ? 2 : (int)level;
}

static uint64_t lift(const struct model *m, const struct model_member *member)
{
	uint64_t steps = 0;

	if (m->settings.aging_ns != 0 && member->state == LEASE_WAITS)
		while (member->want_ns + (steps + 1) * m->settings.aging_ns <= m->now_ns)
			steps++;
	return steps;
}

/* What members are compared by, the first that differs; smaller comes first. */
#define KEYS 9
static void keys_of(const struct model *m, int i, uint64_t keys[KEYS])
{
	const struct model_member *member = &m->member[i];
	const struct model_vm *vm = &m->vm[member->vm];
	const uint64_t all[KEYS] = {
		(uint64_t)(2 - at_most_high(vm->settings.priority + lift(m, member))),
		vm->settings.priority,
		member->kind == LEASE_REQUEST ? 0 : 1,
		vm->order_ns,
		vm->number,
		(uint64_t)member->vm,
		member->order_ns,
		member->number,
		member->want_order,
	};

	memcpy(keys, all, sizeof(all));
}

static bool comes_before(const struct model *m, int a, int b)
{
	uint64_t keys_a[KEYS], keys_b[KEYS];

	keys_of(m, a, keys_a);
	keys_of(m, b, keys_b);
	for (int i = 0; i < KEYS; i++)
		if (keys_a[i] != keys_b[i])
			return keys_a[i] < keys_b[i];
	return false;
}

/* An outlaster that wants more may get it, unless it could then hide a kernel without end. */
static bool is_candidate(const struct model *m, const struct model_member *member)
{
	if (member->state == LEASE_OUTLASTS)
		return member->wants && member->acked && !member->draining &&
		       m->settings.kernel_ns == 0;
	return member->state == LEASE_WAITS;
}

static int next_one(const struct model *m, bool frozen)
{
	int first = NOBODY;

	for (int i = 0; i < MEMBERS; i++) {
		const struct model_member *member = &m->member[i];

		if (may_have_it(m, member) &&
		    (is_candidate(m, member) || (frozen && member->state == LEASE_FROZEN)) &&
		    (first == NOBODY || comes_before(m, i, first)))
			first = i;
	}
	return first;
}

/* Return: whether the member fails to do what it was told to; what: what follows. */
static bool fails(const struct model *m, const struct model_member *member, int *what)
{
	uint64_t told_ns = m->now_ns - member->revoked_ns;
	bool deaf, hung;

	if (!member->is_there ||
	    (member->state != LEASE_REVOKED && member->state != LEASE_OUTLASTS))
		return false;
	deaf = !member->acked && told_ns >= m->settings.ack_ns;
	hung = m->settings.kernel_ns != 0 && told_ns >= m->settings.kernel_ns;
	if (hung && (!deaf || m->settings.kernel_ns <= m->settings.ack_ns))
		*what = LEASE_END_HUNG;
	else if (member->missed_ns != LEASE_NEVER &&
		 member->revoked_ns + m->settings.ack_ns <
			 member->missed_ns + m->settings.repeat_ns)
		*what = LEASE_END_DEAF;
	else
		*what = LEASE_FREEZE;
	return deaf || hung;
}

/* Return: how long a turn lasts of a member whose cap has nothing left. */
static uint64_t capped_turn_ns(const struct model *m, const struct model_member *member)
{
	uint64_t turn_ns = m->settings.turn_ns;

	for (int i = 0; i < member->stuck; i++)
		turn_ns *= 2;
	return turn_ns;
}

enum verdict { KEEPS, TURNS, OVER };

static enum verdict judge_holder(const struct model *m)
{
	const struct model_member *holder = &m->member[m->holder];
	const struct model_vm *vm = &m->vm[holder->vm];
	int next = next_one(m, false);

	if (holder->kind == LEASE_REQUEST || holder->state != LEASE_HOLDS)
		return KEEPS;
	if (is_stopped(m, holder))
		return OVER;
	if (next != NOBODY &&
	    at_most_high(m->vm[m->member[next].vm].settings.priority + lift(m, &m->member[next])) >
		    at_most_high((uint64_t)(vm->settings.priority + holder->lift)))
		return OVER;
	if (m->settings.kernel_ns != 0 && m->now_ns >= holder->granted_ns + m->settings.kernel_ns)
		return OVER;
	if (m->now_ns < holder->turn_at_ns + m->settings.turn_ns)
		return KEEPS;
	if ((!is_ready(vm) && m->now_ns >= holder->granted_ns + capped_turn_ns(m, holder)) ||
	    (next != NOBODY && comes_before(m, next, m->holder)))
		return OVER;
	return next_one(m, true) != NOBODY || vm->settings.cap_percent != 0 ? TURNS : KEEPS;
}

/* Return: who is frozen while its turn comes and another one has the lease; NOBODY. */
static int passes_frozen(const struct model *m)
{
	const struct model_member *holder = &m->member[m->holder];
	int next = next_one(m, true);

	if (m->holder == NOBODY || holder->kind == LEASE_REQUEST || holder->state != LEASE_HOLDS ||
	    m->now_ns < holder->turn_at_ns + m->settings.turn_ns || next == NOBODY ||
	    m->member[next].state != LEASE_FROZEN || !comes_before(m, next, m->holder))
		return NOBODY;
	return next;
}

static bool past_yield(const struct model *m, const struct model_member *member)
{
	return m->now_ns >= member->revoked_ns + m->settings.yield_ns;
}

/* Return: whether lease_decide() has to be called now. */
static bool is_due(const struct model *m)
{
	int what;

	for (int i = 0; i < MEMBERS; i++)
		if (fails(m, &m->member[i], &what) ||
		    ((m->member[i].state == LEASE_ENDING || m->member[i].draining) &&
		     m->member[i].charged != 0 && past_yield(m, &m->member[i])))
			return true;
	if (m->holder == NOBODY)
		return next_one(m, true) != NOBODY;
	if (m->member[m->holder].state == LEASE_REVOKED &&
	    m->member[m->holder].kind != LEASE_REQUEST)
		return past_yield(m, &m->member[m->holder]);
	return judge_holder(m) != KEEPS || passes_frozen(m) != NOBODY;
}

static void let_go(struct model *m, int i)
{
	if (m->holder == i)
		m->holder = NOBODY;
	m->member[i].charged = 0;
}

static void finish(struct model *m, int i)
{
	let_go(m, i);
	m->member[i].state = m->member[i].wants ? LEASE_WAITS : LEASE_NONE;
	m->member[i].wants = m->member[i].draining = false;
	m->member[i].stuck = 0;
}

static void charge_on(struct model *m, int i, int state)
{
	let_go(m, i);
	m->member[i].charged = ++m->charged_next;
	m->member[i].state = state;
}

static void end_member(struct model *m, int i)
{
	if (m->holder == i)
		charge_on(m, i, LEASE_ENDING);
	m->member[i].state = LEASE_ENDING;
	m->member[i].draining = false;
	m->member[i].revoked_ns = m->now_ns;
}

/* Carries out a failure. */
static void model_fail(struct model *m, int i, int what)
{
	if (what != LEASE_FREEZE) {
		end_member(m, i);
		return;
	}
	let_go(m, i);
	m->member[i].state = LEASE_FROZEN;
	m->member[i].missed_ns = m->now_ns;
}

/* Its turn passes. */
static int model_thaw(struct model *m, int i, int *what)
{
	for (uint64_t ns = 0; ns < m->settings.turn_ns; ns++)
		advance(m, i);
	charge_on(m, i, LEASE_OUTLASTS);
	m->member[i].revoked_ns = m->now_ns;
	if (m->member[i].drained)
		finish(m, i);
	*what = LEASE_THAW;
	return i;
}

/* All but failures. Return: who is told something, and what; NOBODY. */
static int model_decide(struct model *m, int *what)
{
	int next;

	for (int i = 0; i < MEMBERS; i++) {
		if (m->member[i].charged == 0 || !past_yield(m, &m->member[i]))
			continue;
		m->member[i].draining = false;
		if (m->member[i].state == LEASE_ENDING)
			let_go(m, i);
	}
	if (passes_frozen(m) != NOBODY)
		return model_thaw(m, passes_frozen(m), what);
	if (m->holder != NOBODY) {
		struct model_member *holder = &m->member[m->holder];
		enum verdict verdict = judge_holder(m);

		if (holder->state == LEASE_REVOKED && past_yield(m, holder))
			charge_on(m, m->holder, LEASE_OUTLASTS);
		if (verdict == TURNS) {
			holder->turn_at_ns = m->now_ns;
			holder->lift = 0;
		}
		if (verdict == OVER) {
			holder->state = LEASE_REVOKED;
			holder->revoked_ns = m->now_ns;
			holder->acked = holder->drained = false;
			*what = LEASE_REVOKE;
			return m->holder;
		}
	}
	next = m->holder == NOBODY ? next_one(m, true) : NOBODY;
	if (next == NOBODY)
		return NOBODY;
	if (m->member[next].state == LEASE_FROZEN)
		return model_thaw(m, next, what);
	if (is_ready(&m->vm[m->member[next].vm])) {
		m->member[next].stuck = 0;
	} else {
		stuck_turns++;
		if (m->member[next].stuck < 10)
			m->member[next].stuck++;
	}
	m->member[next].lift = at_most_high(lift(m, &m->member[next]));
	m->member[next].charged = 0;
	m->member[next].wants = false;
	m->member[next].state = LEASE_HOLDS;
	m->member[next].number = m->vm[m->member[next].vm].number = ++m->number;
	m->member[next].granted_ns = m->member[next].turn_at_ns = m->now_ns;
	m->member[next].turn_billed_ns = m->member[next].alone_ns = 0;
	m->holder = next;
	*what = LEASE_GRANT;
	return next;
}

/* --- histories --- */

struct history {
	struct model m;
	struct lease lease;
	struct lease_vm vm[VMS];
	struct lease_member member[MEMBERS];
	uint64_t next_ns;
	uint32_t seed0, seed;
	int step;
	const char *doing;
	bool trace, has_passed;
	unsigned decided[LEASE_END_HUNG + 1], rested, tails, fitting, drainings;
};

#define CHECK(h, ok)                                                                  \
	do {                                                                          \
		if (!(ok))                                                            \
			fail_msg("%s\n  seed %u, step %d, %s, now %llu ns "           \
				 "(run again with LEASE_SEED=%u to see the history)", \
				 #ok, (h)->seed0, (h)->step, (h)->doing,              \
				 (unsigned long long)(h)->m.now_ns, (h)->seed0);      \
	} while (0)

static uint32_t draw(struct history *h, uint32_t below)
{
	h->seed ^= h->seed << 13;
	h->seed ^= h->seed >> 17;
	h->seed ^= h->seed << 5;
	return h->seed % below;
}

/* Time passes in the model until then: as in the arbiter when an event comes. */
static void pass_until(struct history *h, uint64_t until_ns)
{
	for (int i = 0; i < VMS; i++)
		h->m.vm[i].was_ready = is_ready(&h->m.vm[i]);
	while (h->m.now_ns < until_ns) {
		tick(&h->m);
		if (h->m.now_ns < h->next_ns && h->m.now_ns < until_ns)
			CHECK(h, !is_due(&h->m));
	}
	note_floors(&h->m);
}

/* An event: the arbiter counts the time that has passed since the last one, be it none. */
static void event(struct history *h, const char *doing)
{
	h->doing = doing;
	if (!h->has_passed)
		pass_until(h, h->m.now_ns);
	h->has_passed = false;
}

static struct lease_settings draw_settings(struct history *h)
{
	return (struct lease_settings){
		.turn_ns = 10 + draw(h, 40),
		.idle_ns = draw(h, 8),
		.yield_ns = 5 + draw(h, 40),
		.ack_ns = 5 + draw(h, 60),
		.repeat_ns = 100 + draw(h, 1000),
		.kernel_ns = draw(h, 2) != 0 ? 0 : 10 + draw(h, 100),
		.stuck_ns = draw(h, 4) == 0 ? 0 : 1 + draw(h, 40),
		.aging_ns = draw(h, 2) == 0 ? 0 : 20 + draw(h, 100),
	};
}

static struct lease_vm_settings draw_vm(struct history *h)
{
	static const uint32_t shares[] = { 100, 100, 1, 50, 300, 7, LEASE_SHARE_MOST };

	return (struct lease_vm_settings){
		.priority = (uint8_t)(draw(h, 3) == 0 ? draw(h, 3) : 1),
		.paused = draw(h, 5) == 0,
		.share = shares[draw(h, 7)],
		.cap_percent = draw(h, 3) != 0 ? 0 : 1 + draw(h, 100),
	};
}

static void set_level(struct model_vm *vm, uint32_t percent, uint64_t most_ns)
{
	if (vm->settings.cap_percent == 0 || percent == 0)
		vm->level = 0;
	vm->most = percent == 0 ? 0 : (int64_t)most_ns * 100;
	if (vm->level > vm->most)
		vm->level = vm->most;
	vm->settings.cap_percent = percent;
}

static void do_join(struct history *h, int i)
{
	int vm = (int)draw(h, VMS), kind = draw(h, 4) == 0 ? LEASE_REQUEST : LEASE_PROGRAM;

	event(h, "join");
	h->m.member[i] = (struct model_member){
		.is_there = true, .vm = vm, .kind = kind, .missed_ns = LEASE_NEVER
	};
	memset(&h->member[i], 0xee, sizeof(h->member[i]));
	lease_join(&h->lease, &h->vm[vm], &h->member[i], (enum lease_kind)kind, h->m.now_ns);
}

static void do_leave(struct history *h, int i)
{
	event(h, "leave");
	lease_leave(&h->lease, &h->member[i], h->m.now_ns);
	let_go(&h->m, i);
	h->m.member[i].is_there = false;
}

static void do_end(struct history *h, int i)
{
	event(h, "end");
	lease_end(&h->lease, &h->member[i], h->m.now_ns);
	if (h->m.member[i].state != LEASE_ENDING)
		end_member(&h->m, i);
}

static bool is_asked_back(const struct model_member *member)
{
	return member->state == LEASE_REVOKED || member->state == LEASE_OUTLASTS ||
	       member->state == LEASE_FROZEN;
}

static void do_want(struct history *h, int i)
{
	struct model_member *member = &h->m.member[i];

	event(h, "want");
	lease_want(&h->lease, &h->member[i], h->m.now_ns);
	if (member->state == LEASE_NONE) {
		enter_vm(&h->m, member->vm);
		raise_to(&member->order_ns, h->m.vm[member->vm].floor_ns);
		member->state = LEASE_WAITS;
	} else if (is_asked_back(member) && !member->wants) {
		member->wants = true;
	} else {
		return;
	}
	member->want_ns = h->m.now_ns;
	member->want_order = h->m.next_order++;
}

/* Return: a number that a member says: of its last grant, mostly. */
static uint64_t draw_number(struct history *h, int i)
{
	return draw(h, 8) == 0 ? draw(h, 5) : h->m.member[i].number;
}

static void model_drained(struct history *h, int i, uint64_t number)
{
	struct model_member *member = &h->m.member[i];

	if (number != member->number)
		return;
	if (member->state == LEASE_FROZEN)
		member->acked = member->drained = true;
	else if (member->state == LEASE_HOLDS || is_asked_back(member))
		finish(&h->m, i);
}

static void model_refund(struct history *h, int i, uint64_t ns, uint64_t overhead_ns)
{
	struct model_member *member = &h->m.member[i];
	struct model_vm *vm = &h->m.vm[member->vm];

	member->billed_ns -= ns;
	member->turn_billed_ns -= ns;
	vm->billed_ns -= ns;
	h->m.billed_ns -= ns;
	h->m.overhead_ns += overhead_ns;
	h->m.idle_ns += ns - overhead_ns;
	if (vm->settings.cap_percent != 0)
		vm->level += (int64_t)ns * 100;
	if (vm->level > vm->most)
		vm->level = vm->most;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void do_return(struct history *h, int i)
{
	struct model_member *member = &h->m.member[i];
	uint64_t number = draw_number(h, i), tail_ns = draw(h, 30), counted_ns, others_ns;

	event(h, "return");
	lease_return(&h->lease, &h->member[i], number, tail_ns, h->m.now_ns);
	if (h->m.holder == i && number == member->number) {
		counted_ns = least(least(tail_ns, h->m.settings.idle_ns), member->turn_billed_ns);
		others_ns = least(counted_ns, member->turn_billed_ns - member->alone_ns);
		model_refund(h, i, counted_ns, others_ns);
		h->tails += counted_ns > 0;
	}
	model_drained(h, i, number);
}

static void do_rest(struct history *h, int i)
{
	struct model_member *member = &h->m.member[i];
	uint64_t idle_ns = draw(h, 40);

	event(h, "rest");
	lease_rest(&h->lease, &h->member[i], idle_ns, h->m.now_ns);
	if (h->m.holder != i)
		return;
	idle_ns = least(idle_ns, member->alone_ns);
	h->rested += idle_ns > 0;
	member->alone_ns -= idle_ns;
	model_refund(h, i, idle_ns, 0);
}

static void do_ack(struct history *h, int i)
{
	uint64_t number = draw_number(h, i);

	event(h, "ack");
	lease_ack(&h->lease, &h->member[i], number, h->m.now_ns);
	if (number == h->m.member[i].number && is_asked_back(&h->m.member[i]))
		h->m.member[i].acked = true;
}

/* The holder says so, mostly; requests never do. */
static void do_draining(struct history *h, int drawn)
{
	int i = h->m.holder != NOBODY && draw(h, 4) != 0 ? h->m.holder : drawn;
	uint64_t number = draw_number(h, i);
	struct model_member *member = &h->m.member[i];

	if (member->kind == LEASE_REQUEST)
		return;
	event(h, "draining");
	lease_draining(&h->lease, &h->member[i], number, h->m.now_ns);
	if (number != member->number || h->m.holder != i)
		return;
	if (member->state == LEASE_HOLDS)
		member->revoked_ns = h->m.now_ns;
	charge_on(&h->m, i, LEASE_OUTLASTS);
	member->acked = member->draining = true;
	h->drainings++;
}

static void do_drained(struct history *h, int i)
{
	uint64_t number = draw_number(h, i);

	event(h, "drained");
	lease_drained(&h->lease, &h->member[i], number, h->m.now_ns);
	model_drained(h, i, number);
}

static void do_stop(struct history *h, int i)
{
	struct model_member *member = &h->m.member[i];
	bool stopped = draw(h, 3) == 0;

	event(h, "stop");
	lease_stop(&h->lease, &h->member[i], stopped, h->m.now_ns);
	if (member->stopped && !stopped) {
		enter_vm(&h->m, member->vm);
		raise_to(&member->order_ns, h->m.vm[member->vm].floor_ns);
	}
	member->stopped = stopped;
}

static void do_vm(struct history *h)
{
	int v = (int)draw(h, VMS);
	struct lease_vm_settings settings = draw_vm(h);
	struct model_vm *vm = &h->m.vm[v];

	event(h, "change of a vm");
	lease_vm_set(&h->lease, &h->vm[v], &settings, h->m.now_ns);
	if (settings.priority != vm->settings.priority)
		vm->order_ns = h->m.floor_ns[settings.priority];
	else if (vm->settings.paused)
		enter_vm(&h->m, v);
	set_level(vm, settings.cap_percent, h->m.settings.turn_ns);
	vm->settings = settings;
	vm->order_rest %= settings.share;
}

static void do_settings(struct history *h)
{
	struct lease_settings settings = draw_settings(h);

	event(h, "change of the settings");
	lease_set(&h->lease, &settings, h->m.now_ns);
	h->m.settings = settings;
	for (int i = 0; i < VMS; i++)
		set_level(&h->m.vm[i], h->m.vm[i].settings.cap_percent, settings.turn_ns);
}

/* Both decide until nothing is left. */
static void decide(struct history *h)
{
	struct lease_decision got;
	int what = 0, want;

	h->doing = "decide";
	for (;;) {
		bool failed = false;

		event(h, "decide");
		if (!lease_decide(&h->lease, h->m.now_ns, &got)) {
			for (int i = 0; i < MEMBERS; i++)
				failed |= fails(&h->m, &h->m.member[i], &what);
			CHECK(h, !failed);
			CHECK(h, model_decide(&h->m, &what) == NOBODY);
			return;
		}
		want = (int)(got.member - h->member);
		CHECK(h, want >= 0 && want < MEMBERS);
		h->decided[got.what]++;
		if (h->trace)
			printf("# %llu: decision %d for member %d\n",
			       (unsigned long long)h->m.now_ns, (int)got.what, want);
		if (fails(&h->m, &h->m.member[want], &what)) {
			CHECK(h, (int)got.what == what);
			model_fail(&h->m, want, what);
		} else {
			CHECK(h, want == model_decide(&h->m, &what) && (int)got.what == what);
		}
		CHECK(h, got.number == h->m.member[want].number);
	}
}

static void compare_member(struct history *h, const struct lease_member *got,
			   const struct model_member *want)
{
	CHECK(h, (int)got->state == want->state && got->wants == want->wants);
	CHECK(h, got->billed_ns == want->billed_ns && got->order_ns == want->order_ns);
	CHECK(h, got->turn_billed_ns == want->turn_billed_ns);
	CHECK(h, got->alone_ns == want->alone_ns);
	for (int i = 0; i < LEASE_WHY_NUM; i++)
		CHECK(h, got->waited_ns[i] == want->waited_ns[i]);
}

static void compare_vm(struct history *h, const struct lease_vm *got, const struct model_vm *want)
{
	uint64_t behind_ns = got->rival_other_ns, want_behind_ns = 0;

	CHECK(h, got->billed_ns == want->billed_ns && got->order_ns == want->order_ns);
	CHECK(h, (cap_ready_ns(&got->cap, h->m.now_ns) == h->m.now_ns) == is_ready(want));
	for (int i = 0; i < LEASE_WHY_NUM; i++)
		CHECK(h, got->waited_ns[i] == want->waited_ns[i]);
	for (int i = 0; i < LEASE_RIVALS; i++)
		if (got->rival[i].ns != 0) {
			CHECK(h, got->rival[i].id < VMS);
			CHECK(h, got->rival[i].ns == want->rival_ns[got->rival[i].id]);
			behind_ns += got->rival[i].ns;
		}
	for (int i = 0; i < VMS; i++)
		want_behind_ns += want->rival_ns[i];
	CHECK(h, behind_ns == want_behind_ns);
}

static void compare(struct history *h)
{
	const struct lease *lease = &h->lease;
	uint64_t billed_ns = 0;

	CHECK(h, lease->holder == (h->m.holder == NOBODY ? NULL : &h->member[h->m.holder]));
	CHECK(h, lease->billed_ns == h->m.billed_ns && lease->idle_ns == h->m.idle_ns);
	CHECK(h, lease->overhead_ns == h->m.overhead_ns);
	CHECK(h, lease->billed_ns + lease->idle_ns + lease->overhead_ns ==
			 h->m.now_ns - h->m.since_ns);
	for (int i = 0; i < MEMBERS; i++)
		if (h->m.member[i].is_there)
			compare_member(h, &h->member[i], &h->m.member[i]);
	for (int i = 0; i < VMS; i++) {
		compare_vm(h, &h->vm[i], &h->m.vm[i]);
		billed_ns += h->vm[i].billed_ns;
	}
	CHECK(h, billed_ns == lease->billed_ns);
	for (int i = 0; i < LEASE_PRIORITIES; i++)
		CHECK(h, lease->floor_ns[i] == h->m.floor_ns[i]);
	h->next_ns = lease_next_ns(lease, h->m.now_ns);
	CHECK(h, h->next_ns > h->m.now_ns);
}

static void start(struct history *h, uint32_t seed0)
{
	memset(h, 0, sizeof(*h));
	h->seed0 = seed0;
	h->seed = seed0 * 2654435761u | 1;
	for (int i = 0; i < 8; i++)
		draw(h, 2);
	h->next_ns = LEASE_NEVER;
	h->m.holder = NOBODY;
	h->m.settings = draw_settings(h);
	h->m.since_ns = h->m.now_ns = 1000 + draw(h, 1000);
	lease_init(&h->lease, &h->m.settings, h->m.now_ns);
	for (int i = 0; i < VMS; i++) {
		struct lease_vm_settings settings = draw_vm(h);

		lease_vm_join(&h->lease, &h->vm[i], (uint32_t)i, &settings, h->m.now_ns);
		set_level(&h->m.vm[i], settings.cap_percent, h->m.settings.turn_ns);
		h->m.vm[i].settings = settings;
	}
}

static void one_event(struct history *h)
{
	int i = (int)draw(h, MEMBERS);
	uint32_t what = draw(h, 100);

	if (!h->m.member[i].is_there)
		do_join(h, i);
	else if (what < 30)
		do_want(h, i);
	else if (what < 45)
		do_return(h, i);
	else if (what < 55)
		do_rest(h, i);
	else if (what < 64)
		do_ack(h, i);
	else if (what < 77)
		do_drained(h, i);
	else if (what < 82)
		do_draining(h, i);
	else if (what < 88)
		do_stop(h, i);
	else if (what < 94)
		do_vm(h);
	else if (what < 95)
		do_settings(h);
	else if (what < 97)
		do_end(h, i);
	else
		do_leave(h, i);
}

static void one_step(struct history *h)
{
	uint64_t until_ns = h->m.now_ns + draw(h, 20);

	/* At the time that was asked for, just before it, or whenever. */
	if (h->next_ns < h->m.now_ns + 300 && draw(h, 3) != 0) {
		until_ns = h->next_ns - draw(h, 2);
		h->fitting++;
	}
	h->doing = "time passes";
	pass_until(h, until_ns);
	h->has_passed = true;
	if (draw(h, 3) != 0)
		one_event(h);
	if (h->trace)
		printf("# step %d, now %llu: %s\n", h->step, (unsigned long long)h->m.now_ns,
		       h->doing);
	decide(h);
	compare(h);
}

static void run_history(struct history *h, uint32_t seed0, bool trace)
{
	start(h, seed0);
	h->trace = trace;
	for (h->step = 0; h->step < STEPS; h->step++)
		one_step(h);
}

static void random_histories_as_the_model(void **state)
{
	static struct history h;
	const char *seed = getenv("LEASE_SEED");
	unsigned decided[LEASE_END_HUNG + 1] = { 0 }, rested = 0, tails = 0, fitting = 0;
	unsigned drainings = 0;

	(void)state;
	if (seed != NULL) {
		run_history(&h, (uint32_t)strtoul(seed, NULL, 10), true);
		return;
	}
	for (uint32_t seed0 = 1; seed0 <= HISTORIES; seed0++) {
		run_history(&h, seed0, false);
		for (int i = 0; i <= LEASE_END_HUNG; i++)
			decided[i] += h.decided[i];
		rested += h.rested;
		tails += h.tails;
		fitting += h.fitting;
		drainings += h.drainings;
	}
	/* The histories came everywhere. */
	for (int i = 0; i <= LEASE_END_HUNG; i++)
		assert_true(decided[i] > HISTORIES / 2);
	assert_true(decided[LEASE_GRANT] > 10 * HISTORIES);
	assert_true(rested > HISTORIES && tails > HISTORIES && fitting > 20 * HISTORIES);
	assert_true(drainings > HISTORIES && stuck_turns > HISTORIES / 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(random_histories_as_the_model) };

	return cmocka_run_group_tests_name("lease_model", tests, NULL, NULL);
}
