/* SPDX-License-Identifier: GPL-2.0-or-later */
/* underbill.h - whether a program's kernels run for longer than it is billed, as NVML says */

#ifndef VGPUD_PROGRAMS_UNDERBILL_H
#define VGPUD_PROGRAMS_UNDERBILL_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What a program is billed ends when its worker says that its work is done, and the worker belongs to
 * the tenant. NVML says from outside for which part of a period kernels of a process ran. Both are added up
 * over a window. What NVML says is coarse, so it has to be more by a quarter and by a tenth of the window.
 *
 * A period of which NVML tells nothing adds nothing, while what is billed goes on: so no program is
 * suspected for what was not seen.
 */
#define UNDERBILL_WINDOW_US UINT64_C(10000000)
#define UNDERBILL_PERIOD_MOST_US UINT64_C(5000000) /* of one look; a longer one says nothing */
#define UNDERBILL_REST 59u /* windows without a word after one that found it */

/* One for each program; all zero at its beginning. */
struct underbill {
	uint64_t seen_ns;	 /* of this window: kernels ran, as NVML says */
	uint64_t window_us;	 /* how much of it has passed, by NVML's time */
	uint64_t billed_from_ns; /* what it had been billed when the window began */
	bool begun;
	unsigned rest; /* windows that are still left out */
};

/* What a window found. */
struct underbill_found {
	uint64_t window_ns, seen_ns, billed_ns;
};

/*
 * NVML was asked. percent: of period_us, in which kernels of the program ran: 0 to 100. billed_ns: of
 * the program, up to now. out: set when a window ends that found it billed for less than it ran.
 * Return: whether one did.
 */
bool underbill_look(struct underbill *underbill, uint32_t percent, uint64_t period_us,
		    uint64_t billed_ns, struct underbill_found *out);

#endif
