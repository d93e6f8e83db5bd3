/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec_barrier.c - barriers of a block: bar and barrier in all forms */

/*
 * A barrier counts threads that arrive. Without a count it is complete when all threads that have
 * not exited are there, with one when that many are. A warp that arrives as a whole counts as 32
 * threads where a count is given, as hardware counts, even if the block's last warp has fewer.
 *
 * The aligned forms (every bar, barrier with .aligned) demand that all threads of a warp execute
 * the same instruction. That cannot be seen when a thread arrives, as others may still come; but
 * when a barrier completes, lanes of one warp that wait at different aligned instructions have
 * broken it.
 */

#include <string.h>

#include "softgpu/machine/exec.h"
#include "softgpu/machine/exec_lanes.h"

static unsigned first_lane(uint32_t mask)
{
	return (unsigned)__builtin_ctz(mask);
}

static const struct sg_code_insn *insn_of(const struct sg_exec_group *g)
{
	return g->call->function->insns + g->pc;
}

/* bar has no word for it: only barrier without .aligned is not. isa.def drops that word for bar. */
static bool is_aligned(const struct sg_code_insn *insn)
{
	return insn->flags & SG_BIT(ALIGNED);
}

/* What bar.red gives to a group's lanes. */
static void give_result(const struct sg_exec_barrier *b, const struct sg_exec_group *g)
{
	const struct sg_code_insn *insn = insn_of(g);
	unsigned char *frame = g->call->registers;
	uint32_t count[SG_LANES];
	bool yes;

	if (insn->op != SG_OP_BAR_RED)
		return;
	if (insn->sub == SG_SUB_POPC) {
		for (unsigned l = 0; l < SG_LANES; l++)
			count[l] = b->popc;
		lanes_merge32(SG_EXEC_LANES(frame, insn->dst, lane_u32), count, g->mask);
		return;
	}
	yes = insn->sub == SG_SUB_AND ? b->popc == b->voters : b->popc != 0;
	lanes_set_predicate(frame, insn->dst, yes ? SG_EXEC_ALL : 0, g->mask);
}

/* Let a warp's lanes that wait at a barrier go on. Return: false with the block's fault. */
static bool release_warp(struct sg_exec_warp *w, uint32_t number)
{
	const struct sg_code_insn *seen = NULL;

	for (uint32_t n = 0; n < w->group_count; n++) {
		struct sg_exec_group *g = &w->groups[n];

		if (g->wait != SG_EXEC_AT_BARRIER || g->barrier != number)
			continue;
		if (seen && seen != insn_of(g) && is_aligned(seen) && is_aligned(insn_of(g))) {
			sg_exec_fault(
				w, insn_of(g), first_lane(g->mask), SG_FAULT_LAUNCH_FAILED,
				"threads of one warp wait at different barrier instructions, lines %u and %u; an aligned barrier must be one that all of them reach",
				seen->line, insn_of(g)->line);
			return false;
		}
		seen = insn_of(g);
		give_result(&w->cta->barriers[number], g);
		g->wait = SG_EXEC_READY;
		g->pc++;
	}
	w->epoch++;
	return true;
}

static bool complete(struct sg_cta *cta, uint32_t number)
{
	struct sg_exec_barrier *b = &cta->barriers[number];
	bool everyone = b->expected == 0 || b->expected >= cta->live;

	for (uint32_t n = 0; n < cta->warp_count; n++) {
		if (cta->warps[n].live && !release_warp(&cta->warps[n], number))
			return false;
	}
	if (everyone && cta->race)
		sg_exec_race_barrier(cta);
	memset(b, 0, sizeof(*b));
	return true;
}

static bool is_complete(const struct sg_cta *cta, const struct sg_exec_barrier *b)
{
	return b->arrived > 0 && b->arrived >= (b->expected ? b->expected : cta->live);
}

void sg_exec_barrier_left(struct sg_cta *cta)
{
	for (uint32_t n = 0; n < SG_EXEC_BARRIERS; n++) {
		const struct sg_exec_barrier *b = &cta->barriers[n];

		if (b->expected == 0 && is_complete(cta, b) && !complete(cta, n))
			return;
	}
}

/* Read barrier number and count; both must be the same in all lanes that arrive together. */
static bool read_operands(struct sg_exec_warp *w, const struct sg_code_insn *insn,
			  const unsigned char *frame, uint32_t mask, uint32_t *number,
			  uint32_t *count)
{
	const lane_u32 *a = SG_EXEC_LANES(frame, insn->src[0], const lane_u32);
	unsigned lane = first_lane(mask);

	*number = a[lane];
	*count = 0;
	if (insn->src[1] != SG_SLOT_NONE)
		*count = SG_EXEC_LANES(frame, insn->src[1], const lane_u32)[lane];
	for (uint32_t left = mask; left; left &= left - 1) {
		if (a[first_lane(left)] != *number) {
			sg_exec_fault(w, insn, first_lane(left), SG_FAULT_LAUNCH_FAILED,
				      "threads of one warp name different barriers, %u and %u",
				      *number, a[first_lane(left)]);
			return false;
		}
	}
	if (*number >= SG_EXEC_BARRIERS || *count % SG_LANES ||
	    (insn->src[1] != SG_SLOT_NONE && *count == 0)) {
		sg_exec_fault(
			w, insn, lane, SG_FAULT_ILLEGAL_INSTRUCTION,
			"barrier %u with %u threads: barriers are 0 to 15, counts multiples of 32",
			*number, *count);
		return false;
	}
	return true;
}

static int arrive(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		  uint32_t mask)
{
	struct sg_exec_group *g = sg_exec_group(w);
	struct sg_cta *cta = w->cta;
	struct sg_exec_barrier *b;
	uint32_t number, count;

	if (!read_operands(w, insn, frame, mask, &number, &count))
		return SG_EXEC_FAULT;
	b = &cta->barriers[number];
	if (b->arrived && b->expected != count)
		return sg_exec_fault(w, insn, first_lane(mask), SG_FAULT_LAUNCH_FAILED,
				     "barrier %u is used with %u and with %u threads at once",
				     number, b->expected, count);
	b->expected = count;
	b->arrived += count && mask == w->live ? SG_LANES : (uint32_t)__builtin_popcount(mask);
	if (insn->op == SG_OP_BAR_RED) {
		b->popc += (uint32_t)__builtin_popcount(lanes_predicate(frame, insn->src[2]) &
							mask);
		b->voters += (uint32_t)__builtin_popcount(mask);
	}
	if (g->mask & ~mask)
		sg_exec_split(w, g->mask & ~mask, g->pc + 1);
	if (insn->op == SG_OP_BAR_ARRIVE) {
		g->pc++;
	} else {
		g->wait = SG_EXEC_AT_BARRIER;
		g->barrier = number;
	}
	if (is_complete(cta, b) && !complete(cta, number))
		return SG_EXEC_FAULT;
	return SG_EXEC_TURN;
}

static int fence(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		 uint32_t mask)
{
	(void)w;
	(void)insn;
	(void)frame;
	(void)mask;
	atomic_thread_fence(memory_order_seq_cst);
	return SG_EXEC_GO;
}

sg_exec_handler *sg_exec_barrier_bind(const struct sg_code_insn *insn)
{
	switch (insn->op) {
	case SG_OP_BAR_SYNC:
	case SG_OP_BAR_ARRIVE:
	case SG_OP_BAR_RED:
		return arrive;
	case SG_OP_FENCE:
		return fence;
	default:
		return NULL;
	}
}
