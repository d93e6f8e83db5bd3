/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lower_memory.c - instructions whose operands the table alone does not place: ld, st, atom, red,
 * mov, cp.async */

#include <errno.h>
#include <string.h>

#include "softgpu/ptx/lower_private.h"

static void set_place(struct sg_code_insn *insn, const struct sg_lower_place *place)
{
	insn->src[0] = place->base;
	insn->imm = place->imm;
	insn->space = place->space;
}

static unsigned vector_count(const struct sg_isa_variant *variant)
{
	return variant->vec == SG_VEC_V2   ? 2
	       : variant->vec == SG_VEC_V4 ? 4
	       : variant->vec == SG_VEC_V8 ? 8
					   : 1;
}

/* The elements of an operand, or itself alone. */
static const struct sg_operand *elements(const struct sg_operand *op)
{
	return op->kind == SG_OPERAND_VECTOR ? op->elements : op;
}

/* Return: the lane that all registers among the elements share; `natural` if they differ or there
 * is none. */
static uint8_t common_lane(const struct sg_lower *l, const struct sg_operand *op, unsigned count,
			   uint8_t natural)
{
	uint8_t lane = 0;

	for (unsigned i = 0; i < count; i++) {
		if (op[i].kind != SG_OPERAND_REG)
			continue;
		if (lane != 0 && lane != l->lanes[op[i].reg])
			return natural;
		lane = l->lanes[op[i].reg];
	}
	return lane != 0 ? lane : natural;
}

/* --- ld -------------------------------------------------------------------------------------- */

static void guard_as(struct sg_lower *l, struct sg_code_insn *insn)
{
	if (l->insn->guard == SG_PTX_NO_REGISTER)
		return;
	insn->guard = l->insn->guard;
	insn->guard_not = l->insn->guard_not;
}

/* Registers of several widths in one vector: loaded into new ones, then extended each to its own.
 */
static void spread_loaded(struct sg_lower *l, const struct sg_operand *op, unsigned count,
			  const uint32_t *loaded, uint8_t lane)
{
	static const enum sg_type types[] = {
		[2] = SG_TYPE_B16, [4] = SG_TYPE_B32, [8] = SG_TYPE_B64, [16] = SG_TYPE_B128
	};

	for (unsigned i = 0; i < count; i++) {
		struct sg_code_insn *insn;

		if (op[i].kind != SG_OPERAND_REG || loaded[i] == op[i].reg)
			continue;
		insn = sg_lower_emit(l, l->lanes[op[i].reg] == lane ? SG_OP_MOV : SG_OP_WIDEN);
		guard_as(l, insn);
		insn->type = types[l->lanes[op[i].reg]];
		insn->stype = insn->op == SG_OP_WIDEN ? l->insn->variant->type[0] : SG_TYPE_NONE;
		insn->dst = op[i].reg;
		insn->src[0] = loaded[i];
	}
}

static void lower_load(struct sg_lower *l)
{
	const struct sg_ast_insn *text = l->insn;
	enum sg_type type = text->variant->type[0];
	unsigned count = vector_count(text->variant);
	const struct sg_operand *op = elements(&text->operands[0]);
	uint8_t natural = sg_lower_lane(type), lane = common_lane(l, op, count, natural);
	struct sg_lower_place place = sg_lower_place(l, &text->operands[1], text->variant->space);
	uint32_t regs[SG_PTX_VECTOR_MAX], first = 0;
	struct sg_code_insn *insn;

	for (unsigned i = 0; i < count; i++) {
		bool own = op[i].kind == SG_OPERAND_REG && l->lanes[op[i].reg] == lane;

		regs[i] = own ? op[i].reg : sg_lower_temp(l, lane);
	}
	if (count > 1)
		for (unsigned i = 0; i < count; i++) {
			uint32_t at = sg_lower_extra(l, regs[i]);

			first = i == 0 ? at : first;
		}
	insn = sg_lower_emit_insn(l);
	set_place(insn, &place);
	insn->vec = (uint8_t)count;
	insn->dst_bytes = lane;
	insn->target = first;
	if (count == 1)
		insn->dst = regs[0];
	spread_loaded(l, op, count, regs, lane);
}

