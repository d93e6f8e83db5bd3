/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_lease.c - the rules of a GPU's arbiter, one by one */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vgpud/sched/lease.h"

#define US UINT64_C(1000)
#define MS (1000 * US)
#define S (1000 * MS)
#define LOW 0
#define MEDIUM 1
#define HIGH 2
#define START_NS (77 * S)

static const struct lease_settings defaults = {
	.turn_ns = 5 * MS,
	.idle_ns = 50 * US,
	.yield_ns = 10 * MS,
	.ack_ns = 20 * MS,
	.repeat_ns = 60 * S,
};

/* A GPU with VMs; `now_ns` is its clock. */
struct gpu {
	struct lease lease;
	struct lease_vm vm[4];
	struct lease_member member[8];
	struct lease_decision last;
	uint64_t now_ns;
};

static void gpu_init(struct gpu *gpu, const struct lease_settings *settings)
{
	memset(gpu, 0, sizeof(*gpu));
	gpu->now_ns = START_NS;
	lease_init(&gpu->lease, settings, gpu->now_ns);
}

static void vm_init(struct gpu *gpu, int vm, uint8_t priority, uint32_t share, uint32_t cap_percent)
{
	struct lease_vm_settings settings = { .priority = priority,
					      .share = share,
					      .cap_percent = cap_percent };

	lease_vm_join(&gpu->lease, &gpu->vm[vm], (uint32_t)vm, &settings, gpu->now_ns);
}

static struct lease_member *join(struct gpu *gpu, int vm, int member)
{
	lease_join(&gpu->lease, &gpu->vm[vm], &gpu->member[member], LEASE_PROGRAM, gpu->now_ns);
	return &gpu->member[member];
}

/* Three VMs of medium priority and share 100, with one program each. */
static void three(struct gpu *gpu, const struct lease_settings *settings)
{
	gpu_init(gpu, settings);
	for (int i = 0; i < 3; i++) {
		vm_init(gpu, i, MEDIUM, 100, 0);
		join(gpu, i, i);
	}
}

static void set_vm(struct gpu *gpu, int vm, struct lease_vm_settings settings)
{
	lease_vm_set(&gpu->lease, &gpu->vm[vm], &settings, gpu->now_ns);
}

/* The next decision is this one, about this member. */
static void expect(struct gpu *gpu, enum lease_what what, const struct lease_member *member)
{
	assert_true(lease_decide(&gpu->lease, gpu->now_ns, &gpu->last));
	assert_int_equal(gpu->last.what, what);
	assert_ptr_equal(gpu->last.member, member);
	assert_true(gpu->last.number == member->number);
}

static void expect_nothing(struct gpu *gpu)
{
	assert_false(lease_decide(&gpu->lease, gpu->now_ns, &gpu->last));
}

/* Nothing is decided before that time, which the arbiter asks for. */
static void expect_next(struct gpu *gpu, uint64_t at_ns)
{
	expect_nothing(gpu);
	assert_true(lease_next_ns(&gpu->lease, gpu->now_ns) == at_ns);
	gpu->now_ns = at_ns - 1;
	expect_nothing(gpu);
	gpu->now_ns = at_ns;
}

static void want(struct gpu *gpu, struct lease_member *member)
{
	lease_want(&gpu->lease, member, gpu->now_ns);
}

static void ack(struct gpu *gpu, struct lease_member *member)
{
	lease_ack(&gpu->lease, member, member->number, gpu->now_ns);
}

static void drained(struct gpu *gpu, struct lease_member *member)
{
	lease_drained(&gpu->lease, member, member->number, gpu->now_ns);
}

static void give_back(struct gpu *gpu, struct lease_member *member, uint64_t tail_ns)
{
	lease_return(&gpu->lease, member, member->number, tail_ns, gpu->now_ns);
}

/* --- floods: members that want the lease all the time, and drain at once when it is taken back --- */

/* Return: how many decisions were made. */
static unsigned flood(struct gpu *gpu, uint64_t until_ns)
{
	unsigned num = 0;

	for (;;) {
		uint64_t next_ns;

		while (lease_decide(&gpu->lease, gpu->now_ns, &gpu->last)) {
			num++;
			if (gpu->last.what != LEASE_REVOKE)
				continue;
			want(gpu, gpu->last.member);
			ack(gpu, gpu->last.member);
			drained(gpu, gpu->last.member);
		}
		next_ns = lease_next_ns(&gpu->lease, gpu->now_ns);
		assert_true(next_ns > gpu->now_ns);
		if (next_ns > until_ns)
			break;
		gpu->now_ns = next_ns;
	}
	gpu->now_ns = until_ns;
	expect_nothing(gpu);
	assert_true(gpu->lease.billed_ns + gpu->lease.idle_ns + gpu->lease.overhead_ns ==
		    gpu->now_ns - START_NS);
	return num;
}

static void about(uint64_t got_ns, uint64_t want_ns, uint64_t within_ns)
{
	assert_in_range(got_ns, want_ns - within_ns, want_ns + within_ns);
}

/* --- rule 1 --- */

