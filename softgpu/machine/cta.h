/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cta.h - one resident block of threads: made, stepped by one thread of the host, freed */

#ifndef VGPU_SOFTGPU_MACHINE_CTA_H
#define VGPU_SOFTGPU_MACHINE_CTA_H

#include "softgpu/machine/block.h"

enum sg_cta_state {
	SG_CTA_RUNNING, /* the budget is used up; step again */
	SG_CTA_BLOCKED, /* all threads sleep: step again after sg_cta_wake_ns, or earlier in vain */
	SG_CTA_DONE,	/* every thread has exited */
	SG_CTA_FAULT,	/* sg_cta_fault says what; the block does not run on */
};

struct sg_cta;

/*
 * Make a block resident, its threads at the entry's first instruction.
 * launch: stays the caller's, must outlive the block. index: the block's place in the grid.
 * sm: number of the processor that runs it (%smid).
 * Return: 0, -EINVAL (a bound above is passed: threads, shared memory, parameters), -ENOMEM.
 */
int sg_cta_new(const struct sg_launch *launch, const uint32_t index[3], uint32_t sm,
	       struct sg_cta **out);

/*
 * Start a block that is DONE, or a new one, again as another block of the same launch: cheaper than
 * a new one. Counts go on. Return: 0, -ENOMEM (only sg_cta_free may follow).
 */
int sg_cta_reset(struct sg_cta *cta, const uint32_t index[3], uint32_t sm);

/*
 * Run a block for about `budget` warp instructions (at least one). One thread of the host at a
 * time; another thread may continue it later. A launch is stopped by not stepping its blocks any
 * more. Return: the block's state after it.
 */
enum sg_cta_state sg_cta_step(struct sg_cta *cta, uint64_t budget);

/* When a BLOCKED block wants to run again, by hooks->now_ns. */
uint64_t sg_cta_wake_ns(const struct sg_cta *cta);

/* What ended a block in state FAULT; lives as long as the block. */
const struct sg_fault *sg_cta_fault(const struct sg_cta *cta);

/* Warp instructions that the block has run, and those times its active lanes. */
void sg_cta_count(const struct sg_cta *cta, uint64_t *warp_insns, uint64_t *lane_insns);

/* Free a block in any state. NULL is allowed. */
void sg_cta_free(struct sg_cta *cta);

#endif
