/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_cuda_abi.c - our tables of the CUDA driver API against the toolkit's headers */

#include <stdio.h>

#if __has_include(<cuda.h>) && __has_include(<cudaTypedefs.h>)

#include <cuda.h>
#include <cudaTypedefs.h>

#include "common/cuda/cuda_calls.h"
#include "common/cuda/cuda_export.h"
#include "common/cuda/cuda_program_calls.h"

/*
 * Numbers, types and calls are the same if this file compiles; pointers can only be compared at run
 * time.
 */

#define SAME(a, b) __builtin_types_compatible_p(a, b)

#define CHECK_NUMBER(name, value) _Static_assert((name) == (value), #name);
CUDA_ABI_RESULTS(CHECK_NUMBER)
CUDA_ABI_ATTRIBUTES(CHECK_NUMBER)
CUDA_ABI_FLAGS(CHECK_NUMBER)
CUDA_EXPORT_FLAGS(CHECK_NUMBER)
CUDA_EXPORT_ATTRIBUTES(CHECK_NUMBER)

_Static_assert(SAME(CUdevice, int), "CUdevice");
_Static_assert(SAME(CUdeviceptr, unsigned long long), "CUdeviceptr");
_Static_assert(SAME(CUcontext, struct CUctx_st *), "CUcontext");
_Static_assert(SAME(CUmodule, struct CUmod_st *), "CUmodule");
_Static_assert(SAME(CUfunction, struct CUfunc_st *), "CUfunction");
_Static_assert(SAME(CUstream, struct CUstream_st *), "CUstream");
_Static_assert(SAME(CUevent, struct CUevent_st *), "CUevent");
_Static_assert(SAME(CUmemoryPool, struct CUmemPoolHandle_st *), "CUmemoryPool");
_Static_assert(sizeof(CUresult) == sizeof(int), "CUresult");
_Static_assert(sizeof(CUdevice_attribute) == sizeof(int), "CUdevice_attribute");

/* Under the name that libcuda.so.1 exports, and as of the CUDA version that brought it. */
#define CHECK_CALL(field, name, suffix, version, arguments)                            \
	_Static_assert(SAME(__typeof__(&name##suffix), CUresult(*) arguments), #name); \
	_Static_assert(SAME(PFN_##name##_v##version, CUresult(*) arguments), #version);
CUDA_CALLS(CHECK_CALL)
CUDA_PROGRAM_CALLS(CHECK_CALL)

struct pointer {
	const void *ours;
	const void *toolkit;
	const char *name;
};

#define POINTER(ours, toolkit)                                          \
	{                                                               \
		(const void *)(ours), (const void *)(toolkit), #toolkit \
	}

static const struct pointer pointers[] = {
	POINTER(CUDA_EXPORT_STREAM_LEGACY, CU_STREAM_LEGACY),
	POINTER(CUDA_EXPORT_STREAM_PER_THREAD, CU_STREAM_PER_THREAD),
	POINTER(CUDA_ABI_LAUNCH_BUFFER, CU_LAUNCH_PARAM_BUFFER_POINTER),
	POINTER(CUDA_ABI_LAUNCH_BUFFER_BYTES, CU_LAUNCH_PARAM_BUFFER_SIZE),
	POINTER(CUDA_ABI_LAUNCH_END, CU_LAUNCH_PARAM_END),
};

int main(void)
{
	size_t count = sizeof(pointers) / sizeof(pointers[0]);
	int wrong = 0;

	printf("1..%zu\nok 1 - numbers, types and calls are those of the toolkit\n", 1 + count);
	for (size_t i = 0; i < count; i++) {
		int same = pointers[i].ours == pointers[i].toolkit;

		printf("%sok %zu - %s\n", same ? "" : "not ", 2 + i, pointers[i].name);
		wrong |= !same;
	}
	return wrong;
}

#else

int main(void)
{
	puts("1..0 # SKIP no CUDA toolkit here");
	return 0;
}

#endif
