/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec_race.c - conflicting accesses to shared memory without a barrier between them */

/*
 * Each byte of shared memory remembers its last writer and its last reader since the block's last
 * barrier. Two accesses by different threads, one of them a write and not both atomic, are a race
 * when no barrier of the block lies between them and, within a warp, no instruction that
 * synchronises it. That some order was kept by luck does not count: the report is about what the
 * program promises. Named barriers and flags in memory are not seen as order; a block with races is
 * reported at most REPORTS_MAX times.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "softgpu/machine/exec.h"

#define REPORTS_MAX 16
/* Readers in more than one warp: at least one is another's. */
#define SEVERAL_WARPS (UINT16_MAX - 1)

struct access {
	uint64_t block_epoch; /* 0: none yet */
	uint64_t warp_epoch;
	uint32_t line;
	uint16_t thread;
	bool atomic;
};

struct cell {
	struct access write, read;
};

struct sg_exec_race {
	uint64_t epoch; /* counts the block's barriers, from 1 */
	uint32_t reports;
	struct cell cells[];
};

int sg_exec_race_new(struct sg_cta *cta)
{
	cta->race = calloc(1, sizeof(*cta->race) + cta->shared_bytes * sizeof(struct cell));
	return cta->race ? 0 : -ENOMEM;
}

void sg_exec_race_free(struct sg_cta *cta)
{
	free(cta->race);
	cta->race = NULL;
}

void sg_exec_race_reset(struct sg_cta *cta)
{
	memset(cta->race->cells, 0, cta->shared_bytes * sizeof(struct cell));
	cta->race->epoch = 1;
	cta->race->reports = 0;
}

void sg_exec_race_barrier(struct sg_cta *cta)
{
	cta->race->epoch++;
}

static bool conflicts(const struct sg_exec_race *race, const struct access *before,
		      const struct access *now)
{
	bool same_warp = before->thread / SG_LANES == now->thread / SG_LANES;

	if (before->block_epoch != race->epoch || before->thread == now->thread)
		return false;
	if (before->atomic && now->atomic)
		return false;
	if (before->thread == SEVERAL_WARPS)
		return true;
	return !same_warp || before->warp_epoch == now->warp_epoch;
}

static void report(struct sg_exec_warp *w, unsigned lane, uint32_t offset,
		   const struct access *before, bool before_writes, const struct access *now,
		   bool now_writes)
{
	struct sg_cta *cta = w->cta;
	const struct sg_cta_hooks *hooks = cta->launch->hooks;
	char where[320], other[48] = "threads of other warps", text[640];

	if (cta->race->reports++ >= REPORTS_MAX)
		return;
	if (before->thread != SEVERAL_WARPS)
		snprintf(other, sizeof(other), "thread %u of the block", before->thread);
	sg_exec_where(w, lane, where, sizeof(where));
	snprintf(
		text, sizeof(text),
		"race on shared memory at offset 0x%x: %s %s it at line %u, %s %s it at line %u, with no barrier between",
		offset, where, now_writes ? "writes" : "reads", now->line, other,
		before_writes ? "wrote" : "read", before->line);
	hooks->race(hooks->arg, text);
}

static void touch(struct sg_exec_warp *w, unsigned lane, uint32_t offset, const struct access *now,
		  bool write, bool *reported)
{
	struct sg_exec_race *race = w->cta->race;
	struct cell *cell = &race->cells[offset];

	if (!*reported && conflicts(race, &cell->write, now)) {
		report(w, lane, offset, &cell->write, true, now, write);
		*reported = true;
	}
	if (!*reported && write && conflicts(race, &cell->read, now)) {
		report(w, lane, offset, &cell->read, false, now, write);
		*reported = true;
	}
	if (write) {
		cell->write = *now;
	} else {
		bool several = cell->read.block_epoch == race->epoch &&
			       cell->read.thread / SG_LANES != now->thread / SG_LANES;

		cell->read = *now;
		if (several)
			cell->read.thread = SEVERAL_WARPS;
	}
}

void sg_exec_race_access(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned lane,
			 uint32_t offset, uint32_t bytes, bool write, bool atomic)
{
	const struct access now = {
		.block_epoch = w->cta->race->epoch,
		.warp_epoch = w->epoch,
		.line = insn->line,
		.thread = (uint16_t)(w->number * SG_LANES + lane),
		.atomic = atomic,
	};
	bool reported = false;

	for (uint32_t n = 0; n < bytes; n++)
		touch(w, lane, offset + n, &now, write, &reported);
}
