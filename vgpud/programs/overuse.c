/* SPDX-License-Identifier: GPL-2.0-or-later */
/* overuse.c - whether a VM's programs hold more of a GPU's memory than they may, as NVML says */

#include "vgpud/programs/overuse.h"

static uint64_t quota_or_all(uint64_t quota_bytes)
{
	return quota_bytes != 0 ? quota_bytes : UINT64_MAX;
}

static uint64_t add(uint64_t a, uint64_t b)
{
	return a <= UINT64_MAX - b ? a + b : UINT64_MAX;
}

void overuse_begin(struct overuse *overuse, uint64_t quota_bytes)
{
	*overuse = (struct overuse){ .most_bytes = quota_or_all(quota_bytes) };
}

void overuse_quota(struct overuse *overuse, uint64_t quota_bytes)
{
	/* A lower one waits for the next look, which finds what is held now. */
	if (quota_or_all(quota_bytes) > overuse->most_bytes)
		overuse->most_bytes = quota_or_all(quota_bytes);
	overuse->looks = 0;
}

bool overuse_look(struct overuse *overuse, uint64_t quota_bytes, uint64_t used_bytes,
		  uint64_t contexts_bytes)
{
	uint64_t quota = quota_or_all(quota_bytes);

	/* What was above the quota and is given back does not come again. */
	if (used_bytes < overuse->most_bytes)
		overuse->most_bytes = used_bytes > quota ? used_bytes : quota;
	if (used_bytes <= add(overuse->most_bytes, add(contexts_bytes, OVERUSE_SLACK))) {
		overuse->looks = 0;
		return false;
	}
	if (++overuse->looks < OVERUSE_LOOKS)
		return false;
	overuse->looks = 0;
	return true;
}
