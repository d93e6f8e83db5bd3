/* SPDX-License-Identifier: GPL-2.0-or-later */
/* query_blame.c - which VMs' requests ran while those of one VM waited */

/*
 * Every wait of the VM, and every execution that may overlap one, becomes two moments: beginning
 * and end. One pass over the sorted moments keeps count of the waits and executions under way. From
 * one moment to the next, waits x time is divided among the executions.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vgpud/ledger/query_private.h"

#define MOMENTS_MOST (1u << 23)	 /* 128 MiB */
#define LOOK_BACK_MINUTES "1440" /* no request takes longer than a day */

#define WAITING (-1)

struct moment {
	int64_t time_ns;
	int32_t who;	/* index into vms, or WAITING */
	int32_t change; /* +1: it begins, -1: it ends */
};

struct vm_share {
	int64_t vm_id;
	int64_t ns;
	uint64_t running;
};

struct blaming {
	const char *pools;
	struct ledger_query_blame *blame;
	struct moment *moments;
	size_t moment_num, moment_max;
	struct vm_share *vms;
	size_t vm_num;
	int64_t begin_ns, end_ns; /* of all waits */
	int64_t nobody_ns;
};

static int add_moments(struct blaming *b, int32_t who, int64_t begin_ns, int64_t end_ns)
{
	if (b->moment_num + 2 > b->moment_max) {
		size_t max = b->moment_max ? 2 * b->moment_max : 1024;
		struct moment *more;

		if (max > MOMENTS_MOST)
			return -E2BIG;
		more = reallocarray(b->moments, max, sizeof(*more));
		if (!more)
			return -ENOMEM;
		b->moments = more;
		b->moment_max = max;
	}
	b->moments[b->moment_num++] = (struct moment){ begin_ns, who, 1 };
	b->moments[b->moment_num++] = (struct moment){ end_ns, who, -1 };
	return 0;
}

