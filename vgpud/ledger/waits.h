/* SPDX-License-Identifier: GPL-2.0-or-later */
/* waits.h - the minutes of what programs waited for */

#ifndef VGPUD_LEDGER_WAITS_H
#define VGPUD_LEDGER_WAITS_H

#include "vgpud/ledger/db.h"
#include "vgpud/ledger/ledger.h"

/* Adds waits to their minutes; it belongs into a transaction. Return: 0 or -errno. */
int ledger_waits_write(struct ledger_db *db, const struct ledger_wait *waits, unsigned num);

#endif
