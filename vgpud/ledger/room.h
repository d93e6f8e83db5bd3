/* SPDX-License-Identifier: GPL-2.0-or-later */
/* room.h - whether the disk has room for records, and when the log is checkpointed */

#ifndef VGPUD_LEDGER_ROOM_H
#define VGPUD_LEDGER_ROOM_H

#include <stdbool.h>

#include "vgpud/ledger/db.h"

struct ledger_room {
	struct ledger_db *db;
	uint64_t max_bytes; /* of the database; 0: no bound */
	int disk_fd;	    /* of a file beside the database */
	bool none;	    /* the last ask found no room for records: only the reserve is left */
	int wait_ms; /* for readers, at the next attempt to begin the log anew; 0: none yet */
	uint64_t wait_due_ns; /* CLOCK_MONOTONIC: of that attempt */
};

/* To be called once the database is open. */
void ledger_room_set_up(struct ledger_room *room);

/*
 * To be called after each write: makes a checkpoint, if it is time.
 * Return: whether it did, so that the file may have grown.
 */
bool ledger_room_checkpoint(struct ledger_room *room);

/* Makes a checkpoint and gives the log's room back to the disk, as far as readers allow. */
void ledger_room_make(struct ledger_room *room);

/* Return: bytes free on the disk; UINT64_MAX: that cannot be asked. */
uint64_t ledger_room_free(const struct ledger_room *room);

/* Return: 0, or -ENOSPC: the disk has no room for a batch. */
int ledger_room_ask(struct ledger_room *room);

/* Puts the failure err into words. */
void ledger_room_words(const struct ledger_room *room, int err, char *out, size_t len);

#endif
