/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hostmem.h - host memory that the GPU reaches: pinned and managed, in the window; registered */

#ifndef VGPU_GUEST_LIBCUDA_HOSTMEM_H
#define VGPU_GUEST_LIBCUDA_HOSTMEM_H

#include "guest/libcuda/core.h"

struct hostmem_block {
	uint64_t address, bytes;
	uint64_t context; /* id of the one that owns it */
	uint64_t id;	  /* unique in the process */
	unsigned flags;	  /* CU_MEMHOSTALLOC_*, CU_MEMHOSTREGISTER_* */
	bool managed;
	bool registered; /* the program's own memory: the GPU cannot reach it, copies pass through staging */
};

/* Takes memory in the window that the GPU can reach. Return: SUCCESS, OUT_OF_MEMORY, or an end. */
CUresult hostmem_alloc(uint64_t bytes, unsigned flags, bool managed, uint64_t context,
		       uint64_t *address);

/*
 * Frees what begins at the address. Return: SUCCESS, INVALID_VALUE nothing that is `managed` begins
 * there.
 */
CUresult hostmem_free(uint64_t address, bool managed);

/* Finds the block that holds the address. Return: whether there is one. */
bool hostmem_find(uint64_t address, struct hostmem_block *block);

#endif
