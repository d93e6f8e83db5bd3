/* SPDX-License-Identifier: GPL-2.0-or-later */
/* settle.h - takes what the last session left in the ring into the database */

#ifndef VGPUD_LEDGER_SETTLE_H
#define VGPUD_LEDGER_SETTLE_H

#include <stdbool.h>
#include <stddef.h>

#include "vgpud/ledger/book.h"
#include "vgpud/ledger/notes.h"

/*
 * Takes the records of the last session into the database, ends open requests as lost, and replaces
 * a ring that is damaged, old, another database's, or of another size. Each step may be repeated
 * after an interruption.
 * Return: 0; or -errno with why.
 */
int ledger_settle(struct ledger_book *book, struct ledger_notes *notes, char *why, size_t why_len);

/* Return: whether the ring is whole, belongs to this database and has the position it expects. */
bool ledger_settle_fits(struct ledger_book *book);

/* Puts the database's last failure, and its remedy, into a sentence. */
void ledger_settle_explain(const struct ledger_book *book, int err, const char *what, char *why,
			   size_t why_len);

#endif
