/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clock.h - how far the clock may be believed that rows' age is counted by */

#ifndef VGPUD_LEDGER_CLOCK_H
#define VGPUD_LEDGER_CLOCK_H

#include <stdint.h>

#include "vgpud/ledger/db.h"

/* Times are nanoseconds since the Unix epoch. */
struct ledger_clock {
	int64_t lag_ns;	      /* does not count as age */
	int64_t lag_until_ns; /* on the session's clock; from then on it does */
	/* Against the newest entry of the session before, if it is doubtful: a start so long after
	 * it, or before it; else 0. */
	int64_t ahead_ns, behind_ns;
	int64_t newest_ns; /* that entry; 0: there was no session */
	/* Entries are dated up to then, since the clock was ahead once; 0: none is after now. */
	int64_t ahead_until_ns;
};

/*
 * Before a session's row is there: decides what counts as age in it.
 * now_ns: the session's start. Return: 0 or -errno.
 */
int ledger_clock_look(struct ledger_clock *clock, struct ledger_db *db, int64_t now_ns);

/* The wall clock was set in the session of that id. Return: 0 or -errno. */
int ledger_clock_step(struct ledger_db *db, uint64_t session_id, int64_t step_ns);

/* Return: the time that a row's age is counted by, when the session's clock says now_ns. */
int64_t ledger_clock_age_ns(const struct ledger_clock *clock, int64_t now_ns);

#endif
