/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_sched.c - each numbered rule of the scheduler, and random histories against a simple model
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vgpud/sched/sched.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

enum { LOW, MEDIUM, HIGH };
enum { POOL_A, POOL_B, POOL_C };

/* --- directed tests -----------------------------------------------------------------------------
 */

/* Pools A and B share GPU 0, pool C has GPU 1. Deadlines are far unless a test sets them. */
static void start(struct sched *s, unsigned vm_queue_max, uint64_t aging_ns)
{
	const struct sched_pool far = { .exists = true,
					.gpu = 0,
					.window = 1,
					.deadline_ns = 1000000,
					.exec_deadline_ns = 1000000 };

	sched_init(s, vm_queue_max, aging_ns);
	s->pool[POOL_A] = far;
	s->pool[POOL_B] = far;
	s->pool[POOL_C] = far;
	s->pool[POOL_C].gpu = 1;
}

static void push(struct sched *s, struct sched_vm *vm, struct sched_item *item, uint64_t now_ns)
{
	assert_int_equal(sched_push(s, vm, item, now_ns), 0);
	assert_int_equal(item->state, SCHED_QUEUED);
}

/* The next item to start on GPU 0 is this one; it ends at once. */
static void runs_next(struct sched *s, struct sched_item *want, uint64_t now_ns)
{
	struct sched_item *got = sched_pop(s, 0, now_ns);

	assert_ptr_equal(got, want);
	if (got == NULL)
		return;
	assert_int_equal(got->state, SCHED_STARTED);
	assert_int_equal(got->started_ns, now_ns);
	assert_int_equal(got->pool, got->vm->pool);
	sched_finish(s, got, 0, now_ns);
	assert_int_equal(got->state, SCHED_NONE);
}

static void rule1_a_paused_vms_requests_wait(void **state)
{
	struct sched s;
	struct sched_vm vm[2];
	struct sched_item item[3];

	(void)state;
	start(&s, 8, 0);
	sched_vm_init(&vm[0], POOL_A, HIGH, true);
	sched_vm_init(&vm[1], POOL_A, LOW, false);
	push(&s, &vm[0], &item[0], 1);
	push(&s, &vm[1], &item[1], 2);
	push(&s, &vm[1], &item[2], 3);
	runs_next(&s, &item[1], 4);
	vm[0].paused = false; /* at once, and with its old rank */
	runs_next(&s, &item[0], 5);
	vm[1].paused = true;
	runs_next(&s, NULL, 6);
	vm[1].paused = false;
	runs_next(&s, &item[2], 7);
}

/* The pause does not touch what runs already. */
static void rule1_a_pause_leaves_the_started_alone(void **state)
{
	struct sched s;
	struct sched_vm vm;
	struct sched_item item[2];

	(void)state;
	start(&s, 8, 0);
	sched_vm_init(&vm, POOL_A, LOW, false);
	push(&s, &vm, &item[0], 1);
	push(&s, &vm, &item[1], 1);
	assert_ptr_equal(sched_pop(&s, 0, 2), &item[0]);
	vm.paused = true;
	assert_int_equal(vm.started, 1);
	sched_finish(&s, &item[0], 0, 0);
	assert_null(sched_pop(&s, 0, 3));
	assert_int_equal(vm.queued, 1);
}

static void rule2_high_before_medium_before_low(void **state)
{
	struct sched s;
	struct sched_vm vm[3];
	struct sched_item item[3];

	(void)state;
	start(&s, 8, 0);
	for (int i = 0; i < 3; i++) {
		sched_vm_init(&vm[i], i % 2 ? POOL_A : POOL_B, (uint8_t)i, false);
		push(&s, &vm[i], &item[i], 1);
	}
	runs_next(&s, &item[HIGH], 2);
	runs_next(&s, &item[MEDIUM], 2);
	runs_next(&s, &item[LOW], 2);
	runs_next(&s, NULL, 2);
}

static void rule2_a_change_of_priority_counts_at_once(void **state)
{
	struct sched s;
	struct sched_vm vm[2];
	struct sched_item item[4];

	(void)state;
	start(&s, 8, 0);
	sched_vm_init(&vm[0], POOL_A, HIGH, false);
	sched_vm_init(&vm[1], POOL_A, MEDIUM, false);
	for (int i = 0; i < 4; i++)
		push(&s, &vm[i % 2], &item[i], 1);
	runs_next(&s, &item[0], 2);
	vm[0].priority = LOW;
	runs_next(&s, &item[1], 2);
	runs_next(&s, &item[3], 2);
	runs_next(&s, &item[2], 2);
}

/* The order of arrival holds across VMs and pools, though nothing else tells them apart. */
static void rule3_first_come_first_served(void **state)
{
	struct sched s;
	struct sched_vm vm[4];
	struct sched_item item[12];

	(void)state;
	start(&s, 8, 0);
	for (int i = 0; i < 4; i++)
		sched_vm_init(&vm[i], i < 2 ? POOL_A : POOL_B, MEDIUM, false);
	for (int i = 0; i < 12; i++)
		push(&s, &vm[i * 7 % 4], &item[i], 5); /* all at one time */
	for (int i = 0; i < 12; i++)
		runs_next(&s, &item[i], 6);
	runs_next(&s, NULL, 6);
}

/* An item that waits again after a false start keeps its place before later ones. */
static void rule3_a_requeued_request_keeps_its_place(void **state)
{
	struct sched s;
	struct sched_vm vm[2];
	struct sched_item item[4];

	(void)state;
	start(&s, 8, 0);
	s.pool[POOL_A].window = 3;
	sched_vm_init(&vm[0], POOL_A, LOW, false);
	sched_vm_init(&vm[1], POOL_A, LOW, false);
	for (int i = 0; i < 3; i++)
		push(&s, &vm[0], &item[i], 1);
	push(&s, &vm[1], &item[3], 1);
	for (int i = 0; i < 3; i++)
		assert_ptr_equal(sched_pop(&s, 0, 2), &item[i]);
	sched_requeue(&s, &item[1]);
	sched_requeue(&s, &item[0]);
	sched_requeue(&s, &item[2]);
	assert_int_equal(vm[0].queued, 3);
	assert_int_equal(vm[0].started, 0);
	assert_int_equal(item[0].state, SCHED_QUEUED);
	for (int i = 0; i < 4; i++)
		runs_next(&s, &item[i], 3);
}

