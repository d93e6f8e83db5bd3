/* SPDX-License-Identifier: GPL-2.0-or-later */
/* print_private.h - what the printer's files share: ptx/print.c, ptx/print_operand.c */

#ifndef VGPU_SOFTGPU_PTX_PRINT_PRIVATE_H
#define VGPU_SOFTGPU_PTX_PRINT_PRIVATE_H

#include <stdio.h>

#include "softgpu/ptx/ast.h"
#include "softgpu/ptx/load.h"

struct sg_printer {
	struct sg_load *load;
	FILE *out;
	const struct sg_ast_func *func;
	uint32_t *number; /* of each register of the function: among those of its type */
};

void sg_print_register(struct sg_printer *p, uint32_t reg);

/* "+4" behind an address; nothing for 0. */
void sg_print_offset(struct sg_printer *p, int64_t offset);

void sg_print_operand(struct sg_printer *p, const struct sg_operand *op);

#endif
