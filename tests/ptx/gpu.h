/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gpu.h - what the suite needs of a GPU; softgpu and NVIDIA's driver implement it */

#ifndef PTX_GPU_H
#define PTX_GPU_H

#include <stddef.h>
#include <stdint.h>

/* CUDA's result numbers, as far as cases expect them. */
enum gpu_result {
	GPU_OK = 0,
	GPU_INVALID_VALUE = 1,
	GPU_OUT_OF_MEMORY = 2,
	GPU_INVALID_PTX = 218,
	GPU_NOT_FOUND = 500,
	GPU_ILLEGAL_ADDRESS = 700,
	GPU_OUT_OF_RESOURCES = 701,
	GPU_ASSERT = 710,
	GPU_STACK_ERROR = 714,
	GPU_ILLEGAL_INSTRUCTION = 715,
	GPU_MISALIGNED_ADDRESS = 716,
	GPU_INVALID_PC = 718,
	GPU_LAUNCH_FAILED = 719,
};

struct gpu_shape {
	unsigned grid[3];
	unsigned block[3];
	unsigned shared_bytes;
	int cooperative;
};

/*
 * One GPU. Every function returns a CUDA result number; all are required. A module or function is
 * an opaque pointer of the back end. One thread calls, and open() comes first.
 */
struct gpu {
	const char *name;
	/* The back end's own words are compared only where the back end is softgpu. */
	int is_softgpu;
	int (*open)(void);
	/* Links count sized PTX texts to one module. log receives the loader's message, always
	 * ended. */
	int (*load)(const char *const *texts, const size_t *text_bytes, unsigned count,
		    void **module, char *log, size_t log_bytes);
	int (*unload)(void *module);
	int (*function)(void *module, const char *entry, void **function);
	int (*global)(void *module, const char *symbol, uint64_t *address, size_t *bytes);
	int (*alloc)(uint64_t *address, size_t bytes);
	int (*free)(uint64_t address);
	int (*write)(uint64_t address, const void *from, size_t bytes);
	int (*read)(void *to, uint64_t address, size_t bytes);
	int (*launch)(void *function, const struct gpu_shape *shape, void **parameters);
	int (*sync)(void);
	/* Bytes of stack that a thread may use; bytes of the heap of malloc() in kernels. */
	int (*limits)(size_t stack_bytes, size_t heap_bytes);
	/* The sentence about the last fault, "" where the back end has none. */
	const char *(*fault)(void);
	/* Moves what kernels printed since the last call into text, ended. */
	void (*output)(char *text, size_t text_bytes);
};

extern const struct gpu gpu_cuda;
extern const struct gpu gpu_soft;

#endif
