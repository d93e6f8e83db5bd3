/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec_warp.c - instructions between the lanes of a warp: shuffles, votes, matches, reductions */

/*
 * An instruction with a member mask waits until every living lane of the mask has come to one of
 * its kind with the same mask. The usual case is that they all stand in one group. Otherwise the
 * group waits in state AT_SYNC: groups at the same instruction are joined by sg_exec_choose and try
 * again; groups that wait at different instructions exchange values here when the last one arrives.
 * When a lane exits, those that wait try again, too.
 */

#include <math.h>
#include <string.h>

#include "softgpu/machine/arith_float.h"
#include "softgpu/machine/exec.h"
#include "softgpu/machine/exec_lanes.h"

/* What the lanes bring, and what each gets. */
struct exchange {
	uint32_t lanes;	  /* that take part */
	uint32_t members; /* as the instruction names them */
	uint32_t in_predicate, out_predicate;
	uint64_t a[SG_LANES];
	uint32_t b[SG_LANES], c[SG_LANES];
	uint32_t out[SG_LANES];
};

static unsigned first_lane(uint32_t mask)
{
	return (unsigned)__builtin_ctz(mask);
}

/* Slot of the member mask; SG_SLOT_NONE for the old forms. */
static uint32_t member_slot(const struct sg_code_insn *insn)
{
	switch (insn->op) {
	case SG_OP_SHFL:
		return insn->src[3];
	case SG_OP_BAR_WARP:
	case SG_OP_ELECT:
		return insn->src[0];
	default:
		return insn->src[1];
	}
}

static void bring(struct exchange *x, const struct sg_code_insn *insn, const unsigned char *frame,
		  uint32_t mask)
{
	unsigned bits = sg_isa_type_bits(insn->type);

	x->lanes |= mask;
	if (insn->op == SG_OP_VOTE) {
		x->in_predicate |= lanes_predicate(frame, insn->src[0]) & mask;
		return;
	}
	if (insn->op == SG_OP_BAR_WARP || insn->op == SG_OP_ELECT)
		return;
	for (uint32_t left = mask; left; left &= left - 1) {
		unsigned l = first_lane(left);

		x->a[l] = bits == 64 ? SG_EXEC_LANES(frame, insn->src[0], const lane_u64)[l]
				     : SG_EXEC_LANES(frame, insn->src[0], const lane_u32)[l];
		if (insn->op == SG_OP_SHFL) {
			x->b[l] = SG_EXEC_LANES(frame, insn->src[1], const lane_u32)[l];
			x->c[l] = SG_EXEC_LANES(frame, insn->src[2], const lane_u32)[l];
		}
	}
}

/* The lane that lane l reads from; in_range is the predicate. The manual's pseudocode. */
static unsigned shuffle_source(uint8_t mode, unsigned l, uint32_t b, uint32_t c, bool *in_range)
{
	uint32_t clamp = c & 31, segment = c >> 8 & 31, by = b & 31;
	uint32_t most = (l & segment) | (clamp & ~segment), least = l & segment;
	int32_t from;

	switch (mode) {
	case SG_SUB_UP:
		from = (int32_t)l - (int32_t)by;
		*in_range = from >= (int32_t)most;
		break;
	case SG_SUB_DOWN:
		from = (int32_t)(l + by);
		*in_range = from <= (int32_t)most;
		break;
	case SG_SUB_BFLY:
		from = (int32_t)(l ^ by);
		*in_range = from <= (int32_t)most;
		break;
	default:
		from = (int32_t)(least | (by & ~segment));
		*in_range = from <= (int32_t)most;
		break;
	}
	return *in_range ? (unsigned)from & 31 : l;
}

static void shuffle(struct exchange *x, const struct sg_code_insn *insn)
{
	for (uint32_t left = x->lanes; left; left &= left - 1) {
		unsigned l = first_lane(left);
		bool in_range;

		x->out[l] =
			(uint32_t)x->a[shuffle_source(insn->sub, l, x->b[l], x->c[l], &in_range)];
		x->out_predicate |= (uint32_t)in_range << l;
	}
}

static void vote(struct exchange *x, const struct sg_code_insn *insn)
{
	uint32_t yes = x->in_predicate & x->lanes;
	bool result = false;

	if (insn->sub == SG_SUB_BALLOT) {
		for (unsigned l = 0; l < SG_LANES; l++)
			x->out[l] = yes;
		return;
	}
	if (insn->sub == SG_SUB_ALL)
		result = yes == x->lanes;
	else if (insn->sub == SG_SUB_ANY)
		result = yes != 0;
	else
		result = yes == x->lanes || yes == 0;
	x->out_predicate = result ? SG_EXEC_ALL : 0;
}

