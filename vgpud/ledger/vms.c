/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vms.c - the VMs as the database has them at the start */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vgpud/ledger/ledger_private.h"

void ledger_vms_forget(struct ledger_sqlite *s)
{
	while (s->vm_num > 0) {
		s->vm_num--;
		free((char *)s->vms[s->vm_num].name);
		free((char *)s->vms[s->vm_num].connect);
	}
}

static int load_vm(struct ledger_sqlite *s, sqlite3_stmt *row)
{
	const unsigned char *pool = sqlite3_column_text(row, 2);
	const char *connect = (const char *)sqlite3_column_text(row, 6);
	const char *name = (const char *)sqlite3_column_text(row, 1);
	struct ledger_vm *more = reallocarray(s->vms, s->vm_num + 1, sizeof(*more));
	struct ledger_vm *vm;

	if (more)
		s->vms = more;
	if (more && !name)
		return -EUCLEAN; /* the table does not allow it */
	if (!more)
		return -ENOMEM;
	vm = &s->vms[s->vm_num];
	*vm = (struct ledger_vm){
		.id = (uint32_t)sqlite3_column_int64(row, 0),
		.name = strdup(name),
		.pool = pool ? pool[0] : 0,
		.priority = (uint8_t)sqlite3_column_int(row, 3),
		.paused = sqlite3_column_int(row, 4) != 0,
		.removed = sqlite3_column_int(row, 7) != 0,
		.connect = connect ? strdup(connect) : NULL,
		.created_ns = sqlite3_column_int64(row, 5),
		.limit_per_s = (uint32_t)sqlite3_column_int64(row, 8),
		.limit_burst = (uint32_t)sqlite3_column_int64(row, 9),
	};
	s->vm_num++;
	if (!vm->name || (connect && !vm->connect))
		return -ENOMEM;
	return 0;
}

int ledger_vms_load(struct ledger_sqlite *s)
{
	sqlite3_stmt *statement;
	int rc = sqlite3_prepare_v2(
		s->db.conn,
		"SELECT id, name, pool, priority, paused, created_ns, connect, "
		"removed_ns IS NOT NULL, limit_per_s, limit_burst FROM vm ORDER BY id",
		-1, &statement, NULL);
	int err = rc == SQLITE_OK ? 0 : ledger_db_prepare_errno(s->db.conn, rc);

	ledger_vms_forget(s);
	while (err == 0 && (rc = sqlite3_step(statement)) == SQLITE_ROW)
		err = load_vm(s, statement);
	if (err == 0 && rc != SQLITE_DONE)
		err = ledger_db_errno(s->db.conn, rc);
	sqlite3_finalize(statement);
	return err;
}
