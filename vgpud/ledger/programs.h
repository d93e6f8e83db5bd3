/* SPDX-License-Identifier: GPL-2.0-or-later */
/* programs.h - the rows of the guests' programs */

#ifndef VGPUD_LEDGER_PROGRAMS_H
#define VGPUD_LEDGER_PROGRAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "vgpud/ledger/db.h"
#include "vgpud/ledger/ledger.h"

/* The first three belong into a transaction. wall_offset_ns: wall time = monotonic time + this. */

/* Inserts the row of a program that began, unless it is there. Return: 0 or -errno. */
int ledger_programs_begin(struct ledger_db *db, const struct ledger_program *program,
			  int64_t wall_offset_ns);

/*
 * Fills in its end. A program whose beginning was damaged in the ring gets a row without a name.
 * again: set when it had an end already, which stays. Return: 0 or -errno.
 */
int ledger_programs_end(struct ledger_db *db, const struct ledger_program *program,
			int64_t wall_offset_ns, bool *again);

/*
 * Brings the row of a program that runs up to date, and so its minute; a row that has an end or has gone
 * stays. at_ns: of when the figures are, since the Unix epoch. Return: 0 or -errno.
 */
int ledger_programs_use(struct ledger_db *db, const struct ledger_program *program, int64_t at_ns);

/*
 * Ends every program without an end: it was lost with the vgpud that had it (HOST_LOST, at an
 * unknown time), with an event for each. lost: their number is added to it. Return: 0 or -errno.
 */
int ledger_programs_lose(struct ledger_db *db, int64_t *lost);

/*
 * Sets what a program's worker claims in its row, if that is there; it belongs into a transaction.
 * names: of refused functions, NULL: none. Return: 0 or -errno.
 */
int ledger_programs_claim(struct ledger_db *db, const struct ledger_program *program,
			  const char *names);

#endif
