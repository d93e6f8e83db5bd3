/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lower_operand.c - operands of flat code: registers, constants, widths */

#include <errno.h>
#include <string.h>

#include "softgpu/ptx/lower_private.h"

#define CONSTANTS_FIRST 64u

uint8_t sg_lower_lane(enum sg_type type)
{
	unsigned bits = sg_isa_type_bits(type);

	return type == SG_TYPE_PRED ? 0 : bits <= 16 ? 2 : (uint8_t)(bits / 8);
}

uint32_t sg_lower_temp(struct sg_lower *l, uint8_t lane)
{
	l->lanes = sg_load_grow(l->load, l->lanes, l->reg_count, &l->reg_capacity, 1);
	l->lanes[l->reg_count] = lane;
	return (uint32_t)l->reg_count++;
}

/* --- constants ------------------------------------------------------------------------------- */

static size_t hash_constant(uint8_t lane, uint64_t value, uint64_t high)
{
	uint64_t hash = (value ^ lane) * 0x9e3779b97f4a7c15ull;

	hash ^= hash >> 29;
	hash = (hash ^ high) * 0xbf58476d1ce4e5b9ull;
	return (size_t)(hash ^ hash >> 32);
}

static void rehash(struct sg_lower *l)
{
	size_t count = l->constant_hash_count == 0 ? CONSTANTS_FIRST : l->constant_hash_count * 4;
	uint32_t *places = sg_load_array(l->load, count, sizeof(*places));

	for (size_t i = 0; i < l->constant_count; i++) {
		const struct sg_code_constant *c = &l->constants[i];
		size_t at = hash_constant(c->bytes, c->value, c->value_high) & (count - 1);

		while (places[at] != 0)
			at = (at + 1) & (count - 1);
		places[at] = (uint32_t)i + 1;
	}
	l->constant_hash = places;
	l->constant_hash_count = count;
}

static uint32_t new_constant(struct sg_lower *l, uint8_t lane, uint64_t value, uint64_t high)
{
	l->constants = sg_load_grow(l->load, l->constants, l->constant_count, &l->constant_capacity,
				    sizeof(*l->constants));
	l->constants[l->constant_count] =
		(struct sg_code_constant){ .bytes = lane, .value = value, .value_high = high };
	return (uint32_t)l->constant_count++;
}

uint32_t sg_lower_constant(struct sg_lower *l, uint8_t lane, uint64_t value, uint64_t high)
{
	size_t at;

	if (lane < 8)
		value &= lane == 0 ? 1 : (1ull << (lane * 8)) - 1;
	if (lane < 16)
		high = 0;
	if (l->constant_count * 2 >= l->constant_hash_count)
		rehash(l);
	at = hash_constant(lane, value, high) & (l->constant_hash_count - 1);
	for (; l->constant_hash[at] != 0; at = (at + 1) & (l->constant_hash_count - 1)) {
		const struct sg_code_constant *c = &l->constants[l->constant_hash[at] - 1];

		/* slot is not given yet: it marks those that a relocation will change */
		if (c->bytes == lane && c->value == value && c->value_high == high && c->slot == 0)
			return (l->constant_hash[at] - 1) | SG_LOWER_CONSTANT;
	}
	l->constant_hash[at] = new_constant(l, lane, value, high) + 1;
	return (l->constant_hash[at] - 1) | SG_LOWER_CONSTANT;
}

/* Return: a constant that gets the address of a variable in .global or .const. */
static uint32_t address_constant(struct sg_lower *l, const struct sg_ast_var *var, uint64_t addend)
{
	struct sg_lower_relocations *all = l->relocations;
	uint32_t constant;

	/* the same variable is asked for again soon: a few of the newest are looked at */
	for (size_t i = all->count; i > 0 && all->count - i < 16; i--) {
		const struct sg_lower_relocation *r = &all->list[i - 1];

		if (r->function == l->code->index && r->var == var && r->addend == addend)
			return r->constant | SG_LOWER_CONSTANT;
	}
	constant = new_constant(l, 8, 0, 0);
	l->constants[constant].slot = 1;
	all->list = sg_load_grow(l->load, all->list, all->count, &all->capacity,
				 sizeof(*all->list));
	all->list[all->count++] = (struct sg_lower_relocation){
		.function = l->code->index, .constant = constant, .var = var, .addend = addend
	};
	return constant | SG_LOWER_CONSTANT;
}

