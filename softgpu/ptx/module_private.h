/* SPDX-License-Identifier: GPL-2.0-or-later */
/* module_private.h - what a module keeps of its loading; module.c, module_keep.c */

#ifndef VGPU_SOFTGPU_PTX_MODULE_PRIVATE_H
#define VGPU_SOFTGPU_PTX_MODULE_PRIVATE_H

#include "softgpu/ptx/link.h"
#include "softgpu/ptx/lower.h"

/*
 * Copies a module out of the load's memory into its own, each array in its size: texts, trees and
 * what arrays grew through are a multiple of the code. Fails the load.
 */
struct sg_module *sg_module_keep(struct sg_load *load, const struct sg_link *link,
				 const struct sg_module *module,
				 const struct sg_lower_relocations *relocations);

#endif
