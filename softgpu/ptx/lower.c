/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lower.c - a function's syntax tree to flat code */

#include "softgpu/ptx/lower.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "softgpu/ptx/check.h"
#include "softgpu/ptx/lower_private.h"

#define INSNS_MAX (1u << 24) /* of one function */

/* --- emitting -------------------------------------------------------------------------------- */

struct sg_code_insn *sg_lower_emit(struct sg_lower *l, enum sg_op op)
{
	struct sg_code_insn *insn;

	if (l->insn_count == INSNS_MAX)
		sg_load_fail(l->load, -E2BIG, l->func->line, 0,
			     "'%.80s' has more than %u instructions", l->func->name, INSNS_MAX);
	l->insns = sg_load_grow(l->load, l->insns, l->insn_count, &l->insn_capacity,
				sizeof(*l->insns));
	insn = &l->insns[l->insn_count++];
	memset(insn, 0, sizeof(*insn));
	insn->op = op;
	insn->vec = 1;
	insn->space = SG_SPACE_GENERIC;
	insn->guard = insn->dst = insn->dst2 = SG_SLOT_NONE;
	for (unsigned i = 0; i < SG_CODE_SRC_MAX; i++)
		insn->src[i] = SG_SLOT_NONE;
	insn->line = l->insn != NULL ? l->insn->line : l->func->line;
	insn->name = l->insn != NULL ? l->insn->variant->name : "ret";
	return insn;
}

struct sg_code_insn *sg_lower_emit_insn(struct sg_lower *l)
{
	const struct sg_isa_variant *v = l->insn->variant;
	struct sg_code_insn *insn = sg_lower_emit(l, v->row->op);

	insn->type = v->type[0];
	insn->stype = v->type[1];
	insn->type3 = v->type[2];
	insn->flags = v->flags & ~SG_BIT(CACHE_HINT);
	insn->round = v->round;
	insn->cmp = v->cmp;
	insn->bool_op = v->bool_op;
	insn->sub = v->sub;
	insn->sem = v->sem;
	insn->scope = v->scope;
	insn->space = sg_lower_space(l, v->space);
	/* "bar" is barrier.aligned by definition */
	if (strncmp(v->row->pattern, "bar.", 4) == 0)
		insn->flags |= SG_BIT(ALIGNED);
	if (l->insn->guard != SG_PTX_NO_REGISTER) {
		insn->guard = l->insn->guard;
		insn->guard_not = l->insn->guard_not;
	}
	return insn;
}

uint32_t sg_lower_extra(struct sg_lower *l, uint32_t value)
{
	l->extra = sg_load_grow(l->load, l->extra, l->extra_count, &l->extra_capacity,
				sizeof(value));
	l->extra[l->extra_count] = value;
	return (uint32_t)l->extra_count++;
}

/* --- by the table ---------------------------------------------------------------------------- */

/* What the operands of one instruction come to, before it is emitted. */
struct gathered {
	uint32_t dst, dst2, src[SG_CODE_SRC_MAX];
	unsigned src_count;
	int64_t imm;
	struct sg_lower_place place;
	bool has_place;
	uint8_t dst_lane, src_lane;
};

static bool is_video(unsigned op)
{
	return op >= SG_OP_VADD && op <= SG_OP_VSET4;
}

/* Selectors as code.h has them; `number` counts d, a, b, c from 0. */
static int64_t selector(const struct sg_lower *l, const struct sg_operand *op, bool written,
			unsigned number)
{
	unsigned id = l->insn->variant->row->op;
	uint64_t out = op->selector;

	if (id >= SG_OP_VADD2 && op->selector != 0) {
		unsigned digits = (op->selector >> SG_SELECTOR_COUNT_SHIFT & 3) + 1;

		out = SG_SELECTOR;
		for (unsigned i = 0; i < digits; i++) {
			unsigned digit = op->selector >> (3 * i) & 7;

			out |= written ? 1u << digit : digit << (3 * i);
		}
	}
	if (op->negated)
		out |= 0x2000;
	return (int64_t)(out << (16 * number));
}

