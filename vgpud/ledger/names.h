/* SPDX-License-Identifier: GPL-2.0-or-later */
/* names.h - the names of the numbers in the ledger, for those who read it with SQL */

#ifndef VGPUD_LEDGER_NAMES_H
#define VGPUD_LEDGER_NAMES_H

#include "vgpud/ledger/db.h"

/* Fills table name; what is there already is not written again. Return: 0 or -errno. */
int ledger_names_fill(struct ledger_db *db);

#endif
