/* SPDX-License-Identifier: GPL-2.0-or-later */
/* start.h - opens the ledger and begins a session */

#ifndef VGPUD_LEDGER_START_H
#define VGPUD_LEDGER_START_H

#include <stddef.h>
#include <stdint.h>

#include "vgpud/ledger/book.h"
#include "vgpud/ledger/vms.h"

struct ledger_notes;

struct ledger_start {
	struct ledger_book *book;
	struct ledger_vms *vms;
	struct ledger_notes *notes; /* findings to tell once the session has begun, then NULL */
	uint64_t next_id;	    /* the first id of a request that is free */
	uint64_t next_program_id;   /* and of a program */
};

/*
 * Opens ring and database, takes what is in the ring into the database, and begins a session; or,
 * on a full disk, only reads what this session needs, and leaves the rest to ledger_start_begin().
 * book, vms: filled; the caller frees them, and start, also after a failure.
 * Return: 0; or -errno with why.
 */
int ledger_start(struct ledger_start *start, struct ledger_book *book, struct ledger_vms *vms,
		 char *why, size_t why_len);

/* Begins a session that found no room at the start. Return: 0 or -errno. */
int ledger_start_begin(struct ledger_start *start);

void ledger_start_free(struct ledger_start *start);

#endif
