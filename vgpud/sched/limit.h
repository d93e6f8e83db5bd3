/* SPDX-License-Identifier: GPL-2.0-or-later */
/* limit.h - a token bucket: so many a second, so many at once */

#ifndef VGPUD_SCHED_LIMIT_H
#define VGPUD_SCHED_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The bucket holds up to burst tokens and gains rate_per_s in each second. A request takes one as
 * it starts, so in any span of t seconds at most rate_per_s x t + burst requests start. All numbers
 * are
 * integers: nothing drifts, and nothing overflows however long a VM is idle.
 *
 * Pure. Times are nanoseconds of any one monotonic clock; one that is earlier than the last counts
 * as the last.
 */

#define LIMIT_RATE_MOST 1000000u /* a second */
#define LIMIT_BURST_MOST 1000000u

struct limit {
	uint32_t rate_per_s; /* 0: no limit */
	uint32_t burst;
	uint64_t level; /* tokens, each a thousand million parts */
	uint64_t at_ns; /* when that was the level */
};

/*
 * rate_per_s: 1 to LIMIT_RATE_MOST, or 0 for none; burst: 1 to LIMIT_BURST_MOST. A bucket that had
 * no limit begins full; else it keeps what it has, as far as the new burst allows.
 */
void limit_set(struct limit *limit, uint32_t rate_per_s, uint32_t burst, uint64_t now_ns);

/* Return: when there is a token: now_ns if there is one. */
uint64_t limit_ready_ns(const struct limit *limit, uint64_t now_ns);

/* Takes the token that limit_ready_ns() said is there. */
void limit_take(struct limit *limit, uint64_t now_ns);

/* Puts a token back whose request did not start after all. */
void limit_give_back(struct limit *limit);

#endif