static void rule1_a_paused_vm_has_no_lease(void **state)
{
	struct gpu gpu;

	(void)state;
	three(&gpu, &defaults);
	set_vm(&gpu, 0, (struct lease_vm_settings){ MEDIUM, true, 100, 0 });
	want(&gpu, &gpu.member[0]);
	expect_nothing(&gpu);
	assert_true(lease_next_ns(&gpu.lease, gpu.now_ns) == LEASE_NEVER);
	gpu.now_ns += 3 * S;
	set_vm(&gpu, 0, (struct lease_vm_settings){ MEDIUM, false, 100, 0 });
	expect(&gpu, LEASE_GRANT, &gpu.member[0]);
	assert_true(gpu.vm[0].waited_ns[LEASE_WHY_PAUSED] == 3 * S);
	assert_true(gpu.lease.idle_ns == 3 * S && gpu.lease.overhead_ns == 0);
	/* And loses the one it has, at once and though nobody else wants it. */
	set_vm(&gpu, 0, (struct lease_vm_settings){ MEDIUM, true, 100, 0 });
	expect(&gpu, LEASE_REVOKE, &gpu.member[0]);
}

static void rule1_a_stopped_member_has_no_lease(void **state)
{
	struct gpu gpu;

	(void)state;
	three(&gpu, &defaults);
	join(&gpu, 0, 3);
	want(&gpu, &gpu.member[0]);
	expect(&gpu, LEASE_GRANT, &gpu.member[0]);
	want(&gpu, &gpu.member[3]);
	lease_stop(&gpu.lease, &gpu.member[0], true, gpu.now_ns);
	expect(&gpu, LEASE_REVOKE, &gpu.member[0]);
	want(&gpu, &gpu.member[0]);
	drained(&gpu, &gpu.member[0]);
	expect(&gpu, LEASE_GRANT, &gpu.member[3]); /* of the same VM, on another connection */
	give_back(&gpu, &gpu.member[3], 0);
	expect_nothing(&gpu);
	lease_stop(&gpu.lease, &gpu.member[0], false, gpu.now_ns);
	expect(&gpu, LEASE_GRANT, &gpu.member[0]);
}

static void rule1_who_was_paused_has_saved_nothing(void **state)
{
	struct gpu gpu;

	(void)state;
	three(&gpu, &defaults);
	set_vm(&gpu, 0, (struct lease_vm_settings){ MEDIUM, true, 100, 0 });
	want(&gpu, &gpu.member[0]);
	want(&gpu, &gpu.member[1]);
	flood(&gpu, START_NS + 60 * S);
	set_vm(&gpu, 0, (struct lease_vm_settings){ MEDIUM, false, 100, 0 });
	flood(&gpu, START_NS + 62 * S);
	about(gpu.vm[0].billed_ns, 1 * S, 6 * MS);
}

/* --- rule 2 --- */

static void rule2_a_higher_one_takes_the_lease_at_once(void **state)
{
	struct gpu gpu;

	(void)state;
	three(&gpu, &defaults);
	set_vm(&gpu, 1, (struct lease_vm_settings){ HIGH, false, 1, 0 });
	want(&gpu, &gpu.member[0]);
	expect(&gpu, LEASE_GRANT, &gpu.member[0]);
	gpu.now_ns += 7 * US;
	want(&gpu, &gpu.member[2]); /* an equal one waits for its turn */
	expect_nothing(&gpu);
	want(&gpu, &gpu.member[1]);
	expect(&gpu, LEASE_REVOKE, &gpu.member[0]);
	want(&gpu, &gpu.member[0]);
	drained(&gpu, &gpu.member[0]);
	expect(&gpu, LEASE_GRANT, &gpu.member[1]);
	/* It keeps it as long as it wants: turns are for equals. */
	flood(&gpu, START_NS + 2 * S);
	assert_true(gpu.lease.holder == &gpu.member[1]);
	gpu.now_ns += 1;
	give_back(&gpu, &gpu.member[1], 0);
	expect(&gpu, LEASE_GRANT, &gpu.member[2]); /* which has used less */
	about(gpu.vm[0].waited_ns[LEASE_WHY_PRIORITY], 2 * S, 10 * US);
}

static void rule2_a_change_of_priority_counts_at_once(void **state)
{
	struct gpu gpu;

	(void)state;
	three(&gpu, &defaults);
	want(&gpu, &gpu.member[0]);
	expect(&gpu, LEASE_GRANT, &gpu.member[0]);
	want(&gpu, &gpu.member[1]);
	expect_nothing(&gpu);
	set_vm(&gpu, 0, (struct lease_vm_settings){ LOW, false, 100, 0 });
	expect(&gpu, LEASE_REVOKE, &gpu.member[0]);
	drained(&gpu, &gpu.member[0]);
	expect(&gpu, LEASE_GRANT, &gpu.member[1]);
}

/* --- changes in the middle of floods --- */

/* Two VMs that want the GPU all the time, from share and cap on, until the middle of a turn. */
static void two_floods(struct gpu *gpu, uint32_t share, uint32_t cap_percent)
{
	gpu_init(gpu, &defaults);
	vm_init(gpu, 0, MEDIUM, share, cap_percent);
	vm_init(gpu, 1, MEDIUM, 100, 0);
	want(gpu, join(gpu, 0, 0));
	want(gpu, join(gpu, 1, 1));
	flood(gpu, START_NS + 10 * S + 2 * MS + 123);
}

/*
 * How far a VM may be from its new split at any time after a change: the turn that runs is not
 * taken back, and a split is made of whole turns.
 */
#define LATE_NS (2 * defaults.turn_ns)