static void rule4_the_window(void **state)
{
	struct sched s;
	struct sched_vm vm[2];
	struct sched_item item[6];

	(void)state;
	start(&s, 8, 0);
	s.pool[POOL_A].window = 2;
	s.pool[POOL_C].window = 1;
	sched_vm_init(&vm[0], POOL_A, LOW, false);
	sched_vm_init(&vm[1], POOL_C, LOW, false);
	for (int i = 0; i < 4; i++)
		push(&s, &vm[0], &item[i], 1);
	push(&s, &vm[1], &item[4], 1);
	push(&s, &vm[1], &item[5], 1);
	assert_ptr_equal(sched_pop(&s, 0, 2), &item[0]);
	assert_ptr_equal(sched_pop(&s, 0, 2), &item[1]);
	assert_null(sched_pop(&s, 0, 2));
	assert_ptr_equal(sched_pop(&s, 1, 2), &item[4]); /* another GPU, another window */
	assert_null(sched_pop(&s, 1, 2));
	sched_finish(&s, &item[1], 0, 0);
	assert_ptr_equal(sched_pop(&s, 0, 3), &item[2]);
	assert_null(sched_pop(&s, 0, 3));
	assert_int_equal(vm[0].started, 2);
	assert_int_equal(vm[0].queued, 1);
}

/* Pools that share a GPU share what is on it, and the best waits rather than be overtaken. */
static void rule4_windows_of_pools_on_one_gpu(void **state)
{
	struct sched s;
	struct sched_vm a, b;
	struct sched_item item[4];

	(void)state;
	start(&s, 8, 0);
	s.pool[POOL_A].window = 1;
	s.pool[POOL_B].window = 3;
	sched_vm_init(&a, POOL_A, HIGH, false);
	sched_vm_init(&b, POOL_B, LOW, false);
	push(&s, &b, &item[0], 1);
	push(&s, &b, &item[1], 1);
	push(&s, &b, &item[2], 1);
	assert_ptr_equal(sched_pop(&s, 0, 2), &item[0]);
	assert_ptr_equal(sched_pop(&s, 0, 2), &item[1]);
	push(&s, &a, &item[3], 3);
	assert_null(sched_pop(&s, 0, 4));
	sched_finish(&s, &item[0], 0, 0);
	assert_null(sched_pop(&s, 0, 4));
	sched_finish(&s, &item[1], 0, 0);
	assert_ptr_equal(sched_pop(&s, 0, 4), &item[3]);
	assert_ptr_equal(sched_pop(&s, 0, 4), &item[2]);
}

static void rule5_a_vms_queue_is_bounded(void **state)
{
	struct sched s;
	struct sched_vm vm[2];
	struct sched_item item[4], extra = { .state = SCHED_NONE };

	(void)state;
	start(&s, 2, 0);
	sched_vm_init(&vm[0], POOL_A, LOW, false);
	sched_vm_init(&vm[1], POOL_A, LOW, false);
	push(&s, &vm[0], &item[0], 1);
	push(&s, &vm[0], &item[1], 1);
	assert_int_equal(sched_push(&s, &vm[0], &extra, 1), -EDQUOT);
	assert_int_equal(extra.state, SCHED_NONE);
	assert_int_equal(vm[0].queued, 2);
	push(&s, &vm[1], &item[2], 1); /* another VM has its own bound */
	assert_ptr_equal(sched_pop(&s, 0, 2), &item[0]);
	push(&s, &vm[0], &item[3], 3); /* what runs is not queued */
	assert_int_equal(sched_push(&s, &vm[0], &extra, 3), -EDQUOT);
	sched_remove(&s, &item[1]);
	assert_int_equal(item[1].state, SCHED_NONE);
	push(&s, &vm[0], &extra, 4);
	sched_finish(&s, &item[0], 0, 0);
	runs_next(&s, &item[2], 5);
	runs_next(&s, &item[3], 5);
	runs_next(&s, &extra, 5);
}

static void rule6_aging_lifts_one_level_a_step(void **state)
{
	struct sched s;
	struct sched_vm vm[3];
	struct sched_item low, medium, high;

	(void)state;
	start(&s, 8, 100);
	for (int i = 0; i < 3; i++)
		sched_vm_init(&vm[i], POOL_A, (uint8_t)i, false);

	/* Just before the step the medium one goes first, at the step the elder. */
	push(&s, &vm[LOW], &low, 1000);
	push(&s, &vm[MEDIUM], &medium, 1050);
	runs_next(&s, &medium, 1099);
	push(&s, &vm[MEDIUM], &medium, 1050);
	runs_next(&s, &low, 1100);
	runs_next(&s, &medium, 1100);

	/* Two steps make high, and no more than that: the elder of two high ones goes first. */
	push(&s, &vm[HIGH], &high, 2000);
	push(&s, &vm[LOW], &low, 2001);
	runs_next(&s, &high, 2999);
	push(&s, &vm[HIGH], &high, 2999);
	runs_next(&s, &low, 2999);
	runs_next(&s, &high, 2999);
	push(&s, &vm[LOW], &low, 3000);
	push(&s, &vm[HIGH], &high, 3001);
	runs_next(&s, &high, 3199);
	runs_next(&s, &low, 3199);
}

static void rule6_off_means_strict(void **state)
{
	struct sched s;
	struct sched_vm vm[2];
	struct sched_item low, high;

	(void)state;
	start(&s, 8, 0);
	sched_vm_init(&vm[0], POOL_A, LOW, false);
	sched_vm_init(&vm[1], POOL_A, HIGH, false);
	push(&s, &vm[0], &low, 1);
	push(&s, &vm[1], &high, UINT64_MAX / 2);
	runs_next(&s, &high, UINT64_MAX / 2 + 1);
	runs_next(&s, &low, UINT64_MAX / 2 + 1);
}

