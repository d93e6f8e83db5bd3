/* SPDX-License-Identifier: GPL-2.0-or-later */
/* query_exact.c - statistics that read every row: exact quantiles in bounded memory */

/*
 * The first pass over the rows makes the histograms, which show the bucket of each quantile and its
 * rank there. Each further pass divides those buckets into 4096 parts and counts again, until a
 * part is one nanosecond wide. Durations of up to seconds take two or three passes.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vgpud/ledger/query_private.h"

#define PART_BITS 12
#define PART_NUM (1u << PART_BITS)

/* One quantile that is being searched. */
struct search {
	uint64_t low;	/* it is at least this, and less than low + width */
	uint64_t width; /* a power of two; 0: there are no values */
	uint64_t rank;	/* which of the values there, counted from 1 */
	unsigned shift; /* of a value's distance from low to its part */
	uint32_t part[PART_NUM];
};

struct searches {
	struct search of[LEDGER_QUERY_TIME_NUM][LEDGER_QUERY_QUANTILE_NUM];
};

struct exact {
	struct ledger_query *query;
	enum ledger_query_by by;
	struct ledger_query_groups groups;
};

static int first_pass(void *arg, const struct ledger_query_row *row)
{
	struct exact *exact = arg;

	return ledger_query_group_add(&exact->groups, exact->by, row) ? 0 : -ENOMEM;
}

/* Return: whether there is still something to search. */
static bool begin_pass(struct search *search)
{
	unsigned bits = (unsigned)__builtin_ctzll(search->width | UINT64_C(1) << 63);

	if (search->width <= 1)
		return false;
	search->shift = bits > PART_BITS ? bits - PART_BITS : 0;
	memset(search->part, 0, sizeof(search->part));
	return true;
}

static void end_pass(struct search *search)
{
	uint64_t at = 0;

	if (search->width <= 1)
		return;
	while (at < PART_NUM - 1 && search->part[at] < search->rank)
		search->rank -= search->part[at++];
	search->low += at << search->shift;
	search->width = UINT64_C(1) << search->shift;
}

/* Begins with the bucket in which the histogram has the quantile. */
static void begin_search(struct search *search, const struct hist *hist, uint32_t q_ppm)
{
	uint64_t total = hist_total(hist);
	uint32_t i = 0;

	if (total == 0)
		return;
	search->rank = hist_rank(total, q_ppm);
	for (; i < HIST_BUCKET_NUM - 1 && hist->count[i] < search->rank; i++)
		search->rank -= hist->count[i];
	search->low = hist_low(i);
	search->width = hist_width(i);
}

static int begin_searches(struct exact *exact)
{
	for (size_t i = 0; i < exact->groups.group_num; i++) {
		struct ledger_query_group *group = exact->groups.group[i];
		struct searches *searches = calloc(1, sizeof(*searches));

		if (!searches)
			return -ENOMEM;
		group->extra = searches;
		for (unsigned time = 0; time < LEDGER_QUERY_TIME_NUM; time++) {
			for (unsigned q = 0; q < LEDGER_QUERY_QUANTILE_NUM; q++)
				begin_search(&searches->of[time][q], &group->hist[time],
					     ledger_query_quantile_ppm[q]);
		}
	}
	return 0;
}

static int further_pass(void *arg, const struct ledger_query_row *row)
{
	struct exact *exact = arg;
	struct ledger_query_group *group = ledger_query_group(&exact->groups, row->key[exact->by]);
	struct searches *searches = group->extra;

	for (enum ledger_query_time time = 0; time < LEDGER_QUERY_TIME_NUM; time++) {
		int64_t ns;

		if (!ledger_query_row_time(row, time, &ns))
			continue;
		for (unsigned q = 0; q < LEDGER_QUERY_QUANTILE_NUM; q++) {
			struct search *search = &searches->of[time][q];
			uint64_t distance = (uint64_t)ns - search->low;

			if (distance < search->width && search->width > 1)
				search->part[distance >> search->shift]++;
		}
	}
	return 0;
}

/* For every search. Return: whether any is not at its end. */
static bool for_searches(struct exact *exact, bool begin)
{
	bool any = false;

	for (size_t i = 0; i < exact->groups.group_num; i++) {
		struct searches *searches = exact->groups.group[i]->extra;

		for (unsigned time = 0; time < LEDGER_QUERY_TIME_NUM; time++) {
			for (unsigned q = 0; q < LEDGER_QUERY_QUANTILE_NUM; q++) {
				if (begin)
					any |= begin_pass(&searches->of[time][q]);
				else
					end_pass(&searches->of[time][q]);
			}
		}
	}
	return any;
}

static int64_t found(const struct ledger_query_group *group, enum ledger_query_time time,
		     unsigned which)
{
	const struct searches *searches = group->extra;

	return (int64_t)searches->of[time][which].low;
}

int ledger_query_exact(struct ledger_query *query, const struct ledger_query_filter *filter,
		       enum ledger_query_by by,
		       int (*each)(void *arg, const struct ledger_query_stats *stats), void *arg)
{
	struct exact exact = { .query = query, .by = by };
	int err = ledger_query_scan(query, filter, first_pass, &exact);

	if (err == 0)
		err = begin_searches(&exact);
	while (err == 0 && for_searches(&exact, true)) {
		err = ledger_query_scan(query, filter, further_pass, &exact);
		for_searches(&exact, false);
	}
	if (err == 0)
		err = ledger_query_groups_give(&exact.groups, found, each, arg);
	ledger_query_groups_free(&exact.groups);
	return err;
}
