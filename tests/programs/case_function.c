/* SPDX-License-Identifier: GPL-2.0-or-later */
/* case_function.c - attributes and parameters of functions, occupancy */

#include "tests/programs/suite.h"

static int attribute(CUfunction function, CUfunction_attribute which)
{
	int value = -1;

	OK(cuFuncGetAttribute(&value, which, function));
	return value;
}

CASE(function_attributes)
{
	CUfunction function;
	int value;

	suite_begin();
	function = suite_kernel("shared_static");
	EQUAL(attribute(function, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES), 1024);
	EQUAL(attribute(function, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK), 1024);
	TRUE(attribute(function, CU_FUNC_ATTRIBUTE_NUM_REGS) > 0);
	TRUE(attribute(function, CU_FUNC_ATTRIBUTE_PTX_VERSION) >= 50);
	TRUE(attribute(function, CU_FUNC_ATTRIBUTE_BINARY_VERSION) >= 50);
	TRUE(attribute(function, CU_FUNC_ATTRIBUTE_CACHE_MODE_CA) >= 0);
	TRUE(attribute(function, CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES) >= 0);
	TRUE(attribute(function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES) >= 40 << 10);
	EQUAL(attribute(suite_kernel("bounded"), CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK), 128);
	TRUE(attribute(suite_kernel("local"), CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES) >= 256);
	EQUAL(attribute(suite_kernel("empty"), CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES), 0);
	WANT(cuFuncGetAttribute(&value, (CUfunction_attribute)1000, function),
	     CUDA_ERROR_INVALID_VALUE);
	WANT(cuFuncGetAttribute(NULL, CU_FUNC_ATTRIBUTE_NUM_REGS, function),
	     CUDA_ERROR_INVALID_VALUE);
}

CASE(function_settings)
{
	const CUfunction_attribute dynamic = CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
	CUfunctionLoadingState state;
	CUfunction function;
	int most = 0;

	suite_begin();
	function = suite_kernel("shared_dynamic");
	OK(cuDeviceGetAttribute(&most, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, 0));
	OK(cuFuncSetAttribute(function, dynamic, most));
	EQUAL(attribute(function, dynamic), most);
	OK(cuFuncSetAttribute(function, dynamic, 2048));
	EQUAL(attribute(function, dynamic), 2048);
	WANT(cuFuncSetAttribute(function, dynamic, most + 1), CUDA_ERROR_INVALID_VALUE);
	WANT(cuFuncSetAttribute(function, dynamic, -5), CUDA_ERROR_INVALID_VALUE);
	OK(cuFuncSetAttribute(function, CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT, 50));
	EQUAL(attribute(function, CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT), 50);
	WANT(cuFuncSetAttribute(function, CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT, 101),
	     CUDA_ERROR_INVALID_VALUE);
	WANT(cuFuncSetAttribute(function, CU_FUNC_ATTRIBUTE_NUM_REGS, 10),
	     CUDA_ERROR_INVALID_VALUE);
	OK(cuFuncSetCacheConfig(function, CU_FUNC_CACHE_PREFER_SHARED));
	WANT(cuFuncSetCacheConfig(function, (CUfunc_cache)77), CUDA_ERROR_INVALID_VALUE);
	OK(cuFuncLoad(function));
	OK(cuFuncIsLoaded(&state, function));
	EQUAL(state, CU_FUNCTION_LOADING_STATE_LOADED);
}

CASE(function_parameters)
{
	/* As a C compiler lays out u8, u16, u32, u64, float, double, struct triple (16 bytes), pointer. */
	static const size_t offsets[] = { 0, 2, 4, 8, 16, 24, 32, 48 };
	static const size_t sizes[] = { 1, 2, 4, 8, 4, 8, 16, 8 };
	CUfunction function;
	size_t offset, bytes;

	suite_begin();
	function = suite_kernel("parameters");
	for (size_t i = 0; i < 8; i++) {
		OK(cuFuncGetParamInfo(function, i, &offset, &bytes));
		EQUAL(offset, offsets[i]);
		EQUAL(bytes, sizes[i]);
	}
	WANT(cuFuncGetParamInfo(function, 8, &offset, &bytes), CUDA_ERROR_INVALID_VALUE);
	OK(cuFuncGetParamInfo(function, 0, &offset, NULL));
	WANT(cuFuncGetParamInfo(function, 0, NULL, &bytes), CUDA_ERROR_INVALID_VALUE);
	WANT(cuFuncGetParamInfo(suite_kernel("empty"), 0, &offset, &bytes),
	     CUDA_ERROR_INVALID_VALUE);
	OK(cuFuncGetParamInfo(suite_kernel("huge"), 1, &offset, &bytes));
	EQUAL(offset, 8);
	EQUAL(bytes, 32756);
}

CASE(function_occupancy)
{
	CUfunction function;
	int blocks = 0, grid = 0, block = 0, threads = 0;
	size_t bytes = 0;

	suite_begin();
	function = suite_kernel("fill");
	OK(cuDeviceGetAttribute(&threads, CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR, 0));
	OK(cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, function, 128, 0));
	TRUE(blocks >= 1 && blocks * 128 <= threads);
	OK(cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(
		&blocks, function, 1024, 0, CU_OCCUPANCY_DISABLE_CACHING_OVERRIDE));
	TRUE(blocks >= 1 && blocks * 1024 <= threads);
	OK(cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, function, 128, 40 << 10));
	TRUE(blocks >= 1);
	OK(cuOccupancyMaxPotentialBlockSize(&grid, &block, function, NULL, 0, 0));
	TRUE(grid >= 1 && block >= 32 && block <= 1024);
	OK(cuOccupancyMaxPotentialBlockSize(&grid, &block, function, NULL, 0, 96));
	TRUE(grid >= 1 && block >= 32 && block <= 96);
	OK(cuOccupancyAvailableDynamicSMemPerBlock(&bytes, function, 1, 128));
	TRUE(bytes >= 16 << 10);
	WANT(cuOccupancyMaxActiveBlocksPerMultiprocessor(NULL, function, 128, 0),
	     CUDA_ERROR_INVALID_VALUE);
	WANT(cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, function, 0, 0),
	     CUDA_ERROR_INVALID_VALUE);
	WANT(cuOccupancyMaxPotentialBlockSize(NULL, &block, function, NULL, 0, 0),
	     CUDA_ERROR_INVALID_VALUE);
}

static size_t shared_of(int block)
{
	return (size_t)block * 16;
}

CASE(function_occupancy_by_callback)
{
	int grid = 0, block = 0;

	suite_begin();
	OK(cuOccupancyMaxPotentialBlockSize(&grid, &block, suite_kernel("shared_dynamic"),
					    shared_of, 0, 0));
	TRUE(grid >= 1 && block >= 32 && block <= 1024);
	OK(cuOccupancyMaxPotentialBlockSizeWithFlags(&grid, &block, suite_kernel("shared_dynamic"),
						     shared_of, 0, 0, 0));
	TRUE(grid >= 1 && block >= 32 && block <= 1024);
}

CASE_VGPU(function_handles_that_are_none)
{
	CUfunction none = (CUfunction)0x1234;
	int value;

	suite_begin();
	WANT(cuFuncGetAttribute(&value, CU_FUNC_ATTRIBUTE_NUM_REGS, NULL),
	     CUDA_ERROR_INVALID_HANDLE);
	WANT(cuFuncGetAttribute(&value, CU_FUNC_ATTRIBUTE_NUM_REGS, none),
	     CUDA_ERROR_INVALID_HANDLE);
	WANT(cuLaunchKernel(none, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL),
	     CUDA_ERROR_INVALID_HANDLE);
}
