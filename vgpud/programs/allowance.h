/* SPDX-License-Identifier: GPL-2.0-or-later */
/* allowance.h - how much of a GPU's memory the programs of a VM may have, and claim to have */

#ifndef VGPUD_PROGRAMS_ALLOWANCE_H
#define VGPUD_PROGRAMS_ALLOWANCE_H

#include <stdint.h>

#include "vgpud/programs/overuse.h"

/*
 * The page that the workers of a VM share: common/quota_page.h. It lives as long as anyone refers to
 * it: the VM, and each channel that has a slot. Figures read from it are claims, bounded to what sums
 * can bear, and 0 where the page cannot be read.
 */
struct allowance;

/* quota_bytes: 0: none. Return: 0 or -errno. The caller has the first reference. */
int allowance_new(struct allowance **out, uint64_t quota_bytes);

struct allowance *allowance_get(struct allowance *allowance);
void allowance_put(struct allowance *allowance);

/* Return: its descriptor, for workers. */
int allowance_fd(const struct allowance *allowance);

/* Changes the quota, at once. Where more is claimed, nothing more is given until that is freed. */
void allowance_set(struct allowance *allowance, uint64_t quota_bytes);

/* Return: a slot for a worker; -ENOSPC: all are in use. */
int allowance_take_slot(struct allowance *allowance, uint64_t program_id);

/* The slot's worker was killed: those who find no room wait until it is reaped. */
void allowance_slot_ends(struct allowance *allowance, unsigned slot);

/* The slot's worker was reaped: what it claimed is free. */
void allowance_free_slot(struct allowance *allowance, unsigned slot);

/* Return: what NVML's looks found of it; it follows the quota. */
struct overuse *allowance_overuse(struct allowance *allowance);

/* Return: what a slot's worker claims; what all do. */
uint64_t allowance_claimed(const struct allowance *allowance, unsigned slot);
uint64_t allowance_sum(const struct allowance *allowance);

#endif