/* Whenever a second has 100 looks: the first VM has had its part of the time since then. */
static void expect_part(struct gpu *gpu, uint32_t percent)
{
	uint64_t had_ns = gpu->vm[0].billed_ns, since_ns = gpu->now_ns;

	for (uint64_t at_ns = 0; at_ns < 1 * S; at_ns += 10 * MS) {
		uint64_t expected_ns;

		flood(gpu, since_ns + at_ns);
		expected_ns = at_ns * percent / 100;
		assert_in_range(gpu->vm[0].billed_ns - had_ns,
				expected_ns > LATE_NS ? expected_ns - LATE_NS : 0,
				expected_ns + LATE_NS);
	}
}

static void a_change_of_priority_is_a_turn_late_at_most(void **state)
{
	struct gpu gpu;

	(void)state;
	for (int round = 0; round < 8; round++) {
		two_floods(&gpu, 100, 0);
		flood(&gpu, gpu.now_ns + (uint64_t)round * 1700 * US);
		set_vm(&gpu, 0, (struct lease_vm_settings){ HIGH, false, 100, 0 });
		flood(&gpu, gpu.now_ns);
		assert_ptr_equal(gpu.lease.holder,
				 &gpu.member[0]); /* at once: it takes the lease */
		expect_part(&gpu, 100);
		set_vm(&gpu, 0, (struct lease_vm_settings){ LOW, false, 100, 0 });
		flood(&gpu, gpu.now_ns);
		assert_ptr_equal(gpu.lease.holder, &gpu.member[1]);
		expect_part(&gpu, 0);
		set_vm(&gpu, 0, (struct lease_vm_settings){ MEDIUM, false, 100, 0 });
		flood(&gpu, gpu.now_ns + defaults.turn_ns);
		assert_ptr_equal(gpu.lease.holder, &gpu.member[0]); /* at the end of a turn */
		expect_part(&gpu, 50);
	}
}

static void a_change_of_share_is_a_turn_late_at_most(void **state)
{
	struct gpu gpu;

	(void)state;
	for (int round = 0; round < 8; round++) {
		two_floods(&gpu, 100, 0);
		flood(&gpu, gpu.now_ns + (uint64_t)round * 1700 * US);
		set_vm(&gpu, 0, (struct lease_vm_settings){ MEDIUM, false, 400, 0 });
		expect_part(&gpu, 80);
		set_vm(&gpu, 0, (struct lease_vm_settings){ MEDIUM, false, 25, 0 });
		expect_part(&gpu, 20);
		set_vm(&gpu, 0, (struct lease_vm_settings){ MEDIUM, false, 100, 0 });
		expect_part(&gpu, 50);
	}
}

static void a_change_of_a_cap_is_a_turn_late_at_most(void **state)
{
	struct gpu gpu;

	(void)state;
	for (int round = 0; round < 8; round++) {
		two_floods(&gpu, 400, 0);
		flood(&gpu, gpu.now_ns + (uint64_t)round * 1700 * US);
		set_vm(&gpu, 0, (struct lease_vm_settings){ MEDIUM, false, 400, 30 });
		expect_part(&gpu, 30);
		set_vm(&gpu, 0, (struct lease_vm_settings){ MEDIUM, false, 400, 10 });
		expect_part(&gpu, 10);
		set_vm(&gpu, 0, (struct lease_vm_settings){ MEDIUM, false, 400, 70 });
		expect_part(&gpu, 70);
		set_vm(&gpu, 0, (struct lease_vm_settings){ MEDIUM, false, 400, 0 });
		expect_part(&gpu, 80);
	}
}

/* It is capped to less than its share for an hour. Then a third VM comes: each has a third, at once. */
static void a_cap_saves_no_more_than_a_turn(void **state)
{
	struct gpu gpu;

	(void)state;
	two_floods(&gpu, 100, 45);
	flood(&gpu, gpu.now_ns + 3600 * S);
	about(gpu.vm[0].billed_ns, 3610 * S / 100 * 45, 20 * MS);
	vm_init(&gpu, 2, MEDIUM, 100, 0);
	want(&gpu, join(&gpu, 2, 2));
	expect_part(&gpu, 33);
}

static void rule2_aging_lifts_for_one_turn(void **state)
{
	struct lease_settings settings = defaults;
	struct gpu gpu;

	(void)state;
	settings.aging_ns = 100 * MS;
	three(&gpu, &settings);
	set_vm(&gpu, 0, (struct lease_vm_settings){ HIGH, false, 100, 0 });
	set_vm(&gpu, 1, (struct lease_vm_settings){ LOW, false, 100, 0 });
	want(&gpu, &gpu.member[0]);
	expect(&gpu, LEASE_GRANT, &gpu.member[0]);
	want(&gpu, &gpu.member[1]);
	/* Two steps, then it comes first of equals, at the end of a turn. */
	flood(&gpu, START_NS + 199 * MS);
	assert_true(gpu.vm[1].billed_ns == 0);
	flood(&gpu, START_NS + 100 * S);
	/* One turn of 5 ms after each wait of 200 ms to 205 ms, no more. */
	about(gpu.vm[1].billed_ns, 100 * S * 5 / 207, 60 * MS);
}

static void rule2_without_aging_a_low_one_waits_for_ever(void **state)
{
	struct gpu gpu;

	(void)state;
	three(&gpu, &defaults);
	set_vm(&gpu, 1, (struct lease_vm_settings){ LOW, false, 10000, 0 });
	want(&gpu, &gpu.member[0]);
	want(&gpu, &gpu.member[1]);
	flood(&gpu, START_NS + 1000 * S);
	assert_true(gpu.vm[1].billed_ns == 0);
}

