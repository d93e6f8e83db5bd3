/* SPDX-License-Identifier: GPL-2.0-or-later */
/* events.h - writes the audit trail */

#ifndef VGPUD_LEDGER_EVENTS_H
#define VGPUD_LEDGER_EVENTS_H

#include <stdint.h>

#include "vgpud/ledger/db.h"
#include "vgpud/ledger/ledger.h"

/* Writes an event in the open transaction. wall_ns: since the Unix epoch. Return: 0 or -errno. */
int ledger_events_write(struct ledger_db *db, int64_t wall_ns, const struct ledger_event *event);

#endif
