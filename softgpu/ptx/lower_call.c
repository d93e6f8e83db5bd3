/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lower_call.c - call frames, formal parameters, calls */

#include <errno.h>
#include <string.h>

#include "softgpu/ptx/lower_private.h"

#define FRAME_ALIGN_LEAST 16u

static _Noreturn void fail(struct sg_lower *l, int code, const char *what)
{
	sg_load_fail(l->load, code, l->insn->line, l->insn->column, "%s", what);
}

/* --- the frame ------------------------------------------------------------------------------- */

struct frame {
	uint64_t at;
	uint32_t align;
};

static void reserve(struct sg_lower *l, struct frame *frame, struct sg_ast_var *var)
{
	frame->at = (frame->at + var->align - 1) & ~(uint64_t)(var->align - 1);
	var->offset = frame->at;
	if (__builtin_add_overflow(frame->at, var->bytes, &frame->at) ||
	    frame->at > l->load->limits.frame_bytes)
		sg_load_fail(l->load, -E2BIG, l->func->line, 0,
			     "'%.80s' needs more than %u bytes of local memory", l->func->name,
			     l->load->limits.frame_bytes);
	if (var->align > frame->align)
		frame->align = var->align;
}

static struct sg_code_place *formals(struct sg_lower *l, struct frame *frame,
				     struct sg_ast_var **vars, uint32_t count)
{
	struct sg_code_place *places = sg_load_array(l->load, count, sizeof(*places));

	for (uint32_t i = 0; i < count; i++) {
		struct sg_ast_var *var = vars[i];

		places[i].bytes = (uint32_t)var->bytes;
		if (var->space == SG_SPACE_GENERIC) {
			places[i].at = var->reg;
			places[i].lane = l->lanes[var->reg];
			continue;
		}
		reserve(l, frame, var);
		places[i].in_frame = true;
		places[i].at = (uint32_t)var->offset;
	}
	return places;
}

static void kernel_params(struct sg_lower *l)
{
	struct sg_code_function *code = l->code;
	uint64_t at = 0;

	code->kernel_param_count = l->func->param_count;
	code->kernel_params = sg_load_array(l->load, l->func->param_count,
					    sizeof(*code->kernel_params));
	for (uint32_t i = 0; i < l->func->param_count; i++) {
		struct sg_ast_var *var = l->func->params[i];

		at = (at + var->align - 1) & ~(uint64_t)(var->align - 1);
		var->offset = at;
		code->kernel_params[i] = (struct sg_code_param){ .name = var->name,
								 .offset = (uint32_t)at,
								 .bytes = (uint32_t)var->bytes,
								 .align = var->align };
		at += var->bytes;
		if (at > SG_PTX_PARAM_BYTES_MAX)
			sg_load_fail(l->load, -E2BIG, l->func->line, 0,
				     "'%.80s' has more than %d bytes of parameters", l->func->name,
				     SG_PTX_PARAM_BYTES_MAX);
	}
	code->kernel_param_bytes = (uint32_t)at;
}

void sg_lower_frame(struct sg_lower *l)
{
	const struct sg_ast_func *func = l->func;
	struct frame frame = { .align = FRAME_ALIGN_LEAST };
	struct sg_ast_var params = { .align = func->param_align > 0 ? func->param_align : 1,
				     .bytes = func->param_bytes };

	if (func->entry) {
		kernel_params(l);
	} else {
		l->code->rets = formals(l, &frame, func->rets, func->ret_count);
		l->code->ret_count = func->ret_count;
		l->code->params = formals(l, &frame, func->params, func->param_count);
		l->code->param_count = func->param_count;
	}
	for (size_t i = 0; i < func->var_count; i++)
		if (func->vars[i]->space == SG_SPACE_LOCAL)
			reserve(l, &frame, func->vars[i]);
	/* the parser has laid out the .param variables among each other */
	reserve(l, &frame, &params);
	for (size_t i = 0; i < func->var_count; i++)
		if (func->vars[i]->space == SG_SPACE_PARAM)
			func->vars[i]->offset += params.offset;
	l->code->frame_align = frame.align;
	l->code->frame_bytes = (uint32_t)((frame.at + frame.align - 1) &
					  ~(uint64_t)(frame.align - 1));
	l->link->funcs[l->code->index].frame_bytes = l->code->frame_bytes;
}

/* --- calls ----------------------------------------------------------------------------------- */

/* What a callee expects at one place. */
struct expected {
	uint32_t bytes;
	enum sg_type type;
};

static struct expected expected_of(const struct sg_ast_var *var)
{
	return (struct expected){ .bytes = (uint32_t)var->bytes, .type = var->type };
}

/* Builtins' parameters, as nvcc declares these functions. */
static const struct {
	uint8_t ret; /* bytes; 0: none */
	uint8_t count;
	uint8_t params[5];
} builtins[SG_BUILTIN_NUM] = {
	[SG_BUILTIN_VPRINTF] = { 4, 2, { 8, 8 } },
	[SG_BUILTIN_ASSERTFAIL] = { 0, 5, { 8, 8, 4, 8, 8 } },
	[SG_BUILTIN_MALLOC] = { 8, 1, { 8 } },
	[SG_BUILTIN_FREE] = { 0, 1, { 8 } },
};