static void expires(struct sched *s, uint64_t now_ns, const struct sched_item *want,
		    enum sched_expiry want_how)
{
	enum sched_expiry how = (enum sched_expiry)99;
	bool runs = want != NULL &&
		    (want_how == SCHED_EXPIRED_RUNNING || want_how == SCHED_EXPIRED_HUNG);

	assert_int_equal(sched_is_overdue(s, now_ns), runs);
	assert_ptr_equal(sched_expire(s, now_ns, &how), want);
	if (want != NULL)
		assert_int_equal(how, want_how);
}

static void rule7_waiting_past_the_deadline(void **state)
{
	struct sched s;
	struct sched_vm vm[2];
	struct sched_item item[3];

	(void)state;
	start(&s, 8, 0);
	s.pool[POOL_A].deadline_ns = 100;
	assert_true(sched_next_expiry_ns(&s) == SCHED_NEVER);
	sched_vm_init(&vm[0], POOL_A, LOW, false);
	sched_vm_init(&vm[1], POOL_A, LOW, true);
	push(&s, &vm[0], &item[0], 10);
	push(&s, &vm[1], &item[1], 20);
	push(&s, &vm[0], &item[2], 30);
	assert_true(sched_next_expiry_ns(&s) == 110);
	expires(&s, 109, NULL, 0);
	expires(&s, 110, &item[0], SCHED_EXPIRED_WAITING);
	assert_int_equal(item[0].state, SCHED_NONE);
	expires(&s, 110, NULL, 0);
	assert_true(sched_next_expiry_ns(&s) == 120);
	expires(&s, 120, &item[1], SCHED_EXPIRED_PAUSED);
	assert_int_equal(vm[1].queued, 0);
	assert_true(sched_next_expiry_ns(&s) == 130);
	runs_next(&s, &item[2], 129);
	assert_true(sched_next_expiry_ns(&s) == SCHED_NEVER);
}

static void rule7_running_past_the_deadline(void **state)
{
	struct sched s;
	struct sched_vm vm;
	struct sched_item item;

	(void)state;
	start(&s, 8, 0);
	s.pool[POOL_A].deadline_ns = 100;
	s.pool[POOL_A].exec_deadline_ns = 80;
	sched_vm_init(&vm, POOL_A, LOW, false);
	push(&s, &vm, &item, 10);
	assert_ptr_equal(sched_pop(&s, 0, 50), &item);
	assert_true(sched_next_expiry_ns(&s) == 110);
	expires(&s, 109, NULL, 0);
	expires(&s, 110, &item, SCHED_EXPIRED_RUNNING);
	assert_int_equal(item.state, SCHED_STARTED);
	expires(&s, 110, NULL, 0); /* reported once */
	assert_true(sched_next_expiry_ns(&s) == 130);
	expires(&s, 129, NULL, 0);
	expires(&s, 130, &item, SCHED_EXPIRED_HUNG);
	assert_int_equal(item.state, SCHED_STARTED);
	assert_int_equal(vm.started, 1);
	sched_finish(&s, &item, 0, 0);
	expires(&s, 1000, NULL, 0);
	assert_true(sched_next_expiry_ns(&s) == SCHED_NEVER);
	/* The item is as good as new: nothing of its first life remains. */
	push(&s, &vm, &item, 2000);
	assert_ptr_equal(sched_pop(&s, 0, 2001), &item);
	expires(&s, 2100 - 1, &item, SCHED_EXPIRED_HUNG);
}

static void rule7_time_behind_others_is_not_on_the_gpu(void **state)
{
	struct sched s;
	struct sched_vm vm;
	struct sched_item item[2];

	(void)state;
	start(&s, 8, 0);
	s.pool[POOL_A].window = 2;
	s.pool[POOL_A].deadline_ns = 1000;
	s.pool[POOL_A].exec_deadline_ns = 80;
	sched_vm_init(&vm, POOL_A, LOW, false);
	push(&s, &vm, &item[0], 10);
	push(&s, &vm, &item[1], 10);
	assert_ptr_equal(sched_pop(&s, 0, 50), &item[0]);
	assert_ptr_equal(sched_pop(&s, 0, 50), &item[1]);
	sched_behind(&item[1]);
	expires(&s, 129, NULL, 0);
	sched_finish(&s, &item[0], 0, 0);
	assert_true(sched_next_expiry_ns(&s) == 1010);
	expires(&s, 130, NULL, 0);
	sched_begin(&item[1], 130);
	assert_true(sched_next_expiry_ns(&s) == 210);
	expires(&s, 209, NULL, 0);
	expires(&s, 210, &item[1], SCHED_EXPIRED_HUNG);
	/* Back in the queue, it is not behind others at a worker any more. */
	sched_behind(&item[1]);
	sched_requeue(&s, &item[1]);
	assert_ptr_equal(sched_pop(&s, 0, 300), &item[1]);
	expires(&s, 380, &item[1], SCHED_EXPIRED_HUNG);
}

static void a_move_to_another_pool_counts_at_once(void **state)
{
	struct sched s;
	struct sched_vm vm;
	struct sched_item item[2];

	(void)state;
	start(&s, 8, 0);
	s.pool[POOL_C].deadline_ns = 500;
	s.pool[POOL_C].exec_deadline_ns = 70;
	s.pool[POOL_A].exec_deadline_ns = 90;
	sched_vm_init(&vm, POOL_A, LOW, false);
	push(&s, &vm, &item[0], 10);
	push(&s, &vm, &item[1], 10);
	assert_ptr_equal(sched_pop(&s, 0, 20), &item[0]);
	vm.pool = POOL_C;
	assert_null(sched_pop(&s, 0, 20));
	assert_true(sched_next_expiry_ns(&s) == 110); /* what runs stays where it started */
	assert_ptr_equal(sched_pop(&s, 1, 20), &item[1]);
	assert_int_equal(item[0].pool, POOL_A);
	assert_int_equal(item[1].pool, POOL_C);
	assert_true(sched_next_expiry_ns(&s) == 90);
	assert_int_equal(s.started_on[0], 1);
	assert_int_equal(s.started_on[1], 1);
	sched_finish(&s, &item[0], 0, 0);
	assert_int_equal(s.started_on[0], 0);
	assert_int_equal(s.started_on[1], 1);
	sched_requeue(&s, &item[1]);
	assert_int_equal(s.started_on[1], 0);
	expires(&s, 510, &item[1], SCHED_EXPIRED_WAITING);
}