/* --- rule 3 --- */

static void rule3_vms_share_by_weight_then_their_programs_equally(void **state)
{
	struct gpu gpu;

	(void)state;
	gpu_init(&gpu, &defaults);
	vm_init(&gpu, 0, MEDIUM, 100, 0);
	vm_init(&gpu, 1, MEDIUM, 200, 0);
	vm_init(&gpu, 2, MEDIUM, 400, 0);
	for (int i = 0; i < 4; i++)
		want(&gpu, join(&gpu, 0, i));
	want(&gpu, join(&gpu, 1, 4));
	want(&gpu, join(&gpu, 2, 5));
	want(&gpu, join(&gpu, 2, 6));
	flood(&gpu, START_NS + 70 * S);
	for (int i = 0; i < 3; i++)
		about(gpu.vm[i].billed_ns, (10 * S) << i, 10 * MS);
	for (int i = 0; i < 4; i++)
		about(gpu.member[i].billed_ns, 10 * S / 4, 10 * MS);
	about(gpu.member[5].billed_ns, gpu.member[6].billed_ns, 10 * MS);
	/* A change of the share counts from the next turn on. */
	set_vm(&gpu, 0, (struct lease_vm_settings){ MEDIUM, false, 600, 0 });
	flood(&gpu, START_NS + 82 * S);
	about(gpu.vm[0].billed_ns, 16 * S, 10 * MS);
}

static void rule3_a_newcomer_counts_as_the_least_of_those_who_want(void **state)
{
	struct gpu gpu;

	(void)state;
	three(&gpu, &defaults);
	want(&gpu, &gpu.member[0]);
	want(&gpu, &gpu.member[1]);
	flood(&gpu, START_NS + 100 * S);
	/* It has used nothing for 100 s, and gets a third from now on, not all of it. */
	want(&gpu, &gpu.member[2]);
	flood(&gpu, START_NS + 103 * S);
	for (int i = 0; i < 3; i++)
		about(gpu.vm[i].billed_ns, (i < 2 ? 51 : 1) * S, 10 * MS);
	/* Nor does a new program of a VM lock out the others of that VM. */
	want(&gpu, join(&gpu, 0, 3));
	flood(&gpu, START_NS + 109 * S);
	about(gpu.member[3].billed_ns, 1 * S, 10 * MS);
}

static void rule3_who_comes_while_the_others_sleep_gets_no_credit(void **state)
{
	struct gpu gpu;

	(void)state;
	three(&gpu, &defaults);
	want(&gpu, &gpu.member[0]);
	flood(&gpu, START_NS + 100 * S);
	give_back(&gpu, &gpu.member[0], 0);
	expect_nothing(&gpu);
	want(&gpu, &gpu.member[1]);
	flood(&gpu, gpu.now_ns + 1 * MS);
	want(&gpu, &gpu.member[0]);
	flood(&gpu, gpu.now_ns + 2 * S);
	about(gpu.vm[1].billed_ns, 1 * S, 10 * MS);
}

/* --- rule 4 --- */

static void rule4_a_turn_lasts_when_others_want(void **state)
{
	struct gpu gpu;

	(void)state;
	three(&gpu, &defaults);
	want(&gpu, &gpu.member[0]);
	expect(&gpu, LEASE_GRANT, &gpu.member[0]);
	assert_true(lease_next_ns(&gpu.lease, gpu.now_ns) == LEASE_NEVER);
	gpu.now_ns += 1 * MS;
	want(&gpu, &gpu.member[1]);
	expect_next(&gpu, START_NS + 5 * MS);
	expect(&gpu, LEASE_REVOKE, &gpu.member[0]);
	drained(&gpu, &gpu.member[0]);
	expect(&gpu, LEASE_GRANT, &gpu.member[1]);
	/* One that was alone longer than a turn goes as soon as another one wants. */
	gpu.now_ns += 30 * MS;
	want(&gpu, &gpu.member[0]);
	expect(&gpu, LEASE_REVOKE, &gpu.member[1]);
}

static void rule4_given_back_early_the_tail_is_not_billed(void **state)
{
	struct gpu gpu;

	(void)state;
	three(&gpu, &defaults);
	want(&gpu, &gpu.member[0]);
	expect(&gpu, LEASE_GRANT, &gpu.member[0]);
	want(&gpu, &gpu.member[1]);
	gpu.now_ns += 1 * MS;
	give_back(&gpu, &gpu.member[0], 40 * US);
	expect(&gpu, LEASE_GRANT, &gpu.member[1]);
	assert_true(gpu.member[0].billed_ns == 960 * US && gpu.lease.overhead_ns == 40 * US);
	/* More than idle_ns is not believed. Nobody waited for it, so it is idle time. */
	gpu.now_ns += 1 * MS;
	give_back(&gpu, &gpu.member[1], 900 * US);
	expect_nothing(&gpu);
	assert_true(gpu.member[1].billed_ns == 950 * US && gpu.lease.idle_ns == 50 * US);
	assert_true(gpu.lease.billed_ns + gpu.lease.idle_ns + gpu.lease.overhead_ns == 2 * MS);
	/* What belongs to another grant counts for nothing. */
	want(&gpu, &gpu.member[0]);
	expect(&gpu, LEASE_GRANT, &gpu.member[0]);
	lease_return(&gpu.lease, &gpu.member[0], gpu.member[0].number - 1, 0, gpu.now_ns);
	assert_true(gpu.lease.holder == &gpu.member[0]);
}

