/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notes.h - what a start found out, for the audit trail and the log */

#ifndef VGPUD_LEDGER_NOTES_H
#define VGPUD_LEDGER_NOTES_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "vgpud/ledger/book.h"
#include "vgpud/ledger/db_open.h"

struct ledger_notes {
	struct ring_report ring;
	struct ledger_db_report db;
	int64_t lost;
	char remains[PATH_MAX + 256]; /* of a database that is no more, a sentence; or empty */
	char remains_aside[PATH_MAX]; /* what was left of it, or empty */
	bool foreign_ring, no_ring;
};

/*
 * aloud: says everything to config->say; else writes it as events, in the transaction that is open.
 * Return: 0 or -errno.
 */
int ledger_notes_tell(const struct ledger_notes *notes, struct ledger_book *book, bool aloud);

#endif
