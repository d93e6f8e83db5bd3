/* SPDX-License-Identifier: GPL-2.0-or-later */
/* submissions.h - the rows and minutes of what programs submitted */

#ifndef VGPUD_LEDGER_SUBMISSIONS_H
#define VGPUD_LEDGER_SUBMISSIONS_H

#include "vgpud/ledger/db.h"
#include "vgpud/ledger/ledger.h"

/*
 * Takes what ledger_submissions() was given into the database; it belongs into a transaction. What the
 * database has already changes nothing, and neither does a program without a row. Return: 0 or -errno.
 */
int ledger_submissions_write(struct ledger_db *db, const struct ledger_submissions *given);

#endif
