/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stats.c - counters and histograms since the start, as Prometheus wants them */

#include "vgpud/vm/stats.h"

#include <stdlib.h>

#include "common/util.h"

#define US UTIL_NS_PER_US
#define MS UTIL_NS_PER_MS

const uint64_t stats_bound_ns[STATS_BOUND_NUM] = {
	10 * US, 25 * US, 50 * US, 100 * US, 250 * US, 500 * US, 1 * MS,    2500 * US, 5 * MS,
	10 * MS, 25 * MS, 50 * MS, 100 * MS, 250 * MS, 500 * MS, 1000 * MS, 2500 * MS, 10000 * MS,
};

void stats_init(struct stats *stats)
{
	SLIST_INIT(stats);
}

void stats_free(struct stats *stats)
{
	struct stats_series *series;

	while ((series = SLIST_FIRST(stats)) != NULL) {
		SLIST_REMOVE_HEAD(stats, link);
		free(series);
	}
}

/* A VM has few series, and the one used last stands first. */
static struct stats_series *get(struct stats *stats, uint8_t pool, uint8_t priority)
{
	struct stats_series *series;

	SLIST_FOREACH(series, stats, link)
		if (series->pool == pool && series->priority == priority)
			return series;
	series = calloc(1, sizeof(*series));
	if (series == NULL)
		return NULL;
	series->pool = pool;
	series->priority = priority;
	SLIST_INSERT_HEAD(stats, series, link);
	return series;
}

static void count(struct stats_histogram *histogram, uint64_t value_ns)
{
	unsigned i = 0;

	while (i < STATS_BOUND_NUM && value_ns > stats_bound_ns[i])
		i++;
	histogram->count[i]++;
	histogram->sum_ns = util_add_saturated(histogram->sum_ns, value_ns);
}

void stats_count(struct stats *stats, const struct ledger_request *row)
{
	struct stats_series *series = get(stats, row->pool, row->priority);

	if (series == NULL)
		return;
	series->ended[row->status]++;
	count(&series->wait, row->wait_ns);
	count(&series->total, row->total_ns);
	if (row->executor != VGPU_EXECUTOR_NONE)
		count(&series->exec, row->exec_ns);
}