static void gather_destination(struct sg_lower *l, const struct sg_operand *op,
			       const struct sg_isa_operand *table, struct gathered *out)
{
	assert(op != NULL); /* only sources may be left out */
	if (op->kind == SG_OPERAND_PAIR) {
		out->dst = sg_lower_destination(l, &op->elements[0], table->type);
		if (op->elements[1].kind == SG_OPERAND_REG)
			out->dst2 = op->elements[1].reg;
		return;
	}
	out->dst = sg_lower_destination(l, op, table->type);
	out->dst_lane = l->lanes[out->dst];
}

static void gather_source(struct sg_lower *l, const struct sg_operand *op,
			  const struct sg_isa_operand *table, uint32_t *slot, struct gathered *out)
{
	uint8_t lane = 0;

	switch (table->form) {
	case SG_FORM_RELAXED:
		*slot = sg_lower_source_wide(l, op, table->type, &lane);
		out->src_lane = lane;
		break;
	case SG_FORM_POINTER:
		*slot = op->kind == SG_OPERAND_VAR ? sg_lower_variable(l, op->var, op->value)
						   : sg_lower_source(l, op, table->type);
		break;
	default:
		*slot = sg_lower_source(l, op, table->type);
		if (out->src_lane == 0)
			out->src_lane = sg_lower_lane(table->type);
	}
}

static void gather(struct sg_lower *l, struct gathered *out)
{
	const struct sg_ast_insn *insn = l->insn;
	struct sg_isa_operand table[SG_ISA_OPERANDS_MAX];
	int map[SG_PTX_OPERANDS_MAX];
	int count = sg_isa_operands(insn->variant, table);
	int text = 0;
	bool policy = count > 0 && table[count - 1].optional &&
		      table[count - 1].type == SG_TYPE_B64;
	bool video = is_video(insn->variant->row->op);

	*out = (struct gathered){ .dst = SG_SLOT_NONE, .dst2 = SG_SLOT_NONE };
	for (unsigned i = 0; i < SG_CODE_SRC_MAX; i++)
		out->src[i] = SG_SLOT_NONE;
	/* a cache policy says nothing here */
	if (policy && (insn->variant->flags & SG_BIT(CACHE_HINT)) == 0)
		count--;
	else if (policy)
		table[count - 1].optional = false;
	sg_ptx_match_operands(insn, table, count, map);
	for (int i = 0; i < count; i++) {
		bool there = text < insn->count && map[text] == i;
		const struct sg_operand *op = there ? &insn->operands[text] : NULL;

		if (there && video)
			out->imm |= selector(l, op, table[i].written, (unsigned)text);
		if (there)
			text++;
		if (table[i].written) {
			gather_destination(l, op, &table[i], out);
		} else if (table[i].form == SG_FORM_INTEGER) {
			out->imm = there ? op->value : 0;
		} else if (table[i].form == SG_FORM_ADDRESS) {
			out->place = sg_lower_place(l, op, insn->variant->space);
			out->has_place = true;
			out->src[out->src_count++] = out->place.base;
		} else {
			if (there)
				gather_source(l, op, &table[i], &out->src[out->src_count], out);
			out->src_count++;
		}
	}
}

static struct sg_code_insn *emit_gathered(struct sg_lower *l, const struct gathered *g)
{
	struct sg_code_insn *insn = sg_lower_emit_insn(l);

	insn->dst = g->dst;
	insn->dst2 = g->dst2;
	memcpy(insn->src, g->src, sizeof(insn->src));
	insn->imm = g->imm;
	if (g->has_place) {
		insn->imm = g->place.imm;
		insn->space = g->place.space;
	}
	if (insn->op == SG_OP_CVT) {
		insn->dst_bytes = g->dst_lane;
		insn->src_bytes = g->src_lane;
	}
	return insn;
}

