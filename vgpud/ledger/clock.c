/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clock.c - how far the clock may be believed that rows' age is counted by */

/*
 * Within a session time is the monotonic clock's, so nothing that is done to the wall clock makes a
 * row older. From one session to the next there is only the wall clock, and one that is wrong could
 * empty the ledger at once. So a start that comes long after all that the last session left does
 * not count the time in between as age for a week, in which an administrator may see the message. A
 * host that was off for that time deletes a week later, which harms no one. The events tell later
 * starts of it.
 */

#include "vgpud/ledger/clock.h"

#include <errno.h>
#include <time.h>

#include "common/util.h"

#define GAP_NS UTIL_NS_PER_DAY	       /* shorter ones count */
#define DOUBT_NS (7 * UTIL_NS_PER_DAY) /* for so long longer ones do not */

static void write_time(int64_t ns, char *out, size_t len)
{
	time_t seconds = (time_t)(ns / UTIL_NS_PER_S);
	struct tm utc;

	if (gmtime_r(&seconds, &utc) == NULL || strftime(out, len, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
		out[0] = '\0';
}

/* What the last session left, on its clock; 0: there was none. Return: 0 or -errno. */
static int newest_entry(struct ledger_db *db, int64_t *newest_ns)
{
	int err = ledger_db_number(db, LEDGER_DB_NEWEST, newest_ns);

	if (err != -ENODATA)
		return err;
	*newest_ns = 0;
	return 0;
}

int ledger_clock_look(struct ledger_clock *clock, struct ledger_db *db, int64_t now_ns,
		      struct ledger_clock_doubt *doubt)
{
	sqlite3_stmt *statement = db->statement[LEDGER_DB_AHEAD];
	int64_t newest_ns = 0, gap_ns, since_ns = 0;
	int err = newest_entry(db, &newest_ns);

	*doubt = (struct ledger_clock_doubt){ 0 };
	*clock = (struct ledger_clock){ 0 };
	if (err)
		return err;
	gap_ns = newest_ns == 0 ? 0 : now_ns - newest_ns;
	sqlite3_bind_int64(statement, 1, now_ns - DOUBT_NS);
	sqlite3_bind_int64(statement, 2, now_ns);
	if (sqlite3_step(statement) == SQLITE_ROW) {
		clock->lag_ns = sqlite3_column_int64(statement, 0) * UTIL_NS_PER_S;
		since_ns = sqlite3_column_int64(statement, 1);
	}
	sqlite3_reset(statement);
	if (gap_ns > GAP_NS) {
		clock->lag_ns += gap_ns;
		since_ns = now_ns;
		write_time(newest_ns, doubt->newest, sizeof(doubt->newest));
		write_time(now_ns, doubt->now, sizeof(doubt->now));
		doubt->days = gap_ns / UTIL_NS_PER_DAY;
	}
	clock->lag_until_ns = since_ns + DOUBT_NS;
	return 0;
}

int64_t ledger_clock_age_ns(const struct ledger_clock *clock, int64_t now_ns)
{
	return now_ns < clock->lag_until_ns ? now_ns - clock->lag_ns : now_ns;
}
