/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bind.c - gives each decoded instruction the function that runs it */

#include "softgpu/machine/bind.h"

#include "softgpu/machine/exec.h"
#include "softgpu/machine/exec_lanes.h"

static sg_exec_handler *bind_lanes(const struct sg_code_insn *insn)
{
#if defined(__x86_64__)
	/* What lanes_v3.c is compiled for. */
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
		return sg_lanes_bind_v3(insn);
#endif
	return sg_lanes_bind_base(insn);
}

static sg_exec_handler *bind_control(const struct sg_code_insn *insn)
{
	switch (insn->op) {
	case SG_OP_BRA:
		return sg_exec_bra;
	case SG_OP_BRX:
		return sg_exec_brx;
	case SG_OP_CALL:
		return sg_exec_call;
	case SG_OP_RET:
		return sg_exec_ret;
	case SG_OP_EXIT:
		return sg_exec_exit;
	case SG_OP_TRAP:
		return sg_exec_trap;
	case SG_OP_BRKPT:
		return sg_exec_brkpt;
	case SG_OP_NANOSLEEP:
		return sg_exec_nanosleep;
	case SG_OP_ALLOCA:
		return sg_exec_alloca;
	case SG_OP_STACKSAVE:
		return sg_exec_stacksave;
	case SG_OP_STACKRESTORE:
		return sg_exec_stackrestore;
	default:
		return NULL;
	}
}

static sg_exec_handler *bind(const struct sg_code_insn *insn)
{
	/* Loops over lanes come before the forms that do lanes one by one. */
	static sg_exec_handler *(*const families[])(const struct sg_code_insn *) = {
		bind_control,	      bind_lanes,
		sg_exec_memory_bind,  sg_exec_move_bind,
		sg_exec_warp_bind,    sg_exec_barrier_bind,
		sg_exec_atomic_bind,  sg_exec_mbarrier_bind,
		sg_exec_convert_bind, sg_exec_video_bind,
		sg_exec_slow_bind,
	};
	sg_exec_handler *handler = NULL;

	for (unsigned n = 0; n < sizeof(families) / sizeof(families[0]) && !handler; n++)
		handler = families[n](insn);
	return handler;
}

const struct sg_code_insn *sg_bind_module(struct sg_module *module,
					  const struct sg_code_function **function)
{
	for (uint32_t f = 0; f < module->function_count; f++) {
		struct sg_code_function *at = &module->functions[f];

		for (uint32_t n = 0; n < at->insn_count; n++) {
			sg_exec_handler *handler = bind(&at->insns[n]);

			if (!handler) {
				*function = at;
				return &at->insns[n];
			}
			at->insns[n].handler = (const void *)handler;
		}
	}
	return NULL;
}
