/* SPDX-License-Identifier: GPL-2.0-or-later */
/* limit.c - a token bucket: so many a second, so many at once */

#include "vgpud/sched/limit.h"

/*
 * A token is 10^9 parts. A rate of one token a second then adds one part in a nanosecond, so the
 * level is exact after any whole number of nanoseconds. A full bucket has at most 10^15 parts.
 */
#define LIMIT_TOKEN UINT64_C(1000000000)

static uint64_t full(const struct limit *limit)
{
	return limit->burst * LIMIT_TOKEN;
}

/* Rounded up, so that the level is reached by then. */
static uint64_t ns_until(const struct limit *limit, uint64_t level)
{
	uint64_t lacks = limit->level < level ? level - limit->level : 0;

	return (lacks + limit->rate_per_s - 1) / limit->rate_per_s;
}

static uint64_t level_at(const struct limit *limit, uint64_t now_ns)
{
	uint64_t passed_ns = now_ns > limit->at_ns ? now_ns - limit->at_ns : 0;

	/* Checked first, so that the product below stays below a full bucket. */
	if (passed_ns >= ns_until(limit, full(limit)))
		return full(limit);
	return limit->level + passed_ns * limit->rate_per_s;
}

static void fill(struct limit *limit, uint64_t now_ns)
{
	limit->level = level_at(limit, now_ns);
	if (now_ns > limit->at_ns)
		limit->at_ns = now_ns;
}

void limit_set(struct limit *limit, uint32_t rate_per_s, uint32_t burst, uint64_t now_ns)
{
	bool limited = limit->rate_per_s > 0;

	if (limited)
		fill(limit, now_ns);
	limit->rate_per_s = rate_per_s;
	limit->burst = burst;
	if (!limited) {
		limit->level = full(limit);
		limit->at_ns = now_ns;
	} else if (limit->level > full(limit)) {
		limit->level = full(limit);
	}
}

uint64_t limit_ready_ns(const struct limit *limit, uint64_t now_ns)
{
	uint64_t ready_ns;

	if (limit->rate_per_s == 0)
		return now_ns;
	ready_ns = limit->at_ns + ns_until(limit, LIMIT_TOKEN);
	return ready_ns > now_ns ? ready_ns : now_ns;
}

void limit_take(struct limit *limit, uint64_t now_ns)
{
	if (limit->rate_per_s == 0)
		return;
	fill(limit, now_ns);
	limit->level -= LIMIT_TOKEN;
}

void limit_give_back(struct limit *limit)
{
	if (limit->rate_per_s == 0)
		return;
	limit->level += LIMIT_TOKEN;
	if (limit->level > full(limit))
		limit->level = full(limit);
}