static void lower_by_table(struct sg_lower *l)
{
	struct gathered g;

	gather(l, &g);
	emit_gathered(l, &g);
}

/* --- instructions that need a word more ------------------------------------------------------- */

/* Addresses in registers of 32 bits (cvta.u32 and others): done in 64, cut afterwards. */
static void lower_address_arithmetic(struct sg_lower *l)
{
	bool narrow = sg_isa_type_bits(l->insn->variant->type[0]) == 32;
	struct gathered g;
	struct sg_code_insn *insn;
	uint32_t dst;

	gather(l, &g);
	dst = g.dst;
	if (narrow && g.src[0] != SG_SLOT_NONE &&
	    l->insn->operands[l->insn->count > 1].kind != SG_OPERAND_VAR)
		g.src[0] = sg_lower_widen(l, g.src[0], SG_TYPE_U32, 8);
	if (narrow && dst != SG_SLOT_NONE)
		g.dst = sg_lower_temp(l, 8);
	insn = emit_gathered(l, &g);
	insn->type = SG_TYPE_U64;
	if (insn->op == SG_OP_ALLOCA && insn->imm == 0)
		insn->imm = 8;
	if (!narrow || dst == SG_SLOT_NONE)
		return;

	uint32_t guard = insn->guard;
	uint8_t guard_not = insn->guard_not;

	sg_lower_truncate_into(l, dst, 4, g.dst, 8);
	l->insns[l->insn_count - 1].guard = guard;
	l->insns[l->insn_count - 1].guard_not = guard_not;
}

/* A cache policy is a number that nothing here asks for. */
static void lower_policy(struct sg_lower *l)
{
	uint32_t zero = sg_lower_constant(l, 8, 0, 0);
	struct sg_code_insn *insn = sg_lower_emit_insn(l);

	insn->op = SG_OP_MOV;
	insn->type = SG_TYPE_B64;
	insn->dst = sg_lower_destination(l, &l->insn->operands[0], SG_TYPE_B64);
	insn->src[0] = zero;
}

static void lower_ret(struct sg_lower *l)
{
	struct sg_code_insn *insn = sg_lower_emit_insn(l);

	if (l->func->entry)
		insn->op = SG_OP_EXIT;
}

/* A table stands in extra once, however many branches use it: count first, then labels. */
static uint32_t table_in_extra(struct sg_lower *l, size_t number)
{
	const struct sg_ast_table *table = &l->func->tables[number];

	if (l->table_at[number] == UINT32_MAX) {
		l->table_at[number] = sg_lower_extra(l, (uint32_t)table->count);
		/* labels stand in for their instructions until these are known */
		for (size_t i = 0; i < table->count; i++)
			sg_lower_extra(l, (uint32_t)*table->label_uses[i]);
	}
	return l->table_at[number];
}

static void lower_brx(struct sg_lower *l)
{
	uint32_t index = sg_lower_source(l, &l->insn->operands[0], SG_TYPE_U32);
	uint32_t first = table_in_extra(l, (size_t)l->insn->operands[1].value);
	struct sg_code_insn *insn = sg_lower_emit_insn(l);

	insn->src[0] = index;
	insn->target = first;
}

static void lower_insn(struct sg_lower *l)
{
	switch (l->insn->variant->row->op) {
	case SG_OP_LD:
	case SG_OP_ST:
	case SG_OP_RED:
	case SG_OP_ATOM:
		sg_lower_memory(l);
		break;
	case SG_OP_MOV:
		sg_lower_mov(l);
		break;
	case SG_OP_CP_ASYNC:
		sg_lower_cp_async(l);
		break;
	case SG_OP_CALL:
		sg_lower_call(l);
		break;
	case SG_OP_BRA:
		sg_lower_emit_insn(l)->target = (uint32_t)l->insn->operands[0].value;
		break;
	case SG_OP_BRX:
		lower_brx(l);
		break;
	case SG_OP_RET:
		lower_ret(l);
		break;
	case SG_OP_CVTA:
	case SG_OP_ALLOCA:
	case SG_OP_STACKSAVE:
	case SG_OP_STACKRESTORE:
		lower_address_arithmetic(l);
		break;
	case SG_OP_CREATEPOLICY:
		lower_policy(l);
		break;
	case SG_OP_PREFETCH:
	case SG_OP_NOP:
		break; /* nothing to do where copies are done at once and caches are the host's */
	default:
		lower_by_table(l);
	}
}

