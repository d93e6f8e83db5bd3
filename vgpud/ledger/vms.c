/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vms.c - the table of the VMs: read at the start, written at each change */

#include "vgpud/ledger/vms.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void ledger_vms_free(struct ledger_vms *vms)
{
	while (vms->num > 0) {
		vms->num--;
		free((char *)vms->vm[vms->num].name);
		free((char *)vms->vm[vms->num].connect);
	}
	free(vms->vm);
	vms->vm = NULL;
}

static int load_vm(struct ledger_vms *vms, sqlite3_stmt *row)
{
	const unsigned char *pool = sqlite3_column_text(row, 2);
	const char *connect = (const char *)sqlite3_column_text(row, 6);
	const char *name = (const char *)sqlite3_column_text(row, 1);
	struct ledger_vm *more = reallocarray(vms->vm, vms->num + 1, sizeof(*more));
	struct ledger_vm *vm;

	if (more)
		vms->vm = more;
	if (more && !name)
		return -EUCLEAN; /* the table does not allow it */
	if (!more)
		return -ENOMEM;
	vm = &vms->vm[vms->num];
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
	vms->num++;
	if (!vm->name || (connect && !vm->connect))
		return -ENOMEM;
	return 0;
}

int ledger_vms_load(struct ledger_vms *vms, struct ledger_db *db)
{
	sqlite3_stmt *statement;
	int rc = sqlite3_prepare_v2(
		db->conn,
		"SELECT id, name, pool, priority, paused, created_ns, connect, "
		"removed_ns IS NOT NULL, limit_per_s, limit_burst FROM vm ORDER BY id",
		-1, &statement, NULL);
	int err = rc == SQLITE_OK ? 0 : ledger_db_prepare_errno(db->conn, rc);

	ledger_vms_free(vms);
	while (err == 0 && (rc = sqlite3_step(statement)) == SQLITE_ROW)
		err = load_vm(vms, statement);
	if (err == 0 && rc != SQLITE_DONE)
		err = ledger_db_errno(db->conn, rc);
	sqlite3_finalize(statement);
	return err;
}

int ledger_vms_put(struct ledger_db *db, const struct ledger_vm *vm, int64_t wall_ns)
{
	sqlite3_stmt *statement = db->statement[LEDGER_DB_VM_PUT];

	sqlite3_bind_int64(statement, 1, vm->id);
	sqlite3_bind_text(statement, 2, vm->name, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 3, (const char *)&vm->pool, 1, SQLITE_STATIC);
	sqlite3_bind_int(statement, 4, vm->priority);
	sqlite3_bind_int(statement, 5, vm->paused);
	sqlite3_bind_int64(statement, 6, vm->created_ns ? vm->created_ns : wall_ns);
	sqlite3_bind_text(statement, 7, vm->connect, -1, SQLITE_STATIC);
	if (vm->limit_per_s > 0) {
		sqlite3_bind_int64(statement, 8, vm->limit_per_s);
		sqlite3_bind_int64(statement, 9, vm->limit_burst);
	} else {
		sqlite3_bind_null(statement, 8);
		sqlite3_bind_null(statement, 9);
	}
	return ledger_db_run(db, LEDGER_DB_VM_PUT);
}

int ledger_vms_delete(struct ledger_db *db, uint32_t id, int64_t wall_ns)
{
	sqlite3_stmt *statement = db->statement[LEDGER_DB_VM_DELETE];
	int err;

	sqlite3_bind_int64(statement, 1, id);
	sqlite3_bind_int64(statement, 2, wall_ns);
	err = ledger_db_run(db, LEDGER_DB_VM_DELETE);
	if (err == 0 && sqlite3_changes(db->conn) == 0)
		err = -ENOENT;
	return err;
}
