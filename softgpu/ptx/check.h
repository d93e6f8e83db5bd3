/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check.h - types, widths and spaces of a parsed text */

#ifndef VGPU_SOFTGPU_PTX_CHECK_H
#define VGPU_SOFTGPU_PTX_CHECK_H

#include "softgpu/ptx/ast.h"
#include "softgpu/ptx/load.h"

/*
 * Checks every instruction against the table: how many operands, of which kinds, types and widths,
 * and variables of which space. Fails the load at the first that is wrong. What passes can be
 * lowered without a further look at it.
 */
void sg_ptx_check(struct sg_load *load, const struct sg_ast *ast);

/*
 * Pairs an instruction's operands with the table's: operand i of the text is operand map[i] of the
 * table, where optional ones may have been left out. Return: false if there are too few or too
 * many.
 */
bool sg_ptx_match_operands(const struct sg_ast_insn *insn, const struct sg_isa_operand *table,
			   int count, int map[SG_PTX_OPERANDS_MAX]);

#endif
