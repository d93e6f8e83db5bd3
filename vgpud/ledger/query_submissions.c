/* SPDX-License-Identifier: GPL-2.0-or-later */
/* query_submissions.c - how long programs' submissions took, from their minutes */

/*
 * Rows of table submission may stand for several, so they have no quantiles; the minutes have all.
 * A window is made of whole minutes here: those that it touches. Reading ten million submissions
 * takes no longer than reading ten: what counts is for how many minutes, VMs, pools and priorities
 * there are rows.
 */

#include <errno.h>
#include <stdio.h>

#include "vgpud/ledger/query_private.h"

#define PIECE_MINUTES 1440 /* added up at once */

/* The next minutes to read, and what was found. */
struct gathering {
	struct ledger_query *query;
	enum ledger_query_by by;
	struct ledger_query_groups groups;
};

static int64_t add(int64_t a, int64_t b)
{
	return a > INT64_MAX - b ? INT64_MAX : a + b;
}

/* The columns stand as in the statement below. */
static int add_minute(struct gathering *gathering, sqlite3_stmt *row)
{
	int64_t key = gathering->by == LEDGER_QUERY_BY_NOTHING
			      ? 0
			      : sqlite3_column_int64(row, (int)gathering->by - LEDGER_QUERY_BY_VM);
	struct ledger_query_group *group = ledger_query_group(&gathering->groups, key);
	const void *blob = sqlite3_column_blob(row, 7);
	int64_t max_ns = sqlite3_column_int64(row, 6);

	if (!group)
		return -ENOMEM;
	group->count += (uint64_t)sqlite3_column_int64(row, 3);
	group->errors += (uint64_t)sqlite3_column_int64(row, 4);
	group->sum_ns[LEDGER_QUERY_TOTAL] = add(group->sum_ns[LEDGER_QUERY_TOTAL],
						sqlite3_column_int64(row, 5));
	if (max_ns > group->max_ns[LEDGER_QUERY_TOTAL])
		group->max_ns[LEDGER_QUERY_TOTAL] = max_ns;
	if (blob && hist_decode(&group->hist[LEDGER_QUERY_TOTAL], blob,
				(size_t)sqlite3_column_bytes(row, 7))) {
		snprintf(gathering->query->error, sizeof(gathering->query->error),
			 "a histogram of table submission_minute is damaged");
		return -EUCLEAN;
	}
	return 0;
}

static int add_piece(struct gathering *gathering, sqlite3_stmt *row, int64_t first, int64_t last)
{
	int rc = SQLITE_DONE, err = 0;

	ledger_query_next_piece(gathering->query);
	sqlite3_bind_int64(row, 1, first);
	sqlite3_bind_int64(row, 2, last);
	while (err == 0 && (rc = sqlite3_step(row)) == SQLITE_ROW)
		err = add_minute(gathering, row);
	if (err == 0 && rc != SQLITE_DONE)
		err = ledger_query_fail(gathering->query, rc);
	sqlite3_reset(row);
	return err;
}

static int gather(struct gathering *gathering, const struct ledger_query_filter *filter)
{
	char sql[512] = "SELECT vm_id, unicode(pool), priority, count, open, latency_sum_ns, "
			"latency_max_ns, latency_hist FROM submission_minute "
			"WHERE minute BETWEEN ?1 AND ?2";
	struct ledger_query_filter chosen = *filter;
	int64_t first = 0, last = 0;
	sqlite3_stmt *row;
	int err = ledger_query_number(gathering->query, "SELECT min(minute) FROM submission_minute",
				      0, 0, &first);

	if (err == 0)
		err = ledger_query_number(gathering->query,
					  "SELECT max(minute) FROM submission_minute", 0, 0, &last);
	if (err)
		return err == -ENODATA ? 0 : err;
	if (first < filter->since_ns / LEDGER_QUERY_NS_PER_MINUTE)
		first = filter->since_ns / LEDGER_QUERY_NS_PER_MINUTE;
	if (last > (filter->until_ns - 1) / LEDGER_QUERY_NS_PER_MINUTE)
		last = (filter->until_ns - 1) / LEDGER_QUERY_NS_PER_MINUTE;
	chosen.opcode = chosen.status = LEDGER_QUERY_ANY;
	ledger_query_conditions(sql, sizeof(sql), &chosen);
	row = ledger_query_prepare(gathering->query, sql, &err);
	for (; err == 0 && first <= last; first += PIECE_MINUTES)
		err = add_piece(gathering, row, first,
				last - first >= PIECE_MINUTES ? first + PIECE_MINUTES - 1 : last);
	sqlite3_finalize(row);
	return err;
}

/* What is given to a caller's function, which is not the one that groups know. */
struct giving {
	int (*each)(void *arg, const struct ledger_query_submissions *submissions);
	void *arg;
};

static int give(void *arg, const struct ledger_query_stats *stats)
{
	const struct giving *giving = arg;
	const struct ledger_query_submissions submissions = {
		.key = stats->key,
		.count = stats->count,
		.open = stats->errors,
		.latency = stats->total,
	};

	return giving->each(giving->arg, &submissions);
}

int ledger_query_submissions(struct ledger_query *query, const struct ledger_query_filter *filter,
			     enum ledger_query_by by,
			     int (*each)(void *arg,
					 const struct ledger_query_submissions *submissions),
			     void *arg)
{
	struct gathering gathering = { .query = query, .by = by };
	struct giving giving = { .each = each, .arg = arg };
	int err = by < LEDGER_QUERY_BY_OPCODE ? gather(&gathering, filter) : 0;

	if (err == 0)
		err = ledger_query_groups_give(&gathering.groups, ledger_query_group_quantile, give,
					       &giving);
	ledger_query_groups_free(&gathering.groups);
	return err;
}
