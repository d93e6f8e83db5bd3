/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec_group.c - groups of a warp's lanes: split by branches, joined again, given turns */

#include <string.h>

#include "softgpu/machine/exec.h"
#include "softgpu/machine/exec_lanes.h"

/*
 * Instructions that groups may run in the best order before one that could run, but does not, gets
 * a turn, and how long that turn is. The first is long, since loops with unlike trip counts are the
 * rule and waiting for each other is the exception; atomics, with which lanes wait, count for more.
 */
#define QUANTUM 4096
#define QUANTUM_ALONE 256

void sg_exec_drop_group(struct sg_exec_warp *w, uint32_t index)
{
	w->group_count--;
	if (index != w->group_count)
		w->groups[index] = w->groups[w->group_count];
	/* Choosing comes next; current must only be in bounds until then. */
	if (w->current == index)
		w->current = 0;
	else if (w->current == w->group_count)
		w->current = index;
}

struct sg_exec_group *sg_exec_split(struct sg_exec_warp *w, uint32_t lanes, uint32_t pc)
{
	struct sg_exec_group *g = sg_exec_group(w), *new = &w->groups[w->group_count++];

	/* Each group has a lane, so that there are never more groups than lanes. */
	*new = *g;
	new->mask = lanes;
	new->pc = pc;
	new->wait = SG_EXEC_READY;
	g->mask &= ~lanes;
	return new;
}

static bool may_join(const struct sg_exec_group *a, const struct sg_exec_group *b)
{
	return a->call == b->call && a->pc == b->pc &&
	       (a->wait == SG_EXEC_READY || a->wait == SG_EXEC_AT_SYNC) &&
	       (b->wait == SG_EXEC_READY || b->wait == SG_EXEC_AT_SYNC);
}

static void join_groups(struct sg_exec_warp *w)
{
	for (uint32_t a = 0; a < w->group_count; a++) {
		for (uint32_t b = w->group_count; b-- > a + 1;) {
			if (!may_join(&w->groups[a], &w->groups[b]))
				continue;
			w->groups[a].mask |= w->groups[b].mask;
			/* What waited for other lanes looks again, now that there are more. */
			w->groups[a].wait = SG_EXEC_READY;
			if (w->groups[b].turn < w->groups[a].turn)
				w->groups[a].turn = w->groups[b].turn;
			if (w->current == b)
				w->current = a;
			sg_exec_drop_group(w, b);
		}
	}
}

/* Whether a is to run before b when lanes are to meet again. */
static bool before(const struct sg_exec_group *a, const struct sg_exec_group *b)
{
	if (a->call->depth != b->call->depth)
		return a->call->depth > b->call->depth;
	return a->pc < b->pc;
}

bool sg_exec_choose(struct sg_exec_warp *w)
{
	const struct sg_exec_group *best = NULL, *oldest = NULL;

	if (w->group_count == 1) {
		w->current = 0;
		w->alone = false;
		w->quantum = QUANTUM;
		return w->groups[0].wait == SG_EXEC_READY;
	}
	if (w->group_count == 0)
		return false;
	if (w->alone && w->quantum > 0 && sg_exec_group(w)->wait == SG_EXEC_READY)
		return true;
	join_groups(w);
	for (uint32_t n = 0; n < w->group_count; n++) {
		const struct sg_exec_group *g = &w->groups[n];

		if (g->wait != SG_EXEC_READY)
			continue;
		if (!best || before(g, best))
			best = g;
		if (!oldest || g->turn < oldest->turn)
			oldest = g;
	}
	if (!best)
		return false;
	if (w->quantum <= 0 && !w->alone) {
		w->alone = true;
		w->quantum = QUANTUM_ALONE;
		best = oldest;
	} else if (w->quantum <= 0 || w->alone) {
		w->alone = false;
		w->quantum = QUANTUM;
	}
	w->current = (uint32_t)(best - w->groups);
	w->groups[w->current].turn = ++w->turns;
	return true;
}

uint32_t sg_exec_stop_pc(const struct sg_exec_warp *w)
{
	const struct sg_exec_group *g = &w->groups[w->current];
	uint32_t stop = UINT32_MAX;

	if (w->alone)
		return stop;
	for (uint32_t n = 0; n < w->group_count; n++) {
		const struct sg_exec_group *other = &w->groups[n];

		if (n != w->current && other->call == g->call && other->pc < stop &&
		    other->pc > g->pc &&
		    (other->wait == SG_EXEC_READY || other->wait == SG_EXEC_AT_SYNC))
			stop = other->pc;
	}
	return stop;
}

int sg_exec_bra(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		uint32_t mask)
{
	struct sg_exec_group *g = sg_exec_group(w);

	(void)frame;
	if (mask == g->mask) {
		w->jump = insn->target;
		return SG_EXEC_JUMP;
	}
	sg_exec_split(w, mask, insn->target);
	g->pc++;
	return SG_EXEC_TURN;
}

int sg_exec_brx(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		uint32_t mask)
{
	struct sg_exec_group *g = sg_exec_group(w);
	const uint32_t *table = g->call->function->extra + insn->target;
	const lane_u32 *index = SG_EXEC_LANES(frame, insn->src[0], const lane_u32);
	uint32_t first = index[__builtin_ctz(mask)], same = 0;

	for (uint32_t left = mask; left; left &= left - 1) {
		unsigned l = (unsigned)__builtin_ctz(left);

		if (index[l] == first)
			same |= 1u << l;
	}
	if (first >= table[0])
		return sg_exec_fault(w, insn, (unsigned)__builtin_ctz(mask), SG_FAULT_INVALID_PC,
				     "index %u into a table of %u branch targets", first, table[0]);
	if (same == g->mask) {
		w->jump = table[1 + first];
		return SG_EXEC_JUMP;
	}
	/* Lanes with another index come to this instruction again. */
	sg_exec_split(w, same, table[1 + first]);
	if (g->mask & ~mask) {
		if (g->mask & mask)
			sg_exec_split(w, g->mask & ~mask, g->pc + 1);
		else
			g->pc++;
	}
	return SG_EXEC_TURN;
}

/* Sleeps as long as the longest of its lanes. */
int sg_exec_nanosleep(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		      uint32_t mask)
{
	struct sg_exec_group *g = sg_exec_group(w);
	const lane_u32 *ns = SG_EXEC_LANES(frame, insn->src[0], const lane_u32);
	const struct sg_cta_hooks *hooks = w->cta->launch->hooks;
	uint32_t most = 0;

	for (uint32_t left = mask; left; left &= left - 1) {
		unsigned l = (unsigned)__builtin_ctz(left);

		most = ns[l] > most ? ns[l] : most;
	}
	if (mask != g->mask)
		sg_exec_split(w, g->mask & ~mask, g->pc + 1);
	g->pc++;
	/* The manual's bound: 1 ms. */
	g->wake_ns = hooks->now_ns(hooks->arg) + (most < 1000000 ? most : 1000000);
	g->wait = SG_EXEC_ASLEEP;
	w->cta->sleepers = true;
	return SG_EXEC_TURN;
}
