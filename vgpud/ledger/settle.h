/* SPDX-License-Identifier: GPL-2.0-or-later */
/* settle.h - what the last session left in the ring is put in order */

#ifndef VGPUD_LEDGER_SETTLE_H
#define VGPUD_LEDGER_SETTLE_H

#include <stdbool.h>
#include <stddef.h>

#include "vgpud/ledger/book.h"
#include "vgpud/ledger/notes.h"

/*
 * Takes the records of the last session into the database, gives requests that did not end their
 * end as lost ones, and replaces a ring that is damaged, old, another database's, or of another
 * size. Each step may be done again.
 * Return: 0; or -errno with why.
 */
int ledger_settle(struct ledger_book *book, struct ledger_notes *notes, char *why, size_t why_len);

/* Return: whether the ring is this database's, whole, and where the database believes it to be. */
bool ledger_settle_fits(struct ledger_book *book);

/* Writes what went wrong with the database just now, and what helps. */
void ledger_settle_explain(const struct ledger_book *book, int err, const char *what, char *why,
			   size_t why_len);

#endif