/* A VM that nothing can serve just now neither runs nor holds up the others; it does expire. */
static void a_stalled_vm_lets_others_pass(void **state)
{
	struct sched s;
	struct sched_vm vm[2];
	struct sched_item item[2];

	(void)state;
	start(&s, 8, 0);
	s.pool[POOL_A].deadline_ns = 100;
	sched_vm_init(&vm[0], POOL_A, HIGH, false);
	sched_vm_init(&vm[1], POOL_A, LOW, false);
	push(&s, &vm[0], &item[0], 1);
	push(&s, &vm[1], &item[1], 2);
	vm[0].stalled = true;
	runs_next(&s, &item[1], 3);
	runs_next(&s, NULL, 3);
	expires(&s, 101, &item[0], SCHED_EXPIRED_WAITING);
}

#define US UINT64_C(1000)

/* A VM without a token waits, whatever its rank, and others go on; each token starts one. */
static void rule8_a_limited_vm_waits_for_its_tokens(void **state)
{
	struct sched s;
	struct sched_vm vm[2];
	struct sched_item item[5];

	(void)state;
	start(&s, 8, 0);
	sched_vm_init(&vm[0], POOL_A, HIGH, false);
	sched_vm_init(&vm[1], POOL_A, LOW, false);
	sched_vm_limit(&vm[0], 100000, 2, 0); /* one in 10 us */
	for (int i = 0; i < 4; i++)
		push(&s, &vm[0], &item[i], 1);
	push(&s, &vm[1], &item[4], 2);
	runs_next(&s, &item[0], 3);
	runs_next(&s, &item[1], 4);
	assert_int_equal(s.token_ns, SCHED_NEVER);
	runs_next(&s, &item[4], 5);
	assert_int_equal(s.token_ns, 10 * US + 3); /* full until the first start, at 3 */
	runs_next(&s, NULL, 10 * US + 2);
	runs_next(&s, &item[2], 10 * US + 3);
	assert_int_equal(item[0].limited_ns, 0);
	assert_int_equal(item[2].limited_ns, 10 * US + 3 - 5);
	runs_next(&s, NULL, 10 * US + 3);
	/* Off: at once, for what is queued. */
	sched_vm_limit(&vm[0], 0, 0, 15 * US);
	runs_next(&s, &item[3], 15 * US);
	assert_int_equal(item[3].limited_ns, 15 * US - 5);
}

static void rule8_waiting_for_a_token_ends_at_the_deadline(void **state)
{
	struct sched s;
	struct sched_vm vm;
	struct sched_item item[3];

	(void)state;
	start(&s, 8, 0);
	s.pool[POOL_A].deadline_ns = 100;
	sched_vm_init(&vm, POOL_A, HIGH, false);
	sched_vm_limit(&vm, 1, 1, 0);
	for (int i = 0; i < 3; i++)
		push(&s, &vm, &item[i], 10);
	runs_next(&s, &item[0], 20);
	runs_next(&s, NULL, 30);
	assert_int_equal(sched_limited_ns(&item[1], 50), 20);
	expires(&s, 110, &item[1], SCHED_EXPIRED_WAITING);
	assert_int_equal(item[1].limited_ns, 80);
	assert_int_equal(sched_limited_ns(&item[2], 112), 82);
	sched_remove(&s, &item[2]);
	/* It took no token with it. */
	push(&s, &vm, &item[1], 1000000020);
	runs_next(&s, &item[1], 1000000020);
	assert_int_equal(item[1].limited_ns, 0);
}

/* A request that did not begin after all has its token back, and keeps what it has waited. */
static void rule8_a_requeued_request_has_its_token(void **state)
{
	struct sched s;
	struct sched_vm vm;
	struct sched_item item[2];

	(void)state;
	start(&s, 8, 0);
	sched_vm_init(&vm, POOL_A, HIGH, false);
	sched_vm_limit(&vm, 100000, 1, 0);
	push(&s, &vm, &item[0], 0);
	push(&s, &vm, &item[1], 0);
	runs_next(&s, &item[0], 0);
	runs_next(&s, NULL, 1 * US);
	assert_ptr_equal(sched_pop(&s, 0, 10 * US), &item[1]);
	assert_int_equal(item[1].limited_ns, 9 * US);
	sched_requeue(&s, &item[1]);
	assert_int_equal(sched_limited_ns(&item[1], 12 * US), 9 * US);
	runs_next(&s, &item[1], 12 * US);
	assert_int_equal(item[1].limited_ns, 9 * US);
}

/* A VM that only waits for others does not wait for its limit; nor does a paused VM. */
static void rule8_counts_only_the_want_of_a_token(void **state)
{
	struct sched s;
	struct sched_vm vm[2];
	struct sched_item item[4];

	(void)state;
	start(&s, 8, 0);
	sched_vm_init(&vm[0], POOL_A, HIGH, false);
	sched_vm_init(&vm[1], POOL_A, LOW, false);
	sched_vm_limit(&vm[1], 100000, 1, 0);
	push(&s, &vm[0], &item[0], 0);
	push(&s, &vm[1], &item[1], 0);
	push(&s, &vm[1], &item[2], 0);
	assert_ptr_equal(sched_pop(&s, 0, 0), &item[0]);
	assert_null(sched_pop(&s, 0, 5 * US));
	sched_finish(&s, &item[0], 0, 0);
	runs_next(&s, &item[1], 6 * US);
	assert_int_equal(item[1].limited_ns, 0);
	vm[1].paused = true;
	runs_next(&s, NULL, 7 * US);
	assert_int_equal(sched_limited_ns(&item[2], 8 * US), 0);
	vm[1].paused = false;
	runs_next(&s, NULL, 10 * US);
	/* The token is there at 16 us; a later look is not the limit's doing. */
	push(&s, &vm[1], &item[3], 20 * US);
	runs_next(&s, &item[2], 25 * US);
	assert_int_equal(item[2].limited_ns, 6 * US);
	runs_next(&s, NULL, 25 * US);
	assert_int_equal(sched_limited_ns(&item[3], 26 * US), 1 * US);
}

