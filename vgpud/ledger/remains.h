/* SPDX-License-Identifier: GPL-2.0-or-later */
/* remains.h - no database where there should be one: what is left of it is kept */

#ifndef VGPUD_LEDGER_REMAINS_H
#define VGPUD_LEDGER_REMAINS_H

#include <stdbool.h>
#include <stddef.h>

#include "vgpud/ledger/notes.h"

/* Return: whether the file PATH + SUFFIX is missing or has no bytes. */
bool ledger_remains_empty(const char *path, const char *suffix);

/* Before the database is opened, with the ring open. Return: 0; or -errno with why. */
int ledger_remains_look(const struct ledger_book *book, struct ledger_notes *notes, char *why,
			size_t why_len);

/* The database that was opened had no tables: notes it, if there should have been some. */
void ledger_remains_no_tables(const struct ledger_book *book, struct ledger_notes *notes);

#endif
