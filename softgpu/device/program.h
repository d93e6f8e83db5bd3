/* SPDX-License-Identifier: GPL-2.0-or-later */
/* program.h - loaded modules and their functions */

#ifndef VGPU_SOFTGPU_DEVICE_PROGRAM_H
#define VGPU_SOFTGPU_DEVICE_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "softgpu/ptx/code.h"
#include "softgpu/ptx/module.h"
#include "softgpu/softgpu.h"

/* A kernel of a module. */
struct sg_function {
	struct softgpu_function *handle;
	struct sg_program *program;
	const struct sg_code_function *code;
	uint32_t max_dynamic_shared; /* settable, as the next */
	int carveout;
};

/* A module with its place in the device's memory. The device's lock guards it. */
struct sg_program {
	struct softgpu_module *handle; /* NULL: unloaded, launches may still use it */
	uint32_t references;	       /* its handle, each launch */
	struct sg_module *module;
	uint64_t global_base, constant_base; /* 0: none */
	struct sg_function *functions;	     /* kernels alone, in the order of the text */
	uint32_t function_count;
};

/* Frees all programs of a device that is closing. */
void sg_programs_end(struct softgpu *gpu);

/* The functions below are called with the device's lock held. */

void sg_program_put(struct softgpu *gpu, struct sg_program *program);

/* Return: the function of a handle, NULL: no such. */
struct sg_function *sg_function_find(const struct softgpu *gpu,
				     const struct softgpu_function *handle);

/* Threads that a block of it may have at most. */
uint32_t sg_function_threads_most(const struct sg_function *function);

#endif