/* Never more of an item's time is counted than has passed. */
static void what_an_item_took_is_bounded(void **arg)
{
	struct sched_item item[3];
	struct sched_vm vm;
	struct sched s;

	(void)arg;
	start(&s, 8, 0);
	s.pool[POOL_A].window = 3;
	sched_vm_init(&vm, POOL_A, HIGH, false);
	for (unsigned i = 0; i < LEN(item); i++) {
		push(&s, &vm, &item[i], 0);
		assert_ptr_equal(sched_pop(&s, 0, 100), &item[i]);
	}
	sched_finish(&s, &item[0], 30, 150);
	assert_int_equal(item[0].used_ns, 30);
	sched_finish(&s, &item[1], UINT64_MAX, 150); /* a worker may say what it likes */
	assert_int_equal(item[1].used_ns, 50);
	sched_behind(&item[2]);
	sched_finish(&s, &item[2], 10, 150); /* it never began */
	assert_int_equal(item[2].used_ns, 0);
	for (unsigned i = 0; i < 2; i++) {
		push(&s, &vm, &item[i], 200);
		assert_ptr_equal(sched_pop(&s, 0, 200), &item[i]);
	}
	sched_finish(&s, &item[0], 5, 199); /* a clock that went back */
	assert_int_equal(item[0].used_ns, 0);
	sched_finish(&s, &item[1], 5, 300);
	assert_int_equal(item[1].used_ns, 5);
}

/* --- random histories against the model ----------------------------------------------------------
 */

/*
 * The model: one flat array of all items that ever lived in a history, and a linear scan for each
 * question. It keeps its own copy of everything and never looks into the scheduler's structures.
 */
#define MODEL_VMS 5
#define MODEL_ITEMS 600
#define MODEL_STEPS 500
#define MODEL_HISTORIES 1000

struct model_item {
	int vm;
	uint64_t order, arrived_ns, started_ns;
	enum sched_state state;
	int pool;
	bool late;
};

struct model_vm {
	int pool, priority;
	bool paused, stalled;
	uint64_t rate, burst;  /* 0: no limit */
	uint64_t parts, at_ns; /* tokens of 10^9 parts each, and when there were so many */
};

struct model_pool {
	int gpu;
	int window;
	uint64_t deadline_ns, exec_deadline_ns;
};

struct model {
	struct model_vm vm[MODEL_VMS];
	struct model_pool pool[3];
	struct model_item item[MODEL_ITEMS];
	int items;
	int vm_queue_max;
	uint64_t aging_ns;
	uint64_t next_order;
};

/* How many items are in that state and belong to that VM (or any: -1). */
static int model_count(const struct model *m, enum sched_state state, int vm)
{
	int n = 0;

	for (int i = 0; i < m->items; i++)
		n += m->item[i].state == state && (vm < 0 || m->item[i].vm == vm);
	return n;
}

static int model_on_gpu(const struct model *m, int gpu)
{
	int n = 0;

	for (int i = 0; i < m->items; i++)
		n += m->item[i].state == SCHED_STARTED && m->pool[m->item[i].pool].gpu == gpu;
	return n;
}

/* Return: index of the new item, -1: the VM's queue is full. */
static int model_push(struct model *m, int vm, uint64_t now_ns)
{
	if (model_count(m, SCHED_QUEUED, vm) >= m->vm_queue_max)
		return -1;
	m->item[m->items] = (struct model_item){
		.vm = vm,
		.order = m->next_order++,
		.arrived_ns = now_ns,
		.state = SCHED_QUEUED,
	};
	return m->items++;
}

static int model_level(const struct model *m, const struct model_item *item, uint64_t now_ns)
{
	int level = m->vm[item->vm].priority;

	if (m->aging_ns != 0)
		for (uint64_t at = item->arrived_ns + m->aging_ns; at <= now_ns && level < HIGH;
		     at += m->aging_ns)
			level++;
	return level;
}

#define TOKEN UINT64_C(1000000000)

/* Times are small here, so nothing can overflow. Return: whether there is a token. */
static bool model_token(struct model_vm *vm, uint64_t now_ns)
{
	vm->parts += (now_ns - vm->at_ns) * vm->rate;
	vm->at_ns = now_ns;
	if (vm->parts > vm->burst * TOKEN)
		vm->parts = vm->burst * TOKEN;
	return vm->rate == 0 || vm->parts >= TOKEN;
}

static void model_limit(struct model_vm *vm, uint64_t rate, uint64_t burst, uint64_t now_ns)
{
	bool limited = vm->rate > 0;

	model_token(vm, now_ns);
	vm->rate = rate;
	vm->burst = burst;
	if (!limited)
		vm->parts = burst * TOKEN;
	model_token(vm, now_ns);
}

/* Return: when the next token comes to a VM that waits for one on that GPU. */
static uint64_t model_next_token_ns(struct model *m, int gpu, uint64_t now_ns)
{
	uint64_t next_ns = SCHED_NEVER;

	for (int i = 0; i < MODEL_VMS; i++) {
		struct model_vm *vm = &m->vm[i];
		uint64_t at_ns;

		if (model_count(m, SCHED_QUEUED, i) == 0 || vm->paused || vm->stalled ||
		    m->pool[vm->pool].gpu != gpu || model_token(vm, now_ns))
			continue;
		for (at_ns = now_ns; vm->parts + (at_ns - now_ns) * vm->rate < TOKEN; at_ns++)
			;
		if (at_ns < next_ns)
			next_ns = at_ns;
	}
	return next_ns;
}

