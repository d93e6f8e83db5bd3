/* SPDX-License-Identifier: GPL-2.0-or-later */
/* context.h - contexts: handles that own what is made under them, over the worker's one context */

#ifndef VGPU_GUEST_LIBCUDA_CONTEXT_H
#define VGPU_GUEST_LIBCUDA_CONTEXT_H

#include <stdint.h>

#include "guest/libcuda/core.h"
#include "guest/libcuda/table.h"

/*
 * The worker has one context. A handle here is a set of things: what was made while it was current is
 * freed with it. The primary context's handle lives as long as the process, so that those who kept
 * it may use it again after a reset.
 */
struct context {
	struct table_object object; /* its context is its own id */
	unsigned flags;
	unsigned version;  /* that cuCtxGetApiVersion answers */
	unsigned attached; /* cuCtxAttach */
	bool primary;
};

/* Return: SUCCESS with the id of the calling thread's context; INVALID_CONTEXT, CONTEXT_IS_DESTROYED. */
CUresult context_current(uint64_t *id);

/* Return: the context of a handle; the calling thread's for NULL; NULL when there is none. */
struct context *context_find(CUcontext handle);

/* Return: whether work may be done under it: it is there, and if primary, retained. NULL: no. */
bool context_usable(const struct context *context);

/* How long waits poll: a program that asks for blocking waits wants the processor for others. */
void context_use_flags(unsigned flags);

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

/*
 * What a call returns that found no current context. A function that a stream calls has none, and learns by
 * this where it is: libgomp frees memory later then. Return: NOT_PERMITTED there for INVALID_CONTEXT.
 */
CUresult context_none(CUresult result);

/*
 * As CONTEXT_ENTER() for a call on a stream. Without a current context a stream that was created says
 * which it is, as natively; the legacy and the per-thread stream are of the current one.
 */
CUresult context_enter_stream(const char *symbol, CUstream handle, uint64_t *context);
#define CONTEXT_ENTER_STREAM(context, handle)                                            \
	do {                                                                             \
		CUresult entered_ = context_enter_stream(__func__, (handle), (context)); \
		if (entered_ != CUDA_SUCCESS)                                            \
			return entered_;                                                 \
	} while (0)

/*
 * As CONTEXT_ENTER() for a call whose handle or address says all: it needs no current context, as natively.
 * Return: INVALID_CONTEXT also where nothing can have been made yet.
 */
CUresult context_enter_any(const char *symbol);
#define CONTEXT_ENTER_ANY()                                      \
	do {                                                     \
		CUresult entered_ = context_enter_any(__func__); \
		if (entered_ != CUDA_SUCCESS)                    \
			return entered_;                         \
	} while (0)

#endif
