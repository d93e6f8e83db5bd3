/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check_own.c - instructions whose operands have rules of their own: mov, branches, calls,
 * cp.async */

#include <string.h>

#include "softgpu/ptx/check_private.h"

void sg_check_variable_address(const struct sg_check *c, const struct sg_operand *op,
			       enum sg_type type)
{
	unsigned bits = sg_isa_type_bits(type);

	if (sg_isa_type_kind(type) == SG_KIND_FLOAT || bits < 32 || bits > 64)
		sg_check_wrong(c, "is an address, expected .%s", sg_isa_type_word(type));
	if (bits == 32 && op->kind == SG_OPERAND_VAR &&
	    (op->var->space == SG_SPACE_GLOBAL || op->var->space == SG_SPACE_CONST))
		sg_check_wrong(c, "is an address of 64 bits, expected .%s", sg_isa_type_word(type));
	if (bits == 32 && op->kind == SG_OPERAND_FUNC)
		sg_check_wrong(c, "is an address of 64 bits, expected .%s", sg_isa_type_word(type));
}

/* mov with braces on one side: parts that fill the whole exactly. */
static void check_parts(struct sg_check *c, const struct sg_operand *parts, bool written,
			enum sg_type whole)
{
	struct sg_isa_operand table = { .written = written };
	unsigned bits = sg_isa_type_bits(whole);
	static const enum sg_type types[] = { SG_TYPE_B8, SG_TYPE_B16, SG_TYPE_B32, SG_TYPE_B64 };

	if (sg_isa_type_kind(whole) != SG_KIND_BITS)
		sg_check_wrong(c, "is a vector, which mov takes with .b16, .b32, .b64 and .b128");
	if (parts->count != 2 && parts->count != 4)
		sg_check_wrong(c, "is a vector of %u elements, expected 2 or 4", parts->count);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (sg_isa_type_bits(types[i]) * parts->count == bits)
			table.type = types[i];
	if (table.type == SG_TYPE_NONE)
		sg_check_wrong(c, "is a vector whose elements do not fill .%s",
			       sg_isa_type_word(whole));
	for (unsigned i = 0; i < parts->count; i++)
		sg_check_value(c, &parts->elements[i], &table, table.type == SG_TYPE_B8);
}

void sg_check_mov(struct sg_check *c)
{
	const struct sg_ast_insn *insn = c->insn;
	enum sg_type type = insn->variant->type[0];
	struct sg_isa_operand table = { .type = type, .written = true };
	const struct sg_operand *dst, *src;

	if (insn->count != 2)
		sg_check_wrong(c, "has %u operands, expected 2", insn->count);
	dst = &insn->operands[0];
	src = &insn->operands[1];
	c->number = 1;
	if (dst->kind == SG_OPERAND_VECTOR)
		check_parts(c, dst, true, type);
	else
		sg_check_value(c, dst, &table, false);
	c->number = 2;
	table.written = false;
	switch (src->kind) {
	case SG_OPERAND_VECTOR:
		if (dst->kind == SG_OPERAND_VECTOR)
			sg_check_wrong(c, "and operand 1 are vectors");
		check_parts(c, src, false, type);
		break;
	case SG_OPERAND_SREG:
		if (sg_isa_type_kind(type) == SG_KIND_FLOAT || sg_isa_type_bits(type) > 64)
			sg_check_wrong(c, "is a special register, expected .%s",
				       sg_isa_type_word(type));
		if ((type == SG_TYPE_PRED) != (sg_isa_sreg_type(src->reg) == SG_TYPE_PRED))
			sg_check_wrong(c, "is a special register of .%s",
				       sg_isa_type_word(sg_isa_sreg_type(src->reg)));
		break;
	case SG_OPERAND_VAR:
	case SG_OPERAND_FUNC:
		sg_check_variable_address(c, src, type);
		break;
	default:
		sg_check_value(c, src, &table, false);
	}
}