/* Return: index of the item that starts, -1: none. */
static int model_pop(struct model *m, int gpu, uint64_t now_ns)
{
	int best = -1;

	for (int level = HIGH; level >= LOW && best < 0; level--) {
		for (int i = 0; i < m->items; i++) {
			const struct model_item *item = &m->item[i];
			struct model_vm *vm = &m->vm[item->vm];

			if (item->state == SCHED_QUEUED && !vm->paused && !vm->stalled &&
			    model_token(vm, now_ns) && m->pool[vm->pool].gpu == gpu &&
			    model_level(m, item, now_ns) == level &&
			    (best < 0 || item->order < m->item[best].order))
				best = i;
		}
	}
	if (best < 0 || model_on_gpu(m, gpu) >= m->pool[m->vm[m->item[best].vm].pool].window)
		return -1;
	if (m->vm[m->item[best].vm].rate > 0)
		m->vm[m->item[best].vm].parts -= TOKEN;
	m->item[best].state = SCHED_STARTED;
	m->item[best].started_ns = now_ns;
	m->item[best].pool = m->vm[m->item[best].vm].pool;
	m->item[best].late = false;
	return best;
}

/* Return: whether the item's time is over, and how; the model then does what follows of it. */
static bool model_expire(struct model *m, int i, uint64_t now_ns, enum sched_expiry *how)
{
	struct model_item *item = &m->item[i];
	const struct model_vm *vm = &m->vm[item->vm];

	if (item->state == SCHED_QUEUED) {
		if (now_ns < item->arrived_ns + m->pool[vm->pool].deadline_ns)
			return false;
		*how = vm->paused ? SCHED_EXPIRED_PAUSED : SCHED_EXPIRED_WAITING;
		item->state = SCHED_NONE;
		return true;
	}
	if (item->state != SCHED_STARTED)
		return false;
	if (now_ns >= item->started_ns + m->pool[item->pool].exec_deadline_ns) {
		*how = SCHED_EXPIRED_HUNG;
		item->state = SCHED_NONE; /* the caller finishes it */
		return true;
	}
	if (item->late || now_ns < item->arrived_ns + m->pool[item->pool].deadline_ns)
		return false;
	*how = SCHED_EXPIRED_RUNNING;
	item->late = true;
	return true;
}

static uint64_t model_next_expiry_ns(const struct model *m)
{
	uint64_t next_ns = SCHED_NEVER;

	for (int i = 0; i < m->items; i++) {
		const struct model_item *item = &m->item[i];
		uint64_t at_ns = SCHED_NEVER, hung_ns;

		if (item->state == SCHED_QUEUED) {
			at_ns = item->arrived_ns + m->pool[m->vm[item->vm].pool].deadline_ns;
		} else if (item->state == SCHED_STARTED) {
			hung_ns = item->started_ns + m->pool[item->pool].exec_deadline_ns;
			if (!item->late)
				at_ns = item->arrived_ns + m->pool[item->pool].deadline_ns;
			if (hung_ns < at_ns)
				at_ns = hung_ns;
		}
		if (at_ns < next_ns)
			next_ns = at_ns;
	}
	return next_ns;
}

/* One history: the model, the real thing, and where in it we are, for the message on failure. */
struct history {
	struct model m;
	struct sched s;
	struct sched_vm vm[MODEL_VMS];
	struct sched_item item[MODEL_ITEMS];
	uint64_t now_ns;
	uint32_t seed0, seed;
	int step;
	const char *doing;
	bool trace;
	int pops, refused, expired[4], requeued, limited; /* what the histories reached */
};

/* Fails with all that is needed to see it again. */
#define CHECK(h, ok)                                                                  \
	do {                                                                          \
		if (!(ok))                                                            \
			fail_msg("%s\n  seed %u, step %d, %s, now %llu ns "           \
				 "(run again with SCHED_SEED=%u to see the history)", \
				 #ok, (h)->seed0, (h)->step, (h)->doing,              \
				 (unsigned long long)(h)->now_ns, (h)->seed0);        \
	} while (0)

static uint32_t draw(struct history *h, uint32_t below)
{
	/* xorshift: the low bits are as good as the high ones */
	h->seed ^= h->seed << 13;
	h->seed ^= h->seed >> 17;
	h->seed ^= h->seed << 5;
	return h->seed % below;
}

/* Return: index of some item in that state, -1: there is none. */
static int draw_item(struct history *h, enum sched_state state)
{
	int n = model_count(&h->m, state, -1), i;

	if (n == 0)
		return -1;
	n = (int)draw(h, (uint32_t)n);
	for (i = 0; h->m.item[i].state != state || n-- > 0; i++)
		;
	return i;
}

static void history_start(struct history *h, uint32_t seed0)
{
	memset(h, 0, sizeof(*h));
	h->seed0 = seed0;
	h->seed = seed0 * 2654435761u | 1;
	for (int i = 0; i < 8; i++)
		draw(h, 2);
	h->now_ns = 1000 + draw(h, 1000);
	h->m.vm_queue_max = 1 + (int)draw(h, 6);
	h->m.aging_ns = draw(h, 2) ? 0 : 20 + draw(h, 100);
	sched_init(&h->s, (unsigned)h->m.vm_queue_max, h->m.aging_ns);
	for (int i = 0; i < 3; i++) {
		struct model_pool *p = &h->m.pool[i];

		*p = (struct model_pool){ .gpu = (int)draw(h, 2),
					  .window = 1 + (int)draw(h, 3),
					  .deadline_ns = 50 + draw(h, 400),
					  .exec_deadline_ns = 30 + draw(h, 300) };
		h->s.pool[i] = (struct sched_pool){ .exists = true,
						    .gpu = (unsigned)p->gpu,
						    .window = (unsigned)p->window,
						    .deadline_ns = p->deadline_ns,
						    .exec_deadline_ns = p->exec_deadline_ns };
	}
	for (int i = 0; i < MODEL_VMS; i++) {
		struct model_vm *vm = &h->m.vm[i];

		*vm = (struct model_vm){ .pool = (int)draw(h, 3), .priority = (int)draw(h, 3) };
		sched_vm_init(&h->vm[i], (uint8_t)vm->pool, (uint8_t)vm->priority, false);
	}
}

static void do_push(struct history *h)
{
	int vm = (int)draw(h, MODEL_VMS), want;
	struct sched_item *item = &h->item[h->m.items];
	int rc;

	if (h->m.items == MODEL_ITEMS)
		return;
	h->doing = "push";
	want = model_push(&h->m, vm, h->now_ns);
	rc = sched_push(&h->s, &h->vm[vm], item, h->now_ns);
	CHECK(h, rc == (want < 0 ? -EDQUOT : 0));
	h->refused += rc != 0;
}