static void match(struct exchange *x, const struct sg_code_insn *insn)
{
	for (uint32_t left = x->lanes; left; left &= left - 1) {
		unsigned l = first_lane(left);
		uint32_t same = 0;

		for (uint32_t other = x->lanes; other; other &= other - 1) {
			if (x->a[first_lane(other)] == x->a[l])
				same |= other & -other;
		}
		x->out[l] = same;
		if (insn->sub == SG_SUB_ALL) {
			x->out_predicate |= same == x->lanes ? 1u << l : 0;
			x->out[l] = same == x->lanes ? same : 0;
		}
	}
}

static uint32_t reduce_two_f32(const struct sg_code_insn *insn, uint32_t a, uint32_t b)
{
	float x = sg_arith_from_f32(a), y = sg_arith_from_f32(b);
	bool nan = insn->flags & SG_BIT(NAN);

	if (insn->flags & SG_BIT(ABS)) {
		x = sg_arith_abs_f32(x);
		y = sg_arith_abs_f32(y);
	}
	if (insn->sub == SG_SUB_MIN)
		return sg_arith_bits_f32(nan ? sg_arith_min_nan_f32(x, y) : sg_arith_min_f32(x, y));
	return sg_arith_bits_f32(nan ? sg_arith_max_nan_f32(x, y) : sg_arith_max_f32(x, y));
}

static uint32_t reduce_two(const struct sg_code_insn *insn, uint32_t a, uint32_t b)
{
	bool is_signed = insn->type == SG_TYPE_S32, less;

	if (insn->type == SG_TYPE_F32)
		return reduce_two_f32(insn, a, b);
	less = is_signed ? (int32_t)a < (int32_t)b : a < b;
	switch (insn->sub) {
	case SG_SUB_ADD:
		return a + b;
	case SG_SUB_MIN:
		return less ? a : b;
	case SG_SUB_MAX:
		return less ? b : a;
	case SG_SUB_AND:
		return a & b;
	case SG_SUB_OR:
		return a | b;
	default:
		return a ^ b;
	}
}

static void reduce(struct exchange *x, const struct sg_code_insn *insn)
{
	uint32_t left = x->lanes, total = (uint32_t)x->a[first_lane(left)];

	/* One lane alone still has .abs and canonical NaN applied. */
	if (insn->type == SG_TYPE_F32)
		total = reduce_two_f32(insn, total, total);
	for (left &= left - 1; left; left &= left - 1)
		total = reduce_two(insn, total, (uint32_t)x->a[first_lane(left)]);
	for (unsigned l = 0; l < SG_LANES; l++)
		x->out[l] = total;
}

static void compute(struct exchange *x, const struct sg_code_insn *insn)
{
	switch (insn->op) {
	case SG_OP_SHFL:
		shuffle(x, insn);
		break;
	case SG_OP_VOTE:
		vote(x, insn);
		break;
	case SG_OP_MATCH:
		match(x, insn);
		break;
	case SG_OP_REDUX:
		reduce(x, insn);
		break;
	case SG_OP_ELECT:
		x->out_predicate = x->lanes & -x->lanes;
		for (unsigned l = 0; l < SG_LANES; l++)
			x->out[l] = first_lane(x->lanes);
		break;
	default:
		break;
	}
}

static void take(const struct exchange *x, const struct sg_code_insn *insn, unsigned char *frame,
		 uint32_t mask)
{
	if (insn->op == SG_OP_BAR_WARP)
		return;
	if (insn->op == SG_OP_VOTE && insn->sub != SG_SUB_BALLOT) {
		lanes_set_predicate(frame, insn->dst, x->out_predicate, mask);
		return;
	}
	if (insn->dst != SG_SLOT_NONE)
		lanes_merge32(SG_EXEC_LANES(frame, insn->dst, lane_u32), x->out, mask);
	if (insn->dst2 != SG_SLOT_NONE)
		lanes_set_predicate(frame, insn->dst2, x->out_predicate, mask);
}

/* Whether a waiting group's instruction can be met by this one. */
static bool same_kind(const struct sg_code_insn *a, const struct sg_code_insn *b)
{
	return a->op == b->op && a->sub == b->sub && a->type == b->type;
}

static const struct sg_code_insn *insn_of(const struct sg_exec_group *g)
{
	return g->call->function->insns + g->pc;
}

static uint32_t members_of(const struct sg_exec_group *g)
{
	return SG_EXEC_LANES(g->call->registers, member_slot(insn_of(g)),
			     const lane_u32)[first_lane(g->mask)];
}

