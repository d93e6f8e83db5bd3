/* SPDX-License-Identifier: GPL-2.0-or-later */
/* events.c - writes the audit trail */

#include "vgpud/ledger/events.h"

int ledger_events_write(struct ledger_db *db, int64_t wall_ns, const struct ledger_event *event)
{
	sqlite3_stmt *statement = db->statement[LEDGER_DB_EVENT];
	const char *texts[] = { event->kind, event->subject, event->old_value, event->new_value,
				event->text };

	sqlite3_bind_int64(statement, 1, wall_ns);
	for (int i = 0; i < 5; i++)
		sqlite3_bind_text(statement, 2 + i, texts[i], -1, SQLITE_STATIC);
	if (event->uid < 0) {
		sqlite3_bind_null(statement, 7);
		sqlite3_bind_null(statement, 8);
	} else {
		sqlite3_bind_int64(statement, 7, event->uid);
		sqlite3_bind_int64(statement, 8, event->pid);
	}
	return ledger_db_run(db, LEDGER_DB_EVENT);
}
