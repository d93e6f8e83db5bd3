/* SPDX-License-Identifier: GPL-2.0-or-later */
/* limit.c - a token bucket: so many a second, so many at once */

#include "vgpud/sched/limit.h"

/*
 * A token is a thousand million parts, and a rate of one a second makes one part in a nanosecond:
 * so every span of whole nanoseconds fills in a whole number of parts. A full bucket has at most
 * 10^15 of them.
 */
#define LIMIT_TOKEN UINT64_C(1000000000)

static uint64_t full(const struct limit *limit)
{
	return limit->burst * LIMIT_TOKEN;
}

/* Rounded up, so that what is to come has come by then. */
static uint64_t ns_until(const struct limit *limit, uint64_t level)
{
	uint64_t lacks = limit->level < level ? level - limit->level : 0;

	return (lacks + limit->rate_per_s - 1) / limit->rate_per_s;
}

static uint64_t level_at(const struct limit *limit, uint64_t now_ns)
{
	uint64_t passed_ns = now_ns > limit->at_ns ? now_ns - limit->at_ns : 0;

	/* Asked this way round, the product below is no more than a full bucket. */
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