static void do_pop(struct history *h)
{
	int gpu = (int)draw(h, 2), want;
	uint64_t token_ns = model_next_token_ns(&h->m, gpu, h->now_ns);
	struct sched_item *got;

	h->doing = "pop";
	h->s.token_ns = SCHED_NEVER;
	want = model_pop(&h->m, gpu, h->now_ns);
	got = sched_pop(&h->s, (unsigned)gpu, h->now_ns);
	if (h->trace)
		printf("# pop gpu %d: want item %d, got %td\n", gpu, want,
		       got ? got - h->item : -1);
	CHECK(h, got == (want < 0 ? NULL : &h->item[want]));
	CHECK(h, h->s.token_ns == token_ns);
	h->pops += want >= 0;
	h->limited += token_ns != SCHED_NEVER;
}

/* Each started or queued item in turn of the model's expiring; the order is the scheduler's own. */
static void do_expire(struct history *h)
{
	enum sched_expiry how = SCHED_EXPIRED_WAITING, want_how = SCHED_EXPIRED_WAITING;
	struct sched_item *got;

	h->doing = "expire";
	while ((got = sched_expire(&h->s, h->now_ns, &how)) != NULL) {
		CHECK(h, got >= h->item && got < h->item + h->m.items);
		CHECK(h, model_expire(&h->m, (int)(got - h->item), h->now_ns, &want_how));
		CHECK(h, how == want_how);
		if (how == SCHED_EXPIRED_HUNG)
			sched_finish(&h->s, got, 0, h->now_ns);
		h->expired[how]++;
	}
	for (int i = 0; i < h->m.items; i++)
		CHECK(h, !model_expire(&h->m, i, h->now_ns, &want_how));
}

static void do_end(struct history *h)
{
	int i = draw_item(h, SCHED_STARTED);
	uint64_t used_ns, since_ns;

	h->doing = "finish";
	if (i < 0)
		return;
	h->m.item[i].state = SCHED_NONE;
	used_ns = draw(h, 4) == 0 ? UINT64_MAX : draw(h, 2000);
	since_ns = h->now_ns - h->item[i].started_ns;
	sched_finish(&h->s, &h->item[i], used_ns, h->now_ns);
	CHECK(h, h->item[i].used_ns == (used_ns < since_ns ? used_ns : since_ns));
}

static void do_requeue(struct history *h)
{
	int i = draw_item(h, SCHED_STARTED);

	h->doing = "requeue";
	if (i < 0)
		return;
	h->m.item[i].state = SCHED_QUEUED;
	h->m.vm[h->m.item[i].vm].parts += TOKEN;
	model_token(&h->m.vm[h->m.item[i].vm], h->m.vm[h->m.item[i].vm].at_ns);
	sched_requeue(&h->s, &h->item[i]);
	h->requeued++;
}

static void do_cancel(struct history *h)
{
	int i = draw_item(h, SCHED_QUEUED);

	h->doing = "cancel";
	if (i < 0)
		return;
	h->m.item[i].state = SCHED_NONE;
	sched_remove(&h->s, &h->item[i]);
}

static void do_change(struct history *h)
{
	int i = (int)draw(h, MODEL_VMS);
	struct model_vm *vm = &h->m.vm[i];

	h->doing = "change of a vm";
	switch (draw(h, 5)) {
	case 4: /* up to one in 10 ns, so that histories see many tokens */
		if (draw(h, 3) == 0)
			model_limit(vm, 0, 0, h->now_ns);
		else
			model_limit(vm, 1000000 * (1 + draw(h, 100)), 1 + draw(h, 4), h->now_ns);
		sched_vm_limit(&h->vm[i], (uint32_t)vm->rate, (uint32_t)vm->burst, h->now_ns);
		break;
	case 0:
		vm->priority = (int)draw(h, 3);
		break;
	case 1:
		vm->pool = (int)draw(h, 3);
		break;
	case 2:
		vm->paused = !vm->paused;
		break;
	default:
		vm->stalled = !vm->stalled;
	}
	h->vm[i].priority = (uint8_t)vm->priority;
	h->vm[i].pool = (uint8_t)vm->pool;
	h->vm[i].paused = vm->paused;
	h->vm[i].stalled = vm->stalled;
}

/* The VM goes with all that it has, and another one takes its memory. */
static void do_remove_vm(struct history *h)
{
	int vm = (int)draw(h, MODEL_VMS);

	h->doing = "removal of a vm";
	for (int i = 0; i < h->m.items; i++) {
		struct model_item *item = &h->m.item[i];

		if (item->vm != vm || item->state == SCHED_NONE)
			continue;
		if (item->state == SCHED_QUEUED)
			sched_remove(&h->s, &h->item[i]);
		else
			sched_finish(&h->s, &h->item[i], 0, h->now_ns);
		item->state = SCHED_NONE;
	}
	CHECK(h, h->vm[vm].queued == 0 && h->vm[vm].started == 0);
	memset(&h->vm[vm], 0xee, sizeof(h->vm[vm]));
	h->m.vm[vm] = (struct model_vm){ .pool = (int)draw(h, 3),
					 .priority = (int)draw(h, 3),
					 .at_ns = h->now_ns };
	sched_vm_init(&h->vm[vm], (uint8_t)h->m.vm[vm].pool, (uint8_t)h->m.vm[vm].priority, false);
}

/* Of any two that wait, the scheduler says which comes first as the model would pick them. */
static void compare_order(struct history *h)
{
	const struct model_item *a, *b;
	int i = draw_item(h, SCHED_QUEUED), k = draw_item(h, SCHED_QUEUED);
	int level_a, level_b;

	if (i < 0 || i == k)
		return;
	a = &h->m.item[i];
	b = &h->m.item[k];
	level_a = model_level(&h->m, a, h->now_ns);
	level_b = model_level(&h->m, b, h->now_ns);
	CHECK(h, sched_before(&h->s, &h->item[i], &h->item[k], h->now_ns) ==
			 (level_a > level_b || (level_a == level_b && a->order < b->order)));
}

