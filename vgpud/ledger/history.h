/* SPDX-License-Identifier: GPL-2.0-or-later */
/* history.h - which VM's rows are removed when the database is too large */

#ifndef VGPUD_LEDGER_HISTORY_H
#define VGPUD_LEDGER_HISTORY_H

#include <stdint.h>

#include "vgpud/ledger/db.h"

/* VMs whose ids are equal modulo this are counted as one, as in sched/share.h. */
#define LEDGER_HISTORY_SLOTS 1024

/* Of which table's rows. */
enum ledger_history_of {
	LEDGER_HISTORY_REQUESTS,
	LEDGER_HISTORY_PROGRAMS,
	LEDGER_HISTORY_SUBMISSIONS,
	LEDGER_HISTORY_PROGRAM_MINUTES, /* ids are minutes */
	LEDGER_HISTORY_NUM
};

/* Zeros but for `of`: nothing was counted yet. */
struct ledger_history {
	enum ledger_history_of of;
	int64_t rows[LEDGER_HISTORY_SLOTS];  /* in the database, of those counted */
	int64_t first[LEDGER_HISTORY_SLOTS]; /* no row of the slot has a lower id */
	int64_t counted;		     /* all rows up to this id */
};

/*
 * Counts some of the rows that came since the last call. Return: 1: there are more, 0: all are
 * counted, or -errno.
 */
int ledger_history_count(struct ledger_history *history, struct ledger_db *db);

/* Tells that a row of that VM was removed. */
void ledger_history_gone(struct ledger_history *history, int64_t vm_id);

/* Return: how many rows the VM with the most has, of those counted. */
int64_t ledger_history_most(const struct ledger_history *history);

/*
 * Removes the oldest rows of the VM that has the most, `most` rows at most. All rows must be
 * counted.
 * Return: how many rows were removed, or were searched in vain; 0: there is none; or -errno.
 */
int ledger_history_expire(struct ledger_history *history, struct ledger_db *db, int most);

#endif
