/* SPDX-License-Identifier: GPL-2.0-or-later */
/* remains.h - keeps what is left of a database that is missing or empty */

#ifndef VGPUD_LEDGER_REMAINS_H
#define VGPUD_LEDGER_REMAINS_H

#include <stdbool.h>
#include <stddef.h>

#include "vgpud/ledger/notes.h"

/* Return: whether the file PATH + SUFFIX is missing or has no bytes. */
bool ledger_remains_empty(const char *path, const char *suffix);

/* Call it with the ring open, before the database is opened. Return: 0; or -errno with why. */
int ledger_remains_look(const struct ledger_book *book, struct ledger_notes *notes, char *why,
			size_t why_len);

/* The opened database had no tables: notes that, if the ring shows that it once had some. */
void ledger_remains_no_tables(const struct ledger_book *book, struct ledger_notes *notes);

#endif
