/* SPDX-License-Identifier: GPL-2.0-or-later */
/* names.c - the names of the numbers in the ledger, for those who read it with SQL */

#include "vgpud/ledger/names.h"

#include <stddef.h>

#include "common/wire/vgpu_ends.h"
#include "common/wire/vgpu_proto.h"
#include "common/wire/vgpu_regs.h"
#include "vgpud/ledger/ledger.h"

/* The rows of table name. */
static const struct {
	const char *what;
	int value;
	const char *name;
	const char *meaning;
} names[] = {
#define ROW(value, symbol, text) { "priority", value, text, NULL },
	VGPU_PRIORITY_TABLE(ROW)
#undef ROW
#define ROW(value, symbol, text, params, unit, what) { "opcode", value, text, what },
		VGPU_OPCODE_TABLE(ROW)
#undef ROW
#define ROW(value, symbol, text) { "status", value, #symbol, text },
			VGPU_ERROR_TABLE(ROW)
#undef ROW
#define ROW(value, symbol, text) { "executor", value, text, NULL },
				VGPU_EXECUTOR_TABLE(ROW)
#undef ROW
#define ROW(value, symbol, text) { "transport", value, text, NULL },
					LEDGER_TRANSPORT_TABLE(ROW)
#undef ROW
#define ROW(value, symbol, text, result, words) { "end", value, text, words },
						VGPU_END_TABLE(ROW)
#undef ROW
#define ROW(symbol, text, what) { "wait", LEDGER_WAIT_##symbol, text, what },
							LEDGER_WAIT_TABLE(ROW)
#undef ROW
};

int ledger_names_fill(struct ledger_db *db)
{
	sqlite3_stmt *statement;
	int rc = sqlite3_prepare_v2(
		db->conn,
		"INSERT INTO name VALUES (?1,?2,?3,?4) "
		"ON CONFLICT (what, value) DO UPDATE SET name = ?3, meaning = ?4 "
		"WHERE name IS NOT ?3 OR meaning IS NOT ?4",
		-1, &statement, NULL);
	int err = rc == SQLITE_OK ? ledger_db_begin(db) : ledger_db_prepare_errno(db->conn, rc);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && err == 0; i++) {
		sqlite3_bind_text(statement, 1, names[i].what, -1, SQLITE_STATIC);
		sqlite3_bind_int(statement, 2, names[i].value);
		sqlite3_bind_text(statement, 3, names[i].name, -1, SQLITE_STATIC);
		sqlite3_bind_text(statement, 4, names[i].meaning, -1, SQLITE_STATIC);
		rc = sqlite3_step(statement);
		if (rc != SQLITE_DONE)
			err = ledger_db_errno(db->conn, rc);
		sqlite3_reset(statement);
	}
	sqlite3_finalize(statement);
	return ledger_db_end(db, err);
}
