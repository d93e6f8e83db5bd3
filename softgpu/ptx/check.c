/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check.c - types, widths and spaces of a parsed text */

#include "softgpu/ptx/check_private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

_Noreturn void sg_check_wrong(const struct sg_check *c, const char *format, ...)
{
	char text[160];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (c->number > 0)
		sg_load_fail(c->load, -EINVAL, c->insn->line, c->insn->column,
			     "%.100s: operand %d %s", c->insn->variant->name, c->number, text);
	sg_load_fail(c->load, -EINVAL, c->insn->line, c->insn->column, "%.100s: %s",
		     c->insn->variant->name, text);
}

enum sg_type sg_check_reg_type(const struct sg_check *c, uint32_t reg)
{
	return c->func->reg_types[reg];
}

/* --- registers and constants ----------------------------------------------------------------- */

static bool is_integer(enum sg_kind kind)
{
	return kind == SG_KIND_UNSIGNED || kind == SG_KIND_SIGNED;
}

/* The manual's table "Type Checking Rules": bits agree with all, integers with each other, floats
 * with themselves. */
static bool kinds_agree(enum sg_type insn, enum sg_type reg)
{
	enum sg_kind a = sg_isa_type_kind(insn), b = sg_isa_type_kind(reg);

	if (a == SG_KIND_PREDICATE || b == SG_KIND_PREDICATE)
		return a == b;
	if (a == SG_KIND_BITS || b == SG_KIND_BITS || a == SG_KIND_PACKED || b == SG_KIND_PACKED)
		return true;
	if (is_integer(a) || is_integer(b))
		return is_integer(a) == is_integer(b);
	return insn == reg;
}

static void check_register(const struct sg_check *c, uint32_t reg, enum sg_type type, bool relaxed)
{
	enum sg_type have = sg_check_reg_type(c, reg);
	unsigned bits = sg_isa_type_bits(type), have_bits = sg_isa_type_bits(have);
	bool may_exceed = relaxed && sg_isa_type_kind(type) != SG_KIND_FLOAT &&
			  sg_isa_type_kind(have) != SG_KIND_FLOAT && have != SG_TYPE_PRED;

	if (type != SG_TYPE_PRED && have != SG_TYPE_PRED && bits < 16 && relaxed)
		bits = 8; /* 8-bit values have registers of 8 bits and more */
	if (!kinds_agree(type, have) || (have_bits != bits && !(may_exceed && have_bits > bits)))
		sg_check_wrong(c, "is a register of .%s, expected .%s%s", sg_isa_type_word(have),
			       sg_isa_type_word(type), may_exceed ? " or wider" : "");
}

static void check_constant(const struct sg_check *c, const struct sg_operand *op, enum sg_type type)
{
	enum sg_kind kind = sg_isa_type_kind(type);
	bool is_float = kind == SG_KIND_FLOAT && sg_isa_type_bits(type) >= 32;

	if (op->kind == SG_OPERAND_INT) {
		if (kind == SG_KIND_FLOAT)
			sg_check_wrong(c, "is an integer constant, expected .%s",
				       sg_isa_type_word(type));
		return;
	}
	if (!is_float &&
	    !(kind == SG_KIND_BITS && sg_isa_type_bits(type) >= 32 && sg_isa_type_bits(type) <= 64))
		sg_check_wrong(c, "is a floating-point constant, expected .%s",
			       sg_isa_type_word(type));
}

static void check_selector(const struct sg_check *c, const struct sg_operand *op,
			   const struct sg_isa_operand *table)
{
	unsigned op_id = c->insn->variant->row->op;
	unsigned digits = (op->selector >> SG_SELECTOR_COUNT_SHIFT & 3) + 1;
	bool half = (op->selector & SG_SELECTOR_HALF) != 0;
	unsigned expected = op_id >= SG_OP_VADD4 ? 4 : op_id >= SG_OP_VADD2 ? 2 : 1;

	if (op->negated && table->written)
		sg_check_wrong(c, "is written, and is negated");
	if (op->negated && op_id != SG_OP_VMAD &&
	    sg_isa_type_kind(table->type) != SG_KIND_PREDICATE)
		sg_check_wrong(c, "cannot be negated");
	if (op->selector == 0)
		return;
	if (!table->selector)
		sg_check_wrong(c, "takes no selector");
	if (table->written ? digits > expected : digits != expected)
		sg_check_wrong(c, "has a selector of %u digits", digits);
	if ((expected == 2 && !half) || (expected == 4 && half))
		sg_check_wrong(c, "has a selector of the other width");
	for (unsigned i = 0; i < digits; i++) {
		unsigned digit = op->selector >> (3 * i) & 7;
		unsigned end = expected == 1	? (half ? 2 : 4)
			       : table->written ? expected
						: (half ? 4 : 8);

		if (digit >= end)
			sg_check_wrong(c, "has a selector beyond its register");
	}
}

