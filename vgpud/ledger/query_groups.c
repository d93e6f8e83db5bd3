/* SPDX-License-Identifier: GPL-2.0-or-later */
/* query_groups.c - statistics under way: requests added up by VM, pool, priority or opcode */

#include <stdlib.h>

#include "vgpud/ledger/query_private.h"

const uint32_t ledger_query_quantile_ppm[LEDGER_QUERY_QUANTILE_NUM] = { 500000, 900000, 990000,
									999000 };

struct ledger_query_group *ledger_query_group(struct ledger_query_groups *groups, int64_t key)
{
	struct ledger_query_group **more;

	if (groups->last && groups->last->key == key)
		return groups->last;
	for (size_t i = 0; i < groups->group_num; i++) {
		if (groups->group[i]->key == key) {
			groups->last = groups->group[i];
			return groups->last;
		}
	}
	more = reallocarray(groups->group, groups->group_num + 1, sizeof(*more));
	if (!more)
		return NULL;
	groups->group = more;
	groups->last = calloc(1, sizeof(*groups->last));
	if (!groups->last)
		return NULL;
	groups->last->key = key;
	groups->group[groups->group_num++] = groups->last;
	return groups->last;
}

void ledger_query_groups_free(struct ledger_query_groups *groups)
{
	for (size_t i = 0; i < groups->group_num; i++) {
		free(groups->group[i]->extra);
		free(groups->group[i]);
	}
	free(groups->group);
	*groups = (struct ledger_query_groups){ 0 };
}

bool ledger_query_row_time(const struct ledger_query_row *row, enum ledger_query_time time,
			   int64_t *ns)
{
	const int64_t times_ns[] = {
		[LEDGER_QUERY_WAIT] = row->wait_ns,
		[LEDGER_QUERY_EXEC] = row->exec_ns,
		[LEDGER_QUERY_TOTAL] = row->total_ns,
	};

	*ns = times_ns[time];
	return time == LEDGER_QUERY_EXEC ? row->ran : row->times_known;
}

struct ledger_query_group *ledger_query_group_add(struct ledger_query_groups *groups,
						  enum ledger_query_by by,
						  const struct ledger_query_row *row)
{
	struct ledger_query_group *group = ledger_query_group(groups, row->key[by]);

	if (!group)
		return NULL;
	group->count++;
	group->errors += row->status != 0;
	for (enum ledger_query_time time = 0; time < LEDGER_QUERY_TIME_NUM; time++) {
		int64_t ns;

		if (!ledger_query_row_time(row, time, &ns))
			continue;
		group->sum_ns[time] += ns;
		if (ns > group->max_ns[time])
			group->max_ns[time] = ns;
		hist_add(&group->hist[time], (uint64_t)ns);
	}
	return group;
}

int64_t ledger_query_group_quantile(const struct ledger_query_group *group,
				    enum ledger_query_time time, unsigned which)
{
	return (int64_t)hist_quantile(&group->hist[time], ledger_query_quantile_ppm[which],
				      (uint64_t)group->max_ns[time]);
}

static int compare(const void *a, const void *b)
{
	const struct ledger_query_group *x = *(struct ledger_query_group *const *)a;
	const struct ledger_query_group *y = *(struct ledger_query_group *const *)b;

	return (x->key > y->key) - (x->key < y->key);
}

int ledger_query_groups_give(struct ledger_query_groups *groups,
			     int64_t (*quantile)(const struct ledger_query_group *group,
						 enum ledger_query_time time, unsigned which),
			     int (*each)(void *arg, const struct ledger_query_stats *stats),
			     void *arg)
{
	int err = 0;

	if (groups->group_num > 0)
		qsort(groups->group, groups->group_num, sizeof(groups->group[0]), compare);
	for (size_t i = 0; i < groups->group_num && err == 0; i++) {
		const struct ledger_query_group *group = groups->group[i];
		struct ledger_query_times times[LEDGER_QUERY_TIME_NUM];
		struct ledger_query_stats stats = {
			.key = group->key,
			.count = group->count,
			.errors = group->errors,
		};

		for (enum ledger_query_time time = 0; time < LEDGER_QUERY_TIME_NUM; time++) {
			times[time] = (struct ledger_query_times){
				.count = hist_total(&group->hist[time]),
				.sum_ns = group->sum_ns[time],
				.max_ns = group->max_ns[time],
				.p50_ns = quantile(group, time, 0),
				.p90_ns = quantile(group, time, 1),
				.p99_ns = quantile(group, time, 2),
				.p999_ns = quantile(group, time, 3),
			};
		}
		stats.wait = times[LEDGER_QUERY_WAIT];
		stats.exec = times[LEDGER_QUERY_EXEC];
		stats.total = times[LEDGER_QUERY_TOTAL];
		err = each(arg, &stats);
	}
	return err;
}
