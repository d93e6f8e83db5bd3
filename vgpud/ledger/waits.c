/* SPDX-License-Identifier: GPL-2.0-or-later */
/* waits.c - the minutes of what programs waited for */

#include "vgpud/ledger/waits.h"

#include "common/util.h"

/* So many waits of that length add up without an overflow. */
#define WAIT_MOST_NS (INT64_MAX >> 20)

int ledger_waits_write(struct ledger_db *db, const struct ledger_wait *waits, unsigned num)
{
	sqlite3_stmt *statement = db->statement[LEDGER_DB_WAIT_MINUTE];
	int err = 0;

	for (unsigned i = 0; i < num && err == 0; i++) {
		const struct ledger_wait *wait = &waits[i];
		uint64_t ns = wait->ns < WAIT_MOST_NS ? wait->ns : WAIT_MOST_NS;

		sqlite3_bind_int64(statement, 1, wait->at_ns / (int64_t)UTIL_NS_PER_MINUTE);
		sqlite3_bind_int64(statement, 2, wait->vm_id);
		sqlite3_bind_int(statement, 3, (int)wait->cause);
		sqlite3_bind_int64(statement, 4,
				   wait->cause == LEDGER_WAIT_VM ? (int64_t)wait->by_vm_id : -1);
		sqlite3_bind_int64(statement, 5, (int64_t)ns);
		err = ledger_db_run(db, LEDGER_DB_WAIT_MINUTE);
	}
	return err;
}