/* As ptxas takes them: an element of what mov reads, and what cvt makes another integer of. */
static void check_special(const struct sg_check *c, const struct sg_operand *op,
			  const struct sg_isa_operand *table)
{
	const struct sg_isa_variant *variant = c->insn->variant;

	if (table->written || (variant->row->op != SG_OP_MOV && variant->row->op != SG_OP_CVT) ||
	    !is_integer(sg_isa_type_kind(table->type)) ||
	    !is_integer(sg_isa_type_kind(variant->type[0])) ||
	    sg_isa_sreg_type(op->reg) == SG_TYPE_PRED)
		sg_check_wrong(c, "is a special register, which mov reads");
}

void sg_check_value(const struct sg_check *c, const struct sg_operand *op,
		    const struct sg_isa_operand *table, bool relaxed)
{
	switch (op->kind) {
	case SG_OPERAND_REG:
		check_register(c, op->reg, table->type, relaxed);
		break;
	case SG_OPERAND_SINK:
		if (!table->written)
			sg_check_wrong(c, "is read, '_' has no value");
		break;
	case SG_OPERAND_INT:
	case SG_OPERAND_FLOAT32:
	case SG_OPERAND_FLOAT64:
		if (table->written)
			sg_check_wrong(c, "is written, and is a constant");
		check_constant(c, op, table->type);
		break;
	case SG_OPERAND_SREG:
		check_special(c, op, table);
		break;
	default:
		sg_check_wrong(c, "is not a register%s", table->written ? "" : " or a constant");
	}
	check_selector(c, op, table);
}

static void check_pair(const struct sg_check *c, const struct sg_operand *op,
		       const struct sg_isa_operand *table)
{
	static const struct sg_isa_operand predicate = { .type = SG_TYPE_PRED, .written = true };

	if (!table->pair)
		sg_check_wrong(c, "has no predicate beside it");
	sg_check_value(c, &op->elements[0], table, false);
	sg_check_value(c, &op->elements[1], &predicate, false);
}

static unsigned vector_count(const struct sg_isa_variant *variant)
{
	switch (variant->vec) {
	case SG_VEC_V2:
		return 2;
	case SG_VEC_V4:
		return 4;
	case SG_VEC_V8:
		return 8;
	default:
		return 1;
	}
}

static void check_vector(const struct sg_check *c, const struct sg_operand *op,
			 const struct sg_isa_operand *table)
{
	unsigned count = vector_count(c->insn->variant);
	unsigned id = c->insn->variant->row->op;
	bool relaxed = id == SG_OP_LD || id == SG_OP_ST;

	if (count == 1) {
		sg_check_value(c, op, table, relaxed);
		return;
	}
	if (op->kind != SG_OPERAND_VECTOR || op->count != count)
		sg_check_wrong(c, "is not a vector of %u elements", count);
	for (unsigned i = 0; i < count; i++)
		sg_check_value(c, &op->elements[i], table, relaxed);
}

/* --- addresses ------------------------------------------------------------------------------- */

/* Spaces that are one here. */
static enum sg_word plain_space(enum sg_word space)
{
	switch (space) {
	case SG_SPACE_SHARED_CTA:
	case SG_SPACE_SHARED_CLUSTER:
		return SG_SPACE_SHARED;
	case SG_SPACE_PARAM_ENTRY:
	case SG_SPACE_PARAM_FUNC:
		return SG_SPACE_PARAM;
	case SG_WORD_NONE:
		return SG_SPACE_GENERIC;
	default:
		return space;
	}
}

/* A variable of .param: inside of it, and written only where it is the callee's or a result. */
static void check_param_access(const struct sg_check *c, const struct sg_operand *op)
{
	const struct sg_isa_variant *variant = c->insn->variant;
	uint64_t bytes = sg_isa_type_bits(variant->type[0]) / 8 * vector_count(variant);
	bool is_store = variant->row->op != SG_OP_LD;

	if (variant->row->op != SG_OP_LD && variant->row->op != SG_OP_ST)
		sg_check_wrong(c, "is a .param variable, which only ld and st take");
	if (c->func->entry && op->var->formal && is_store)
		sg_check_wrong(c, "is a parameter of the kernel, which cannot be written");
	if (op->value < 0 || (uint64_t)op->value > op->var->bytes ||
	    bytes > op->var->bytes - (uint64_t)op->value)
		sg_check_wrong(c, "reaches beyond '%.60s'", op->var->name);
}

