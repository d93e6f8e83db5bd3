/* SPDX-License-Identifier: GPL-2.0-or-later */
/* overuse.h - whether a VM's programs hold more of a GPU's memory than they may, as NVML says */

#ifndef VGPUD_PROGRAMS_OVERUSE_H
#define VGPUD_PROGRAMS_OVERUSE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The workers of a VM keep its quota by themselves, and belong to the tenant. So what they hold is
 * compared with what they may: the quota, a context for each, and OVERUSE_SLACK. After the quota was
 * lowered below what they hold they may keep that, and get nothing more.
 */
#define OVERUSE_SLACK (UINT64_C(64) << 20)
#define OVERUSE_LOOKS 2u /* in a row that have to find it: memory comes and goes between two */

/* One for each VM. */
struct overuse {
	uint64_t most_bytes; /* the quota, or what is left of more; UINT64_MAX: all */
	unsigned looks;	     /* in a row that found too much */
};

/* The VM has no programs now. quota_bytes: 0: none. */
void overuse_begin(struct overuse *overuse, uint64_t quota_bytes);

/* The quota was changed while it has some. */
void overuse_quota(struct overuse *overuse, uint64_t quota_bytes);

/*
 * NVML was asked. used_bytes: of all programs, their contexts included. contexts_bytes: what their
 * contexts take. Return: whether one of them has to end.
 */
bool overuse_look(struct overuse *overuse, uint64_t quota_bytes, uint64_t used_bytes,
		  uint64_t contexts_bytes);

#endif
