/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vms.c - the table of VMs: read at the start, written at each change */

#include "vgpud/ledger/vms.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ledger_vms_free(struct ledger_vms *vms)
{
	while (vms->num > 0) {
		vms->num--;
		free((char *)vms->vm[vms->num].name);
	}
	free(vms->vm);
	vms->vm = NULL;
}

static void load_setting(sqlite3_stmt *row, int column, const struct vm_setting *setting,
			 struct vm_settings *settings)
{
	if (sqlite3_column_type(row, column) == SQLITE_NULL)
		return; /* the standard, which is there already */
	if (vm_setting_kept_as_text(setting))
		vm_setting_keep_text(setting, (const char *)sqlite3_column_text(row, column),
				     settings);
	else
		vm_setting_keep_number(setting, sqlite3_column_int64(row, column), settings);
}

static int load_vm(struct ledger_vms *vms, sqlite3_stmt *row)
{
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
		.created_ns = sqlite3_column_int64(row, 2),
		.removed = sqlite3_column_int(row, 3) != 0,
	};
	vm_settings_standard(&vm->settings);
	for (int i = 0; i < VM_SETTING_NUM; i++)
		load_setting(row, 4 + i, &vm_settings_table[i], &vm->settings);
	vms->num++;
	return vm->name ? 0 : -ENOMEM;
}

int ledger_vms_load(struct ledger_vms *vms, struct ledger_db *db)
{
	sqlite3_stmt *statement;
	int rc = sqlite3_prepare_v2(
		db->conn,
		"SELECT id, name, created_ns, removed_ns IS NOT NULL" LEDGER_DB_VM_COLUMNS
		" FROM vm ORDER BY id",
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

/* The parameters behind the first three are the settings, in the order of their table. */
static void bind_setting(sqlite3_stmt *statement, int at, const struct vm_setting *setting,
			 const struct vm_settings *settings)
{
	char text[VM_SETTING_TEXT_SIZE];

	if (vm_setting_is_none(setting, settings)) {
		sqlite3_bind_null(statement, at);
	} else if (vm_setting_kept_as_text(setting)) {
		vm_setting_format(setting, settings, text);
		sqlite3_bind_text(statement, at, text, -1, SQLITE_TRANSIENT);
	} else {
		sqlite3_bind_int64(statement, at, (int64_t)vm_setting_number(setting, settings));
	}
}

int ledger_vms_put(struct ledger_db *db, const struct ledger_vm *vm, int64_t wall_ns)
{
	sqlite3_stmt *statement = db->statement[LEDGER_DB_VM_PUT];

	sqlite3_bind_int64(statement, 1, vm->id);
	sqlite3_bind_text(statement, 2, vm->name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 3, vm->created_ns ? vm->created_ns : wall_ns);
	for (int i = 0; i < VM_SETTING_NUM; i++)
		bind_setting(statement, 4 + i, &vm_settings_table[i], &vm->settings);
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

/* Return: whether the database's table vm has the column. */
static bool has_column(sqlite3 *conn, const char *column)
{
	sqlite3_stmt *statement = NULL;
	bool has = false;

	if (sqlite3_prepare_v2(conn, "SELECT 1 FROM pragma_table_info('vm') WHERE name = ?1", -1,
			       &statement, NULL) == SQLITE_OK) {
		sqlite3_bind_text(statement, 1, column, -1, SQLITE_STATIC);
		has = sqlite3_step(statement) == SQLITE_ROW;
	}
	sqlite3_finalize(statement);
	return has;
}

int ledger_vms_add_columns(struct ledger_db *db)
{
	int err = 0;

	for (int i = 0; err == 0 && i < VM_SETTING_NUM; i++) {
		const struct vm_setting *setting = &vm_settings_table[i];
		char sql[128];

		if (has_column(db->conn, setting->name))
			continue;
		snprintf(sql, sizeof(sql), "ALTER TABLE vm ADD COLUMN %s %s", setting->name,
			 vm_setting_kept_as_text(setting) ? "TEXT" : "INTEGER");
		err = ledger_db_exec(db->conn, sql);
	}
	return err;
}

/* --- what a damaged database still has --- */

#define SAVED_COLUMNS "id, name, created_ns, removed_ns"
#define SAVED_NUM (4 + VM_SETTING_NUM)

unsigned ledger_vms_copy(sqlite3 *from, sqlite3 *to)
{
	char get_sql[64 + 40 * VM_SETTING_NUM] = "SELECT " SAVED_COLUMNS;
	sqlite3_stmt *get = NULL, *put = NULL;
	unsigned copied = 0;

	/* A column that the older `from` lacks gives NULL, which is read as the standard. */
	for (int i = 0; i < VM_SETTING_NUM; i++) {
		const char *name = vm_settings_table[i].name;
		size_t len = strlen(get_sql);

		snprintf(get_sql + len, sizeof(get_sql) - len, ", %s",
			 has_column(from, name) ? name : "NULL");
	}
	strncat(get_sql, " FROM vm", sizeof(get_sql) - strlen(get_sql) - 1);
	if (sqlite3_prepare_v2(from, get_sql, -1, &get, NULL) == SQLITE_OK &&
	    sqlite3_prepare_v2(to,
			       "INSERT OR IGNORE INTO vm (" SAVED_COLUMNS LEDGER_DB_VM_COLUMNS
			       ") VALUES (?1, ?2, ?3, ?4" LEDGER_DB_VM_VALUES ")",
			       -1, &put, NULL) == SQLITE_OK) {
		while (sqlite3_step(get) == SQLITE_ROW) {
			for (int i = 0; i < SAVED_NUM; i++)
				sqlite3_bind_value(put, i + 1, sqlite3_column_value(get, i));
			copied += sqlite3_step(put) == SQLITE_DONE;
			sqlite3_reset(put);
		}
	}
	sqlite3_finalize(get);
	sqlite3_finalize(put);
	return copied;
}

sqlite3 *ledger_vms_save(const char *path)
{
	sqlite3 *memory = NULL, *damaged = NULL;

	if (sqlite3_open(":memory:", &memory) == SQLITE_OK &&
	    sqlite3_open_v2(path, &damaged, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
	    sqlite3_exec(memory,
			 "CREATE TABLE vm (id INTEGER PRIMARY KEY, name, created_ns, "
			 "removed_ns" LEDGER_DB_VM_COLUMNS ")",
			 NULL, NULL, NULL) == SQLITE_OK)
		ledger_vms_copy(damaged, memory);
	sqlite3_close(damaged);
	return memory;
}
