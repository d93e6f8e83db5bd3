/* SPDX-License-Identifier: GPL-2.0-or-later */
/* query_usage.c - what guests' programs used, from their minutes */

/*
 * A window is made of whole minutes here: those that it touches. They are added up here: sqlite would sort
 * what it groups, all of a month's rows in memory.
 */

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>

#include "vgpud/ledger/query_private.h"

#define FIGURE_NUM 8 /* of a row, the first is GPU time */
#define SUM_MOST INT64_C(9000000000000000000)

/* A group under way. Most figures are claims of tenants: sums end at SUM_MOST. */
struct sums {
	int64_t key;
	int64_t figure[FIGURE_NUM];
	bool is_known[FIGURE_NUM];
};

struct gathering {
	struct ledger_query *query;
	void *groups; /* tsearch(3)'s */
	struct sums *last;
	int (*each)(void *arg, const struct ledger_query_used *used);
	void *arg;
	int err; /* of each */
};

static int compare(const void *a, const void *b)
{
	int64_t left = ((const struct sums *)a)->key, right = ((const struct sums *)b)->key;

	return (left > right) - (left < right);
}

/* Return: the group of a key, a new one if there was none; NULL: no memory. */
static struct sums *group_of(struct gathering *gathering, int64_t key)
{
	struct sums *new, **found;

	if (gathering->last && gathering->last->key == key)
		return gathering->last;
	new = calloc(1, sizeof(*new));
	if (!new)
		return NULL;
	new->key = key;
	found = tsearch(new, &gathering->groups, compare);
	if (!found || *found != new)
		free(new);
	return found ? (gathering->last = *found) : NULL;
}

/* The columns stand as in gather(). */
static int add_minute(void *arg, sqlite3_stmt *row)
{
	struct gathering *gathering = arg;
	struct sums *sums = group_of(gathering, sqlite3_column_int64(row, 0));

	if (!sums)
		return -ENOMEM;
	for (int i = 0; i < FIGURE_NUM; i++) {
		int64_t figure = sqlite3_column_int64(row, 1 + i);

		if (sqlite3_column_type(row, 1 + i) == SQLITE_NULL)
			continue;
		sums->is_known[i] = true;
		sums->figure[i] = figure > SUM_MOST - sums->figure[i] ? SUM_MOST
								      : sums->figure[i] + figure;
	}
	return 0;
}

static const char *key_of(enum ledger_query_by by)
{
	switch (by) {
	case LEDGER_QUERY_BY_VM:
		return "vm_id";
	case LEDGER_QUERY_BY_POOL:
		return "unicode(pool)";
	case LEDGER_QUERY_BY_PRIORITY:
		return "priority";
	case LEDGER_QUERY_BY_PROGRAM:
		return "program_id";
	case LEDGER_QUERY_BY_OPCODE: /* programs have none */
	case LEDGER_QUERY_BY_NOTHING:
		break;
	}
	return "0";
}

static int gather(struct gathering *gathering, const struct ledger_query_filter *filter,
		  enum ledger_query_by by)
{
	struct ledger_query_filter chosen = *filter;
	char columns[160];

	chosen.opcode = chosen.status = LEDGER_QUERY_ANY;
	snprintf(columns, sizeof(columns),
		 "%s, billed_ns, memory_byte_s, submissions, commands, launches, copies, "
		 "copy_bytes, refused",
		 key_of(by));
	return ledger_query_minutes(gathering->query, columns, "program_minute", &chosen,
				    filter->since_ns / LEDGER_QUERY_NS_PER_MINUTE,
				    (filter->until_ns - 1) / LEDGER_QUERY_NS_PER_MINUTE, add_minute,
				    gathering);
}

static uint64_t figure(const struct sums *sums, int i)
{
	/* What was given back may have been used before the window. */
	int64_t known = sums->figure[i] > 0 ? sums->figure[i] : 0;

	return sums->is_known[i] ? (uint64_t)known : LEDGER_UNKNOWN;
}

/* For twalk_r(3), which comes to the keys in their order as the walk leaves what is below them. */
static void give(const void *node, VISIT visit, void *arg)
{
	const struct sums *sums = *(const struct sums *const *)node;
	struct gathering *gathering = arg;
	const struct ledger_query_used used = {
		.key = sums->key,
		.billed_ns = figure(sums, 0),
		.memory_byte_s = figure(sums, 1),
		.submissions = figure(sums, 2),
		.commands = figure(sums, 3),
		.launches = figure(sums, 4),
		.copies = figure(sums, 5),
		.copy_bytes = figure(sums, 6),
		.refused = figure(sums, 7),
	};

	if (gathering->err == 0 && (visit == postorder || visit == leaf))
		gathering->err = gathering->each(gathering->arg, &used);
}

int ledger_query_used(struct ledger_query *query, const struct ledger_query_filter *filter,
		      enum ledger_query_by by,
		      int (*each)(void *arg, const struct ledger_query_used *used), void *arg)
{
	struct gathering gathering = { .query = query, .each = each, .arg = arg };
	int err = by != LEDGER_QUERY_BY_OPCODE ? gather(&gathering, filter, by) : 0;

	if (err == 0) {
		twalk_r(gathering.groups, give, &gathering);
		err = gathering.err;
	}
	tdestroy(gathering.groups, free);
	return err;
}
