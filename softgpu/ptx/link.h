/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link.h - names across texts, and where variables lie */

#ifndef VGPU_SOFTGPU_PTX_LINK_H
#define VGPU_SOFTGPU_PTX_LINK_H

#include "softgpu/ptx/ast.h"
#include "softgpu/ptx/code.h"
#include "softgpu/ptx/load.h"

#define SG_LINK_FUNCTIONS_MAX 32768u

/* A function with a body, and what it reaches. */
struct sg_link_func {
	struct sg_ast_func *func;
	uint32_t *callees; /* indices into sg_link.funcs */
	size_t callee_count, callee_capacity;
	uint32_t *shared; /* indices into sg_link.shared */
	size_t shared_count, shared_capacity;
	bool indirect; /* calls through a register */
	bool dynamic;  /* uses .extern .shared memory */
	uint32_t dynamic_align;

	/* filled by sg_link_reach() for kernels, by lowering for frames */
	uint32_t shared_bytes;
	uint32_t shared_align;
	bool reaches_indirect;
	bool recursive;
	uint32_t stack_bytes;
	uint32_t frame_bytes;
};

struct sg_link {
	struct sg_load *load;
	struct sg_ast **asts;
	size_t ast_count;

	struct sg_link_func *funcs;
	uint32_t func_count;
	struct sg_ast_var **vars; /* definitions in .global and .const, those of functions too */
	size_t var_count, var_capacity;
	struct sg_ast_var **shared; /* definitions in .shared that have a size */
	size_t shared_count, shared_capacity;

	uint64_t global_bytes, global_data_bytes;
	uint32_t global_align;
	uint64_t constant_bytes, constant_data_bytes;
	uint32_t constant_align;
};

/* Finds each name's definition, lays out .global, .const and .shared. Fails the load. */
void sg_link(struct sg_load *load, struct sg_ast **asts, size_t count, struct sg_link *out);

/* After lowering: stacks and what kernels reach, from frame_bytes of each function. */
void sg_link_stacks(struct sg_link *link);

/* Where a .shared variable lies; true: in the dynamic part, offset is 0. */
bool sg_link_is_dynamic(const struct sg_ast_var *var);

/* Visits all functions that a kernel reaches, itself included; link_reach.c. */
void sg_link_reach(struct sg_link *link);

#endif