/* Return: the index of a VM, or -ENOMEM. */
static int32_t vm_index(struct blaming *b, int64_t vm_id)
{
	struct vm_share *more;

	for (size_t i = 0; i < b->vm_num; i++) {
		if (b->vms[i].vm_id == vm_id)
			return (int32_t)i;
	}
	more = reallocarray(b->vms, b->vm_num + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	b->vms = more;
	b->vms[b->vm_num] = (struct vm_share){ .vm_id = vm_id };
	return (int32_t)b->vm_num++;
}

/* A request of the VM that waited. */
static int add_wait(void *arg, const struct ledger_query_row *row)
{
	struct blaming *b = arg;
	int64_t end_ns = row->received_ns + row->wait_ns;
	/* Waiting for the VM's own limit blames no other VM. It mostly comes first. */
	int64_t begin_ns = row->received_ns + row->limited_ns;

	if (!row->times_known || row->wait_ns == 0)
		return 0;
	b->blame->waited++;
	b->blame->wait_ns += row->wait_ns;
	b->blame->limited_ns += row->limited_ns;
	if (begin_ns >= end_ns)
		return 0;
	if (begin_ns < b->begin_ns)
		b->begin_ns = begin_ns;
	if (end_ns > b->end_ns)
		b->end_ns = end_ns;
	return add_moments(b, WAITING, begin_ns, end_ns);
}

/* A request that ran, be it during a wait or not. */
static int add_execution(void *arg, const struct ledger_query_row *row)
{
	struct blaming *b = arg;
	int64_t begin_ns = row->received_ns + row->wait_ns;
	int64_t end_ns = begin_ns + row->exec_ns;
	int32_t who;

	if (!row->ran || end_ns <= b->begin_ns || begin_ns >= b->end_ns || begin_ns == end_ns)
		return 0;
	if (b->pools && !strchr(b->pools, (int)row->key[LEDGER_QUERY_BY_POOL]))
		return 0;
	who = vm_index(b, row->key[LEDGER_QUERY_BY_VM]);
	return who < 0 ? who : add_moments(b, who, begin_ns, end_ns);
}

/* Finds how far to look back for executions that began before the first wait and last into it. */
static int look_back(struct ledger_query *query, int64_t begin_ns, int64_t *since_ns)
{
	int64_t minute = begin_ns / LEDGER_QUERY_NS_PER_MINUTE;
	int err = ledger_query_number(query,
				      "SELECT min(minute) FROM minute "
				      "WHERE minute BETWEEN ?2 - " LOOK_BACK_MINUTES " AND ?2 "
				      "AND (minute + 1) * 60000000000 + total_max_ns > ?1",
				      begin_ns, minute, &minute);

	*since_ns = minute * LEDGER_QUERY_NS_PER_MINUTE;
	return err == -ENODATA ? 0 : err;
}

static int gather(struct blaming *b, struct ledger_query *query,
		  const struct ledger_query_filter *filter)
{
	struct ledger_query_filter all = LEDGER_QUERY_FILTER_ALL;
	int err = ledger_query_scan(query, filter, add_wait, b);

	if (err == 0 && b->moment_num > 0)
		err = look_back(query, b->begin_ns, &all.since_ns);
	if (err || b->moment_num == 0)
		return err;
	all.until_ns = b->end_ns;
	return ledger_query_scan(query, &all, add_execution, b);
}

static int compare_moments(const void *a, const void *b)
{
	int64_t x = ((const struct moment *)a)->time_ns, y = ((const struct moment *)b)->time_ns;

	return (x > y) - (x < y);
}

/* Divides waits x time among the running requests, to the last nanosecond. */
static void share_out(struct blaming *b, uint64_t running, uint64_t ns)
{
	uint64_t each, rest;

	if (running == 0) {
		b->nobody_ns += (int64_t)ns;
		return;
	}
	each = ns / running;
	rest = ns % running;
	for (size_t i = 0; i < b->vm_num && running > 0; i++) {
		uint64_t n = b->vms[i].running;
		uint64_t more = rest < n ? rest : n;

		b->vms[i].ns += (int64_t)(n * each + more);
		rest -= more;
		running -= n;
	}
}

static void sweep(struct blaming *b)
{
	uint64_t waiting = 0, running = 0;
	int64_t last_ns = 0;

	if (b->moment_num > 0)
		qsort(b->moments, b->moment_num, sizeof(b->moments[0]), compare_moments);
	for (size_t i = 0; i < b->moment_num; i++) {
		const struct moment *moment = &b->moments[i];

		if (waiting > 0 && moment->time_ns > last_ns)
			share_out(b, running, waiting * (uint64_t)(moment->time_ns - last_ns));
		last_ns = moment->time_ns;
		if (moment->who == WAITING) {
			waiting += (uint64_t)(int64_t)moment->change;
		} else {
			running += (uint64_t)(int64_t)moment->change;
			b->vms[moment->who].running += (uint64_t)(int64_t)moment->change;
		}
	}
}

static int compare_shares(const void *a, const void *b)
{
	const struct vm_share *x = a, *y = b;

	if (x->ns != y->ns)
		return x->ns < y->ns ? 1 : -1;
	return (x->vm_id > y->vm_id) - (x->vm_id < y->vm_id);
}

static int give(struct blaming *b, int (*each)(void *arg, const struct ledger_query_share *share),
		void *arg)
{
	int32_t none = vm_index(b, LEDGER_QUERY_NOBODY);
	int err = 0;

	if (none < 0)
		return none;
	b->vms[none].ns = b->nobody_ns;
	qsort(b->vms, b->vm_num, sizeof(b->vms[0]), compare_shares);
	for (size_t i = 0; i < b->vm_num && err == 0; i++) {
		const struct ledger_query_share share = { b->vms[i].vm_id, b->vms[i].ns };

		if (share.ns > 0)
			err = each(arg, &share);
	}
	return err;
}

int ledger_query_blame(struct ledger_query *query, const struct ledger_query_filter *filter,
		       const char *pools, struct ledger_query_blame *blame,
		       int (*each)(void *arg, const struct ledger_query_share *share), void *arg)
{
	struct blaming b = { .pools = pools, .blame = blame, .begin_ns = INT64_MAX };
	int err = ledger_query_begin(query);

	*blame = (struct ledger_query_blame){ 0 };
	if (err)
		return err;
	err = ledger_query_end(query, gather(&b, query, filter));
	if (err == -E2BIG)
		snprintf(query->error, sizeof(query->error),
			 "more than %u requests to weigh; take a shorter window", MOMENTS_MOST / 2);
	if (err == 0) {
		sweep(&b);
		err = give(&b, each, arg);
	}
	free(b.moments);
	free(b.vms);
	return err;
}
