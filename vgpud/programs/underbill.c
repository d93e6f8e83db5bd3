/* SPDX-License-Identifier: GPL-2.0-or-later */
/* underbill.c - whether a program's kernels run for longer than it is billed, as NVML says */

#include "vgpud/programs/underbill.h"

#define NS_PER_US 1000u

static void begin_window(struct underbill *underbill, uint64_t billed_ns)
{
	underbill->begun = true;
	underbill->seen_ns = underbill->window_us = 0;
	underbill->billed_from_ns = billed_ns;
}

bool underbill_look(struct underbill *underbill, uint32_t percent, uint64_t period_us,
		    uint64_t billed_ns, struct underbill_found *out)
{
	struct underbill_found found;

	/* What NVML says at the first look is of a time when the program may not have been there. */
	if (!underbill->begun || period_us > UNDERBILL_PERIOD_MOST_US) {
		begin_window(underbill, billed_ns);
		return false;
	}
	underbill->seen_ns += period_us * NS_PER_US / 100 * percent;
	underbill->window_us += period_us;
	if (underbill->window_us < UNDERBILL_WINDOW_US)
		return false;
	found = (struct underbill_found){
		.window_ns = underbill->window_us * NS_PER_US,
		.seen_ns = underbill->seen_ns,
		.billed_ns = billed_ns - underbill->billed_from_ns,
	};
	begin_window(underbill, billed_ns);
	if (underbill->rest > 0) {
		underbill->rest--;
		return false;
	}
	if (found.seen_ns <= found.billed_ns + found.billed_ns / 4 + found.window_ns / 10)
		return false;
	underbill->rest = UNDERBILL_REST;
	*out = found;
	return true;
}
