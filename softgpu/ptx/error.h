/* SPDX-License-Identifier: GPL-2.0-or-later */
/* error.h - what a loading is bounded by, and what it says when it fails */

#ifndef VGPU_SOFTGPU_PTX_ERROR_H
#define VGPU_SOFTGPU_PTX_ERROR_H

#include <stdint.h>

/* What is wrong with a text. */
struct sg_error {
	char text[256]; /* one sentence, lower case, without line: "add.u99: no such form of add" */
	uint32_t source; /* which text, from 0 */
	uint32_t line;	 /* from 1; 0: of no line (linking) */
	uint32_t column; /* from 1; 0: not known */
	int code;	 /* the negative errno that was returned */
};

/* Bounds; hitting one is an error that names it. 0: the default. */
struct sg_module_limits {
	uint64_t text_bytes;   /* of all texts: 32 MiB */
	uint64_t memory_bytes; /* that loading may take: 512 MiB */
	uint64_t data_bytes; /* of global and constant variables: 4 GiB; constants alone 64 KiB are
				no bound here: nvcc splits them into banks of 64 KiB */
	uint32_t shared_bytes; /* static, of a kernel: 48 KiB, as ptxas has it */
	uint32_t frame_bytes;  /* of local memory of a function: 512 KiB - 1 KiB */
};

#endif
