/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_waited.c - what VMs waited for at their GPUs reaches the ledger once, whatever comes and goes */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "vgpud/programs/programs_private.h"

static struct broker broker;
static struct ledger ledger;
static struct waited_list list;

/* What the arbiter says of its VMs, and what the ledger has got for VM 2, its cap and in all. */
static struct arbiter_vm_waited said[2];
static unsigned said_num, counted;
static bool full;
static uint64_t of_vm2, of_cap, total;

bool arbiter_vm_waited(const struct arbiter *arbiter, unsigned index, struct arbiter_vm_waited *out)
{
	assert_non_null(arbiter);
	if (index < said_num)
		*out = said[index];
	return index < said_num;
}

void arbiter_count(struct arbiter *arbiter)
{
	assert_non_null(arbiter);
	counted++;
}

static int on_waits(struct ledger *to, const struct ledger_wait *waits, unsigned num)
{
	assert_ptr_equal(to, &ledger);
	assert_in_range(num, 1, LEDGER_WAITS_MOST);
	if (full)
		return -ENOBUFS;
	for (unsigned i = 0; i < num; i++) {
		if (waits[i].vm_id != 1)
			continue;
		total += waits[i].ns;
		of_cap += waits[i].cause == LEDGER_WAIT_CAP ? waits[i].ns : 0;
		if (waits[i].cause == LEDGER_WAIT_VM && waits[i].by_vm_id == 2)
			of_vm2 += waits[i].ns;
	}
	return 0;
}

static const struct ledger_ops ops = { .waits = on_waits };

static int set_up(void **state)
{
	(void)state;
	ledger.ops = &ops;
	broker.ledger = &ledger;
	SLIST_INIT(&list);
	said[0] = (struct arbiter_vm_waited){ .vm_id = 1,
					      .number = 7,
					      .num = 2,
					      .waited = { { ARBITER_CAUSE_CAP, 0, 100 },
							  { ARBITER_CAUSE_VM, 2, 30 } } };
	said[1] = (struct arbiter_vm_waited){
		.vm_id = 2, .number = 8, .num = 1, .waited = { { ARBITER_CAUSE_VM, 1, 5000 } }
	};
	said_num = 2;
	counted = 0;
	full = false;
	of_vm2 = of_cap = total = 0;
	return 0;
}

/* As at a tick. */
static void look(void)
{
	waited_take(&list, broker.ledger, (struct arbiter *)&said);
	waited_looked(&list);
}

/* All VMs go. */
static int tear_down(void **state)
{
	(void)state;
	said_num = 0;
	look();
	assert_true(SLIST_EMPTY(&list));
	return 0;
}

static void test_what_is_new_is_taken(void **state)
{
	(void)state;
	look();
	assert_int_equal(counted, 1); /* the time up to now */
	assert_int_equal(total, 130);
	look();
	assert_int_equal(total, 130);
	said[0].waited[1].ns += 7;
	said[0].waited[2] = (struct arbiter_waited){ ARBITER_CAUSE_OTHERS, 0, 3 };
	said[0].num = 3;
	look();
	assert_int_equal(of_cap, 100);
	assert_int_equal(of_vm2, 37);
	assert_int_equal(total, 140);
}

static void test_a_full_ledger_gets_it_later(void **state)
{
	(void)state;
	full = true;
	look();
	said[0].waited[0].ns += 5;
	look();
	assert_int_equal(total, 0);
	full = false;
	look();
	assert_int_equal(of_cap, 105);
	assert_int_equal(total, 135);
}

/* Programs come and go within a look: what is between two of them is taken once. */
static void test_what_came_last_is_taken_when_one_leaves(void **state)
{
	(void)state;
	look();
	said[0].waited[0].ns += 5;
	waited_take(&list, broker.ledger, (struct arbiter *)&said);
	assert_int_equal(total, 135);
	said[0].waited[0].ns += 5; /* another program, or its requests, wait on */
	look();
	look();
	assert_int_equal(total, 140);
}

/*
 * The VM's last program has gone, and its next one has come: its sums began anew, and may be higher
 * already.
 */
static void test_a_vm_that_came_again(void **state)
{
	(void)state;
	look();
	said[0].number = 9;
	said[0].waited[0].ns = 1000;
	said[0].num = 1;
	look();
	assert_int_equal(of_cap, 1100);
	look();
	assert_int_equal(of_cap, 1100);
}

/* A VM whose requests stay at the GPU keeps its sums, whatever its programs do. */
static void test_a_vm_that_stays(void **state)
{
	(void)state;
	look();
	for (int i = 0; i < 3; i++) {
		waited_take(&list, broker.ledger, (struct arbiter *)&said);
		look();
	}
	assert_int_equal(total, 130);
}

static void test_a_sum_that_began_anew(void **state)
{
	(void)state;
	look();
	said[0].waited[0].ns = 1;
	look();
	assert_int_equal(of_cap, 101);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define WAITED_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		WAITED_TEST(test_what_is_new_is_taken),
		WAITED_TEST(test_a_full_ledger_gets_it_later),
		WAITED_TEST(test_what_came_last_is_taken_when_one_leaves),
		WAITED_TEST(test_a_vm_that_came_again),
		WAITED_TEST(test_a_vm_that_stays),
		WAITED_TEST(test_a_sum_that_began_anew),
#undef WAITED_TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
