/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lower.h - a function's syntax tree to flat code */

#ifndef VGPU_SOFTGPU_PTX_LOWER_H
#define VGPU_SOFTGPU_PTX_LOWER_H

#include "softgpu/ptx/code.h"
#include "softgpu/ptx/link.h"

/* A constant of a function that holds a variable's address, not known before sg_module_place(). */
struct sg_lower_relocation {
	uint32_t function;
	uint32_t constant; /* index into its constants */
	const struct sg_ast_var *var;
	uint64_t addend;
};

struct sg_lower_relocations {
	struct sg_lower_relocation *list;
	size_t count, capacity;
};

/*
 * Lowers one function: functions[index] gets its code. Its frame's size goes into
 * link->funcs[index]. functions: of the whole module; those that are called need not be lowered
 * yet.
 */
void sg_lower(struct sg_link *link, uint32_t index, struct sg_code_function *functions,
	      struct sg_lower_relocations *relocations);

#endif
