/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_budget.c - what share of the time readers get, one, several, and more than are kept in mind */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vgpud/admin/budget.h"

#define RUN_NS 1000000000ull
#define WORK_NS 10000u

/* Lets users who always want to work do so for a while. Return: time that went to them. */
static uint64_t spend(struct admin_budget *budget, unsigned users, uint64_t *of_first)
{
	uint64_t now_ns = 1, spent_ns = 0;

	*of_first = 0;
	while (now_ns < RUN_NS) {
		bool worked = false;

		for (uid_t uid = 0; uid < users; uid++) {
			if (admin_budget_due_ns(budget, uid) > now_ns)
				continue;
			now_ns += WORK_NS;
			spent_ns += WORK_NS;
			*of_first += uid == 0 ? WORK_NS : 0;
			admin_budget_charge(budget, uid, now_ns, WORK_NS);
			worked = true;
		}
		if (!worked)
			now_ns += WORK_NS / 10;
	}
	return spent_ns;
}

static void who_never_worked_may_begin(void **state)
{
	struct admin_budget budget = { 0 };

	(void)state;
	assert_int_equal(admin_budget_due_ns(&budget, 1000), 0);
}

static void one_gets_a_tenth(void **state)
{
	struct admin_budget budget = { 0 };
	uint64_t first_ns, all_ns = spend(&budget, 1, &first_ns);

	(void)state;
	assert_in_range(all_ns, RUN_NS / 11, RUN_NS / 10 + WORK_NS);
}

static void two_get_a_tenth_each(void **state)
{
	struct admin_budget budget = { 0 };
	uint64_t first_ns, all_ns = spend(&budget, 2, &first_ns);

	(void)state;
	assert_in_range(first_ns, RUN_NS / 11, RUN_NS / 10 + WORK_NS);
	assert_in_range(all_ns, 2 * RUN_NS / 11, 2 * RUN_NS / 10 + 2 * WORK_NS);
}

static void many_get_three_tenths_together(void **state)
{
	uint64_t first_ns, all_ns;

	(void)state;
	for (unsigned users = 4; users <= 3 * ADMIN_BUDGET_USERS; users *= 3) {
		struct admin_budget budget = { 0 };

		all_ns = spend(&budget, users, &first_ns);
		assert_in_range(all_ns, RUN_NS / 4, 3 * RUN_NS / 10 + WORK_NS);
	}
}

static void a_long_piece_is_paid_for_afterwards(void **state)
{
	struct admin_budget budget = { 0 };

	(void)state;
	admin_budget_charge(&budget, 7, 5000, 1000);
	assert_int_equal(admin_budget_due_ns(&budget, 7), 5000 + 9 * 1000);
	assert_int_equal(admin_budget_due_ns(&budget, 8), 5000 + 7 * 1000 / 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_never_worked_may_begin),
		cmocka_unit_test(one_gets_a_tenth),
		cmocka_unit_test(two_get_a_tenth_each),
		cmocka_unit_test(many_get_three_tenths_together),
		cmocka_unit_test(a_long_piece_is_paid_for_afterwards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
