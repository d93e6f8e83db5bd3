/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec_move.c - special registers, packing, widening, address spaces, and what does nothing */

#include <string.h>

#include "softgpu/machine/exec.h"
#include "softgpu/machine/exec_lanes.h"

static unsigned first_lane(uint32_t mask)
{
	return (unsigned)__builtin_ctz(mask);
}

/* Bytes of a lane in a register of a type: 8-bit values have 16-bit lanes. */
static unsigned lane_bytes(enum sg_type type)
{
	unsigned bits = sg_isa_type_bits(type);

	return bits < 16 ? 2 : bits / 8;
}

static void put(unsigned char *frame, uint32_t slot, unsigned bytes, unsigned lane, uint64_t value)
{
	if (slot != SG_SLOT_NONE)
		memcpy(frame + slot + lane * bytes, &value, bytes < 8 ? bytes : 8);
}

/* A clock in cycles: one for each nanosecond. */
static uint64_t clock_of(const struct sg_cta *cta)
{
	const struct sg_cta_hooks *hooks = cta->launch->hooks;

	return hooks->now_ns(hooks->arg);
}

/* Registers about shared memory. Return: 0 for all others: ranks in a cluster of one, a driver's. */
static uint64_t shared_register(const struct sg_cta *cta, uint8_t sreg)
{
	switch (sreg) {
	case SG_SREG_TOTAL_SMEM_SIZE:
	case SG_SREG_AGGR_SMEM_SIZE:
		return cta->shared_bytes;
	case SG_SREG_RESERVED_SMEM:
	case SG_SREG_RESERVED_SMEM_0:
		return SG_EXEC_RESERVED_AT;
	case SG_SREG_RESERVED_SMEM_1: /* the last part is cooperative groups' */
		return SG_EXEC_RESERVED_AT + SG_EXEC_RESERVED_BYTES / 2;
	case SG_SREG_RESERVED_SMEM_END:
		return SG_EXEC_RESERVED_AT + SG_EXEC_RESERVED_BYTES;
	case SG_SREG_RESERVED_SMEM_CAP:
		return SG_EXEC_RESERVED_BYTES;
	case SG_SREG_DYNAMIC_SMEM_SIZE:
		return cta->launch->shared_bytes;
	default:
		return 0;
	}
}

/* Registers that differ from lane to lane. Return: whether this is one. */
static bool lane_register(const struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned l,
			  uint64_t *value)
{
	uint32_t own = 1u << l;

	switch (insn->sreg) {
	case SG_SREG_TID:
		*value = insn->imm < 3 ? w->tid[insn->imm][l] : 0;
		return true;
	case SG_SREG_LANEID:
		*value = l;
		return true;
	case SG_SREG_LANEMASK_EQ:
		*value = own;
		return true;
	case SG_SREG_LANEMASK_LE:
		*value = own | (own - 1);
		return true;
	case SG_SREG_LANEMASK_LT:
		*value = own - 1;
		return true;
	case SG_SREG_LANEMASK_GE:
		*value = (uint32_t) ~(own - 1);
		return true;
	case SG_SREG_LANEMASK_GT:
		*value = (uint32_t) ~(own | (own - 1));
		return true;
	default:
		return false;
	}
}

static uint64_t uniform_register(const struct sg_exec_warp *w, const struct sg_code_insn *insn)
{
	const struct sg_cta *cta = w->cta;
	const struct sg_launch *launch = cta->launch;
	int64_t n = insn->imm;

	switch (insn->sreg) {
	case SG_SREG_NTID:
		return n < 3 ? launch->block[n] : 1;
	case SG_SREG_ENVREG:
		/* What nvcc's cooperative groups read; the other registers are the driver's own. */
		return n == 1	? launch->grid_workspace >> 32
		       : n == 2 ? (uint32_t)launch->grid_workspace
				: 0;
	case SG_SREG_WARPID:
		return w->number;
	case SG_SREG_NWARPID:
		return SG_CTA_THREADS_MAX / SG_LANES;
	case SG_SREG_CTAID:
	case SG_SREG_CLUSTERID:
		return n < 3 ? cta->index[n] : 0;
	case SG_SREG_NCTAID:
	case SG_SREG_NCLUSTERID:
		return n < 3 ? launch->grid[n] : 1;
	case SG_SREG_CLUSTER_NCTAID:
	case SG_SREG_CLUSTER_NCTARANK:
		return 1;
	case SG_SREG_SMID:
		return cta->sm;
	case SG_SREG_NSMID:
		return launch->sm;
	case SG_SREG_GRIDID:
		return launch->grid_id;
	case SG_SREG_CLOCK:
		return (uint32_t)clock_of(cta);
	case SG_SREG_CLOCK_HI:
		return clock_of(cta) >> 32;
	case SG_SREG_CLOCK64:
	case SG_SREG_GLOBALTIMER:
		return clock_of(cta);
	case SG_SREG_GLOBALTIMER_LO:
		return (uint32_t)clock_of(cta);
	case SG_SREG_GLOBALTIMER_HI:
		return clock_of(cta) >> 32;
	case SG_SREG_FRAME:
		return w->groups[w->current].call->local_base + (uint64_t)n;
	case SG_SREG_DYNAMIC_SHARED:
		return launch->entry->shared_bytes + (uint64_t)n;
	default:
		return shared_register(cta, insn->sreg);
	}
}