/* A constant's bits in a type. The checker has let pass only what fits. */
static uint64_t constant_bits(const struct sg_operand *op, enum sg_type type)
{
	uint64_t bits = (uint64_t)op->value;
	double number;
	float single;
	uint32_t word = (uint32_t)bits;

	if (op->kind == SG_OPERAND_FLOAT64 && sg_isa_type_bits(type) == 32) {
		memcpy(&number, &bits, sizeof(number));
		single = (float)number;
		memcpy(&word, &single, sizeof(word));
		return word;
	}
	if (op->kind == SG_OPERAND_FLOAT32 && sg_isa_type_bits(type) == 64) {
		memcpy(&single, &word, sizeof(single));
		number = single;
		memcpy(&bits, &number, sizeof(bits));
	}
	if (type == SG_TYPE_PRED)
		return bits != 0;
	return bits;
}

static uint32_t lower_constant(struct sg_lower *l, const struct sg_operand *op, enum sg_type type)
{
	uint64_t bits = constant_bits(op, type);
	uint64_t high = op->kind == SG_OPERAND_INT && !op->is_unsigned && op->value < 0 ? UINT64_MAX
											: 0;

	/* what stands above an 8-bit value in its lane is as an 8-bit load would leave it */
	if (sg_isa_type_bits(type) == 8)
		bits = sg_isa_type_kind(type) == SG_KIND_SIGNED ? (uint64_t)(int64_t)(int8_t)bits
								: bits & 0xff;
	return sg_lower_constant(l, sg_lower_lane(type), bits, high);
}

/* --- widths ---------------------------------------------------------------------------------- */

static enum sg_type bits_of_lane(uint8_t lane)
{
	switch (lane) {
	case 2:
		return SG_TYPE_B16;
	case 4:
		return SG_TYPE_B32;
	case 8:
		return SG_TYPE_B64;
	default:
		return SG_TYPE_B128;
	}
}

uint32_t sg_lower_widen(struct sg_lower *l, uint32_t reg, enum sg_type from, uint8_t lane)
{
	uint32_t wide = sg_lower_temp(l, lane);
	struct sg_code_insn *insn = sg_lower_emit(l, SG_OP_WIDEN);

	insn->type = bits_of_lane(lane);
	insn->stype = from;
	insn->dst = wide;
	insn->src[0] = reg;
	return wide;
}

void sg_lower_truncate_into(struct sg_lower *l, uint32_t dst, uint8_t dst_lane, uint32_t src,
			    uint8_t src_lane)
{
	struct sg_code_insn *insn = sg_lower_emit(l, SG_OP_TRUNCATE);

	insn->type = bits_of_lane(dst_lane);
	insn->stype = bits_of_lane(src_lane);
	insn->dst = dst;
	insn->src[0] = src;
}

/* --- registers ------------------------------------------------------------------------------- */

static uint32_t turned(struct sg_lower *l, uint32_t predicate)
{
	uint32_t temp = sg_lower_temp(l, 0);
	struct sg_code_insn *insn = sg_lower_emit(l, SG_OP_NOT);

	insn->type = SG_TYPE_PRED;
	insn->dst = temp;
	insn->src[0] = predicate;
	return temp;
}

uint32_t sg_lower_source_wide(struct sg_lower *l, const struct sg_operand *op, enum sg_type type,
			      uint8_t *lane)
{
	*lane = sg_lower_lane(type);
	if (op->kind == SG_OPERAND_SREG) {
		uint32_t value = sg_lower_temp(l, *lane);

		sg_lower_special(l, value, op);
		return value;
	}
	if (op->kind != SG_OPERAND_REG)
		return lower_constant(l, op, type);
	*lane = l->lanes[op->reg];
	if (type == SG_TYPE_PRED && op->negated)
		return turned(l, op->reg);
	return op->reg;
}

uint32_t sg_lower_source(struct sg_lower *l, const struct sg_operand *op, enum sg_type type)
{
	uint8_t lane, wanted = sg_lower_lane(type);
	uint32_t reg = sg_lower_source_wide(l, op, type, &lane), narrow;

	if (lane == wanted)
		return reg;
	narrow = sg_lower_temp(l, wanted);
	sg_lower_truncate_into(l, narrow, wanted, reg, lane);
	return narrow;
}

uint32_t sg_lower_destination(struct sg_lower *l, const struct sg_operand *op, enum sg_type type)
{
	if (op->kind == SG_OPERAND_SINK)
		return sg_lower_temp(l, sg_lower_lane(type));
	return op->reg;
}

