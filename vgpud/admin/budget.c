/* SPDX-License-Identifier: GPL-2.0-or-later */
/* budget.c - how much of the loop's time readers may take */

#include "vgpud/admin/budget.h"

#include <stddef.h>

uint64_t admin_budget_due_ns(const struct admin_budget *budget, uid_t uid)
{
	for (unsigned i = 0; i < ADMIN_BUDGET_USERS; i++)
		if (budget->user[i].next_ns > budget->all_ns && budget->user[i].uid == uid)
			return budget->user[i].next_ns;
	return budget->all_ns;
}

/* Return: the user's entry, or the one that is over soonest. */
static unsigned entry_of(const struct admin_budget *budget, uid_t uid)
{
	unsigned first = 0;

	for (unsigned i = 0; i < ADMIN_BUDGET_USERS; i++) {
		if (budget->user[i].next_ns > 0 && budget->user[i].uid == uid)
			return i;
		if (budget->user[i].next_ns < budget->user[first].next_ns)
			first = i;
	}
	return first;
}

void admin_budget_charge(struct admin_budget *budget, uid_t uid, uint64_t now_ns, uint64_t spent_ns)
{
	unsigned at = entry_of(budget, uid);

	budget->user[at].uid = uid;
	budget->user[at].next_ns = now_ns + 9 * spent_ns;
	budget->all_ns = now_ns + 7 * spent_ns / 3;
}
