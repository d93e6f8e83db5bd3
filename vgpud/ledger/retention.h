/* SPDX-License-Identifier: GPL-2.0-or-later */
/* retention.h - removes rows that are too old or make the database too large */

#ifndef VGPUD_LEDGER_RETENTION_H
#define VGPUD_LEDGER_RETENTION_H

#include <stdbool.h>
#include <stdint.h>

#include "vgpud/ledger/book.h"
#include "vgpud/ledger/history.h"

struct ledger_retention {
	uint64_t due_ns; /* CLOCK_MONOTONIC; 0: now */
	struct ledger_history histories[LEDGER_HISTORY_NUM];
};

/* Nothing was counted and removed yet. */
void ledger_retention_init(struct ledger_retention *retention);

/*
 * Removes a few rows, if it is time for it.
 * err: how the last attempt to write ended; on a full disk, removing rows may help.
 * Return: whether there is more to do at once.
 */
bool ledger_retention_step(struct ledger_retention *retention, struct ledger_book *book, int err);

#endif
