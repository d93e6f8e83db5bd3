/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_share.c - one VM does not take all of what is scarce */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vgpud/sched/share.h"

static struct share share;

static int set_up(void **state)
{
	(void)state;
	share = (struct share){ 0 };
	return 0;
}

/* Return: how many it gets of what it asks for. */
static unsigned takes(uint32_t vm_id, unsigned asks, uint32_t most)
{
	unsigned n = 0;

	for (unsigned i = 0; i < asks; i++) {
		if (!share_may(&share, vm_id, most))
			continue;
		share_take(&share, vm_id);
		n++;
	}
	return n;
}

static void no_bound_while_there_is_enough(void **state)
{
	(void)state;
	assert_int_equal(takes(1, 100000, 3), 100000);
	share_scarce(&share, false);
	assert_int_equal(takes(1, 100000, 3), 100000);
}

static void each_has_its_share_while_it_is_scarce(void **state)
{
	(void)state;
	takes(1, 1000, 3); /* what it took before does not count */
	share_scarce(&share, true);
	for (uint32_t vm_id = 0; vm_id < SHARE_SLOTS; vm_id++)
		assert_int_equal(takes(vm_id, 10, 3), 3);
	assert_int_equal(takes(1, 10, 3), 0);
	share_scarce(&share, true); /* it still is */
	assert_int_equal(takes(1, 10, 3), 0);
	assert_int_equal(takes(1, 10, 4), 1);
	assert_int_equal(takes(UINT32_MAX, 1, 3), 0); /* alike modulo the slots */
}

static void all_begin_anew_with_the_next_shortage(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 1000; round++) {
		share_scarce(&share, true);
		assert_int_equal(takes(7, 10, 3), 3);
		assert_int_equal(takes(8, 1, 3), 1);
		share_scarce(&share, false);
		assert_int_equal(takes(7, 10, 3), 10);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(no_bound_while_there_is_enough, set_up),
		cmocka_unit_test_setup(each_has_its_share_while_it_is_scarce, set_up),
		cmocka_unit_test_setup(all_begin_anew_with_the_next_shortage, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
