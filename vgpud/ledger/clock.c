/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clock.c - how far the clock may be believed that rows' age is counted by */

/*
 * Within a session time is the monotonic clock's, so nothing that is done to the wall clock makes a
 * row older. From one session to the next there is only the wall clock, and one that is wrong could
 * empty the ledger at once. So a start that comes long after all that the last session left does
 * not count the time in between as age for a week, in which an administrator may see the message. A
 * host that was off for that time deletes a week later, which harms no one. The rows of the
 * sessions tell later starts of it.
 */

#include "vgpud/ledger/clock.h"

#include <errno.h>

#include "common/util.h"

#define GAP_NS UTIL_NS_PER_DAY	       /* shorter ones count */
#define DOUBT_NS (7 * UTIL_NS_PER_DAY) /* for so long longer ones do not */

/* What the last session left, on its clock; 0: there was none. Return: 0 or -errno. */
static int newest_entry(struct ledger_db *db, int64_t *newest_ns)
{
	int err = ledger_db_number(db, LEDGER_DB_NEWEST, newest_ns);

	if (err != -ENODATA)
		return err;
	*newest_ns = 0;
	return 0;
}

/* What earlier starts found doubtful, and still is. Return: 0 or -errno. */
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