/* --- addresses ------------------------------------------------------------------------------- */

static uint32_t from_sreg(struct sg_lower *l, enum sg_sreg sreg, int64_t imm)
{
	uint32_t temp = sg_lower_temp(l, 8);
	struct sg_code_insn *insn = sg_lower_emit(l, SG_OP_MOV_SREG);

	insn->type = SG_TYPE_U64;
	insn->sreg = sreg;
	insn->imm = imm;
	insn->dst = temp;
	return temp;
}

static bool in_call_frame(const struct sg_lower *l, const struct sg_ast_var *var)
{
	return var->space == SG_SPACE_LOCAL ||
	       (var->space == SG_SPACE_PARAM && !(l->func->entry && var->formal));
}

uint32_t sg_lower_variable(struct sg_lower *l, const struct sg_ast_var *var, int64_t offset)
{
	uint64_t at;

	if (var->space == SG_SPACE_GLOBAL || var->space == SG_SPACE_CONST)
		return address_constant(l, var->definition, (uint64_t)offset);
	if (in_call_frame(l, var))
		return from_sreg(l, SG_SREG_FRAME, (int64_t)(var->offset + (uint64_t)offset));
	if (var->space == SG_SPACE_SHARED && sg_link_is_dynamic(var->definition))
		return from_sreg(l, SG_SREG_DYNAMIC_SHARED, offset);
	at = var->space == SG_SPACE_SHARED ? var->definition->offset : var->offset;
	return sg_lower_constant(l, 8, at + (uint64_t)offset, 0);
}

/* Spaces that are one here; in a device function .param is the call frame. */
uint8_t sg_lower_space(const struct sg_lower *l, enum sg_word space)
{
	switch (space) {
	case SG_SPACE_SHARED_CTA:
	case SG_SPACE_SHARED_CLUSTER:
		return SG_SPACE_SHARED;
	case SG_SPACE_PARAM:
	case SG_SPACE_PARAM_ENTRY:
	case SG_SPACE_PARAM_FUNC:
		return l->func->entry ? SG_SPACE_PARAM : SG_SPACE_LOCAL;
	case SG_WORD_NONE:
		return SG_SPACE_GENERIC;
	default:
		return space;
	}
}

static struct sg_lower_place place_of_var(struct sg_lower *l, const struct sg_ast_var *var,
					  int64_t offset)
{
	struct sg_lower_place place = { .base = SG_SLOT_NONE, .imm = offset, .space = var->space };

	if (var->space == SG_SPACE_GLOBAL || var->space == SG_SPACE_CONST) {
		place.base = address_constant(l, var->definition, 0);
	} else if (in_call_frame(l, var)) {
		place.space = SG_SPACE_FRAME;
		place.imm = (int64_t)(var->offset + (uint64_t)offset);
	} else if (var->space == SG_SPACE_SHARED && sg_link_is_dynamic(var->definition)) {
		place.base = from_sreg(l, SG_SREG_DYNAMIC_SHARED, 0);
	} else {
		place.imm = (int64_t)((var->space == SG_SPACE_SHARED ? var->definition->offset
								     : var->offset) +
				      (uint64_t)offset);
	}
	return place;
}

struct sg_lower_place sg_lower_place(struct sg_lower *l, const struct sg_operand *op,
				     enum sg_word space)
{
	struct sg_lower_place place;
	bool own;

	if (op->var != NULL)
		return place_of_var(l, op->var, op->value);
	place = (struct sg_lower_place){ .base = SG_SLOT_NONE,
					 .imm = op->value,
					 .space = sg_lower_space(l, space) };
	if (op->reg == SG_PTX_NO_REGISTER)
		return place;
	/*
	 * Addresses in a block's or a thread's own memory have 32 bits, and their sums wrap: compilers
	 * put sym - x into a register and add the rest here. All such memory lies below 2^31, so a
	 * sum in 64 bits is the same where it does not leave the memory.
	 */
	own = place.space == SG_SPACE_SHARED || place.space == SG_SPACE_LOCAL ||
	      place.space == SG_SPACE_PARAM;
	place.base = op->reg;
	if (l->lanes[op->reg] == 4)
		place.base = sg_lower_widen(l, op->reg, own ? SG_TYPE_S32 : SG_TYPE_U32, 8);
	return place;
}
