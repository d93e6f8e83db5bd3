/* SPDX-License-Identifier: GPL-2.0-or-later */
/* query_waits.c - for what the programs of a VM waited, from its minutes */

#include <string.h>

#include "vgpud/ledger/query_private.h"

int ledger_query_waits(struct ledger_query *query, const struct ledger_query_filter *filter,
		       int (*each)(void *arg, const struct ledger_wait *wait), void *arg)
{
	int rc = SQLITE_DONE, err;
	sqlite3_stmt *row = ledger_query_prepare(
		query,
		"SELECT cause, by_vm_id, sum(wait_ns) FROM wait_minute WHERE minute BETWEEN ?1 AND ?2 "
		"AND (?3 IS NULL OR vm_id = ?3) GROUP BY 1, 2 ORDER BY 3 DESC",
		&err);

	if (err)
		return err;
	sqlite3_bind_int64(row, 1, filter->since_ns / LEDGER_QUERY_NS_PER_MINUTE);
	sqlite3_bind_int64(row, 2, (filter->until_ns - 1) / LEDGER_QUERY_NS_PER_MINUTE);
	if (filter->vm_id != LEDGER_QUERY_ANY)
		sqlite3_bind_int64(row, 3, filter->vm_id);
	while (err == 0 && (rc = sqlite3_step(row)) == SQLITE_ROW) {
		const struct ledger_wait wait = {
			.cause = (enum ledger_wait_cause)sqlite3_column_int(row, 0),
			.by_vm_id = (uint32_t)sqlite3_column_int64(row, 1),
			.ns = (uint64_t)sqlite3_column_int64(row, 2),
		};

		err = each(arg, &wait);
	}
	if (err == 0 && rc != SQLITE_DONE && rc != SQLITE_ROW)
		err = ledger_query_fail(query, rc);
	sqlite3_finalize(row);
	return err;
}