/* All that can be seen of the scheduler is as the model has it. */
static void compare(struct history *h)
{
	for (int vm = 0; vm < MODEL_VMS; vm++) {
		CHECK(h, (int)h->vm[vm].queued == model_count(&h->m, SCHED_QUEUED, vm));
		CHECK(h, (int)h->vm[vm].started == model_count(&h->m, SCHED_STARTED, vm));
	}
	for (int gpu = 0; gpu < 2; gpu++)
		CHECK(h, (int)h->s.started_on[gpu] == model_on_gpu(&h->m, gpu));
	for (int i = 0; i < h->m.items; i++) {
		const struct model_item *want = &h->m.item[i];

		CHECK(h, h->item[i].state == want->state);
		CHECK(h, h->item[i].arrived_ns == want->arrived_ns);
		if (want->state != SCHED_NONE)
			CHECK(h, h->item[i].vm == &h->vm[want->vm]);
		if (want->state == SCHED_QUEUED)
			CHECK(h, sched_limited_ns(&h->item[i], h->now_ns) <=
					 h->now_ns - want->arrived_ns);
		if (want->state == SCHED_STARTED)
			CHECK(h,
			      h->item[i].started_ns == want->started_ns &&
				      h->item[i].pool == want->pool &&
				      h->item[i].limited_ns <= want->started_ns - want->arrived_ns);
	}
	CHECK(h, sched_next_expiry_ns(&h->s) == model_next_expiry_ns(&h->m));
	compare_order(h);
}

static void one_step(struct history *h)
{
	uint32_t what = draw(h, 100);

	if (draw(h, 3) == 0)
		h->now_ns += draw(h, 60);
	if (what < 35)
		do_push(h);
	else if (what < 60)
		do_pop(h);
	else if (what < 74)
		do_end(h);
	else if (what < 79)
		do_requeue(h);
	else if (what < 83)
		do_cancel(h);
	else if (what < 93)
		do_change(h);
	else if (what < 99)
		do_expire(h);
	else
		do_remove_vm(h);
	if (h->trace)
		printf("# step %d, now %llu: %s; %d queued, %d started\n", h->step,
		       (unsigned long long)h->now_ns, h->doing,
		       model_count(&h->m, SCHED_QUEUED, -1), model_count(&h->m, SCHED_STARTED, -1));
}

/* No item is forgotten: once nothing stands in the way, all run and the scheduler is empty.
 */
static void drain(struct history *h)
{
	for (int i = 0; i < MODEL_VMS; i++) {
		h->vm[i].paused = h->m.vm[i].paused = false;
		h->vm[i].stalled = h->m.vm[i].stalled = false;
		h->now_ns += 1000; /* which is a token at least */
	}
	h->step++;
	for (int i = 0; i < 20 * MODEL_ITEMS && model_count(&h->m, SCHED_QUEUED, -1) > 0; i++) {
		do_end(h);
		do_pop(h);
		h->now_ns += 10;
	}
	h->doing = "drain";
	CHECK(h, model_count(&h->m, SCHED_QUEUED, -1) == 0);
	while (model_count(&h->m, SCHED_STARTED, -1) > 0)
		do_end(h);
	compare(h);
	CHECK(h, sched_next_expiry_ns(&h->s) == SCHED_NEVER);
}

static void run_history(struct history *h, uint32_t seed0, bool trace)
{
	history_start(h, seed0);
	h->trace = trace;
	for (h->step = 0; h->step < MODEL_STEPS; h->step++) {
		one_step(h);
		compare(h);
	}
	drain(h);
}

static void random_histories_as_the_model(void **state)
{
	static struct history h;
	const char *seed = getenv("SCHED_SEED");
	int pops = 0, refused = 0, requeued = 0, limited = 0, expired[4] = { 0 };

	(void)state;
	if (seed != NULL) {
		run_history(&h, (uint32_t)strtoul(seed, NULL, 10), true);
		return;
	}
	for (uint32_t seed0 = 1; seed0 <= MODEL_HISTORIES; seed0++) {
		run_history(&h, seed0, false);
		pops += h.pops;
		refused += h.refused;
		requeued += h.requeued;
		limited += h.limited;
		for (size_t i = 0; i < LEN(expired); i++)
			expired[i] += h.expired[i];
	}
	/* The histories came everywhere. */
	assert_true(pops > 10 * MODEL_HISTORIES);
	assert_true(refused > MODEL_HISTORIES && requeued > MODEL_HISTORIES);
	assert_true(limited > MODEL_HISTORIES);
	for (size_t i = 0; i < LEN(expired); i++)
		assert_true(expired[i] > MODEL_HISTORIES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule1_a_paused_vms_requests_wait),
		cmocka_unit_test(rule1_a_pause_leaves_the_started_alone),
		cmocka_unit_test(rule2_high_before_medium_before_low),
		cmocka_unit_test(rule2_a_change_of_priority_counts_at_once),
		cmocka_unit_test(rule3_first_come_first_served),
		cmocka_unit_test(rule3_a_requeued_request_keeps_its_place),
		cmocka_unit_test(rule4_the_window),
		cmocka_unit_test(rule4_windows_of_pools_on_one_gpu),
		cmocka_unit_test(rule5_a_vms_queue_is_bounded),
		cmocka_unit_test(rule6_aging_lifts_one_level_a_step),
		cmocka_unit_test(rule6_off_means_strict),
		cmocka_unit_test(rule7_waiting_past_the_deadline),
		cmocka_unit_test(rule7_running_past_the_deadline),
		cmocka_unit_test(rule7_time_behind_others_is_not_on_the_gpu),
		cmocka_unit_test(a_move_to_another_pool_counts_at_once),
		cmocka_unit_test(a_stalled_vm_lets_others_pass),
		cmocka_unit_test(rule8_a_limited_vm_waits_for_its_tokens),
		cmocka_unit_test(rule8_waiting_for_a_token_ends_at_the_deadline),
		cmocka_unit_test(rule8_a_requeued_request_has_its_token),
		cmocka_unit_test(rule8_counts_only_the_want_of_a_token),
		cmocka_unit_test(what_an_item_took_is_bounded),
		cmocka_unit_test(random_histories_as_the_model),
	};

	return cmocka_run_group_tests_name("sched", tests, NULL, NULL);
}
