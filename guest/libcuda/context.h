/* SPDX-License-Identifier: GPL-2.0-or-later */
/* context.h - contexts: handles that own what is made under them, over the worker's one context */

#ifndef VGPU_GUEST_LIBCUDA_CONTEXT_H
#define VGPU_GUEST_LIBCUDA_CONTEXT_H

#include <stdint.h>

#include "guest/libcuda/core.h"

/* Return: SUCCESS with the id of the calling thread's context; INVALID_CONTEXT, CONTEXT_IS_DESTROYED. */
CUresult context_current(uint64_t *id);

/* Return: the handle of the context with that id, NULL when it is gone. */
CUcontext context_handle(uint64_t id);

/*
 * As core_check(), for calls that need the GPU's context; opens the channel.
 * context: gets the id of the calling thread's context.
 * Return: also INVALID_CONTEXT, CONTEXT_IS_DESTROYED, the error that lost the context, and why there
 * is no channel.
 */
CUresult context_enter(const char *symbol, uint64_t *context);
#define CONTEXT_ENTER(context)                                          \
	do {                                                            \
		CUresult entered_ = context_enter(__func__, (context)); \
		if (entered_ != CUDA_SUCCESS)                           \
			return entered_;                                \
	} while (0)

#endif
