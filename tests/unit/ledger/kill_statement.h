/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kill_statement.h - ends the process in the middle of what it does with the database */

#ifndef VGPU_TESTS_UNIT_LEDGER_KILL_STATEMENT_H
#define VGPU_TESTS_UNIT_LEDGER_KILL_STATEMENT_H

#include <signal.h>
#include <sqlite3.h>

static unsigned kill_statement_left;

/* Before each statement, and after. */
static int kill_statement_count(unsigned type, void *arg, void *statement, void *more)
{
	(void)type;
	(void)arg;
	(void)statement;
	(void)more;
	if (kill_statement_left-- == 0)
		raise(SIGKILL);
	return 0;
}

static int kill_statement_watch(sqlite3 *conn, char **error, const void *api)
{
	(void)error;
	(void)api;
	return sqlite3_trace_v2(conn, SQLITE_TRACE_STMT | SQLITE_TRACE_PROFILE,
				kill_statement_count, NULL);
}

/* Connections opened from now on count; left: beginnings and ends of statements that still pass. */
static inline void kill_statement_after(unsigned left)
{
	kill_statement_left = left;
	sqlite3_auto_extension((void (*)(void))kill_statement_watch);
}

#endif
