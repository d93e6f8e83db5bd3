/* SPDX-License-Identifier: GPL-2.0-or-later */
/* print_operand.c - operands printed back */

#include <inttypes.h>

#include "softgpu/ptx/print_private.h"

void sg_print_register(struct sg_printer *p, uint32_t reg)
{
	fprintf(p->out, "%%%s_%u", sg_isa_type_word(p->func->reg_types[reg]), p->number[reg]);
}

void sg_print_offset(struct sg_printer *p, int64_t offset)
{
	/* "+-8", since ptxas wants a plus */
	if (offset != 0)
		fprintf(p->out, "+%" PRId64, offset);
}

static void print_special(struct sg_printer *p, const struct sg_operand *op)
{
	enum sg_sreg sreg = op->reg;

	if (sreg == SG_SREG_PM64)
		fprintf(p->out, "%%pm%" PRId64 "_64", op->value);
	else if (sreg == SG_SREG_PM || sreg == SG_SREG_ENVREG)
		fprintf(p->out, "%%%s%" PRId64, sg_isa_sreg_name(sreg), op->value);
	else if (sg_isa_sreg_components(sreg) > 1)
		fprintf(p->out, "%%%s.%c", sg_isa_sreg_name(sreg), "xyzw"[op->value]);
	else
		fprintf(p->out, "%%%s", sg_isa_sreg_name(sreg));
}

static void print_selector(struct sg_printer *p, uint16_t selector)
{
	if (selector == 0)
		return;
	fprintf(p->out, ".%c", (selector & SG_SELECTOR_HALF) != 0 ? 'h' : 'b');
	for (int i = selector >> SG_SELECTOR_COUNT_SHIFT & 3; i >= 0; i--)
		fprintf(p->out, "%u", selector >> (3 * i) & 7u);
}

static void print_elements(struct sg_printer *p, const struct sg_operand *op, const char *between)
{
	for (unsigned i = 0; i < op->count; i++) {
		fputs(i > 0 ? between : "", p->out);
		sg_print_operand(p, &op->elements[i]);
	}
}

static void print_address(struct sg_printer *p, const struct sg_operand *op)
{
	fputc('[', p->out);
	if (op->reg != SG_PTX_NO_REGISTER)
		sg_print_register(p, op->reg);
	else if (op->var != NULL)
		fputs(op->var->name, p->out);
	if (op->reg == SG_PTX_NO_REGISTER && op->var == NULL)
		fprintf(p->out, "%" PRId64, op->value);
	else
		sg_print_offset(p, op->value);
	fputc(']', p->out);
}

void sg_print_operand(struct sg_printer *p, const struct sg_operand *op)
{
	bool predicate = op->kind == SG_OPERAND_REG && p->func->reg_types[op->reg] == SG_TYPE_PRED;

	if (op->negated)
		fputc(predicate ? '!' : '-', p->out);
	switch (op->kind) {
	case SG_OPERAND_REG:
		sg_print_register(p, op->reg);
		print_selector(p, op->selector);
		break;
	case SG_OPERAND_SINK:
		fputc('_', p->out);
		break;
	case SG_OPERAND_INT:
		if (op->is_unsigned)
			fprintf(p->out, "%" PRIu64 "U", (uint64_t)op->value);
		else
			fprintf(p->out, "%" PRId64, op->value);
		break;
	case SG_OPERAND_FLOAT32:
		fprintf(p->out, "0f%08" PRIX64, (uint64_t)op->value & UINT32_MAX);
		break;
	case SG_OPERAND_FLOAT64:
		fprintf(p->out, "0d%016" PRIX64, (uint64_t)op->value);
		break;
	case SG_OPERAND_SREG:
		print_special(p, op);
		break;
	case SG_OPERAND_VAR:
		fputs(op->var->name, p->out);
		sg_print_offset(p, op->value);
		break;
	case SG_OPERAND_FUNC:
		fputs(op->func->name, p->out);
		break;
	case SG_OPERAND_LABEL:
		fprintf(p->out, "$L_%" PRId64, op->value);
		break;
	case SG_OPERAND_TABLE:
		fprintf(p->out, "$T_%" PRId64, op->value);
		break;
	case SG_OPERAND_ADDRESS:
		print_address(p, op);
		break;
	case SG_OPERAND_VECTOR:
		fputc('{', p->out);
		print_elements(p, op, ", ");
		fputc('}', p->out);
		break;
	case SG_OPERAND_PAIR:
		print_elements(p, op, "|");
		break;
	default:
		break;
	}
}
