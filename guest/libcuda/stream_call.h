/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream_call.h - calls that take a stream, each in two forms */

#ifndef VGPU_GUEST_LIBCUDA_STREAM_CALL_H
#define VGPU_GUEST_LIBCUDA_STREAM_CALL_H

#include "guest/libcuda/context.h"
#include "guest/libcuda/entries.h"
#include "guest/libcuda/stream.h"

/*
 * STREAM_CALL(symbol, (parameters), (arguments)) { work } defines a function and its variant for the
 * per-thread default stream: what a NULL in hStream means is all that differs. The work also sees
 * `context`, the id of the calling thread's, or of the stream's where the thread has none.
 */
#define STREAM_CALL_LIST(...) __VA_ARGS__
#define STREAM_CALL(symbol, parameters, arguments)                                  \
	static CUresult symbol##_on(uint64_t context, STREAM_CALL_LIST parameters); \
	CUresult symbol parameters                                                  \
	{                                                                           \
		uint64_t context;                                                   \
		CONTEXT_ENTER_STREAM(&context, hStream);                            \
		return symbol##_on(context, STREAM_CALL_LIST arguments);            \
	}                                                                           \
	CUresult symbol##_ptsz parameters                                           \
	{                                                                           \
		uint64_t context;                                                   \
		CONTEXT_ENTER_STREAM(&context, hStream);                            \
		hStream = stream_per_thread(hStream);                               \
		return symbol##_on(context, STREAM_CALL_LIST arguments);            \
	}                                                                           \
	static CUresult symbol##_on(uint64_t __attribute__((unused)) context,       \
				    STREAM_CALL_LIST parameters)

#endif
