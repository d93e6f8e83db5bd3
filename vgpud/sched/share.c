/* SPDX-License-Identifier: GPL-2.0-or-later */
/* share.c - how much of a scarce resource one VM may take */

#include "vgpud/sched/share.h"

void share_scarce(struct share *share, bool scarce)
{
	if (scarce && !share->scarce)
		share->shortage++; /* slots of an earlier shortage count as empty */
	share->scarce = scarce;
}

bool share_may(const struct share *share, uint32_t vm_id, uint64_t most)
{
	const uint32_t at = vm_id % SHARE_SLOTS;

	return !share->scarce || share->slot[at].shortage != share->shortage ||
	       share->slot[at].taken < most;
}

void share_take(struct share *share, uint32_t vm_id)
{
	const uint32_t at = vm_id % SHARE_SLOTS;

	if (!share->scarce)
		return;
	if (share->slot[at].shortage != share->shortage) {
		share->slot[at].shortage = share->shortage;
		share->slot[at].taken = 0;
	}
	share->slot[at].taken++;
}