static void rule4_who_rests_alone_is_not_billed(void **state)
{
	struct gpu gpu;

	(void)state;
	three(&gpu, &defaults);
	want(&gpu, &gpu.member[0]);
	expect(&gpu, LEASE_GRANT, &gpu.member[0]);
	gpu.now_ns += 10 * S;
	lease_rest(&gpu.lease, &gpu.member[0], 9 * S, gpu.now_ns);
	assert_true(gpu.member[0].billed_ns == 1 * S && gpu.lease.idle_ns == 9 * S);
	/* No more than it was billed, nor for time in which another one waited. */
	lease_rest(&gpu.lease, &gpu.member[0], 9 * S, gpu.now_ns);
	assert_true(gpu.member[0].billed_ns == 0 && gpu.lease.idle_ns == 10 * S);
	want(&gpu, &gpu.member[1]);
	gpu.now_ns += 3 * MS;
	lease_rest(&gpu.lease, &gpu.member[0], 1 * S, gpu.now_ns);
	assert_true(gpu.member[0].billed_ns == 3 * MS);
}

/* --- rule 5 --- */

static void rule5_a_cap_holds_also_when_nobody_else_wants(void **state)
{
	struct gpu gpu;

	(void)state;
	gpu_init(&gpu, &defaults);
	vm_init(&gpu, 0, HIGH, 100, 30);
	want(&gpu, join(&gpu, 0, 0));
	flood(&gpu, START_NS + 100 * S);
	about(gpu.vm[0].billed_ns, 30 * S, 5 * MS);
	about(gpu.vm[0].waited_ns[LEASE_WHY_CAP], 70 * S, 5 * MS);
	assert_true(gpu.lease.overhead_ns == 0);
}

static void rule5_caps_of_30_and_70(void **state)
{
	struct gpu gpu;

	(void)state;
	gpu_init(&gpu, &defaults);
	vm_init(&gpu, 0, MEDIUM, 100, 30);
	vm_init(&gpu, 1, MEDIUM, 100, 70);
	want(&gpu, join(&gpu, 0, 0));
	want(&gpu, join(&gpu, 1, 1));
	flood(&gpu, START_NS + 100 * S);
	about(gpu.vm[0].billed_ns, 30 * S, 1 * S);
	about(gpu.vm[1].billed_ns, 70 * S, 1 * S);
}

static void rule5_debt_is_paid_before_the_next_turn(void **state)
{
	struct gpu gpu;

	(void)state;
	gpu_init(&gpu, &defaults);
	vm_init(&gpu, 0, MEDIUM, 100, 50);
	want(&gpu, join(&gpu, 0, 0));
	expect(&gpu, LEASE_GRANT, &gpu.member[0]);
	gpu.now_ns += 2 * S; /* in one kernel */
	expect(&gpu, LEASE_REVOKE, &gpu.member[0]);
	want(&gpu, &gpu.member[0]);
	drained(&gpu, &gpu.member[0]);
	expect_next(&gpu, START_NS + 4 * S);
	expect(&gpu, LEASE_GRANT, &gpu.member[0]);
	/* Without the cap it gets the lease at once. */
	gpu.now_ns += 1 * S;
	expect(&gpu, LEASE_REVOKE, &gpu.member[0]);
	want(&gpu, &gpu.member[0]);
	drained(&gpu, &gpu.member[0]);
	expect_nothing(&gpu);
	set_vm(&gpu, 0, (struct lease_vm_settings){ MEDIUM, false, 100, 0 });
	expect(&gpu, LEASE_GRANT, &gpu.member[0]);
}

static void rule5_sleeping_saves_no_more_than_a_turn(void **state)
{
	struct gpu gpu;

	(void)state;
	gpu_init(&gpu, &defaults);
	vm_init(&gpu, 0, MEDIUM, 100, 10);
	join(&gpu, 0, 0);
	gpu.now_ns += 1000 * S;
	want(&gpu, &gpu.member[0]);
	flood(&gpu, gpu.now_ns + 10 * S);
	about(gpu.vm[0].billed_ns, 1 * S, 10 * MS);
}

/*
 * Its kernel may wait for one that its cap holds back: it gets a turn, ever more seldom, until it
 * drains.
 */
static void rule5_one_that_may_wait_for_itself_gets_turns(void **state)
{
	struct lease_settings settings = defaults;
	struct lease_member *member;
	struct gpu gpu;

	(void)state;
	settings.stuck_ns = S;
	gpu_init(&gpu, &settings);
	vm_init(&gpu, 0, MEDIUM, 100, 10);
	member = join(&gpu, 0, 0);
	want(&gpu, member);
	expect(&gpu, LEASE_GRANT, member);
	gpu.now_ns += 5 * MS; /* its bucket is full */
	for (uint64_t after_ns = S, turn_ns = 5 * MS; after_ns <= 4 * S;
	     after_ns *= 2, turn_ns *= 2) {
		gpu.now_ns += turn_ns / 2;
		if (turn_ns > 5 * MS)
			expect_nothing(&gpu);
		gpu.now_ns += turn_ns / 2;
		expect(&gpu, LEASE_REVOKE, member);
		ack(&gpu, member);
		want(&gpu, member);
		gpu.now_ns += 10 * MS;
		expect_nothing(&gpu);
		assert_int_equal(member->state, LEASE_OUTLASTS);
		gpu.now_ns = member->revoked_ns + after_ns - 1;
		expect_nothing(&gpu);
		assert_true(lease_next_ns(&gpu.lease, gpu.now_ns) == gpu.now_ns + 1);
		gpu.now_ns++;
		expect(&gpu, LEASE_GRANT, member);
	}
	drained(&gpu, member);
	want(&gpu, member);
	expect_nothing(&gpu); /* its debt stands */
	assert_int_equal(member->stuck, 0);
}

