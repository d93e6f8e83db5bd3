/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notes.h - findings of a start, for the audit trail and the log */

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
	int64_t lost, programs_lost;
	char remains[PATH_MAX + 256]; /* a sentence about a database that has gone; or empty */
	char remains_aside[PATH_MAX]; /* the new name of what was left of it, or empty */
	bool foreign_ring, no_ring;
};

/*
 * Tells the findings. aloud: to config->say; else as events, in the open transaction.
 * Return: 0 or -errno.
 */
int ledger_notes_tell(const struct ledger_notes *notes, struct ledger_book *book, bool aloud);

#endif
