/* SPDX-License-Identifier: GPL-2.0-or-later */
/* block.h - what a launch is to its blocks: bounds, faults, hooks, parameters */

#ifndef VGPU_SOFTGPU_MACHINE_BLOCK_H
#define VGPU_SOFTGPU_MACHINE_BLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "softgpu/machine/memory.h"

struct sg_module;
struct sg_code_function;

#define SG_CTA_THREADS_MAX 1024u
#define SG_CTA_SHARED_MAX (227u * 1024) /* static and dynamic shared memory of one block */
#define SG_CTA_LOCAL_MAX (512u * 1024)	/* a thread's local memory, all frames of its calls */
#define SG_CTA_CALLS_MAX 4096u		/* frames on one thread's call stack */
#define SG_CTA_TEXT_BYTES 1024u

/* What ends a launch early; the numbers are those of the CUDA driver API's results. */
enum sg_fault_code {
	SG_FAULT_NONE = 0,
	SG_FAULT_OUT_OF_MEMORY = 2, /* the host has none for the block's own state */
	SG_FAULT_ILLEGAL_ADDRESS = 700,
	SG_FAULT_ASSERT = 710,
	SG_FAULT_STACK = 714, /* calls nest too deep, or local memory is used up */
	SG_FAULT_ILLEGAL_INSTRUCTION = 715,
	SG_FAULT_MISALIGNED_ADDRESS = 716,
	SG_FAULT_INVALID_ADDRESS_SPACE = 717,
	SG_FAULT_INVALID_PC = 718,
	SG_FAULT_LAUNCH_FAILED = 719, /* trap, brkpt, a barrier that not all threads reach */
};

/* The first fault of a block, for people and programs. */
struct sg_fault {
	enum sg_fault_code code;
	uint32_t block[3];
	uint32_t thread[3];
	uint32_t line;	/* of the PTX text, 0 unknown */
	uint64_t addr;	/* generic; 0 where the fault has no address */
	uint32_t bytes; /* of the access */
	/*
	 * One or more sentences in lower case: what happened, kernel, block, thread, instruction
	 * with its line, address, space, nearest allocation.
	 */
	char text[SG_CTA_TEXT_BYTES];
};

/*
 * What a block needs from outside; every function is required, `arg` is passed on. Blocks of
 * several host threads call them at the same time.
 */
struct sg_cta_hooks {
	void *arg;
	/* Nanoseconds of a clock that never goes back: %globaltimer, %clock64 and nanosleep. */
	uint64_t (*now_ns)(void *arg);
	/*
	 * Append one formatted printf of a thread, of 8 KiB at most, to the printf buffer.
	 * Return: 0, -ENOSPC it does not fit (the kernel's printf then returns -1).
	 */
	int (*print)(void *arg, const char *text, size_t bytes);
	/* A line about an assertion that failed in a thread; the block's fault follows. */
	void (*failed_assert)(void *arg, const char *text);
	/* A data race on shared memory, a sentence; only with sg_launch.races. */
	void (*race)(void *arg, const char *text);
};

/* The heap that malloc in kernels takes from: allocations of kind HEAP, with a limit. */
struct sg_cta_heap {
	uint64_t limit_bytes;
	atomic_uint_fast64_t used_bytes;
};

/* One launch of a kernel; constant while blocks of it live, owned by the caller. */
struct sg_launch {
	const struct sg_module *module; /* placed in `memory` */
	const struct sg_code_function *entry;
	struct sg_memory *memory;
	const struct sg_cta_hooks *hooks;
	struct sg_cta_heap *heap;
	const unsigned char *params; /* as the entry's parameter list lays them out */
	uint32_t params_bytes;	     /* at least the entry's size of parameters */
	uint32_t grid[3];	     /* blocks, each at least 1 */
	uint32_t block[3];	     /* threads, product at most SG_CTA_THREADS_MAX */
	uint32_t shared_bytes;	     /* dynamic, beside the entry's static bytes */
	uint32_t stack_bytes; /* a thread's call stack beyond the entry's own frame; 0: the most */
	uint64_t grid_id;     /* %gridid */
	/*
	 * Device address of 16 zeroed bytes for this launch alone if it is a cooperative one, else
	 * 0: cooperative groups find it in %envreg1 and %envreg2 and keep the grid's barrier there.
	 * All blocks must then be resident at once.
	 */
	uint64_t grid_workspace;
	uint32_t sm; /* %nsmid; %smid is given to sg_cta_new */
	bool races;  /* report data races on shared memory by hooks->race */
};

#endif