static void check_address(const struct sg_check *c, const struct sg_operand *op)
{
	enum sg_word space = plain_space(c->insn->variant->space);

	if (op->kind != SG_OPERAND_ADDRESS)
		sg_check_wrong(c, "is not an address in brackets");
	if (op->reg != SG_PTX_NO_REGISTER) {
		enum sg_type type = sg_check_reg_type(c, op->reg);
		unsigned bits = sg_isa_type_bits(type);

		if ((bits != 32 && bits != 64) || sg_isa_type_kind(type) == SG_KIND_FLOAT)
			sg_check_wrong(c, "has a register of .%s for its address",
				       sg_isa_type_word(type));
	}
	if (op->var == NULL)
		return;
	if (space != SG_SPACE_GENERIC && space != op->var->space)
		sg_check_wrong(c, "'%.60s' is a variable in .%s", op->var->name,
			       sg_isa_word_text(op->var->space));
	if (op->var->space == SG_SPACE_PARAM)
		check_param_access(c, op);
	if (op->var->space == SG_SPACE_CONST && c->insn->variant->row->op != SG_OP_LD)
		sg_check_wrong(c, "'%.60s' is a constant", op->var->name);
}

/* --- all instructions ------------------------------------------------------------------------ */

bool sg_ptx_match_operands(const struct sg_ast_insn *insn, const struct sg_isa_operand *table,
			   int count, int map[SG_PTX_OPERANDS_MAX])
{
	int missing = count - insn->count;
	int taken = 0;

	/* Optional operands are left out from the first one on: "bar.red d, a, {b,} c". */
	for (int i = 0; i < count; i++) {
		if (missing > 0 && table[i].optional) {
			missing--;
			continue;
		}
		if (taken == insn->count)
			return false;
		map[taken++] = i;
	}
	return missing == 0 && taken == insn->count;
}

static void check_by_table(struct sg_check *c)
{
	const struct sg_ast_insn *insn = c->insn;
	struct sg_isa_operand table[SG_ISA_OPERANDS_MAX];
	int map[SG_PTX_OPERANDS_MAX] = { 0 };
	int count = sg_isa_operands(insn->variant, table);

	/* a cache policy stands where .L2::cache_hint asks for one, and only there */
	if (count > 0 && table[count - 1].optional && table[count - 1].type == SG_TYPE_B64) {
		if ((insn->variant->flags & SG_BIT(CACHE_HINT)) == 0)
			count--;
		else
			table[count - 1].optional = false;
	}
	if (!sg_ptx_match_operands(insn, table, count, map))
		sg_check_wrong(c, "has %u operands, expected %d", insn->count, count);
	if (insn->count == 4 && (insn->variant->flags & SG_BIT(XORSIGN)) != 0)
		sg_check_wrong(c, ".xorsign does not go with three inputs");
	for (int i = 0; i < insn->count; i++) {
		const struct sg_operand *op = &insn->operands[i];
		const struct sg_isa_operand *expected = &table[map[i]];

		c->number = i + 1;
		if (op->kind == SG_OPERAND_PAIR)
			check_pair(c, op, expected);
		else if (expected->form == SG_FORM_ADDRESS)
			check_address(c, op);
		else if (expected->form == SG_FORM_VECTOR)
			check_vector(c, op, expected);
		else if (expected->form == SG_FORM_POINTER && op->kind == SG_OPERAND_VAR)
			sg_check_variable_address(c, op, expected->type);
		else if (expected->form == SG_FORM_INTEGER && op->kind != SG_OPERAND_INT)
			sg_check_wrong(c, "is not an integer constant");
		else if (expected->form != SG_FORM_INTEGER)
			sg_check_value(c, op, expected, expected->form == SG_FORM_RELAXED);
	}
}

static void check_insn(struct sg_check *c)
{
	switch (c->insn->variant->row->op) {
	case SG_OP_MOV:
		if (vector_count(c->insn->variant) > 1)
			check_by_table(c);
		else
			sg_check_mov(c);
		break;
	case SG_OP_BRA:
		sg_check_bra(c);
		break;
	case SG_OP_BRX:
		sg_check_brx(c);
		break;
	case SG_OP_CALL:
		sg_check_call(c);
		break;
	case SG_OP_CP_ASYNC:
		sg_check_cp_async(c);
		break;
	default:
		check_by_table(c);
	}
}

static void check_tables(struct sg_load *load, const struct sg_ast_func *func)
{
	for (size_t t = 0; t < func->table_count; t++)
		for (size_t i = 0; i < func->tables[t].count; i++)
			if ((uint64_t)*func->tables[t].label_uses[i] >= func->label_count)
				sg_load_fail(load, -EINVAL, func->tables[t].line, 0,
					     "'%.80s' has a target that is no label",
					     func->tables[t].name);
}

void sg_ptx_check(struct sg_load *load, const struct sg_ast *ast)
{
	for (size_t f = 0; f < ast->func_count; f++) {
		const struct sg_ast_func *func = ast->funcs[f];

		check_tables(load, func);
		for (size_t i = 0; i < func->insn_count; i++) {
			struct sg_check c = { .load = load, .func = func, .insn = &func->insns[i] };

			check_insn(&c);
		}
	}
}
