/* SPDX-License-Identifier: GPL-2.0-or-later */
/* db_open.h - opens the ledger's database: sound, damaged, old, new or not there yet */

#ifndef VGPUD_LEDGER_DB_OPEN_H
#define VGPUD_LEDGER_DB_OPEN_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "vgpud/ledger/db.h"

/* Findings of the opening, for the audit trail. */
struct ledger_db_report {
	char set_aside[PATH_MAX]; /* the damaged database's new name; empty: it was sound */
	char reason[256];	  /* what was wrong with it, or why it was not checked to the end */
	unsigned vms_saved;	  /* VMs taken over from a damaged one */
	char migrated[PATH_MAX + 128]; /* a sentence; empty: it had this schema already */
	bool check_cut_short;
	bool fresh; /* it was created now */
};

/*
 * Opens, checks after an unclean end, migrates, or creates the database.
 * db: zeros, or as an earlier attempt left it.
 * why: on failure, a sentence that names the file and what to do.
 * Return: 0, -EUCLEAN: it is damaged, as report->reason says, or another -errno.
 */
int ledger_db_open(struct ledger_db *db, const char *path, struct ledger_db_report *report,
		   char *why, size_t why_len);

/*
 * Sets a damaged database aside, open or not, and begins a new one with the VMs that can be read
 * from it.
 * report: its reason is kept. why: as above. Return: 0, or -errno and the database is closed.
 */
int ledger_db_start_afresh(struct ledger_db *db, const char *path, struct ledger_db_report *report,
			   char *why, size_t why_len);

#endif
