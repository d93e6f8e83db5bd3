/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vms.h - the table of the VMs: read at the start, written at each change */

#ifndef VGPUD_LEDGER_VMS_H
#define VGPUD_LEDGER_VMS_H

#include <stddef.h>
#include <stdint.h>

#include "vgpud/ledger/db.h"
#include "vgpud/ledger/ledger.h"

/* The VMs as they were at the start. All zero: none. */
struct ledger_vms {
	struct ledger_vm *vm; /* their strings are ours */
	size_t num;
};

/* Reads the VMs, replacing those read before. Return: 0 or -errno. */
int ledger_vms_load(struct ledger_vms *vms, struct ledger_db *db);

void ledger_vms_free(struct ledger_vms *vms);

/*
 * Adds or changes a VM in the open transaction. wall_ns: when that was asked for, since the Unix
 * epoch. Return: 0, -EEXIST: another VM has that name, or another -errno.
 */
int ledger_vms_put(struct ledger_db *db, const struct ledger_vm *vm, int64_t wall_ns);

/* Marks a VM as removed in the open transaction. Return: 0, -ENOENT, or another -errno. */
int ledger_vms_delete(struct ledger_db *db, uint32_t id, int64_t wall_ns);

/*
 * Adds a column for each setting of a VM that the database lacks: an older vgpud made it.
 * Return: 0 or -errno.
 */
int ledger_vms_add_columns(struct ledger_db *db);

/*
 * Copies VMs from a damaged database: an administrator would have to enter them again.
 * Return: how many could be copied.
 */
unsigned ledger_vms_copy(sqlite3 *from, sqlite3 *to);

/* Return: a database in memory with what can be read of the VMs in the file, or NULL. */
sqlite3 *ledger_vms_save(const char *path);

#endif
