/* SPDX-License-Identifier: GPL-2.0-or-later */
/* query_stats.c - statistics over a span of time, from minutes and the rows at its edges */

/*
 * A window consists of whole minutes, whose sums are in table minute, and a part of a minute at
 * either end, for which the rows are read. So counts and sums are exactly those of the window.
 * Where the rows of such a part have expired, the window grows to the whole minute and `widened`
 * says so.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vgpud/ledger/query_private.h"

#define MINUTE LEDGER_QUERY_NS_PER_MINUTE

struct gathering {
	struct ledger_query *query;
	enum ledger_query_by by;
	struct ledger_query_groups groups;
};

/* --- what comes in --- */

static int add_row(void *arg, const struct ledger_query_row *row)
{
	struct gathering *gathering = arg;

	return ledger_query_group_add(&gathering->groups, gathering->by, row) ? 0 : -ENOMEM;
}

/* A row of table minute: the columns stand as in add_minutes(). */
static int add_minute(void *arg, sqlite3_stmt *row)
{
	struct gathering *gathering = arg;
	int64_t key = gathering->by == LEDGER_QUERY_BY_NOTHING
			      ? 0
			      : sqlite3_column_int64(row, (int)gathering->by - 1);
	struct ledger_query_group *group = ledger_query_group(&gathering->groups, key);

	if (!group)
		return -ENOMEM;
	group->count += (uint64_t)sqlite3_column_int64(row, 4);
	group->errors += (uint64_t)sqlite3_column_int64(row, 5);
	for (int time = 0; time < LEDGER_QUERY_TIME_NUM; time++) {
		const void *blob = sqlite3_column_blob(row, 12 + time);
		int64_t max_ns = sqlite3_column_int64(row, 7 + 2 * time);

		group->sum_ns[time] += sqlite3_column_int64(row, 6 + 2 * time);
		if (max_ns > group->max_ns[time])
			group->max_ns[time] = max_ns;
		if (blob && hist_decode(&group->hist[time], blob,
					(size_t)sqlite3_column_bytes(row, 12 + time))) {
			snprintf(gathering->query->error, sizeof(gathering->query->error),
				 "a histogram of table minute is damaged");
			return -EUCLEAN;
		}
	}
	return 0;
}

static int add_minutes(struct gathering *gathering, const struct ledger_query_filter *filter,
		       int64_t first, int64_t behind)
{
	return ledger_query_minutes(gathering->query,
				    "vm_id, unicode(pool), priority, opcode, count, errors, "
				    "wait_sum_ns, wait_max_ns, exec_sum_ns, exec_max_ns, "
				    "total_sum_ns, total_max_ns, wait_hist, exec_hist, total_hist",
				    "minute", filter, first, behind - 1, add_minute, gathering);
}

static int add_rows(struct gathering *gathering, const struct ledger_query_filter *filter,
		    int64_t since_ns, int64_t until_ns)
{
	struct ledger_query_filter part = *filter;

	part.since_ns = since_ns;
	part.until_ns = until_ns;
	return since_ns < until_ns ? ledger_query_scan(gathering->query, &part, add_row, gathering)
				   : 0;
}

/* --- the window --- */

static int count_row(void *arg, const struct ledger_query_row *row)
{
	(void)row;
	(*(int64_t *)arg)++;
	return 0;
}

/* Return: 1 when rows of a minute that was counted are no longer there, 0, or -errno. */
static int is_expired(struct ledger_query *query, int64_t minute)
{
	struct ledger_query_filter filter = LEDGER_QUERY_FILTER_ALL;
	int64_t oldest_ns = INT64_MAX, counted = 0, rows = 0;
	int err = ledger_query_number(query, "SELECT received_ns FROM request ORDER BY id LIMIT 1",
				      0, 0, &oldest_ns);

	if (err && err != -ENODATA)
		return err;
	if (oldest_ns <= minute * MINUTE)
		return 0;
	err = ledger_query_number(query, "SELECT sum(count) FROM minute WHERE minute = ?1", minute,
				  0, &counted);
	if (err)
		return err == -ENODATA ? 0 : err;
	filter.since_ns = minute * MINUTE;
	filter.until_ns = (minute + 1) * MINUTE;
	err = ledger_query_scan(query, &filter, count_row, &rows);
	return err ? err : rows < counted;
}

static int widen(struct ledger_query *query, struct ledger_query_window *window)
{
	int expired = 0;

	if (window->since_ns % MINUTE != 0) {
		expired = is_expired(query, window->since_ns / MINUTE);
		if (expired > 0) {
			window->since_ns -= window->since_ns % MINUTE;
			window->widened = true;
		}
	}
	if (expired >= 0 && window->until_ns != INT64_MAX && window->until_ns % MINUTE != 0) {
		expired = is_expired(query, window->until_ns / MINUTE);
		if (expired > 0) {
			window->until_ns += MINUTE - window->until_ns % MINUTE;
			window->widened = true;
		}
	}
	return expired < 0 ? expired : 0;
}

static int gather(struct gathering *gathering, const struct ledger_query_filter *filter,
		  struct ledger_query_window *window)
{
	int64_t first, behind;
	int err = ledger_query_begin(gathering->query);

	if (err)
		return err;
	err = ledger_query_end(gathering->query, widen(gathering->query, window));
	if (err)
		return err;
	first = window->since_ns / MINUTE + (window->since_ns % MINUTE != 0);
	behind = window->until_ns == INT64_MAX ? INT64_MAX : window->until_ns / MINUTE;
	if (first > behind)
		return add_rows(gathering, filter, window->since_ns, window->until_ns);
	err = add_rows(gathering, filter, window->since_ns, first * MINUTE);
	if (err == 0)
		err = add_minutes(gathering, filter, first, behind);
	if (err == 0 && behind != INT64_MAX)
		err = add_rows(gathering, filter, behind * MINUTE, window->until_ns);
	return err;
}

int ledger_query_stats(struct ledger_query *query, const struct ledger_query_filter *filter,
		       enum ledger_query_by by, bool exact, struct ledger_query_window *window,
		       int (*each)(void *arg, const struct ledger_query_stats *stats), void *arg)
{
	struct gathering gathering = { .query = query, .by = by };
	struct ledger_query_filter chosen = *filter;
	int err;

	if (chosen.since_ns < 0)
		chosen.since_ns = 0;
	chosen.status = LEDGER_QUERY_ANY;
	*window = (struct ledger_query_window){ chosen.since_ns, chosen.until_ns, false };
	if (exact) {
		err = ledger_query_begin(query);
		return err ? err
			   : ledger_query_end(query,
					      ledger_query_exact(query, &chosen, by, each, arg));
	}
	err = gather(&gathering, &chosen, window);
	if (err == 0)
		err = ledger_query_groups_give(&gathering.groups, ledger_query_group_quantile, each,
					       arg);
	ledger_query_groups_free(&gathering.groups);
	return err;
}
