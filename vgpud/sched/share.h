/* SPDX-License-Identifier: GPL-2.0-or-later */
/* share.h - how much of a scarce resource one VM may take */

#ifndef VGPUD_SCHED_SHARE_H
#define VGPUD_SCHED_SHARE_H

#include <stdbool.h>
#include <stdint.h>

/* Pure. VMs whose ids are equal modulo this have one share together. */
#define SHARE_SLOTS 1024u

struct share {
	uint64_t shortage; /* number of the current or last shortage, from 1 on */
	bool scarce;
	struct {
		uint64_t shortage; /* in which `taken` was counted */
		uint32_t taken;
	} slot[SHARE_SLOTS];
};

/* Tells whether the resource is scarce. { 0 }: it is not. Each new shortage counts from 0. */
void share_scarce(struct share *share, bool scarce);

/* Return: whether the VM may take one more; without a shortage, each may. */
bool share_may(const struct share *share, uint32_t vm_id, uint64_t most);

/* The VM takes one. */
void share_take(struct share *share, uint32_t vm_id);

#endif