/* --- st, red --------------------------------------------------------------------------------- */

/* Return: index in extra of the first, or the value itself for a scalar. lane: gets the registers'
 * bytes. */
static uint32_t lower_values(struct sg_lower *l, const struct sg_operand *op, unsigned count,
			     enum sg_type type, uint8_t *lane)
{
	uint32_t regs[SG_PTX_VECTOR_MAX], first = 0;
	bool constant = false;

	for (unsigned i = 0; i < count; i++)
		constant |= op[i].kind != SG_OPERAND_REG;
	*lane = common_lane(l, op, count, sg_lower_lane(type));
	/* a constant among wide registers: all in the type's own width */
	if (constant)
		*lane = sg_lower_lane(type);
	for (unsigned i = 0; i < count; i++) {
		uint8_t ignored;

		regs[i] = op[i].kind == SG_OPERAND_REG && l->lanes[op[i].reg] == *lane
				  ? sg_lower_source_wide(l, &op[i], type, &ignored)
				  : sg_lower_source(l, &op[i], type);
	}
	if (count == 1)
		return regs[0];
	for (unsigned i = 0; i < count; i++) {
		uint32_t at = sg_lower_extra(l, regs[i]);

		first = i == 0 ? at : first;
	}
	return first;
}

static void lower_store(struct sg_lower *l)
{
	const struct sg_ast_insn *text = l->insn;
	enum sg_type type = text->variant->type[0];
	unsigned count = vector_count(text->variant);
	struct sg_lower_place place = sg_lower_place(l, &text->operands[0], text->variant->space);
	uint8_t lane;
	uint32_t value = lower_values(l, elements(&text->operands[1]), count, type, &lane);
	struct sg_code_insn *insn = sg_lower_emit_insn(l);

	set_place(insn, &place);
	insn->vec = (uint8_t)count;
	insn->src_bytes = lane;
	if (count > 1)
		insn->target = value;
	else
		insn->src[1] = value;
}

/* --- atom ------------------------------------------------------------------------------------ */

static void lower_atom(struct sg_lower *l)
{
	const struct sg_ast_insn *text = l->insn;
	enum sg_type type = text->variant->type[0];
	unsigned count = vector_count(text->variant);
	const struct sg_operand *dst = elements(&text->operands[0]);
	struct sg_lower_place place = sg_lower_place(l, &text->operands[1], text->variant->space);
	uint32_t first = (uint32_t)l->extra_count, values[2] = { SG_SLOT_NONE, SG_SLOT_NONE };
	struct sg_code_insn *insn;
	uint8_t lane;

	if (count > 1) {
		for (unsigned i = 0; i < count; i++)
			sg_lower_extra(l, sg_lower_destination(l, &dst[i], type));
		lower_values(l, elements(&text->operands[2]), count, type, &lane);
	} else {
		values[0] = sg_lower_source(l, &text->operands[2], type);
		if (text->variant->sub == SG_SUB_CAS)
			values[1] = sg_lower_source(l, &text->operands[3], type);
	}
	insn = sg_lower_emit_insn(l);
	set_place(insn, &place);
	insn->vec = (uint8_t)count;
	insn->target = count > 1 ? first : 0;
	insn->src[1] = values[0];
	insn->src[2] = values[1];
	if (count == 1)
		insn->dst = sg_lower_destination(l, dst, type);
}

void sg_lower_memory(struct sg_lower *l)
{
	switch (l->insn->variant->row->op) {
	case SG_OP_LD:
		lower_load(l);
		break;
	case SG_OP_ATOM:
		lower_atom(l);
		break;
	default:
		lower_store(l);
	}
}

/* --- mov ------------------------------------------------------------------------------------- */

static enum sg_type part_type(enum sg_type whole, unsigned count)
{
	switch (sg_isa_type_bits(whole) / count) {
	case 8:
		return SG_TYPE_B8;
	case 16:
		return SG_TYPE_B16;
	case 32:
		return SG_TYPE_B32;
	default:
		return SG_TYPE_B64;
	}
}

