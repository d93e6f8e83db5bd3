/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store_query_groups.c - statistics under way: requests added up by VM, pool, priority or opcode */

#include <stdlib.h>

#include "vgpud/ledger/store_query_private.h"

const uint32_t store_query_quantile_ppm[STORE_QUERY_QUANTILE_NUM] = { 500000, 900000, 990000,
								      999000 };

struct store_query_group *store_query_group(struct store_query_groups *groups, int64_t key)
{
	struct store_query_group **more;

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

void store_query_groups_free(struct store_query_groups *groups)
{
	for (size_t i = 0; i < groups->group_num; i++) {
		free(groups->group[i]->extra);
		free(groups->group[i]);
	}
	free(groups->group);
	*groups = (struct store_query_groups){ 0 };
}

bool store_query_row_time(const struct store_query_row *row, enum store_query_time time,
			  int64_t *ns)
{
	const int64_t times_ns[] = {
		[STORE_QUERY_WAIT] = row->wait_ns,
		[STORE_QUERY_EXEC] = row->exec_ns,
		[STORE_QUERY_TOTAL] = row->total_ns,
	};

	*ns = times_ns[time];
	return time == STORE_QUERY_EXEC ? row->ran : row->times_known;
}

struct store_query_group *store_query_group_add(struct store_query_groups *groups,
						enum store_query_by by,
						const struct store_query_row *row)
{
	struct store_query_group *group = store_query_group(groups, row->key[by]);

	if (!group)
		return NULL;
	group->count++;
	group->errors += row->status != 0;
	for (enum store_query_time time = 0; time < STORE_QUERY_TIME_NUM; time++) {
		int64_t ns;

		if (!store_query_row_time(row, time, &ns))
			continue;
		group->sum_ns[time] += ns;
		if (ns > group->max_ns[time])
			group->max_ns[time] = ns;
		hist_add(&group->hist[time], (uint64_t)ns);
	}
	return group;
}

int64_t store_query_group_quantile(const struct store_query_group *group,
				   enum store_query_time time, unsigned which)
{
	return (int64_t)hist_quantile(&group->hist[time], store_query_quantile_ppm[which],
				      (uint64_t)group->max_ns[time]);
}

static int compare(const void *a, const void *b)
{
	const struct store_query_group *x = *(struct store_query_group *const *)a;
	const struct store_query_group *y = *(struct store_query_group *const *)b;

	return (x->key > y->key) - (x->key < y->key);
}

int store_query_groups_give(struct store_query_groups *groups,
			    int64_t (*quantile)(const struct store_query_group *group,
						enum store_query_time time, unsigned which),
			    int (*each)(void *arg, const struct store_query_stats *stats),
			    void *arg)
{
	int err = 0;

	if (groups->group_num > 0)
		qsort(groups->group, groups->group_num, sizeof(groups->group[0]), compare);
	for (size_t i = 0; i < groups->group_num && err == 0; i++) {
		const struct store_query_group *group = groups->group[i];
		struct store_query_times times[STORE_QUERY_TIME_NUM];
		struct store_query_stats stats = {
			.key = group->key,
			.count = group->count,
			.errors = group->errors,
		};

		for (enum store_query_time time = 0; time < STORE_QUERY_TIME_NUM; time++) {
			times[time] = (struct store_query_times){
				.count = hist_total(&group->hist[time]),
				.sum_ns = group->sum_ns[time],
				.max_ns = group->max_ns[time],
				.p50_ns = quantile(group, time, 0),
				.p90_ns = quantile(group, time, 1),
				.p99_ns = quantile(group, time, 2),
				.p999_ns = quantile(group, time, 3),
			};
		}
		stats.wait = times[STORE_QUERY_WAIT];
		stats.exec = times[STORE_QUERY_EXEC];
		stats.total = times[STORE_QUERY_TOTAL];
		err = each(arg, &stats);
	}
	return err;
}
