/* SPDX-License-Identifier: GPL-2.0-or-later */
/* migrate.h - brings a database of an older schema up to this one */

#ifndef VGPUD_LEDGER_MIGRATE_H
#define VGPUD_LEDGER_MIGRATE_H

#include <stddef.h>
#include <stdint.h>

#include "vgpud/ledger/db.h"

/*
 * Keeps a copy of the database as it is, then changes it, all in one transaction.
 * path: the database's. version: the schema that it has. told: a sentence about what was done, for
 * an event and the log.
 * Return: 0; -EUCLEAN: it is damaged; or another -errno, with why unless that is empty.
 */
int ledger_migrate(struct ledger_db *db, const char *path, int64_t version, char *told,
		   size_t told_len, char *why, size_t why_len);

#endif