static int move_register(struct sg_exec_warp *w, const struct sg_code_insn *insn,
			 unsigned char *frame, uint32_t mask)
{
	unsigned bytes = lane_bytes(insn->type);
	uint64_t value = 0;
	bool differs = lane_register(w, insn, 0, &value);

	if (!differs)
		value = uniform_register(w, insn);
	if (insn->type == SG_TYPE_PRED) {
		lanes_set_predicate(frame, insn->dst, value ? SG_EXEC_ALL : 0, mask);
		return SG_EXEC_GO;
	}
	for (uint32_t left = mask; left; left &= left - 1) {
		unsigned l = first_lane(left);

		if (differs)
			lane_register(w, insn, l, &value);
		if (bytes == 4)
			SG_EXEC_LANES(frame, insn->dst, lane_u32)[l] = (uint32_t)value;
		else
			put(frame, insn->dst, bytes, l, value);
	}
	return SG_EXEC_GO;
}

/* The usual ones: .tid and what is the same for all lanes, in 32 bits. */
static int move_thread(struct sg_exec_warp *w, const struct sg_code_insn *insn,
		       unsigned char *frame, uint32_t mask)
{
	lanes_merge32(SG_EXEC_LANES(frame, insn->dst, lane_u32), w->tid[insn->imm], mask);
	return SG_EXEC_GO;
}

static int move_uniform(struct sg_exec_warp *w, const struct sg_code_insn *insn,
			unsigned char *frame, uint32_t mask)
{
	lane_u32 *dst = SG_EXEC_LANES(frame, insn->dst, lane_u32), spare[SG_LANES];
	lane_u32 *out = mask == SG_EXEC_ALL ? dst : spare;
	uint32_t value = (uint32_t)uniform_register(w, insn);

	for (unsigned l = 0; l < SG_LANES; l++)
		out[l] = value;
	if (out == spare)
		lanes_merge32(dst, spare, mask);
	return SG_EXEC_GO;
}

static sg_exec_handler *bind_register(const struct sg_code_insn *insn)
{
	if (lane_bytes(insn->type) != 4)
		return move_register;
	switch (insn->sreg) {
	case SG_SREG_TID:
		return insn->imm < 3 ? move_thread : move_register;
	case SG_SREG_NTID:
	case SG_SREG_CTAID:
	case SG_SREG_NCTAID:
	case SG_SREG_WARPID:
		return move_uniform;
	default:
		return move_register;
	}
}

static int move_128(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		    uint32_t mask)
{
	(void)w;
	for (uint32_t left = mask; left; left &= left - 1) {
		size_t at = first_lane(left) * 16;

		memmove(frame + insn->dst + at, frame + insn->src[0] + at, 16);
	}
	return SG_EXEC_GO;
}

/* Elements of a vector into one register. 8-bit elements are the low halves of their lanes. */
static int pack(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		uint32_t mask)
{
	const uint32_t *slots = sg_exec_group(w)->call->function->extra + insn->target;
	unsigned part = sg_isa_type_bits(insn->stype) / 8, lane = lane_bytes(insn->stype);
	unsigned whole = lane_bytes(insn->type);

	for (uint32_t left = mask; left; left &= left - 1) {
		unsigned l = first_lane(left);
		unsigned char value[16] = { 0 };

		for (unsigned e = 0; e < insn->vec; e++)
			memcpy(value + e * part, frame + slots[e] + l * lane, part);
		memcpy(frame + insn->dst + l * whole, value, whole);
	}
	return SG_EXEC_GO;
}

static int unpack(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		  uint32_t mask)
{
	const uint32_t *slots = sg_exec_group(w)->call->function->extra + insn->target;
	unsigned part = sg_isa_type_bits(insn->stype) / 8, lane = lane_bytes(insn->stype);
	unsigned whole = lane_bytes(insn->type);

	for (uint32_t left = mask; left; left &= left - 1) {
		unsigned l = first_lane(left);
		unsigned char value[16];

		memcpy(value, frame + insn->src[0] + l * whole, whole);
		for (unsigned e = 0; e < insn->vec; e++) {
			uint64_t element = 0;

			memcpy(&element, value + e * part, part);
			put(frame, slots[e], lane, l, element);
		}
	}
	return SG_EXEC_GO;
}

