/* SPDX-License-Identifier: GPL-2.0-or-later */
/* room.h - whether the disk has room for records, and when the log goes into the database */

#ifndef VGPUD_LEDGER_ROOM_H
#define VGPUD_LEDGER_ROOM_H

#include <stdbool.h>

#include "vgpud/ledger/db.h"

struct ledger_room {
	struct ledger_db *db;
	uint64_t max_bytes; /* of the database; 0: no bound */
	int disk_fd;	    /* of a file beside the database */
	bool none;	    /* the last ask found none: the reserve is not for records */
	int wait_ms;	    /* for readers, at the next attempt to begin the log anew; 0: not yet */
	uint64_t wait_due_ns; /* CLOCK_MONOTONIC: of that attempt */
};

/* For a database that was opened now. */
void ledger_room_set_up(struct ledger_room *room);

/*
 * After what was written: lets the log go into the database file, if it is time.
 * Return: whether it did, so that the file may have grown.
 */
bool ledger_room_checkpoint(struct ledger_room *room);

/* Lets the log go into the database file, and gives its room back, as far as readers allow. */
void ledger_room_make(struct ledger_room *room);

/* Return: 0, or -ENOSPC: the disk has no room for a batch. */
int ledger_room_ask(struct ledger_room *room);

/* Writes why something failed just now. */
void ledger_room_words(const struct ledger_room *room, int err, char *out, size_t len);

#endif