/* --- rule 7 --- */

static void rule7_an_outlaster_alone_is_charged(void **state)
{
	struct gpu gpu;

	(void)state;
	three(&gpu, &defaults);
	want(&gpu, &gpu.member[0]);
	expect(&gpu, LEASE_GRANT, &gpu.member[0]);
	want(&gpu, &gpu.member[1]);
	want(&gpu, &gpu.member[2]);
	gpu.now_ns += 5 * MS;
	expect(&gpu, LEASE_REVOKE, &gpu.member[0]);
	ack(&gpu, &gpu.member[0]);
	expect_next(&gpu, START_NS + 15 * MS);
	expect(&gpu, LEASE_GRANT, &gpu.member[1]);
	/* The others take turns meanwhile and are charged nothing. */
	flood(&gpu, START_NS + 1 * S);
	assert_true(gpu.member[0].billed_ns == 1 * S);
	assert_true(gpu.member[1].number + gpu.member[2].number > 100);
	drained(&gpu, &gpu.member[0]);
	flood(&gpu, START_NS + 2 * S);
	assert_true(gpu.member[0].billed_ns == 1 * S);
	about(gpu.member[1].billed_ns, 500 * MS, 6 * MS);
	about(gpu.member[2].billed_ns, 500 * MS, 6 * MS);
}

/* Its kernels may wait for one that it holds back. */
static void rule7_an_outlaster_that_wants_more_gets_its_turn(void **state)
{
	struct lease_settings settings = defaults;
	struct gpu gpu;

	(void)state;
	for (int bounded = 0; bounded < 2; bounded++) {
		settings.kernel_ns = (uint64_t)bounded * 9 * S;
		three(&gpu, &settings);
		want(&gpu, &gpu.member[0]);
		expect(&gpu, LEASE_GRANT, &gpu.member[0]);
		want(&gpu, &gpu.member[1]);
		gpu.now_ns += 5 * MS;
		expect(&gpu, LEASE_REVOKE, &gpu.member[0]);
		ack(&gpu, &gpu.member[0]);
		want(&gpu, &gpu.member[0]);
		gpu.now_ns += 10 * MS;
		expect(&gpu, LEASE_GRANT, &gpu.member[1]);
		give_back(&gpu, &gpu.member[1], 0);
		/* With a bound on kernels it has to drain first. */
		if (bounded) {
			expect_nothing(&gpu);
			drained(&gpu, &gpu.member[0]);
		}
		expect(&gpu, LEASE_GRANT, &gpu.member[0]);
		assert_true(gpu.lease.holder == &gpu.member[0] && !gpu.member[0].is_charged);
	}
}

static void rule7_a_missing_acknowledgement_freezes_then_ends(void **state)
{
	struct gpu gpu;

	(void)state;
	three(&gpu, &defaults);
	want(&gpu, &gpu.member[0]);
	expect(&gpu, LEASE_GRANT, &gpu.member[0]);
	want(&gpu, &gpu.member[1]);
	gpu.now_ns += 5 * MS;
	expect(&gpu, LEASE_REVOKE, &gpu.member[0]);
	lease_ack(&gpu.lease, &gpu.member[0], 99, gpu.now_ns); /* of no grant of its own */
	expect_next(&gpu, START_NS + 15 * MS);
	expect(&gpu, LEASE_GRANT, &gpu.member[1]);
	expect_next(&gpu, START_NS + 25 * MS);
	expect(&gpu, LEASE_FREEZE, &gpu.member[0]);
	/* Its next turn comes and goes: it is let go on, without the lease. */
	expect_nothing(&gpu);
	give_back(&gpu, &gpu.member[1], 0);
	expect(&gpu, LEASE_THAW, &gpu.member[0]);
	expect_next(&gpu, START_NS + 45 * MS);
	expect(&gpu, LEASE_END_DEAF, &gpu.member[0]);
	want(&gpu, &gpu.member[0]);
	ack(&gpu, &gpu.member[0]);
	want(&gpu, &gpu.member[1]);
	expect(&gpu, LEASE_GRANT, &gpu.member[1]);
	lease_leave(&gpu.lease, &gpu.member[0], gpu.now_ns);
	expect_nothing(&gpu);
}

