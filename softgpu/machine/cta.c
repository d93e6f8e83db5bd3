/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cta.c - one resident block: made, stepped, freed */

#include "softgpu/machine/cta.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "softgpu/machine/arith_int.h"
#include "softgpu/machine/exec.h"
#include "softgpu/machine/exec_lanes.h"

/* Instructions that one warp runs before the block's next one has its turn. */
#define SLICE 2048

static bool is_launchable(const struct sg_launch *launch, uint64_t threads)
{
	const struct sg_code_function *entry = launch->entry;
	uint64_t shared = (uint64_t)entry->shared_bytes + launch->shared_bytes;

	return entry->entry && threads > 0 && threads <= SG_CTA_THREADS_MAX &&
	       shared <= SG_CTA_SHARED_MAX && launch->params_bytes >= entry->kernel_param_bytes;
}

static void free_warps(struct sg_cta *cta)
{
	for (uint32_t n = 0; n < cta->warp_count; n++)
		free(cta->warps[n].local);
	free(cta->warps);
}

/* Put what calls are left among the spares. */
static void end_calls(struct sg_cta *cta)
{
	for (uint32_t n = 0; n < cta->warp_count; n++) {
		struct sg_exec_warp *w = &cta->warps[n];

		if (w->root && w->live)
			sg_exec_call_end(cta, w->root);
		w->root = NULL;
	}
}

/* Thread indices, the same for every block of a launch. */
static void number_threads(struct sg_cta *cta)
{
	const uint32_t *block = cta->launch->block;

	for (uint32_t t = 0; t < cta->warp_count * SG_LANES; t++) {
		struct sg_exec_warp *w = &cta->warps[t / SG_LANES];

		w->tid[0][t % SG_LANES] = t % block[0];
		w->tid[1][t % SG_LANES] = t / block[0] % block[1];
		w->tid[2][t % SG_LANES] = t / block[0] / block[1];
	}
}

static int start_warp(struct sg_cta *cta, uint32_t number)
{
	const struct sg_launch *launch = cta->launch;
	struct sg_exec_warp *w = &cta->warps[number];
	uint32_t left = cta->threads - number * SG_LANES;
	struct sg_exec_call *call = sg_exec_call_new(cta, launch->entry);

	if (!call)
		return -ENOMEM;
	w->cta = cta;
	w->number = number;
	w->threads = left >= SG_LANES ? SG_EXEC_ALL : (1u << left) - 1;
	w->live = w->threads;
	w->group_count = 1;
	w->current = 0;
	w->quantum = 0;
	w->alone = false;
	w->carry = 0;
	w->root = call;
	w->groups[0] = (struct sg_exec_group){ .call = call, .mask = w->threads };
	call->lanes = w->threads;
	call->depth = 0;
	call->local_base = 0;
	call->local_top = launch->entry->frame_bytes;
	return sg_exec_call_local(w, NULL, call->local_top) ? 0 : -ENOMEM;
}

static int start(struct sg_cta *cta, const uint32_t index[3], uint32_t sm)
{
	const struct sg_launch *launch = cta->launch;
	int err = 0;

	memcpy(cta->index, index, sizeof(cta->index));
	cta->sm = sm;
	cta->live = cta->threads;
	cta->next_warp = 0;
	memset(cta->barriers, 0, sizeof(cta->barriers));
	cta->start_ns = launch->hooks->now_ns(launch->hooks->arg);
	cta->fault.code = SG_FAULT_NONE;
	for (uint32_t n = 0; n < cta->warp_count && !err; n++)
		err = start_warp(cta, n);
	if (!err && cta->race)
		sg_exec_race_reset(cta);
	return err;
}

int sg_cta_new(const struct sg_launch *launch, const uint32_t index[3], uint32_t sm,
	       struct sg_cta **out)
{
	uint64_t threads = (uint64_t)launch->block[0] * launch->block[1];
	struct sg_cta *cta;
	int err = -ENOMEM;