/* SG_OP_WIDEN and SG_OP_TRUNCATE: the low bits of a register as a narrower or wider one. */
static int resize(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		  uint32_t mask)
{
	unsigned from = lane_bytes(insn->stype), to = lane_bytes(insn->type);
	unsigned bits = sg_isa_type_bits(insn->stype);
	bool is_signed = sg_isa_type_kind(insn->stype) == SG_KIND_SIGNED;

	(void)w;
	for (uint32_t left = mask; left; left &= left - 1) {
		unsigned l = first_lane(left), unused = bits < 64 ? 64 - bits : 0;
		uint64_t value = 0, high = 0;

		memcpy(&value, frame + insn->src[0] + l * from, from < 8 ? from : 8);
		if (from == 16)
			memcpy(&high, frame + insn->src[0] + l * 16 + 8, 8);
		value <<= unused;
		value = is_signed ? (uint64_t)((int64_t)value >> unused) : value >> unused;
		if (from < 16)
			high = is_signed && value >> 63 ? UINT64_MAX : 0;
		put(frame, insn->dst, to, l, value);
		if (to == 16)
			memcpy(frame + insn->dst + l * 16 + 8, &high, 8);
	}
	return SG_EXEC_GO;
}

static uint64_t window_base(uint8_t space)
{
	switch (space) {
	case SG_SPACE_SHARED:
	case SG_SPACE_SHARED_CTA:
	case SG_SPACE_SHARED_CLUSTER:
		return SG_MEMORY_SHARED_BASE;
	case SG_SPACE_LOCAL:
		return SG_MEMORY_LOCAL_BASE;
	case SG_SPACE_PARAM:
	case SG_SPACE_PARAM_ENTRY:
		return SG_MEMORY_PARAM_BASE;
	default:
		return 0;
	}
}

static int convert_address(struct sg_exec_warp *w, const struct sg_code_insn *insn,
			   unsigned char *frame, uint32_t mask)
{
	const lane_u64 *a = SG_EXEC_LANES(frame, insn->src[0], const lane_u64);
	lane_u64 *dst = SG_EXEC_LANES(frame, insn->dst, lane_u64), spare[SG_LANES];
	lane_u64 *out = mask == SG_EXEC_ALL ? dst : spare;
	uint64_t base = window_base(insn->space);

	(void)w;
	if (insn->flags & SG_BIT(TO))
		base = 0 - base;
	for (unsigned l = 0; l < SG_LANES; l++)
		out[l] = a[l] + base;
	if (out == spare)
		lanes_merge64(dst, spare, mask);
	return SG_EXEC_GO;
}

static bool in_space(struct sg_exec_warp *w, uint8_t space, uint64_t addr)
{
	uint64_t base = window_base(space);
	struct sg_memory_range range;

	if (base)
		return addr - base < SG_MEMORY_WINDOW_BYTES;
	if (sg_memory_find(w->cta->launch->memory, addr, &range) == 0 &&
	    range.kind == SG_MEMORY_CONST)
		return space == SG_SPACE_CONST;
	/* Every other address outside of the windows is a global one, mapped or not. */
	return space != SG_SPACE_CONST && addr - SG_MEMORY_SHARED_BASE >= SG_MEMORY_WINDOW_BYTES &&
	       addr - SG_MEMORY_LOCAL_BASE >= SG_MEMORY_WINDOW_BYTES &&
	       addr - SG_MEMORY_PARAM_BASE >= SG_MEMORY_WINDOW_BYTES;
}

static int is_space(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		    uint32_t mask)
{
	const lane_u64 *a = SG_EXEC_LANES(frame, insn->src[0], const lane_u64);
	uint32_t yes = 0;

	for (uint32_t left = mask; left; left &= left - 1) {
		unsigned l = first_lane(left);

		yes |= (uint32_t)in_space(w, insn->space, a[l]) << l;
	}
	lanes_set_predicate(frame, insn->dst, yes, mask);
	return SG_EXEC_GO;
}

/* A cache policy: any number, as nothing looks at it. */
static int make_policy(struct sg_exec_warp *w, const struct sg_code_insn *insn,
		       unsigned char *frame, uint32_t mask)
{
	(void)w;
	for (uint32_t left = mask; left; left &= left - 1)
		put(frame, insn->dst, 8, first_lane(left), 1);
	return SG_EXEC_GO;
}

static int nothing(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		   uint32_t mask)
{
	(void)w;
	(void)insn;
	(void)frame;
	(void)mask;
	return SG_EXEC_GO;
}

sg_exec_handler *sg_exec_move_bind(const struct sg_code_insn *insn)
{
	switch (insn->op) {
	case SG_OP_MOV:
		return sg_isa_type_bits(insn->type) == 128 ? move_128 : NULL;
	case SG_OP_MOV_SREG:
		return bind_register(insn);
	case SG_OP_PACK:
		return pack;
	case SG_OP_UNPACK:
		return unpack;
	case SG_OP_WIDEN:
	case SG_OP_TRUNCATE:
		return resize;
	case SG_OP_CVTA:
		return convert_address;
	case SG_OP_ISSPACEP:
		return is_space;
	case SG_OP_CREATEPOLICY:
		return make_policy;
	case SG_OP_NOP:
		return nothing;
	default:
		return NULL;
	}
}
