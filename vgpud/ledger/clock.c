/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clock.c - how far the wall clock may be trusted when rows are removed by age */

/*
 * Within a session, time comes from the monotonic clock, so setting the wall clock makes no row
 * older. From one session to the next there is only the wall clock, and a wrong one could empty the
 * ledger at once. So when a start seems to come long after the last entry, the gap does not count
 * as age for a week: in that time an administrator can see the message and set the clock. On a host
 * that was really off, rows go a week later, which does no harm. The rows of table session keep the
 * doubt for later starts.
 */

#include "vgpud/ledger/clock.h"

#include <errno.h>

#include "common/util.h"

#define GAP_NS UTIL_NS_PER_DAY	       /* a shorter gap counts as age at once */
#define DOUBT_NS (7 * UTIL_NS_PER_DAY) /* a longer one only after this time */

/* Finds when the last session's newest entry is dated; 0: no session. Return: 0 or -errno. */
static int newest_entry(struct ledger_db *db, int64_t *newest_ns)
{
	int err = ledger_db_number(db, LEDGER_DB_NEWEST, newest_ns);

	if (err != -ENODATA)
		return err;
	*newest_ns = 0;
	return 0;
}

/* Adds gaps that earlier starts found and that are still in doubt. Return: 0 or -errno. */
static int earlier_doubts(struct ledger_clock *clock, struct ledger_db *db, int64_t now_ns)
{
	sqlite3_stmt *statement = db->statement[LEDGER_DB_CLOCK_AHEAD];
	int rc, err = 0;

	sqlite3_bind_int64(statement, 1, now_ns - DOUBT_NS);
	sqlite3_bind_int64(statement, 2, now_ns);
	rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW) {
		clock->lag_ns = sqlite3_column_int64(statement, 0);
		clock->lag_until_ns = sqlite3_column_int64(statement, 1) + DOUBT_NS;
	} else {
		err = ledger_db_errno(db->conn, rc);
	}
	sqlite3_reset(statement);
	return err;
}

int ledger_clock_look(struct ledger_clock *clock, struct ledger_db *db, int64_t now_ns)
{
	int64_t gap_ns;
	int err;

	*clock = (struct ledger_clock){ 0 };
	err = newest_entry(db, &clock->newest_ns);
	if (err == 0)
		err = earlier_doubts(clock, db, now_ns);
	if (err)
		return err;
	gap_ns = clock->newest_ns == 0 ? 0 : now_ns - clock->newest_ns;
	if (gap_ns < -GAP_NS)
		clock->behind_ns = -gap_ns;
	sqlite3_bind_int64(db->statement[LEDGER_DB_CLOCK_BEHIND], 1, now_ns);
	err = ledger_db_number(db, LEDGER_DB_CLOCK_BEHIND, &clock->ahead_until_ns);
	if (err)
		return err;
	if (clock->behind_ns > 0 && clock->newest_ns > clock->ahead_until_ns)
		clock->ahead_until_ns = clock->newest_ns;
	if (gap_ns <= GAP_NS)
		return 0;
	clock->ahead_ns = gap_ns;
	clock->lag_ns += gap_ns;
	clock->lag_until_ns = now_ns + DOUBT_NS;
	return 0;
}

int ledger_clock_step(struct ledger_db *db, uint64_t session_id, int64_t step_ns)
{
	sqlite3_stmt *statement = db->statement[LEDGER_DB_CLOCK_STEP];

	sqlite3_bind_int64(statement, 1, (int64_t)session_id);
	sqlite3_bind_int64(statement, 2, step_ns);
	return ledger_db_run(db, LEDGER_DB_CLOCK_STEP);
}

int64_t ledger_clock_age_ns(const struct ledger_clock *clock, int64_t now_ns)
{
	return now_ns < clock->lag_until_ns ? now_ns - clock->lag_ns : now_ns;
}
