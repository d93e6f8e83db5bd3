/* SPDX-License-Identifier: GPL-2.0-or-later */
/* case_limit.c - launches that must be refused */

#include "tests/programs/suite.h"

static CUresult try_shape(unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
			  unsigned bz)
{
	return cuLaunchKernel(suite_kernel("empty"), gx, gy, gz, bx, by, bz, 0, NULL, NULL, NULL);
}

CASE(limit_of_shapes)
{
	suite_begin();
	OK(try_shape(1, 1, 1, 1024, 1, 1));
	OK(try_shape(1, 1, 1, 1, 1024, 1));
	OK(try_shape(1, 1, 1, 1, 1, 64));
	OK(try_shape(1, 65535, 1, 1, 1, 1));
	OK(try_shape(1, 1, 65535, 1, 1, 1));
	OK(try_shape(100000, 1, 1, 1, 1, 1));
	WANT(try_shape(0, 1, 1, 1, 1, 1), CUDA_ERROR_INVALID_VALUE);
	WANT(try_shape(1, 0, 1, 1, 1, 1), CUDA_ERROR_INVALID_VALUE);
	WANT(try_shape(1, 1, 0, 1, 1, 1), CUDA_ERROR_INVALID_VALUE);
	WANT(try_shape(1, 1, 1, 0, 1, 1), CUDA_ERROR_INVALID_VALUE);
	WANT(try_shape(1, 1, 1, 1, 0, 1), CUDA_ERROR_INVALID_VALUE);
	WANT(try_shape(1, 1, 1, 1, 1, 0), CUDA_ERROR_INVALID_VALUE);
	WANT(try_shape(1, 1, 1, 1025, 1, 1), CUDA_ERROR_INVALID_VALUE);
	WANT(try_shape(1, 1, 1, 1, 1025, 1), CUDA_ERROR_INVALID_VALUE);
	WANT(try_shape(1, 1, 1, 1, 1, 65), CUDA_ERROR_INVALID_VALUE);
	WANT(try_shape(1, 1, 1, 32, 33, 1), CUDA_ERROR_INVALID_VALUE);
	WANT(try_shape(1, 65536, 1, 1, 1, 1), CUDA_ERROR_INVALID_VALUE);
	WANT(try_shape(1, 1, 65536, 1, 1, 1), CUDA_ERROR_INVALID_VALUE);
	WANT(try_shape(0x80000000u, 1, 1, 1, 1, 1), CUDA_ERROR_INVALID_VALUE);
	WANT(try_shape(1, 1, 1, 65536, 65536, 1), CUDA_ERROR_INVALID_VALUE);
	OK(cuCtxSynchronize());
}

CASE(limit_of_shared_memory)
{
	suite_begin();
	WANT(cuLaunchKernel(suite_kernel("empty"), 1, 1, 1, 1, 1, 1, 1 << 20, NULL, NULL, NULL),
	     CUDA_ERROR_INVALID_VALUE);
	WANT(cuLaunchKernel(suite_kernel("empty"), 1, 1, 1, 1, 1, 1, 0xffffffffu, NULL, NULL, NULL),
	     CUDA_ERROR_INVALID_VALUE);
	OK(cuLaunchKernel(suite_kernel("empty"), 1, 1, 1, 1, 1, 1, 48 << 10, NULL, NULL, NULL));
	OK(cuCtxSynchronize());
}

CASE(limit_of_launch_bounds)
{
	CUdeviceptr out;

	suite_begin();
	out = suite_device(4096);
	LAUNCH(suite_kernel("bounded"), 1, 128, NULL, &out);
	WANT_EITHER(cuLaunchKernel(suite_kernel("bounded"), 1, 1, 1, 256, 1, 1, 0, NULL,
				   (void *[]){ &out }, NULL),
		    CUDA_ERROR_INVALID_VALUE, CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES);
	OK(cuCtxSynchronize());
}

CASE(limit_of_parameters)
{
	uint32_t blob[8] = { 0 };
	size_t bytes = sizeof(blob);
	void *both[] = { CU_LAUNCH_PARAM_BUFFER_POINTER, blob, CU_LAUNCH_PARAM_BUFFER_SIZE, &bytes,
			 CU_LAUNCH_PARAM_END };
	void *arguments[] = { blob, blob, blob };
	CUfunction fill;

	suite_begin();
	fill = suite_kernel("fill");
	WANT(cuLaunchKernel(fill, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL), CUDA_ERROR_INVALID_VALUE);
	WANT(cuLaunchKernel(fill, 1, 1, 1, 1, 1, 1, 0, NULL, arguments, both),
	     CUDA_ERROR_INVALID_VALUE);
	OK(cuCtxSynchronize());
}

/* A driver takes what is missing from anywhere. */
CASE_VGPU(limit_of_parameters_too_few)
{
	uint32_t blob[2] = { 0 };
	size_t bytes = sizeof(blob);
	void *extra[] = { CU_LAUNCH_PARAM_BUFFER_POINTER, blob, CU_LAUNCH_PARAM_BUFFER_SIZE, &bytes,
			  CU_LAUNCH_PARAM_END };

	suite_begin();
	WANT(cuLaunchKernel(suite_kernel("fill"), 1, 1, 1, 1, 1, 1, 0, NULL, NULL, extra),
	     CUDA_ERROR_INVALID_VALUE);
	OK(cuCtxSynchronize());
}

/* A buffer with more than the kernel takes. */
CASE(limit_of_parameters_too_many)
{
	struct {
		CUdeviceptr address;
		uint32_t n, value, more[4];
	} blob = { .n = 1, .value = 5 };
	size_t bytes = sizeof(blob);
	CUresult result;
	void *extra[] = { CU_LAUNCH_PARAM_BUFFER_POINTER, &blob, CU_LAUNCH_PARAM_BUFFER_SIZE,
			  &bytes, CU_LAUNCH_PARAM_END };

	suite_begin();
	blob.address = suite_device(4);
	result = cuLaunchKernel(suite_kernel("fill"), 1, 1, 1, 32, 1, 1, 0, NULL, NULL, extra);
	/* A driver says LAUNCH_OUT_OF_RESOURCES; the manual does not say. */
	TRUE(result == CUDA_SUCCESS || result == CUDA_ERROR_INVALID_VALUE ||
	     result == CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES);
	OK(cuCtxSynchronize());
}

CASE(limit_of_handles)
{
	suite_begin();
	WANT_EITHER(cuLaunchKernel(NULL, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL),
		    CUDA_ERROR_INVALID_HANDLE, CUDA_ERROR_INVALID_VALUE);
	OK(cuCtxSynchronize());
}