/* Its turn passes beside one that has the lease and never gives it back by itself. */
static void rule7_a_frozen_one_passes_beside_a_flood(void **state)
{
	struct gpu gpu;

	(void)state;
	three(&gpu, &defaults);
	want(&gpu, &gpu.member[0]);
	expect(&gpu, LEASE_GRANT, &gpu.member[0]);
	want(&gpu, &gpu.member[1]);
	gpu.now_ns += 5 * MS;
	expect(&gpu, LEASE_REVOKE, &gpu.member[0]);
	gpu.now_ns += 10 * MS;
	expect(&gpu, LEASE_GRANT, &gpu.member[1]);
	gpu.now_ns += 10 * MS;
	expect(&gpu, LEASE_FREEZE, &gpu.member[0]);
	for (int turn = 0;; turn++) {
		struct lease_decision decision;

		assert_in_range(turn, 0, 20);
		gpu.now_ns = lease_next_ns(&gpu.lease, gpu.now_ns);
		assert_int_not_equal(gpu.now_ns, LEASE_NEVER);
		if (!lease_decide(&gpu.lease, gpu.now_ns, &decision))
			continue;
		assert_int_equal(decision.what, LEASE_THAW);
		assert_ptr_equal(decision.member, &gpu.member[0]);
		break;
	}
	assert_ptr_equal(gpu.lease.holder, &gpu.member[1]);
}

static void rule7_missed_once_a_minute_is_missed_once(void **state)
{
	struct gpu gpu;

	(void)state;
	three(&gpu, &defaults);
	for (int i = 0; i < 3; i++) {
		want(&gpu, &gpu.member[0]);
		expect(&gpu, LEASE_GRANT, &gpu.member[0]);
		lease_stop(&gpu.lease, &gpu.member[0], true, gpu.now_ns);
		expect(&gpu, LEASE_REVOKE, &gpu.member[0]);
		gpu.now_ns += 20 * MS;
		if (i == 2)
			break;
		expect(&gpu, LEASE_FREEZE, &gpu.member[0]);
		lease_stop(&gpu.lease, &gpu.member[0], false, gpu.now_ns);
		expect(&gpu, LEASE_THAW, &gpu.member[0]);
		drained(&gpu, &gpu.member[0]);
		expect_nothing(&gpu);
		gpu.now_ns += i == 0 ? 60 * S : 50 * S;
	}
	expect(&gpu, LEASE_END_DEAF, &gpu.member[0]);
}

static void rule7_work_without_end_ends_its_program(void **state)
{
	struct lease_settings settings = defaults;
	struct gpu gpu;

	(void)state;
	settings.kernel_ns = 1 * S;
	three(&gpu, &settings);
	want(&gpu, &gpu.member[0]);
	expect(&gpu, LEASE_GRANT, &gpu.member[0]);
	/* It is alone, and has to show that its work ends. */
	expect_next(&gpu, START_NS + 1 * S);
	expect(&gpu, LEASE_REVOKE, &gpu.member[0]);
	ack(&gpu, &gpu.member[0]);
	gpu.now_ns += 10 * MS;
	expect_next(&gpu, START_NS + 2 * S);
	expect(&gpu, LEASE_END_HUNG, &gpu.member[0]);
	/* It is charged until it is gone, but not long. */
	gpu.now_ns += 4 * S;
	want(&gpu, &gpu.member[1]);
	expect(&gpu, LEASE_GRANT, &gpu.member[1]);
	gpu.now_ns += 1 * MS;
	expect_nothing(&gpu);
	assert_true(gpu.member[1].billed_ns == 1 * MS);
}

static void rule7_one_that_ends_gives_the_lease_away_at_once(void **state)
{
	struct gpu gpu;

	(void)state;
	three(&gpu, &defaults);
	want(&gpu, &gpu.member[0]);
	expect(&gpu, LEASE_GRANT, &gpu.member[0]);
	want(&gpu, &gpu.member[1]);
	gpu.now_ns += 1 * MS;
	lease_end(&gpu.lease, &gpu.member[0], gpu.now_ns);
	expect(&gpu, LEASE_GRANT, &gpu.member[1]);
	gpu.now_ns += 2 * MS;
	lease_leave(&gpu.lease, &gpu.member[0], gpu.now_ns);
	gpu.now_ns += 1 * MS;
	expect_nothing(&gpu);
	assert_true(gpu.vm[0].billed_ns == 3 * MS && gpu.vm[1].billed_ns == 1 * MS);
}

/* --- rule 8 --- */

static void rule8_a_request_is_a_turn_that_nothing_interrupts(void **state)
{
	struct gpu gpu;
	struct lease_member *request;

	(void)state;
	three(&gpu, &defaults);
	request = &gpu.member[4];
	lease_join(&gpu.lease, &gpu.vm[2], request, LEASE_REQUEST, gpu.now_ns);
	want(&gpu, &gpu.member[0]);
	expect(&gpu, LEASE_GRANT, &gpu.member[0]);
	want(&gpu, &gpu.member[1]);
	want(&gpu, request);
	expect_next(&gpu, START_NS + 5 * MS); /* it waits for the end of the turn */
	expect(&gpu, LEASE_REVOKE, &gpu.member[0]);
	drained(&gpu, &gpu.member[0]);
	expect(&gpu, LEASE_GRANT, request); /* before the program that waited longer */
	set_vm(&gpu, 2, (struct lease_vm_settings){ LOW, true, 100, 0 });
	gpu.now_ns += 3 * S;
	expect_nothing(&gpu);
	give_back(&gpu, request, 0);
	expect(&gpu, LEASE_GRANT, &gpu.member[1]);
	assert_true(gpu.vm[2].billed_ns == 3 * S);
	/* It counted for its VM: a program of that VM waits for its turn now. */
	set_vm(&gpu, 2, (struct lease_vm_settings){ MEDIUM, false, 100, 0 });
}

