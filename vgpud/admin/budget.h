/* SPDX-License-Identifier: GPL-2.0-or-later */
/* budget.h - how much of the loop's time readers may take */

#ifndef VGPUD_ADMIN_BUDGET_H
#define VGPUD_ADMIN_BUDGET_H

#include <stdint.h>
#include <sys/types.h>

/*
 * Pure. A reader gets at most a tenth of the loop's time, all readers together three tenths: after
 * work that took t its user has to pause for 9 t, and all readers for 7/3 t. So VMs and
 * administrators keep the rest, whatever readers ask.
 */
#define ADMIN_BUDGET_USERS 64u

struct admin_budget {
	uint64_t all_ns; /* when the next reader's work may begin */
	struct {
		uid_t uid;
		uint64_t next_ns; /* the same for one user; 0: no entry */
	} user[ADMIN_BUDGET_USERS];
};

/* Return: the monotonic time from which on the user's work may begin; it may be past. */
uint64_t admin_budget_due_ns(const struct admin_budget *budget, uid_t uid);

/* The user's work took spent_ns and ended now. */
void admin_budget_charge(struct admin_budget *budget, uid_t uid, uint64_t now_ns,
			 uint64_t spent_ns);

#endif