static void lower_pack(struct sg_lower *l, const struct sg_operand *dst,
		       const struct sg_operand *src)
{
	enum sg_type whole = l->insn->variant->type[0];
	enum sg_type part = part_type(whole, src->count);
	uint32_t regs[SG_PTX_VECTOR_MAX], first;
	struct sg_code_insn *insn;

	for (unsigned i = 0; i < src->count; i++)
		regs[i] = sg_lower_source(l, &src->elements[i], part);
	first = (uint32_t)l->extra_count;
	for (unsigned i = 0; i < src->count; i++)
		sg_lower_extra(l, regs[i]);
	insn = sg_lower_emit_insn(l);
	insn->op = SG_OP_PACK;
	insn->stype = part;
	insn->vec = src->count;
	insn->target = first;
	insn->dst = sg_lower_destination(l, dst, whole);
}

static void lower_unpack(struct sg_lower *l, const struct sg_operand *dst,
			 const struct sg_operand *src)
{
	enum sg_type whole = l->insn->variant->type[0];
	enum sg_type part = part_type(whole, dst->count);
	uint32_t value = sg_lower_source(l, src, whole), first = (uint32_t)l->extra_count;
	struct sg_code_insn *insn;

	for (unsigned i = 0; i < dst->count; i++) {
		const struct sg_operand *op = &dst->elements[i];

		sg_lower_extra(l, op->kind == SG_OPERAND_SINK ? SG_SLOT_NONE : op->reg);
	}
	insn = sg_lower_emit_insn(l);
	insn->op = SG_OP_UNPACK;
	insn->stype = part;
	insn->vec = dst->count;
	insn->target = first;
	insn->src[0] = value;
}

void sg_lower_special(struct sg_lower *l, uint32_t dst, const struct sg_operand *src)
{
	enum sg_type own = sg_isa_sreg_type(src->reg);
	uint8_t own_lane = sg_lower_lane(own), lane = l->lanes[dst];
	uint32_t reg = own_lane == lane ? dst : sg_lower_temp(l, own_lane);
	struct sg_code_insn *insn = sg_lower_emit(l, SG_OP_MOV_SREG);

	guard_as(l, insn);
	insn->type = own;
	insn->sreg = (uint8_t)src->reg;
	insn->imm = src->value;
	insn->dst = reg;
	if (reg == dst)
		return;
	insn = sg_lower_emit(l, own_lane < lane ? SG_OP_WIDEN : SG_OP_TRUNCATE);
	guard_as(l, insn);
	insn->type = lane == 2 ? SG_TYPE_B16 : lane == 4 ? SG_TYPE_B32 : SG_TYPE_B64;
	insn->stype = own;
	insn->dst = dst;
	insn->src[0] = reg;
}

/* An address as a value: 64 bits, or the low half where the text asks for 32. */
static uint32_t address_value(struct sg_lower *l, const struct sg_operand *src, enum sg_type type)
{
	uint32_t value, narrow;

	if (src->kind == SG_OPERAND_FUNC) {
		uint64_t index = src->func->definition->index;

		value = sg_lower_constant(l, 8, SG_CODE_ADDRESS_BASE + index * SG_CODE_ADDRESS_STEP,
					  0);
	} else {
		value = sg_lower_variable(l, src->var, src->value);
	}
	if (sg_lower_lane(type) == 8)
		return value;
	narrow = sg_lower_temp(l, 4);
	sg_lower_truncate_into(l, narrow, 4, value, 8);
	return narrow;
}

/* mov.v2 and mov.v4. All elements are read before one is written: both sides may share registers. */
static void lower_move_vector(struct sg_lower *l, unsigned count)
{
	const struct sg_operand *dst = l->insn->operands[0].elements;
	const struct sg_operand *src = l->insn->operands[1].elements;
	enum sg_type type = l->insn->variant->type[0];
	uint32_t values[SG_PTX_VECTOR_MAX];
	struct sg_code_insn *insn;

	for (unsigned i = 0; i < count; i++) {
		uint32_t value = sg_lower_source(l, &src[i], type);

		values[i] = sg_lower_temp(l, sg_lower_lane(type));
		insn = sg_lower_emit(l, SG_OP_MOV);
		insn->type = type;
		insn->dst = values[i];
		insn->src[0] = value;
	}
	for (unsigned i = 0; i < count; i++) {
		insn = sg_lower_emit(l, SG_OP_MOV);
		guard_as(l, insn);
		insn->type = type;
		insn->dst = sg_lower_destination(l, &dst[i], type);
		insn->src[0] = values[i];
	}
}

