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

/* What was found so far. */
struct gathering {
	struct ledger_query *query;
	enum ledger_query_by by;
	struct ledger_query_groups groups;
};

static int64_t add(int64_t a, int64_t b)
{
	return a > INT64_MAX - b ? INT64_MAX : a + b;
}

/* The columns stand as in gather(). */
static int add_minute(void *arg, sqlite3_stmt *row)
{
	struct gathering *gathering = arg;
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

static int gather(struct gathering *gathering, const struct ledger_query_filter *filter)
{
	struct ledger_query_filter chosen = *filter;

	chosen.opcode = chosen.status = LEDGER_QUERY_ANY;
	return ledger_query_minutes(
		gathering->query,
		"vm_id, unicode(pool), priority, count, open, latency_sum_ns, "
		"latency_max_ns, latency_hist",
		"submission_minute", &chosen, filter->since_ns / LEDGER_QUERY_NS_PER_MINUTE,
		(filter->until_ns - 1) / LEDGER_QUERY_NS_PER_MINUTE, add_minute, gathering);
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
