/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ptx_check.c - types, widths and spaces of a parsed text */

#include "softgpu/ptx_check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct check {
	struct sg_load *load;
	const struct sg_ast_func *func;
	const struct sg_ast_insn *insn;
	int number; /* of the operand in the text, from 1 */
};

static _Noreturn void wrong(const struct check *c, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static _Noreturn void wrong(const struct check *c, const char *format, ...)
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

static enum sg_type reg_type(const struct check *c, uint32_t reg)
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

static void check_register(const struct check *c, uint32_t reg, enum sg_type type, bool relaxed)
{
	enum sg_type have = reg_type(c, reg);
	unsigned bits = sg_isa_type_bits(type), have_bits = sg_isa_type_bits(have);
	bool may_exceed = relaxed && sg_isa_type_kind(type) != SG_KIND_FLOAT &&
			  sg_isa_type_kind(have) != SG_KIND_FLOAT && have != SG_TYPE_PRED;

	if (type != SG_TYPE_PRED && have != SG_TYPE_PRED && bits < 16 && relaxed)
		bits = 8; /* 8-bit values have registers of 8 bits and more */
	if (!kinds_agree(type, have) || (have_bits != bits && !(may_exceed && have_bits > bits)))
		wrong(c, "is a register of .%s, expected .%s%s", sg_isa_type_word(have),
		      sg_isa_type_word(type), may_exceed ? " or wider" : "");
}

static void check_constant(const struct check *c, const struct sg_operand *op, enum sg_type type)
{
	enum sg_kind kind = sg_isa_type_kind(type);
	bool is_float = kind == SG_KIND_FLOAT && sg_isa_type_bits(type) >= 32;

	if (op->kind == SG_OPERAND_INT) {
		if (kind == SG_KIND_FLOAT)
			wrong(c, "is an integer constant, expected .%s", sg_isa_type_word(type));
		return;
	}
	if (!is_float &&
	    !(kind == SG_KIND_BITS && sg_isa_type_bits(type) >= 32 && sg_isa_type_bits(type) <= 64))
		wrong(c, "is a floating-point constant, expected .%s", sg_isa_type_word(type));
}

static void check_selector(const struct check *c, const struct sg_operand *op,
			   const struct sg_isa_operand *table)
{
	unsigned op_id = c->insn->variant->row->op;
	unsigned digits = (op->selector >> SG_SELECTOR_COUNT_SHIFT & 3) + 1;
	bool half = (op->selector & SG_SELECTOR_HALF) != 0;
	unsigned expected = op_id >= SG_OP_VADD4 ? 4 : op_id >= SG_OP_VADD2 ? 2 : 1;

	if (op->negated && table->written)
		wrong(c, "is written, and is negated");
	if (op->negated && op_id != SG_OP_VMAD &&
	    sg_isa_type_kind(table->type) != SG_KIND_PREDICATE)
		wrong(c, "cannot be negated");
	if (op->selector == 0)
		return;
	if (!table->selector)
		wrong(c, "takes no selector");
	if (table->written ? digits > expected : digits != expected)
		wrong(c, "has a selector of %u digits", digits);
	if ((expected == 2 && !half) || (expected == 4 && half))
		wrong(c, "has a selector of the other width");
	for (unsigned i = 0; i < digits; i++) {
		unsigned digit = op->selector >> (3 * i) & 7;
		unsigned end = expected == 1	? (half ? 2 : 4)
			       : table->written ? expected
						: (half ? 4 : 8);

		if (digit >= end)
			wrong(c, "has a selector beyond its register");
	}
}

static void check_value(const struct check *c, const struct sg_operand *op,
			const struct sg_isa_operand *table, bool relaxed)
{
	switch (op->kind) {
	case SG_OPERAND_REG:
		check_register(c, op->reg, table->type, relaxed);
		break;
	case SG_OPERAND_SINK:
		if (!table->written)
			wrong(c, "is read, '_' has no value");
		break;
	case SG_OPERAND_INT:
	case SG_OPERAND_FLOAT32:
	case SG_OPERAND_FLOAT64:
		if (table->written)
			wrong(c, "is written, and is a constant");
		check_constant(c, op, table->type);
		break;
	default:
		wrong(c, "is not a register%s", table->written ? "" : " or a constant");
	}
	check_selector(c, op, table);
}

static void check_pair(const struct check *c, const struct sg_operand *op,
		       const struct sg_isa_operand *table)
{
	static const struct sg_isa_operand predicate = { .type = SG_TYPE_PRED, .written = true };

	if (!table->pair)
		wrong(c, "has no predicate beside it");
	check_value(c, &op->elements[0], table, false);
	check_value(c, &op->elements[1], &predicate, false);
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

static void check_vector(const struct check *c, const struct sg_operand *op,
			 const struct sg_isa_operand *table)
{
	unsigned count = vector_count(c->insn->variant);
	unsigned id = c->insn->variant->row->op;
	bool relaxed = id == SG_OP_LD || id == SG_OP_ST;

	if (count == 1) {
		check_value(c, op, table, relaxed);
		return;
	}
	if (op->kind != SG_OPERAND_VECTOR || op->count != count)
		wrong(c, "is not a vector of %u elements", count);
	for (unsigned i = 0; i < count; i++)
		check_value(c, &op->elements[i], table, relaxed);
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
static void check_param_access(const struct check *c, const struct sg_operand *op)
{
	const struct sg_isa_variant *variant = c->insn->variant;
	uint64_t bytes = sg_isa_type_bits(variant->type[0]) / 8 * vector_count(variant);
	bool is_store = variant->row->op != SG_OP_LD;

	if (variant->row->op != SG_OP_LD && variant->row->op != SG_OP_ST)
		wrong(c, "is a .param variable, which only ld and st take");
	if (c->func->entry && op->var->formal && is_store)
		wrong(c, "is a parameter of the kernel, which cannot be written");
	if (op->value < 0 || (uint64_t)op->value > op->var->bytes ||
	    bytes > op->var->bytes - (uint64_t)op->value)
		wrong(c, "reaches beyond '%.60s'", op->var->name);
}

static void check_address(const struct check *c, const struct sg_operand *op)
{
	enum sg_word space = plain_space(c->insn->variant->space);

	if (op->kind != SG_OPERAND_ADDRESS)
		wrong(c, "is not an address in brackets");
	if (op->reg != SG_PTX_NO_REGISTER) {
		enum sg_type type = reg_type(c, op->reg);
		unsigned bits = sg_isa_type_bits(type);

		if ((bits != 32 && bits != 64) || sg_isa_type_kind(type) == SG_KIND_FLOAT)
			wrong(c, "has a register of .%s for its address", sg_isa_type_word(type));
	}
	if (op->var == NULL)
		return;
	if (space != SG_SPACE_GENERIC && space != op->var->space)
		wrong(c, "'%.60s' is a variable in .%s", op->var->name,
		      sg_isa_word_text(op->var->space));
	if (op->var->space == SG_SPACE_PARAM)
		check_param_access(c, op);
	if (op->var->space == SG_SPACE_CONST && c->insn->variant->row->op != SG_OP_LD)
		wrong(c, "'%.60s' is a constant", op->var->name);
}

/* --- instructions with rules of their own ----------------------------------------------------- */

static void check_variable_address(const struct check *c, const struct sg_operand *op,
				   enum sg_type type)
{
	unsigned bits = sg_isa_type_bits(type);

	if (sg_isa_type_kind(type) == SG_KIND_FLOAT || bits < 32 || bits > 64)
		wrong(c, "is an address, expected .%s", sg_isa_type_word(type));
	if (bits == 32 && op->kind == SG_OPERAND_VAR &&
	    (op->var->space == SG_SPACE_GLOBAL || op->var->space == SG_SPACE_CONST))
		wrong(c, "is an address of 64 bits, expected .%s", sg_isa_type_word(type));
	if (bits == 32 && op->kind == SG_OPERAND_FUNC)
		wrong(c, "is an address of 64 bits, expected .%s", sg_isa_type_word(type));
}

/* mov with braces on one side: parts that fill the whole exactly. */
static void check_parts(struct check *c, const struct sg_operand *parts, bool written,
			enum sg_type whole)
{
	struct sg_isa_operand table = { .written = written };
	unsigned bits = sg_isa_type_bits(whole);
	static const enum sg_type types[] = { SG_TYPE_B8, SG_TYPE_B16, SG_TYPE_B32, SG_TYPE_B64 };

	if (sg_isa_type_kind(whole) != SG_KIND_BITS)
		wrong(c, "is a vector, which mov takes with .b16, .b32, .b64 and .b128");
	if (parts->count != 2 && parts->count != 4)
		wrong(c, "is a vector of %u elements, expected 2 or 4", parts->count);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (sg_isa_type_bits(types[i]) * parts->count == bits)
			table.type = types[i];
	if (table.type == SG_TYPE_NONE)
		wrong(c, "is a vector whose elements do not fill .%s", sg_isa_type_word(whole));
	for (unsigned i = 0; i < parts->count; i++)
		check_value(c, &parts->elements[i], &table, table.type == SG_TYPE_B8);
}

static void check_mov(struct check *c)
{
	const struct sg_ast_insn *insn = c->insn;
	enum sg_type type = insn->variant->type[0];
	struct sg_isa_operand table = { .type = type, .written = true };
	const struct sg_operand *dst = &insn->operands[0], *src = &insn->operands[1];

	if (insn->count != 2)
		wrong(c, "has %u operands, expected 2", insn->count);
	c->number = 1;
	if (dst->kind == SG_OPERAND_VECTOR)
		check_parts(c, dst, true, type);
	else
		check_value(c, dst, &table, false);
	c->number = 2;
	table.written = false;
	switch (src->kind) {
	case SG_OPERAND_VECTOR:
		if (dst->kind == SG_OPERAND_VECTOR)
			wrong(c, "and operand 1 are vectors");
		check_parts(c, src, false, type);
		break;
	case SG_OPERAND_SREG:
		if (sg_isa_type_kind(type) == SG_KIND_FLOAT || sg_isa_type_bits(type) > 64)
			wrong(c, "is a special register, expected .%s", sg_isa_type_word(type));
		if ((type == SG_TYPE_PRED) != (sg_isa_sreg_type(src->reg) == SG_TYPE_PRED))
			wrong(c, "is a special register of .%s",
			      sg_isa_type_word(sg_isa_sreg_type(src->reg)));
		break;
	case SG_OPERAND_VAR:
	case SG_OPERAND_FUNC:
		check_variable_address(c, src, type);
		break;
	default:
		check_value(c, src, &table, false);
	}
}

static void check_brx(struct check *c)
{
	struct sg_isa_operand table = { .type = SG_TYPE_U32 };

	c->number = 1;
	check_value(c, &c->insn->operands[0], &table, false);
	if ((uint64_t)c->insn->operands[1].value >= c->func->table_count)
		wrong(c, "is no list of branch targets");
}

static void check_bra(struct check *c)
{
	c->number = 1;
	if ((uint64_t)c->insn->operands[0].value >= c->func->label_count)
		wrong(c, "is no label");
}

/* What is passed: a register, a constant, or a .param variable as a whole. */
static void check_actual(struct check *c, const struct sg_operand *op, bool result)
{
	switch (op->kind) {
	case SG_OPERAND_REG:
		if (op->selector != 0 || op->negated)
			wrong(c, "is not a plain register");
		break;
	case SG_OPERAND_VAR:
		if (op->var->space != SG_SPACE_PARAM || op->value != 0 ||
		    (op->var->formal && c->func->entry))
			wrong(c, "is not a .param variable of this function");
		break;
	case SG_OPERAND_INT:
	case SG_OPERAND_FLOAT32:
	case SG_OPERAND_FLOAT64:
		if (result)
			wrong(c, "is a constant, and a result");
		break;
	case SG_OPERAND_SINK:
		if (!result)
			wrong(c, "is read, '_' has no value");
		break;
	default:
		wrong(c, "cannot be passed to a function");
	}
}

static void check_call(struct check *c)
{
	const struct sg_ast_call *call = c->insn->call;

	if (call->func == NULL && sg_isa_type_bits(reg_type(c, call->reg)) != 64)
		wrong(c, "calls through a register that is not of 64 bits");
	if (call->ret_count > 1)
		wrong(c, "has more than one result");
	for (uint32_t i = 0; i < call->ret_count; i++) {
		c->number++;
		check_actual(c, &call->rets[i], true);
	}
	for (uint32_t i = 0; i < call->arg_count; i++) {
		c->number++;
		check_actual(c, &call->args[i], false);
	}
}

/* cp.async [dst], [src], size {, read or ignore} {, policy}; .cg copies 16 bytes. */
static void check_cp_async(struct check *c)
{
	const struct sg_ast_insn *insn = c->insn;
	const struct sg_operand *ops = insn->operands;
	struct sg_isa_operand policy = { .type = SG_TYPE_B64 }, count = { .type = SG_TYPE_U32 };
	bool hint = (insn->variant->flags & SG_BIT(CACHE_HINT)) != 0;
	bool is_cg = strstr(insn->variant->name, ".cg") != NULL;
	int left = insn->count;

	if (left < 3 + hint || left > 4 + hint)
		wrong(c, "has %d operands", left);
	for (c->number = 1; c->number <= 2; c->number++) {
		if (ops[c->number - 1].kind != SG_OPERAND_ADDRESS ||
		    (ops[c->number - 1].var != NULL &&
		     ops[c->number - 1].var->space !=
			     (c->number == 1 ? SG_SPACE_SHARED : SG_SPACE_GLOBAL)))
			wrong(c, "is not an address in .%s", c->number == 1 ? "shared" : "global");
		if (ops[c->number - 1].reg != SG_PTX_NO_REGISTER &&
		    sg_isa_type_bits(reg_type(c, ops[c->number - 1].reg)) < 32)
			wrong(c, "has a register that is too small for an address");
	}
	if (ops[2].kind != SG_OPERAND_INT ||
	    (ops[2].value != 16 && (is_cg || (ops[2].value != 4 && ops[2].value != 8))))
		wrong(c, "is not a size that this instruction copies");
	c->number = 4;
	if (left == 4 + hint) {
		if (ops[3].kind == SG_OPERAND_REG && reg_type(c, ops[3].reg) == SG_TYPE_PRED)
			count.type = SG_TYPE_PRED;
		check_value(c, &ops[3], &count, false);
	}
	c->number = left;
	if (hint)
		check_value(c, &ops[left - 1], &policy, false);
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

static void check_by_table(struct check *c)
{
	const struct sg_ast_insn *insn = c->insn;
	struct sg_isa_operand table[SG_ISA_OPERANDS_MAX];
	int map[SG_PTX_OPERANDS_MAX];
	int count = sg_isa_operands(insn->variant, table);

	/* a cache policy stands where .L2::cache_hint asks for one, and only there */
	if (count > 0 && table[count - 1].optional && table[count - 1].type == SG_TYPE_B64) {
		if ((insn->variant->flags & SG_BIT(CACHE_HINT)) == 0)
			count--;
		else
			table[count - 1].optional = false;
	}
	if (!sg_ptx_match_operands(insn, table, count, map))
		wrong(c, "has %u operands, expected %d", insn->count, count);
	if (insn->count == 4 && (insn->variant->flags & SG_BIT(XORSIGN)) != 0)
		wrong(c, ".xorsign does not go with three inputs");
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
			check_variable_address(c, op, expected->type);
		else if (expected->form == SG_FORM_INTEGER && op->kind != SG_OPERAND_INT)
			wrong(c, "is not an integer constant");
		else if (expected->form != SG_FORM_INTEGER)
			check_value(c, op, expected, expected->form == SG_FORM_RELAXED);
	}
}

static void check_insn(struct check *c)
{
	switch (c->insn->variant->row->op) {
	case SG_OP_MOV:
		check_mov(c);
		break;
	case SG_OP_BRA:
		check_bra(c);
		break;
	case SG_OP_BRX:
		check_brx(c);
		break;
	case SG_OP_CALL:
		check_call(c);
		break;
	case SG_OP_CP_ASYNC:
		check_cp_async(c);
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
			struct check c = { .load = load, .func = func, .insn = &func->insns[i] };

			check_insn(&c);
		}
	}
}
