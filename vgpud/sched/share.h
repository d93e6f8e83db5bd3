/* SPDX-License-Identifier: GPL-2.0-or-later */
/* share.h - how much of what has become scarce one VM may take */

#ifndef VGPUD_SCHED_SHARE_H
#define VGPUD_SCHED_SHARE_H

#include <stdbool.h>
#include <stdint.h>

/* Pure. VMs whose numbers are alike modulo this share a share. */
#define SHARE_SLOTS 1024u

struct share {
	uint64_t shortage; /* which one it is, from 1 on */
	bool scarce;
	struct {
		uint64_t shortage; /* the one that taken counts in */
		uint32_t taken;
	} slot[SHARE_SLOTS];
};

/* { 0 } is a share of what is not scarce. Once that is over, all begin anew. */
void share_scarce(struct share *share, bool scarce);

/* Return: whether the VM may take one more; as long as nothing is scarce, each may. */
bool share_may(const struct share *share, uint32_t vm_id, uint64_t most);

/* The VM takes one. */
void share_take(struct share *share, uint32_t vm_id);

#endif
