/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pool.h - memory pools */

#ifndef VGPU_GUEST_LIBCUDA_POOL_H
#define VGPU_GUEST_LIBCUDA_POOL_H

#include "guest/libcuda/core.h"

/* Return: the worker's number of the pool that cuMemAllocAsync takes from. */
uint32_t pool_current(void);

/* Return: whether there is such a pool, with the worker's number; 0 is the default one. */
bool pool_find(CUmemoryPool handle, uint32_t *number);

/* Return: the handle of the pool of that number, NULL: it was destroyed. */
CUmemoryPool pool_handle(uint32_t number);

#endif