static struct sg_code_place actual(struct sg_lower *l, const struct sg_operand *op,
				   const struct expected *want)
{
	struct sg_code_place place = { .bytes = want->bytes };

	if (op->kind == SG_OPERAND_VAR) {
		if (op->var->bytes != want->bytes)
			fail(l, -EINVAL,
			     "call: a .param variable has another size than the parameter");
		place.in_frame = true;
		place.at = (uint32_t)op->var->offset;
		return place;
	}
	if (op->kind == SG_OPERAND_SINK) {
		place.at = sg_lower_temp(l, sg_lower_lane(want->type));
	} else if (op->kind == SG_OPERAND_REG) {
		place.at = op->reg;
	} else {
		if (sg_isa_type_bits(want->type) / 8 != want->bytes)
			fail(l, -EINVAL, "call: a constant is passed for an array");
		place.at = sg_lower_source(l, op, want->type);
	}
	place.lane = (place.at & SG_LOWER_CONSTANT) != 0
			     ? l->constants[place.at & ~SG_LOWER_CONSTANT].bytes
			     : l->lanes[place.at];
	/* a register of 16 bits holds 8-bit values, too */
	if (place.lane != want->bytes &&
	    !(want->bytes == 1 && (place.lane == 0 || place.lane == 2)))
		fail(l, -EINVAL, "call: a register has another width than the parameter");
	if ((place.lane == 0) != (want->type == SG_TYPE_PRED))
		fail(l, -EINVAL, "call: a predicate is passed for a value, or a value for one");
	return place;
}

static struct sg_code_place *actuals(struct sg_lower *l, const struct sg_operand *ops,
				     uint32_t count, const struct expected *want,
				     uint32_t want_count)
{
	struct sg_code_place *places = sg_load_array(l->load, count, sizeof(*places));

	if (count != want_count)
		fail(l, -EINVAL, "call: the function has another count of parameters or results");
	for (uint32_t i = 0; i < count; i++)
		places[i] = actual(l, &ops[i], &want[i]);
	return places;
}

static struct expected *of_vars(struct sg_lower *l, struct sg_ast_var **vars, uint32_t count)
{
	struct expected *want = sg_load_array(l->load, count, sizeof(*want));

	for (uint32_t i = 0; i < count; i++)
		want[i] = expected_of(vars[i]);
	return want;
}

static struct expected of_bytes(uint8_t bytes)
{
	return (struct expected){ .bytes = bytes, .type = bytes == 4 ? SG_TYPE_B32 : SG_TYPE_B64 };
}

static void builtin_call(struct sg_lower *l, struct sg_code_call *out, uint8_t id)
{
	const struct sg_ast_call *call = l->insn->call;
	struct expected params[5], ret = of_bytes(builtins[id].ret);

	for (unsigned i = 0; i < builtins[id].count; i++)
		params[i] = of_bytes(builtins[id].params[i]);
	out->builtin = id;
	out->args = actuals(l, call->args, call->arg_count, params, builtins[id].count);
	out->rets = actuals(l, call->rets, call->ret_count, &ret, builtins[id].ret > 0);
}

/* Through a register: the prototype says what is passed. */
static void indirect_call(struct sg_lower *l, struct sg_code_call *out)
{
	const struct sg_ast_call *call = l->insn->call;
	const struct sg_ast_proto *proto = call->proto;

	out->args = actuals(l, call->args, call->arg_count,
			    of_vars(l, proto->params, proto->param_count), proto->param_count);
	out->rets = actuals(l, call->rets, call->ret_count,
			    of_vars(l, proto->rets, proto->ret_count), proto->ret_count);
}

void sg_lower_call(struct sg_lower *l)
{
	const struct sg_ast_call *call = l->insn->call;
	struct sg_code_call out = { .arg_count = (uint16_t)call->arg_count,
				    .ret_count = (uint16_t)call->ret_count };
	struct sg_code_insn *insn;

	if (call->func == NULL) {
		indirect_call(l, &out);
	} else if (call->func->definition == NULL) {
		builtin_call(l, &out, call->func->builtin);
	} else {
		const struct sg_ast_func *callee = call->func->definition;

		out.function = &l->functions[callee->index];
		out.args = actuals(l, call->args, call->arg_count,
				   of_vars(l, callee->params, callee->param_count),
				   callee->param_count);
		out.rets = actuals(l, call->rets, call->ret_count,
				   of_vars(l, callee->rets, callee->ret_count), callee->ret_count);
	}
	l->calls = sg_load_grow(l->load, l->calls, l->call_count, &l->call_capacity, sizeof(out));
	l->calls[l->call_count++] = out;
	insn = sg_lower_emit_insn(l);
	insn->target = (uint32_t)l->call_count - 1;
	if (call->func == NULL)
		insn->src[0] = call->reg;
}
