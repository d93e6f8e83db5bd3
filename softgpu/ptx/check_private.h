/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check_private.h - what the checker's files share: ptx/check.c, ptx/check_own.c */

#ifndef VGPU_SOFTGPU_PTX_CHECK_PRIVATE_H
#define VGPU_SOFTGPU_PTX_CHECK_PRIVATE_H

#include "softgpu/ptx/check.h"

/* The instruction that is being checked. */
struct sg_check {
	struct sg_load *load;
	const struct sg_ast_func *func;
	const struct sg_ast_insn *insn;
	int number; /* of the operand in the text, from 1 */
};

/* Fails the load: "add.u32: operand 2 " and the caller's words. */
_Noreturn void sg_check_wrong(const struct sg_check *c, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

enum sg_type sg_check_reg_type(const struct sg_check *c, uint32_t reg);

/* A register, a constant, or '_', as the table has it. relaxed: a wider register will do, too. */
void sg_check_value(const struct sg_check *c, const struct sg_operand *op,
		    const struct sg_isa_operand *table, bool relaxed);

/* The address of a variable or a function as a value of this type. */
void sg_check_variable_address(const struct sg_check *c, const struct sg_operand *op,
			       enum sg_type type);

/* Instructions whose operands the table does not describe; ptx/check_own.c. */
void sg_check_mov(struct sg_check *c);
void sg_check_brx(struct sg_check *c);
void sg_check_bra(struct sg_check *c);
void sg_check_call(struct sg_check *c);
void sg_check_cp_async(struct sg_check *c);

#endif
