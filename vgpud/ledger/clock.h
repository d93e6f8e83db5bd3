/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clock.h - how far the wall clock may be trusted when rows are removed by age */

#ifndef VGPUD_LEDGER_CLOCK_H
#define VGPUD_LEDGER_CLOCK_H

#include <stdint.h>

#include "vgpud/ledger/db.h"

/* Times are nanoseconds since the Unix epoch. */
struct ledger_clock {
	int64_t lag_ns;	      /* so much of a row's age is in doubt and does not count */
	int64_t lag_until_ns; /* from this time of the session's clock on it counts */
	/* How long this start is after, or before, the last session's newest entry; 0 where the
	 * distance is not in doubt. */
	int64_t ahead_ns, behind_ns;
	int64_t newest_ns; /* that entry; 0: there was no session */
	/* The latest date of an entry, if a clock that was ahead dated some after now, else 0. */
	int64_t ahead_until_ns;
};

/*
 * Decides how much of rows' age counts in a session. Call it before the session has its row.
 * now_ns: the session's start. Return: 0 or -errno.
 */
int ledger_clock_look(struct ledger_clock *clock, struct ledger_db *db, int64_t now_ns);

/* Records that the wall clock was set during a session. Return: 0 or -errno. */
int ledger_clock_step(struct ledger_db *db, uint64_t session_id, int64_t step_ns);

/* Return: the time from which rows' ages are counted back, at now_ns of the session's clock. */
int64_t ledger_clock_age_ns(const struct ledger_clock *clock, int64_t now_ns);

#endif