/* --- the whole function ----------------------------------------------------------------------- */

static uint32_t start_of_label(const struct sg_lower *l, uint32_t label)
{
	return l->start[l->func->labels[label].insn];
}

static void resolve_labels(struct sg_lower *l)
{
	for (size_t i = 0; i < l->insn_count; i++)
		if (l->insns[i].op == SG_OP_BRA)
			l->insns[i].target = start_of_label(l, l->insns[i].target);
	for (size_t t = 0; t < l->func->table_count; t++) {
		uint32_t at = l->table_at[t];

		for (size_t k = 1; at != UINT32_MAX && k <= l->func->tables[t].count; k++)
			l->extra[at + k] = start_of_label(l, l->extra[at + k]);
	}
}

static void lower_body(struct sg_lower *l)
{
	const struct sg_ast_func *func = l->func;

	l->start = sg_load_array(l->load, func->insn_count + 1, sizeof(*l->start));
	l->table_at = sg_load_array(l->load, func->table_count, sizeof(*l->table_at));
	memset(l->table_at, 0xff, func->table_count * sizeof(*l->table_at));
	for (size_t i = 0; i < func->insn_count; i++) {
		l->insn = &func->insns[i];
		l->start[i] = (uint32_t)l->insn_count;
		lower_insn(l);
	}
	l->start[func->insn_count] = (uint32_t)l->insn_count;
	/* a body may end without a word, and a label may stand at its end */
	sg_lower_emit(l, func->entry ? SG_OP_EXIT : SG_OP_RET);
	resolve_labels(l);
}

static void fill_head(struct sg_lower *l)
{
	struct sg_code_function *code = l->code;
	const struct sg_ast_func *func = l->func;
	const struct sg_link_func *reach = &l->link->funcs[code->index];

	code->name = func->name;
	code->entry = func->entry;
	code->line = func->line;
	memcpy(code->max_ntid, func->max_ntid, sizeof(code->max_ntid));
	memcpy(code->req_ntid, func->req_ntid, sizeof(code->req_ntid));
	code->min_ncta_per_sm = func->min_ncta_per_sm;
	code->max_nreg = func->max_nreg;
	code->shared_bytes = reach->shared_bytes;
	code->shared_align = reach->shared_align > 0 ? reach->shared_align : 16;
	code->calls_indirect = reach->reaches_indirect;
}

void sg_lower(struct sg_link *link, uint32_t index, struct sg_code_function *functions,
	      struct sg_lower_relocations *relocations)
{
	struct sg_lower *l = sg_load_alloc(link->load, sizeof(*l));
	const struct sg_ast_func *func = link->funcs[index].func;

	l->load = link->load;
	l->link = link;
	l->func = func;
	l->code = &functions[index];
	l->functions = functions;
	l->relocations = relocations;
	l->code->index = index;
	link->load->source = func->source;
	for (size_t r = 0; r < func->reg_count; r++)
		sg_lower_temp(l, sg_lower_lane(func->reg_types[r]));
	fill_head(l);
	sg_lower_frame(l);
	lower_body(l);
	l->code->insns = l->insns;
	l->code->insn_count = (uint32_t)l->insn_count;
	l->code->extra = l->extra;
	l->code->extra_count = (uint32_t)l->extra_count;
	l->code->calls = l->calls;
	l->code->call_count = (uint32_t)l->call_count;
	sg_lower_slots(l);
	l->code->constants = l->constants;
	l->code->constant_count = (uint32_t)l->constant_count;
}
