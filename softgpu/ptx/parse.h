/* SPDX-License-Identifier: GPL-2.0-or-later */
/* parse.h - PTX text to syntax tree */

#ifndef VGPU_SOFTGPU_PTX_PARSE_H
#define VGPU_SOFTGPU_PTX_PARSE_H

#include "softgpu/ptx/ast.h"
#include "softgpu/ptx/load.h"

/*
 * Parses one text. Instructions that are refused fail here, by name and line, before their operands
 * are read.
 * text: has to stay as long as the tree.
 * Return: the tree, of the load's memory. Fails the load at the first error.
 */
struct sg_ast *sg_ptx_parse(struct sg_load *load, const char *text, size_t len_bytes);

#endif
