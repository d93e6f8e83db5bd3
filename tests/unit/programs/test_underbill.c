/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_underbill.c - a program whose kernels run for longer than it is billed is found, and no other */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vgpud/programs/underbill.h"

#define SECOND_US UINT64_C(1000000)
#define SECOND_NS UINT64_C(1000000000)

static struct underbill one;
static struct underbill_found found;
static uint64_t billed_ns;

static int set_up(void **state)
{
	(void)state;
	one = (struct underbill){ 0 };
	found = (struct underbill_found){ 0 };
	billed_ns = 77; /* it is not its first second */
	underbill_look(&one, 100, SECOND_US, billed_ns, &found);
	return 0;
}

/* Looks of a second each. Return: how often it was found. */
static unsigned look(unsigned num, uint32_t percent, uint64_t billed_each_ns)
{
	unsigned times = 0;

	for (unsigned i = 0; i < num; i++) {
		billed_ns += billed_each_ns;
		times += underbill_look(&one, percent, SECOND_US, billed_ns, &found);
	}
	return times;
}

static void what_is_billed_is_what_was_seen(void **state)
{
	(void)state;
	assert_int_equal(look(50, 100, SECOND_NS), 0);
	assert_int_equal(look(50, 0, 0), 0);
	assert_int_equal(look(50, 30, SECOND_NS), 0); /* it may be billed for more */
}

static void a_coarse_figure_is_no_doubt(void **state)
{
	(void)state;
	assert_int_equal(look(50, 10, 0), 0);
	assert_int_equal(look(50, 72, SECOND_NS / 2), 0);
	assert_int_equal(look(10, 73, SECOND_NS / 2), 1);
}

static void both_figures_are_given(void **state)
{
	(void)state;
	assert_int_equal(look(9, 90, SECOND_NS / 10), 0);
	assert_int_equal(look(1, 90, SECOND_NS / 10), 1);
	assert_int_equal(found.window_ns, 10 * SECOND_NS);
	assert_int_equal(found.seen_ns, 9 * SECOND_NS);
	assert_int_equal(found.billed_ns, SECOND_NS);
}

static void it_is_told_once_in_a_while(void **state)
{
	(void)state;
	assert_int_equal(look(10, 100, 0), 1);
	assert_int_equal(look(10 * UNDERBILL_REST, 100, 0), 0);
	assert_int_equal(look(10, 100, 0), 1);
}

/* Where NVML has nothing new the bill goes on, and nothing was seen. */
static void what_was_not_seen_is_no_doubt(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		billed_ns += SECOND_NS;
		assert_false(underbill_look(&one, 100, 0, billed_ns, &found));
	}
	assert_int_equal(look(10, 100, 0), 0); /* of that window it was billed for 100 s */
	assert_int_equal(look(10, 100, 0), 1);
}

/* A pause of NVML, as when its process was started again, begins the window anew. */
static void a_long_period_says_nothing(void **state)
{
	(void)state;
	assert_int_equal(look(9, 100, 0), 0);
	assert_false(underbill_look(&one, 100, UINT64_MAX, billed_ns, &found));
	assert_int_equal(look(9, 100, 0), 0);
	assert_int_equal(look(1, 100, 0), 1);
	assert_int_equal(found.window_ns, 10 * SECOND_NS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define UNDERBILL_TEST(f) cmocka_unit_test_setup(f, set_up)
		UNDERBILL_TEST(what_is_billed_is_what_was_seen),
		UNDERBILL_TEST(a_coarse_figure_is_no_doubt),
		UNDERBILL_TEST(both_figures_are_given),
		UNDERBILL_TEST(it_is_told_once_in_a_while),
		UNDERBILL_TEST(what_was_not_seen_is_no_doubt),
		UNDERBILL_TEST(a_long_period_says_nothing),
#undef UNDERBILL_TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
