/* SPDX-License-Identifier: GPL-2.0-or-later */
/* show.h - what softgpu-run prints that is no result of a kernel */

#ifndef SOFTGPU_RUN_SHOW_H
#define SOFTGPU_RUN_SHOW_H

#include "softgpu/softgpu.h"

/* Prints a line for each kernel of a module: its name and its parameters' sizes, and what it needs.
 */
void show_kernels(struct softgpu *gpu, struct softgpu_module *module);

/* Ends the process with the reason why a launch was refused, as far as it can be told. */
_Noreturn void show_refused_launch(struct softgpu *gpu, const struct softgpu_launch *launch,
				   const char *name, enum softgpu_result result);

#endif
