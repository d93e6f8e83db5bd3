/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cap.h - a bucket of GPU time with debt: at most so many percent of the time that passes */

#ifndef VGPUD_SCHED_CAP_H
#define VGPUD_SCHED_CAP_H

#include <stdint.h>

/*
 * The bucket gains percent hundredths of the time that passes, up to what it holds, and loses what
 * ran. What runs may take it below zero, since a turn goes to its end and a kernel to its own: from
 * there on nothing of the VM starts until the time that passes has paid the debt. So over any span
 * of t nanoseconds, at most percent * t / 100 runs, plus what the bucket holds and one turn.
 *
 * Pure. Times are nanoseconds of any one monotonic clock. All numbers are integers: nothing drifts.
 */

struct cap {
	uint32_t percent; /* 1 to 100; 0: no cap */
	int64_t level;	  /* hundredths of a nanosecond; below zero: debt */
	int64_t most;	  /* that it holds; the same unit */
	uint64_t at_ns;	  /* when that was the level */
};

/* A bucket that had no cap begins at zero; else it keeps its level, as far as most_ns allows. */
void cap_set(struct cap *cap, uint32_t percent, uint64_t most_ns, uint64_t now_ns);

/* Time passes until now_ns, in which used_ns ran. Earlier than the last time: nothing passes. */
void cap_pass(struct cap *cap, uint64_t used_ns, uint64_t now_ns);

/* Gives back what was taken for time in which nothing ran after all. */
void cap_give_back(struct cap *cap, uint64_t ns);

/* Return: from when on the bucket is not in debt: now_ns if it is not. */
uint64_t cap_ready_ns(const struct cap *cap, uint64_t now_ns);

#endif