/* --- who waited for whom --- */

static void why_a_vm_waited(void **state)
{
	struct gpu gpu;
	uint64_t sum_ns = 0;

	(void)state;
	gpu_init(&gpu, &defaults);
	vm_init(&gpu, 0, MEDIUM, 100, 0);
	vm_init(&gpu, 1, MEDIUM, 300, 0);
	want(&gpu, join(&gpu, 0, 0));
	want(&gpu, join(&gpu, 1, 1));
	flood(&gpu, START_NS + 40 * S);
	about(gpu.vm[0].waited_ns[LEASE_WHY_SHARE], 30 * S, 10 * MS);
	assert_int_equal(gpu.vm[0].rival[0].id, 1);
	about(gpu.vm[0].rival[0].ns, 30 * S, 10 * MS);
	for (int i = 0; i < LEASE_WHY_NUM; i++)
		sum_ns += gpu.vm[0].waited_ns[i];
	assert_true(sum_ns + gpu.vm[0].billed_ns == 40 * S);
	assert_true(gpu.lease.idle_ns == 0 && gpu.lease.overhead_ns == 0);
	/* Alone, it waits for nobody. */
	gpu_init(&gpu, &defaults);
	vm_init(&gpu, 0, MEDIUM, 100, 0);
	want(&gpu, join(&gpu, 0, 0));
	assert_int_equal(flood(&gpu, START_NS + 40 * S), 1);
	for (int i = 0; i < LEASE_WHY_NUM; i++)
		assert_true(gpu.vm[0].waited_ns[i] == 0);
}

static void months_overflow_nothing(void **state)
{
	struct gpu gpu;

	(void)state;
	gpu_init(&gpu, &defaults);
	vm_init(&gpu, 0, MEDIUM, 1, 30);
	vm_init(&gpu, 1, MEDIUM, LEASE_SHARE_MOST, 0);
	want(&gpu, join(&gpu, 0, 0));
	join(&gpu, 1, 1);
	expect(&gpu, LEASE_GRANT, &gpu.member[0]);
	gpu.now_ns += UINT64_C(200) * 86400 * S;
	expect(&gpu, LEASE_REVOKE, &gpu.member[0]);
	want(&gpu, &gpu.member[0]);
	drained(&gpu, &gpu.member[0]);
	want(&gpu, &gpu.member[1]);
	expect(&gpu, LEASE_GRANT, &gpu.member[1]);
	expect_nothing(&gpu);
	assert_true(gpu.vm[0].billed_ns == UINT64_C(200) * 86400 * S);
	about(lease_next_ns(&gpu.lease, gpu.now_ns) - START_NS, UINT64_C(20000) * 86400 / 30 * S,
	      S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule1_a_paused_vm_has_no_lease),
		cmocka_unit_test(rule1_a_stopped_member_has_no_lease),
		cmocka_unit_test(rule1_who_was_paused_has_saved_nothing),
		cmocka_unit_test(rule2_a_higher_one_takes_the_lease_at_once),
		cmocka_unit_test(rule2_a_change_of_priority_counts_at_once),
		cmocka_unit_test(a_change_of_priority_is_a_turn_late_at_most),
		cmocka_unit_test(a_change_of_share_is_a_turn_late_at_most),
		cmocka_unit_test(a_change_of_a_cap_is_a_turn_late_at_most),
		cmocka_unit_test(a_cap_saves_no_more_than_a_turn),
		cmocka_unit_test(rule2_aging_lifts_for_one_turn),
		cmocka_unit_test(rule2_without_aging_a_low_one_waits_for_ever),
		cmocka_unit_test(rule3_vms_share_by_weight_then_their_programs_equally),
		cmocka_unit_test(rule3_a_newcomer_counts_as_the_least_of_those_who_want),
		cmocka_unit_test(rule3_who_comes_while_the_others_sleep_gets_no_credit),
		cmocka_unit_test(rule4_a_turn_lasts_when_others_want),
		cmocka_unit_test(rule4_given_back_early_the_tail_is_not_billed),
		cmocka_unit_test(rule4_who_rests_alone_is_not_billed),
		cmocka_unit_test(rule5_a_cap_holds_also_when_nobody_else_wants),
		cmocka_unit_test(rule5_caps_of_30_and_70),
		cmocka_unit_test(rule5_debt_is_paid_before_the_next_turn),
		cmocka_unit_test(rule5_sleeping_saves_no_more_than_a_turn),
		cmocka_unit_test(rule5_one_that_may_wait_for_itself_gets_turns),
		cmocka_unit_test(rule7_an_outlaster_alone_is_charged),
		cmocka_unit_test(rule7_an_outlaster_that_wants_more_gets_its_turn),
		cmocka_unit_test(rule7_a_missing_acknowledgement_freezes_then_ends),
		cmocka_unit_test(rule7_a_frozen_one_passes_beside_a_flood),
		cmocka_unit_test(rule7_missed_once_a_minute_is_missed_once),
		cmocka_unit_test(rule7_work_without_end_ends_its_program),
		cmocka_unit_test(rule7_one_that_ends_gives_the_lease_away_at_once),
		cmocka_unit_test(rule8_a_request_is_a_turn_that_nothing_interrupts),
		cmocka_unit_test(why_a_vm_waited),
		cmocka_unit_test(months_overflow_nothing),
	};

	return cmocka_run_group_tests_name("lease", tests, NULL, NULL);
}