	/* Each factor is below 2^32: judged one by one, the product does not wrap. */
	threads = threads > SG_CTA_THREADS_MAX ? threads : threads * launch->block[2];
	if (!is_launchable(launch, threads))
		return -EINVAL;
	cta = calloc(1, sizeof(*cta));
	if (!cta)
		return -ENOMEM;
	cta->launch = launch;
	cta->threads = (uint32_t)threads;
	cta->warp_count = (uint32_t)(threads + SG_LANES - 1) / SG_LANES;
	cta->shared_bytes = launch->entry->shared_bytes + launch->shared_bytes;
	cta->reserved = (cta->shared_bytes + 255) & ~255u;
	cta->shared = aligned_alloc(256, cta->reserved + SG_EXEC_RESERVED_BYTES);
	cta->warps = calloc(cta->warp_count, sizeof(*cta->warps));
	LIST_INIT(&cta->spares);
	sg_memory_cache_init(&cta->cache, launch->memory);
	if (cta->shared && cta->warps) {
		/* Hardware leaves garbage in shared memory; zeros make runs repeat themselves. */
		memset(cta->shared, 0, cta->reserved + SG_EXEC_RESERVED_BYTES);
		number_threads(cta);
		err = launch->races ? sg_exec_race_new(cta) : 0;
		if (!err)
			err = start(cta, index, sm);
	}
	if (err) {
		sg_cta_free(cta);
		return err;
	}
	*out = cta;
	return 0;
}

int sg_cta_reset(struct sg_cta *cta, const uint32_t index[3], uint32_t sm)
{
	end_calls(cta);
	memset(cta->shared, 0, cta->reserved + SG_EXEC_RESERVED_BYTES);
	return start(cta, index, sm);
}

void sg_cta_free(struct sg_cta *cta)
{
	if (!cta)
		return;
	if (cta->warps)
		end_calls(cta);
	while (!LIST_EMPTY(&cta->spares)) {
		struct sg_exec_call *call = LIST_FIRST(&cta->spares);

		LIST_REMOVE(call, siblings);
		free(call->registers);
		free(call);
	}
	if (cta->warps)
		free_warps(cta);
	sg_exec_race_free(cta);
	free(cta->shared);
	free(cta);
}

/* Run the current group until the slice is used up or its turn ends. Return: a handler's answer. */
static int run_group(struct sg_exec_warp *w, uint32_t *slice)
{
	struct sg_exec_group *g = sg_exec_group(w);
	const struct sg_code_insn *code = g->call->function->insns;
	unsigned char *frame = g->call->registers;
	uint32_t pc = g->pc, mask = g->mask, stop = sg_exec_stop_pc(w), left = *slice;
	bool shared_warp = w->group_count > 1;
	uint64_t lanes = 0;
	int next = SG_EXEC_GO;

	while (left > 0) {
		const struct sg_code_insn *insn = &code[pc];
		uint32_t active = mask;

		left--;
		if (insn->guard != SG_SLOT_NONE) {
			uint32_t p = lanes_predicate(frame, insn->guard);

			active &= insn->guard_not ? ~p : p;
		}
		if (active) {
			lanes += active == SG_EXEC_ALL ? SG_LANES : sg_arith_popc_b32(active);
			g->pc = pc;
			next = ((sg_exec_handler *)insn->handler)(w, insn, frame, active);
			if (next == SG_EXEC_JUMP)
				pc = w->jump;
			else if (next == SG_EXEC_GO)
				pc++;
			else
				break;
		} else {
			pc++;
		}
		if (pc >= stop || (shared_warp && --w->quantum <= 0)) {
			next = SG_EXEC_TURN;
			g->pc = pc;
			break;
		}
	}
	if (left == 0 && next <= SG_EXEC_JUMP)
		g->pc = pc;
	w->cta->warp_insns += *slice - left;
	w->cta->lane_insns += lanes;
	*slice = left;
	return next;
}

/* Give a warp a slice. Return: false on a fault. */
static bool run_warp(struct sg_exec_warp *w, uint32_t *slice)
{
	while (*slice > 0 && sg_exec_choose(w)) {
		if (run_group(w, slice) == SG_EXEC_FAULT)
			return false;
	}
	return true;
}

