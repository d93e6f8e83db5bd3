/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_waited.c - what programs waited for reaches the ledger once, whatever comes and goes */

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
static struct programs house;
static struct channel channels[3];
static unsigned channel_num;
static struct waited_list list;

/* What the arbiter says of the VM, and what the ledger has got for VM 2, its cap and in all. */
static struct arbiter_waited said[3];
static unsigned said_num, counted;
static bool full;
static uint64_t of_vm2, of_cap, total;

struct channel *programs_next(const struct programs *programs, const struct channel *channel)
{
	(void)programs;
	if (channel == NULL)
		return channel_num > 0 ? &channels[0] : NULL;
	return channel + 1 < channels + channel_num ? (struct channel *)channel + 1 : NULL;
}

bool arbiter_waited(const struct arbiter_program *program, unsigned index,
		    struct arbiter_waited *out)
{
	(void)program;
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
		assert_int_equal(waits[i].vm_id, 1);
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
	house.broker = &broker;
	SLIST_INIT(&list);
	channel_num = 1;
	for (unsigned i = 0; i < 3; i++)
		channels[i] = (struct channel){
			.programs = &house,
			.vm_id = 1,
			.lease.arbiter = (struct arbiter *)&said,
		};
	said[0] = (struct arbiter_waited){ "cap", 0, 100 };
	said[1] = (struct arbiter_waited){ NULL, 2, 30 };
	said_num = 2;
	counted = 0;
	full = false;
	of_vm2 = of_cap = total = 0;
	return 0;
}

/* As at a tick. */
static void look(void)
{
	for (unsigned i = 0; i < channel_num; i++)
		waited_take(&list, &channels[i]);
	waited_looked(&list);
}

/* All programs go. */
static int tear_down(void **state)
{
	(void)state;
	channel_num = 0;
	waited_looked(&list);
	assert_true(SLIST_EMPTY(&list));
	return 0;
}

static void test_what_is_new_is_taken(void **state)
{
	(void)state;
	look();
	assert_int_equal(total, 130);
	look();
	assert_int_equal(total, 130);
	said[1].ns += 7;
	said[2] = (struct arbiter_waited){ "others", 0, 3 };
	said_num = 3;
	look();
	assert_int_equal(of_cap, 100);
	assert_int_equal(of_vm2, 37);
	assert_int_equal(total, 140);
}

static void test_two_programs_of_a_vm_have_one_sum(void **state)
{
	(void)state;
	channel_num = 3;
	channels[2].lease.arbiter = NULL; /* it is at none yet */
	look();
	look();
	assert_int_equal(total, 130);
}

static void test_a_full_ledger_gets_it_later(void **state)
{
	(void)state;
	full = true;
	look();
	said[0].ns += 5;
	look();
	assert_int_equal(total, 0);
	full = false;
	look();
	assert_int_equal(of_cap, 105);
	assert_int_equal(total, 135);
}

static void test_what_came_last_is_taken_when_one_leaves(void **state)
{
	(void)state;
	look();
	channel_num = 2;
	said[0].ns += 5;
	waited_leave(&list, &channels[1]);
	assert_int_equal(counted, 1);
	assert_int_equal(total, 135);
	channel_num = 1;
	said[0].ns += 5;
	look(); /* the sums go on with the other one */
	assert_int_equal(total, 140);
	said[0].ns += 5;
	waited_leave(&list, &channels[0]);
	assert_int_equal(total, 145);
	/* The next program's begin anew, and may be higher than the last ones at the next look. */
	said[0].ns = 1000;
	said_num = 1;
	look();
	assert_int_equal(total, 1145);
}

static void test_a_sum_that_began_anew(void **state)
{
	(void)state;
	look();
	said[0].ns = 1;
	look();
	assert_int_equal(of_cap, 101);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define WAITED_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		WAITED_TEST(test_what_is_new_is_taken),
		WAITED_TEST(test_two_programs_of_a_vm_have_one_sum),
		WAITED_TEST(test_a_full_ledger_gets_it_later),
		WAITED_TEST(test_what_came_last_is_taken_when_one_leaves),
		WAITED_TEST(test_a_sum_that_began_anew),
#undef WAITED_TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
