/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec_fault.c - what went wrong in a block, in words */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "softgpu/machine/exec.h"
#include "softgpu/ptx/module.h"

/* Return: a word for a fault code, a constant. */
static const char *fault_name(enum sg_fault_code code)
{
	switch (code) {
	case SG_FAULT_NONE:
		return "no fault";
	case SG_FAULT_OUT_OF_MEMORY:
		return "out of host memory";
	case SG_FAULT_ILLEGAL_ADDRESS:
		return "illegal address";
	case SG_FAULT_ASSERT:
		return "assertion failed";
	case SG_FAULT_STACK:
		return "stack overflow";
	case SG_FAULT_ILLEGAL_INSTRUCTION:
		return "illegal instruction";
	case SG_FAULT_MISALIGNED_ADDRESS:
		return "misaligned address";
	case SG_FAULT_INVALID_ADDRESS_SPACE:
		return "invalid address space";
	case SG_FAULT_INVALID_PC:
		return "invalid program counter";
	case SG_FAULT_LAUNCH_FAILED:
		return "launch failed";
	}
	return "unknown fault";
}

void sg_exec_where(const struct sg_exec_warp *w, unsigned lane, char *text, size_t text_bytes)
{
	const struct sg_cta *cta = w->cta;

	snprintf(text, text_bytes,
		 "kernel %s, block (%" PRIu32 ",%" PRIu32 ",%" PRIu32 "), thread (%" PRIu32
		 ",%" PRIu32 ",%" PRIu32 ")",
		 cta->launch->entry->name, cta->index[0], cta->index[1], cta->index[2],
		 w->tid[0][lane], w->tid[1][lane], w->tid[2][lane]);
}

/* "line 12, ld.global.u32" and, outside of the kernel itself, the function's name. */
static void describe_insn(const struct sg_code_function *function, const struct sg_code_insn *insn,
			  char *text, size_t text_bytes)
{
	char name[128];

	sg_module_insn_text(function, (uint32_t)(insn - function->insns), name, sizeof(name));
	if (function->entry)
		snprintf(text, text_bytes, ", line %" PRIu32 ", %s", insn->line, name);
	else
		snprintf(text, text_bytes, ", function %s, line %" PRIu32 ", %s", function->name,
			 insn->line, name);
}

/* The function that holds an instruction: the one of some group of the warp. */
static const struct sg_code_function *holder(const struct sg_exec_warp *w,
					     const struct sg_code_insn *insn)
{
	for (uint32_t n = 0; n < w->group_count; n++) {
		const struct sg_code_function *f = w->groups[n].call->function;

		if (insn >= f->insns && insn < f->insns + f->insn_count)
			return f;
	}
	return NULL;
}

static int fill(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned lane,
		enum sg_fault_code code, const char *what)
{
	struct sg_fault *fault = &w->cta->fault;
	const struct sg_code_function *function = insn ? holder(w, insn) : NULL;
	char where[320], at[256] = "";

	if (fault->code != SG_FAULT_NONE)
		return SG_EXEC_FAULT;
	if (function)
		describe_insn(function, insn, at, sizeof(at));
	sg_exec_where(w, lane, where, sizeof(where));
	fault->code = code;
	fault->line = insn ? insn->line : 0;
	memcpy(fault->block, w->cta->index, sizeof(fault->block));
	for (int n = 0; n < 3; n++)
		fault->thread[n] = w->tid[n][lane];
	snprintf(fault->text, sizeof(fault->text), "%s: %s%s: %s", fault_name(code), where, at,
		 what);
	return SG_EXEC_FAULT;
}

int sg_exec_fault(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned lane,
		  enum sg_fault_code code, const char *what, ...)
{
	char text[512];
	va_list args;

	va_start(args, what);
	vsnprintf(text, sizeof(text), what, args);
	va_end(args);
	return fill(w, insn, lane, code, text);
}

static bool in_window(uint64_t addr, uint64_t base)
{
	return addr - base < SG_MEMORY_WINDOW_BYTES;
}

/* What an address of a kind that the instruction cannot use points to. */
static void nearest(struct sg_exec_warp *w, uint64_t addr, char *text, size_t text_bytes)
{
	if (in_window(addr, SG_MEMORY_SHARED_BASE))
		snprintf(text, text_bytes,
			 "shared memory at offset 0x%" PRIx64 ", the block has %" PRIu32 " bytes",
			 (uint64_t)(addr - SG_MEMORY_SHARED_BASE), w->cta->shared_bytes);
	else if (in_window(addr, SG_MEMORY_LOCAL_BASE))
		snprintf(text, text_bytes,
			 "local memory at offset 0x%" PRIx64 ", the thread has %" PRIu32 " bytes",
			 (uint64_t)(addr - SG_MEMORY_LOCAL_BASE),
			 sg_exec_group(w)->call->local_top);
	else if (in_window(addr, SG_MEMORY_PARAM_BASE))
		snprintf(text, text_bytes,
			 "kernel parameters at offset 0x%" PRIx64 ", there are %" PRIu32 " bytes",
			 (uint64_t)(addr - SG_MEMORY_PARAM_BASE), w->cta->launch->params_bytes);
	else
		sg_memory_nearest(w->cta->launch->memory, addr, text, text_bytes);
}

int sg_exec_fault_access(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned lane,
			 enum sg_fault_code code, uint64_t addr, uint32_t bytes, const char *what)
{
	const char *space = "generic";
	uint64_t generic = addr;
	char near[256];

	switch (insn->space) {
	case SG_SPACE_SHARED:
		space = "shared";
		generic = addr < SG_MEMORY_WINDOW_BYTES ? addr + SG_MEMORY_SHARED_BASE : addr;
		break;
	case SG_SPACE_LOCAL:
	case SG_SPACE_FRAME:
		space = "local";
		generic = addr < SG_MEMORY_WINDOW_BYTES ? addr + SG_MEMORY_LOCAL_BASE : addr;
		break;
	case SG_SPACE_PARAM:
		space = "parameter";
		generic = addr < SG_MEMORY_WINDOW_BYTES ? addr + SG_MEMORY_PARAM_BASE : addr;
		break;
	case SG_SPACE_CONST:
		space = "constant";
		break;
	case SG_SPACE_GLOBAL:
		space = "global";
		break;
	default:
		break;
	}
	nearest(w, generic, near, sizeof(near));
	if (w->cta->fault.code == SG_FAULT_NONE) {
		w->cta->fault.addr = generic;
		w->cta->fault.bytes = bytes;
	}
	return sg_exec_fault(w, insn, lane, code,
			     "%s of %" PRIu32 " bytes of %s memory at 0x%" PRIx64 ": %s", what,
			     bytes, space, addr, near);
}

int sg_exec_trap(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		 uint32_t mask)
{
	(void)frame;
	return sg_exec_fault(w, insn, (unsigned)__builtin_ctz(mask), SG_FAULT_LAUNCH_FAILED,
			     "the kernel trapped");
}

int sg_exec_brkpt(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		  uint32_t mask)
{
	(void)frame;
	return sg_exec_fault(w, insn, (unsigned)__builtin_ctz(mask), SG_FAULT_LAUNCH_FAILED,
			     "a breakpoint without a debugger");
}