/* Wake sleepers whose time has come. Return: whether any group of the block sleeps on. */
static bool wake(struct sg_cta *cta, uint64_t now_ns, bool *woke)
{
	bool asleep = false;

	cta->wake_ns = UINT64_MAX;
	for (uint32_t n = 0; n < cta->warp_count; n++) {
		struct sg_exec_warp *w = &cta->warps[n];

		for (uint32_t k = 0; k < w->group_count; k++) {
			struct sg_exec_group *g = &w->groups[k];

			if (g->wait != SG_EXEC_ASLEEP)
				continue;
			if (g->wake_ns <= now_ns) {
				g->wait = SG_EXEC_READY;
				*woke = true;
			} else {
				asleep = true;
				if (g->wake_ns < cta->wake_ns)
					cta->wake_ns = g->wake_ns;
			}
		}
	}
	return asleep;
}

/* No thread can go on and none sleeps: say which one waits for what. */
static enum sg_cta_state stuck(struct sg_cta *cta)
{
	for (uint32_t n = 0; n < cta->warp_count; n++) {
		struct sg_exec_warp *w = &cta->warps[n];

		for (uint32_t k = 0; k < w->group_count; k++) {
			const struct sg_exec_group *g = &w->groups[k];
			const struct sg_code_insn *insn = g->call->function->insns + g->pc;
			unsigned lane = (unsigned)__builtin_ctz(g->mask);

			if (g->wait == SG_EXEC_AT_BARRIER)
				sg_exec_fault(
					w, insn, lane, SG_FAULT_LAUNCH_FAILED,
					"deadlock: barrier %u was reached by %u threads and waits for others that never come",
					g->barrier, cta->barriers[g->barrier].arrived);
			else
				sg_exec_fault(
					w, insn, lane, SG_FAULT_LAUNCH_FAILED,
					"deadlock: lanes 0x%08x of the warp wait for other lanes of the mask that never come",
					g->mask);
		}
	}
	return SG_CTA_FAULT;
}

/* Give every warp a slice. Return: whether one could run; false also on a fault. */
static bool run_round(struct sg_cta *cta, uint64_t *budget)
{
	bool ran = false;

	for (uint32_t n = 0; n<cta->warp_count && * budget> 0; n++) {
		struct sg_exec_warp *w = &cta->warps[cta->next_warp];
		uint32_t slice = *budget < SLICE ? (uint32_t)*budget : SLICE, before = slice;

		cta->next_warp = (cta->next_warp + 1) % cta->warp_count;
		if (w->live == 0)
			continue;
		if (!run_warp(w, &slice))
			return false;
		*budget -= before - slice;
		ran = ran || slice != before;
	}
	return ran;
}

enum sg_cta_state sg_cta_step(struct sg_cta *cta, uint64_t budget)
{
	const struct sg_cta_hooks *hooks = cta->launch->hooks;

	while (cta->fault.code == SG_FAULT_NONE && cta->live > 0) {
		bool woke = false, asleep, ran;

		if (budget == 0)
			return SG_CTA_RUNNING;
		ran = run_round(cta, &budget);
		if (cta->fault.code != SG_FAULT_NONE || cta->live == 0)
			break;
		if (!cta->sleepers)
			asleep = false;
		else
			asleep = wake(cta, hooks->now_ns(hooks->arg), &woke);
		cta->sleepers = asleep;
		if (ran || woke)
			continue;
		if (asleep)
			return SG_CTA_BLOCKED;
		if (budget > 0)
			return stuck(cta);
	}
	return cta->fault.code == SG_FAULT_NONE ? SG_CTA_DONE : SG_CTA_FAULT;
}

uint64_t sg_cta_wake_ns(const struct sg_cta *cta)
{
	return cta->wake_ns;
}

const struct sg_fault *sg_cta_fault(const struct sg_cta *cta)
{
	return &cta->fault;
}

void sg_cta_count(const struct sg_cta *cta, uint64_t *warp_insns, uint64_t *lane_insns)
{
	*warp_insns = cta->warp_insns;
	*lane_insns = cta->lane_insns;
}