void sg_lower_mov(struct sg_lower *l)
{
	const struct sg_operand *dst = &l->insn->operands[0], *src = &l->insn->operands[1];
	enum sg_type type = l->insn->variant->type[0];
	unsigned count = vector_count(l->insn->variant);
	struct sg_code_insn *insn;
	uint32_t value;

	if (count > 1) {
		lower_move_vector(l, count);
		return;
	}
	if (src->kind == SG_OPERAND_VECTOR) {
		lower_pack(l, dst, src);
		return;
	}
	if (dst->kind == SG_OPERAND_VECTOR) {
		lower_unpack(l, dst, src);
		return;
	}
	if (src->kind == SG_OPERAND_SREG) {
		sg_lower_special(l, sg_lower_destination(l, dst, type), src);
		return;
	}
	if (src->kind == SG_OPERAND_VAR || src->kind == SG_OPERAND_FUNC)
		value = address_value(l, src, type);
	else
		value = sg_lower_source(l, src, type);
	insn = sg_lower_emit_insn(l);
	insn->src[0] = value;
	insn->dst = sg_lower_destination(l, dst, type);
}

/* --- cp.async -------------------------------------------------------------------------------- */

/* The source's address in one register, its offset added. */
static uint32_t whole_address(struct sg_lower *l, const struct sg_operand *op)
{
	struct sg_lower_place place = sg_lower_place(l, op, SG_SPACE_GLOBAL);
	struct sg_code_insn *insn;
	uint32_t sum, offset;

	if (place.base == SG_SLOT_NONE)
		return sg_lower_constant(l, 8, (uint64_t)place.imm, 0);
	if (place.imm == 0)
		return place.base;
	offset = sg_lower_constant(l, 8, (uint64_t)place.imm, 0);
	sum = sg_lower_temp(l, 8);
	insn = sg_lower_emit(l, SG_OP_ADD);
	insn->type = SG_TYPE_U64;
	insn->dst = sum;
	insn->src[0] = place.base;
	insn->src[1] = offset;
	return sum;
}

/* ignore-src: nothing is read where the predicate is true. */
static uint32_t bytes_unless(struct sg_lower *l, uint32_t ignore, int64_t bytes)
{
	uint32_t count = sg_lower_temp(l, 4);
	uint32_t none = sg_lower_constant(l, 4, 0, 0),
		 all = sg_lower_constant(l, 4, (uint64_t)bytes, 0);
	struct sg_code_insn *insn = sg_lower_emit(l, SG_OP_SELP);

	insn->type = SG_TYPE_B32;
	insn->dst = count;
	insn->src[0] = none;
	insn->src[1] = all;
	insn->src[2] = ignore;
	return count;
}

void sg_lower_cp_async(struct sg_lower *l)
{
	const struct sg_operand *ops = l->insn->operands;
	bool hint = (l->insn->variant->flags & SG_BIT(CACHE_HINT)) != 0;
	struct sg_lower_place place = sg_lower_place(l, &ops[0], SG_SPACE_SHARED);
	uint32_t source = whole_address(l, &ops[1]), read = SG_SLOT_NONE;
	uint32_t size = sg_lower_constant(l, 4, (uint64_t)ops[2].value, 0);
	struct sg_code_insn *insn;

	if (l->insn->count > 3 + hint) {
		if (ops[3].kind == SG_OPERAND_REG && l->lanes[ops[3].reg] == 0)
			read = bytes_unless(l, sg_lower_source(l, &ops[3], SG_TYPE_PRED),
					    ops[2].value);
		else
			read = sg_lower_source(l, &ops[3], SG_TYPE_U32);
	}
	insn = sg_lower_emit_insn(l);
	set_place(insn, &place);
	insn->src[1] = source;
	insn->src[2] = size;
	insn->src[3] = read;
}