void sg_check_brx(struct sg_check *c)
{
	struct sg_isa_operand table = { .type = SG_TYPE_U32 };

	c->number = 1;
	sg_check_value(c, &c->insn->operands[0], &table, false);
	if ((uint64_t)c->insn->operands[1].value >= c->func->table_count)
		sg_check_wrong(c, "is no list of branch targets");
}

void sg_check_bra(struct sg_check *c)
{
	c->number = 1;
	if ((uint64_t)c->insn->operands[0].value >= c->func->label_count)
		sg_check_wrong(c, "is no label");
}

/* What is passed: a register, a constant, or a .param variable as a whole. */
static void check_actual(struct sg_check *c, const struct sg_operand *op, bool result)
{
	switch (op->kind) {
	case SG_OPERAND_REG:
		if (op->selector != 0 || op->negated)
			sg_check_wrong(c, "is not a plain register");
		break;
	case SG_OPERAND_VAR:
		if (op->var->space != SG_SPACE_PARAM || op->value != 0 ||
		    (op->var->formal && c->func->entry))
			sg_check_wrong(c, "is not a .param variable of this function");
		break;
	case SG_OPERAND_INT:
	case SG_OPERAND_FLOAT32:
	case SG_OPERAND_FLOAT64:
		if (result)
			sg_check_wrong(c, "is a constant, and a result");
		break;
	case SG_OPERAND_SINK:
		if (!result)
			sg_check_wrong(c, "is read, '_' has no value");
		break;
	default:
		sg_check_wrong(c, "cannot be passed to a function");
	}
}

void sg_check_call(struct sg_check *c)
{
	const struct sg_ast_call *call = c->insn->call;

	if (call->func == NULL && sg_isa_type_bits(sg_check_reg_type(c, call->reg)) != 64)
		sg_check_wrong(c, "calls through a register that is not of 64 bits");
	if (call->ret_count > 1)
		sg_check_wrong(c, "has more than one result");
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
void sg_check_cp_async(struct sg_check *c)
{
	const struct sg_ast_insn *insn = c->insn;
	const struct sg_operand *ops = insn->operands;
	struct sg_isa_operand policy = { .type = SG_TYPE_B64 }, count = { .type = SG_TYPE_U32 };
	bool hint = (insn->variant->flags & SG_BIT(CACHE_HINT)) != 0;
	bool is_cg = strstr(insn->variant->name, ".cg") != NULL;
	int left = insn->count;

	if (left < 3 + hint || left > 4 + hint)
		sg_check_wrong(c, "has %d operands", left);
	for (c->number = 1; c->number <= 2; c->number++) {
		if (ops[c->number - 1].kind != SG_OPERAND_ADDRESS ||
		    (ops[c->number - 1].var != NULL &&
		     ops[c->number - 1].var->space !=
			     (c->number == 1 ? SG_SPACE_SHARED : SG_SPACE_GLOBAL)))
			sg_check_wrong(c, "is not an address in .%s",
				       c->number == 1 ? "shared" : "global");
		if (ops[c->number - 1].reg != SG_PTX_NO_REGISTER &&
		    sg_isa_type_bits(sg_check_reg_type(c, ops[c->number - 1].reg)) < 32)
			sg_check_wrong(c, "has a register that is too small for an address");
	}
	if (ops[2].kind != SG_OPERAND_INT ||
	    (ops[2].value != 16 && (is_cg || (ops[2].value != 4 && ops[2].value != 8))))
		sg_check_wrong(c, "is not a size that this instruction copies");
	c->number = 4;
	if (left == 4 + hint) {
		if (ops[3].kind == SG_OPERAND_REG &&
		    sg_check_reg_type(c, ops[3].reg) == SG_TYPE_PRED)
			count.type = SG_TYPE_PRED;
		sg_check_value(c, &ops[3], &count, false);
	}
	c->number = left;
	if (hint)
		sg_check_value(c, &ops[left - 1], &policy, false);
}