/* The current group waits; if others wait for it, all of them go on. */
static int meet(struct sg_exec_warp *w, const struct sg_code_insn *insn, uint32_t members)
{
	struct exchange x = { .members = members };
	uint32_t present = 0;

	for (uint32_t n = 0; n < w->group_count; n++) {
		const struct sg_exec_group *g = &w->groups[n];

		if (g->wait == SG_EXEC_AT_SYNC && same_kind(insn_of(g), insn) &&
		    members_of(g) == members) {
			present |= g->mask;
			bring(&x, insn_of(g), g->call->registers, g->mask);
		}
	}
	if (members & w->live & ~present)
		return SG_EXEC_TURN;
	compute(&x, insn);
	for (uint32_t n = 0; n < w->group_count; n++) {
		struct sg_exec_group *g = &w->groups[n];

		if (g->wait == SG_EXEC_AT_SYNC && same_kind(insn_of(g), insn) &&
		    members_of(g) == members) {
			take(&x, insn_of(g), g->call->registers, g->mask);
			g->wait = SG_EXEC_READY;
			g->pc++;
		}
	}
	w->epoch++;
	return SG_EXEC_TURN;
}

static int together(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		    uint32_t mask, uint32_t members)
{
	struct exchange x = { .members = members };

	bring(&x, insn, frame, mask);
	compute(&x, insn);
	take(&x, insn, frame, mask);
	w->epoch++;
	return SG_EXEC_GO;
}

static int exchange(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		    uint32_t mask)
{
	uint32_t slot = member_slot(insn), members, same = 0;
	struct sg_exec_group *g = sg_exec_group(w);
	const lane_u32 *named;

	if (slot == SG_SLOT_NONE)
		return together(w, insn, frame, mask, mask);
	named = SG_EXEC_LANES(frame, slot, const lane_u32);
	members = named[first_lane(mask)];
	for (unsigned l = 0; l < SG_LANES; l++)
		same |= named[l] == members ? 1u << l : 0;
	if ((mask & ~same) == 0 && (members & w->live & ~mask) == 0)
		return together(w, insn, frame, mask, members);
	/* Lanes with another mask come here again; those that the guard leaves out go on. */
	if (mask & ~same)
		sg_exec_split(w, mask & ~same, g->pc);
	if (g->mask & ~mask)
		sg_exec_split(w, g->mask & ~mask, g->pc + 1);
	g->wait = SG_EXEC_AT_SYNC;
	return meet(w, insn, members);
}

/* shfl of a whole warp without waiting: the usual one. */
static int shuffle_all(struct sg_exec_warp *w, const struct sg_code_insn *insn,
		       unsigned char *frame, uint32_t mask)
{
	const lane_u32 *a = SG_EXEC_LANES(frame, insn->src[0], const lane_u32);
	const lane_u32 *b = SG_EXEC_LANES(frame, insn->src[1], const lane_u32);
	const lane_u32 *c = SG_EXEC_LANES(frame, insn->src[2], const lane_u32);
	const lane_u32 *m = SG_EXEC_LANES(frame, insn->src[3], const lane_u32);
	uint32_t out[SG_LANES], predicate = 0, other = 0;

	for (unsigned l = 0; l < SG_LANES; l++)
		other |= ~m[l];
	if (mask != SG_EXEC_ALL || other)
		return exchange(w, insn, frame, mask);
	for (unsigned l = 0; l < SG_LANES; l++) {
		bool in_range;

		out[l] = a[shuffle_source(insn->sub, l, b[l], c[l], &in_range)];
		predicate |= (uint32_t)in_range << l;
	}
	memcpy(frame + insn->dst, out, sizeof(out));
	if (insn->dst2 != SG_SLOT_NONE)
		lanes_set_predicate(frame, insn->dst2, predicate, mask);
	w->epoch++;
	return SG_EXEC_GO;
}

void sg_exec_warp_left(struct sg_exec_warp *w)
{
	for (uint32_t n = 0; n < w->group_count; n++) {
		if (w->groups[n].wait == SG_EXEC_AT_SYNC)
			w->groups[n].wait = SG_EXEC_READY;
	}
}

static int activemask(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		      uint32_t mask)
{
	lane_u32 *dst = SG_EXEC_LANES(frame, insn->dst, lane_u32);

	(void)w;
	for (uint32_t left = mask; left; left &= left - 1)
		dst[first_lane(left)] = mask;
	return SG_EXEC_GO;
}

sg_exec_handler *sg_exec_warp_bind(const struct sg_code_insn *insn)
{
	switch (insn->op) {
	case SG_OP_SHFL:
		return insn->src[3] == SG_SLOT_NONE ? exchange : shuffle_all;
	case SG_OP_BAR_WARP:
	case SG_OP_VOTE:
	case SG_OP_MATCH:
	case SG_OP_REDUX:
	case SG_OP_ELECT:
		return exchange;
	case SG_OP_ACTIVEMASK:
		return activemask;
	default:
		return NULL;
	}
}
