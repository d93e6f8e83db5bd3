/* SPDX-License-Identifier: GPL-2.0-or-later */
/* code_check.h - what must hold for the code of every module that loads, whatever its text was */

#ifndef TESTS_UNIT_SOFTGPU_CODE_CHECK_H
#define TESTS_UNIT_SOFTGPU_CODE_CHECK_H

#include "softgpu/ptx/module.h"

/* Return: a lane-wide operand lies in the frame; SG_SLOT_NONE is allowed. */
static inline bool code_check_slot(const struct sg_code_function *f, uint32_t slot)
{
	return slot == SG_SLOT_NONE || (slot + 4 <= f->register_bytes && slot % 4 == 0);
}

static inline bool code_check_extra(const struct sg_code_function *f, uint64_t first,
				    uint64_t count)
{
	if (first + count > f->extra_count)
		return false;
	for (uint64_t i = first; i < first + count; i++)
		if (!code_check_slot(f, f->extra[i]))
			return false;
	return true;
}

static inline bool code_check_place(const struct sg_code_function *f, const struct sg_code_place *p)
{
	if (p->in_frame)
		return (uint64_t)p->at + p->bytes <= f->frame_bytes;
	return (uint64_t)p->at + (p->lane == 0 ? 4u : p->lane * 32u) <= f->register_bytes;
}

static inline bool code_check_call(const struct sg_code_function *f,
				   const struct sg_code_insn *insn)
{
	const struct sg_code_call *call;

	if (insn->target >= f->call_count)
		return false;
	call = &f->calls[insn->target];
	for (unsigned i = 0; i < call->arg_count; i++)
		if (!code_check_place(f, &call->args[i]))
			return false;
	for (unsigned i = 0; i < call->ret_count; i++)
		if (!code_check_place(f, &call->rets[i]))
			return false;
	if (call->function == NULL)
		return (call->builtin != SG_BUILTIN_NONE) == (insn->src[0] == SG_SLOT_NONE);
	if (call->arg_count != call->function->param_count ||
	    call->ret_count != call->function->ret_count)
		return false;
	for (unsigned i = 0; i < call->arg_count; i++)
		if (call->args[i].bytes != call->function->params[i].bytes)
			return false;
	return true;
}

static inline bool code_check_target(const struct sg_code_function *f,
				     const struct sg_code_insn *insn)
{
	bool vector = insn->op == SG_OP_LD || insn->op == SG_OP_ST || insn->op == SG_OP_RED ||
		      insn->op == SG_OP_PACK || insn->op == SG_OP_UNPACK;

	if (insn->op == SG_OP_BRA)
		return insn->target < f->insn_count;
	if (insn->op == SG_OP_CALL)
		return code_check_call(f, insn);
	if (insn->op == SG_OP_BRX) {
		if (insn->target >= f->extra_count ||
		    f->extra[insn->target] > f->extra_count - insn->target - 1)
			return false;
		for (uint32_t i = 1; i <= f->extra[insn->target]; i++)
			if (f->extra[insn->target + i] >= f->insn_count)
				return false;
		return true;
	}
	if (insn->vec > 1 && vector)
		return code_check_extra(f, insn->target, insn->vec);
	if (insn->vec > 1 && insn->op == SG_OP_ATOM)
		return code_check_extra(f, insn->target, 2ull * insn->vec);
	return insn->vec == 1;
}

static inline bool code_check_insn(const struct sg_code_function *f,
				   const struct sg_code_insn *insn)
{
	if (insn->op >= SG_OP_REFUSED || insn->op == SG_OP_NOP || insn->handler != NULL)
		return false;
	if (!code_check_slot(f, insn->guard) || !code_check_slot(f, insn->dst) ||
	    !code_check_slot(f, insn->dst2))
		return false;
	for (unsigned i = 0; i < SG_CODE_SRC_MAX; i++)
		if (!code_check_slot(f, insn->src[i]))
			return false;
	return insn->name != NULL && code_check_target(f, insn);
}

static inline bool code_check_function(const struct sg_code_function *f)
{
	const struct sg_code_insn *last;

	if (f->insn_count == 0 || f->register_bytes % SG_SLOT_ALIGN != 0)
		return false;
	last = &f->insns[f->insn_count - 1];
	if (last->guard != SG_SLOT_NONE || (last->op != SG_OP_EXIT && last->op != SG_OP_RET))
		return false;
	for (uint32_t i = 0; i < f->insn_count; i++)
		if (!code_check_insn(f, &f->insns[i]))
			return false;
	for (uint32_t i = 0; i < f->constant_count; i++) {
		uint32_t bytes = f->constants[i].bytes == 0 ? 4 : f->constants[i].bytes * 32u;

		if ((uint64_t)f->constants[i].slot + bytes > f->register_bytes)
			return false;
	}
	for (uint32_t i = 0; i < f->param_count; i++)
		if (!code_check_place(f, &f->params[i]))
			return false;
	return true;
}

/* Return: the module's code can be run without looking at it again. */
static inline bool code_check_module(const struct sg_module *module)
{
	for (uint32_t i = 0; i < module->function_count; i++)
		if (module->functions[i].index != i || !code_check_function(&module->functions[i]))
			return false;
	return module->global_image_bytes <= module->global_bytes &&
	       module->constant_image_bytes <= module->constant_bytes;
}

#endif
