/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cap.c - a bucket of GPU time with debt: at most so many percent of the time that passes */

#include "vgpud/sched/cap.h"

#define PARTS 100 /* of a nanosecond */
/* Some 260 days: no debt is deeper, so that no sum overflows. */
#define DEBT_MOST_NS (INT64_MAX / PARTS / 4)

/* Return: so many times a time, which is cut where sums would overflow. */
static int64_t times(uint64_t ns, uint32_t num)
{
	return (int64_t)((ns < DEBT_MOST_NS ? ns : DEBT_MOST_NS) * num);
}

static void clamp(struct cap *cap)
{
	if (cap->level > cap->most)
		cap->level = cap->most;
	if (cap->level < -DEBT_MOST_NS * PARTS)
		cap->level = -DEBT_MOST_NS * PARTS;
}

void cap_set(struct cap *cap, uint32_t percent, uint64_t most_ns, uint64_t now_ns)
{
	if (cap->percent > 0)
		cap_pass(cap, 0, now_ns);
	else
		*cap = (struct cap){ .at_ns = now_ns };
	cap->percent = percent;
	cap->most = times(most_ns, PARTS);
	clamp(cap);
}

void cap_pass(struct cap *cap, uint64_t used_ns, uint64_t now_ns)
{
	uint64_t passed_ns = now_ns > cap->at_ns ? now_ns - cap->at_ns : 0;

	if (cap->percent == 0)
		return;
	cap->at_ns += passed_ns;
	/* What ran is taken before what passed is added: a full bucket must not lose the latter. */
	cap->level -= times(used_ns, PARTS);
	cap->level += times(passed_ns, cap->percent);
	clamp(cap);
}

void cap_give_back(struct cap *cap, uint64_t ns)
{
	if (cap->percent == 0)
		return;
	cap->level += times(ns, PARTS);
	clamp(cap);
}

uint64_t cap_ready_ns(const struct cap *cap, uint64_t now_ns)
{
	uint64_t ready_ns = now_ns;

	/* Rounded up, so that the level is reached by then. */
	if (cap->percent > 0 && cap->level < 0)
		ready_ns = cap->at_ns + ((uint64_t)-cap->level + cap->percent - 1) / cap->percent;
	return ready_ns > now_ns ? ready_ns : now_ns;
}
