/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bind.h - gives each decoded instruction the function that runs it */

#ifndef VGPU_SOFTGPU_MACHINE_BIND_H
#define VGPU_SOFTGPU_MACHINE_BIND_H

#include "softgpu/ptx/code.h"

/*
 * Bind every instruction of a module, once, before a launch of it. The set of functions is chosen
 * for this processor (with AVX2 or without); results are the same. function: on failure, the one
 * that holds the instruction. Return: NULL, or the first instruction that this machine does not
 * run: refuse the module.
 */
const struct sg_code_insn *sg_bind_module(struct sg_module *module,
					  const struct sg_code_function **function);

#endif
