/* SPDX-License-Identifier: GPL-2.0-or-later */
/* occupancy.c - how many blocks a multiprocessor holds at once: asked once for each size of block */

#include "guest/libcuda/context.h"
#include "guest/libcuda/entries.h"
#include "guest/libcuda/module.h"

#define WARP 32u
#define MULTIPROCESSORS 16	      /* CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT */
#define THREADS_PER_MULTIPROCESSOR 39 /* CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR */
#define SHARED_OPTIN 97		      /* ..._MAX_SHARED_MEMORY_PER_BLOCK_OPTIN */

/* Return: whether it was asked before, with the answer in *asked. The caller holds module_cache_lock. */
static bool remembered(const struct function *function, struct occupancy *asked)
{
	for (uint32_t i = 0; i < function->occupancy_num && i < FUNCTION_OCCUPANCY_NUM; i++) {
		const struct occupancy *o = &function->occupancy[i];

		if (o->shared_bytes == asked->shared_bytes &&
		    o->block_threads == asked->block_threads && o->flags == asked->flags) {
			asked->blocks = o->blocks;
			return true;
		}
	}
	return false;
}

static CUresult ask(struct function *function, struct occupancy *asked)
{
	struct vgpu_cmd_occupancy args = { .shared_bytes = asked->shared_bytes,
					   .function = function->object.index,
					   .block_threads = asked->block_threads,
					   .flags = asked->flags };
	struct vgpu_order order = { CORE_ORDER(OCCUPANCY, args) };
	struct vgpu_reply reply;
	CUresult result;
	bool known;

	pthread_mutex_lock(&module_cache_lock);
	known = remembered(function, asked);
	pthread_mutex_unlock(&module_cache_lock);
	if (known)
		return CUDA_SUCCESS;
	result = core_call(&order, &reply);
	if (result != CUDA_SUCCESS)
		return result;
	asked->blocks = (uint32_t)reply.value[0];
	pthread_mutex_lock(&module_cache_lock);
	function->occupancy[function->occupancy_num++ % FUNCTION_OCCUPANCY_NUM] = *asked;
	pthread_mutex_unlock(&module_cache_lock);
	return result;
}

static CUresult blocks_of(int *blocks, CUfunction handle, int threads, size_t shared,
			  unsigned flags)
{
	struct occupancy asked = { .shared_bytes = shared,
				   .block_threads = (uint32_t)threads,
				   .flags = flags };
	struct function *function = module_function_of(handle);
	CUresult result;

	if (!blocks || threads <= 0 || flags > 1)
		return CUDA_ERROR_INVALID_VALUE;
	if (!function)
		return CUDA_ERROR_INVALID_HANDLE;
	result = ask(function, &asked);
	if (result == CUDA_SUCCESS)
		*blocks = (int)asked.blocks;
	return result;
}

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int *numBlocks, CUfunction func, int blockSize,
						     size_t dynamicSMemSize)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	return blocks_of(numBlocks, func, blockSize, dynamicSMemSize, 0);
}

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *numBlocks, CUfunction func,
							      int blockSize, size_t dynamicSMemSize,
							      unsigned flags)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	return blocks_of(numBlocks, func, blockSize, dynamicSMemSize, flags);
}

/* --- the best block --- */

struct wish {
	CUoccupancyB2DSize shared_of; /* or NULL: shared_bytes */
	size_t shared_bytes;
	int limit; /* threads; 0: none */
	unsigned flags;
};

/* Tries blocks from the largest down, a warp less each time: the first with the most threads wins. */
static CUresult best_block(int *grid, int *block, CUfunction handle, const struct wish *wish)
{
	const struct function *function = module_function_of(handle);
	const int32_t *device = core_device()->attributes;
	uint32_t most, best_threads = 0;

	if (!grid || !block || wish->flags > 1 || wish->limit < 0)
		return CUDA_ERROR_INVALID_VALUE;
	if (!function)
		return CUDA_ERROR_INVALID_HANDLE;
	*grid = *block = 0;
	most = (uint32_t)function->attributes[CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK];
	if (most > (uint32_t)device[1])
		most = (uint32_t)device[1];
	if (wish->limit > 0 && (uint32_t)wish->limit < most)
		most = (uint32_t)wish->limit;
	for (uint32_t step = (most + WARP - 1) / WARP * WARP; step > 0; step -= WARP) {
		int threads = (int)(step < most ? step : most), blocks;
		size_t shared = wish->shared_of ? wish->shared_of(threads) : wish->shared_bytes;
		CUresult result = blocks_of(&blocks, handle, threads, shared, wish->flags);

		if (result != CUDA_SUCCESS)
			return result;
		if ((uint32_t)(blocks * threads) > best_threads) {
			best_threads = (uint32_t)(blocks * threads);
			*block = threads;
			*grid = blocks * device[MULTIPROCESSORS];
		}
		if (best_threads >= (uint32_t)device[THREADS_PER_MULTIPROCESSOR])
			break;
	}
	return CUDA_SUCCESS;
}

CUresult cuOccupancyMaxPotentialBlockSize(int *minGridSize, int *blockSize, CUfunction func,
					  CUoccupancyB2DSize blockSizeToDynamicSMemSize,
					  size_t dynamicSMemSize, int blockSizeLimit)
{
	struct wish wish = { blockSizeToDynamicSMemSize, dynamicSMemSize, blockSizeLimit, 0 };
	uint64_t context;

	CONTEXT_ENTER(&context);
	return best_block(minGridSize, blockSize, func, &wish);
}

CUresult cuOccupancyMaxPotentialBlockSizeWithFlags(int *minGridSize, int *blockSize,
						   CUfunction func,
						   CUoccupancyB2DSize blockSizeToDynamicSMemSize,
						   size_t dynamicSMemSize, int blockSizeLimit,
						   unsigned flags)
{
	struct wish wish = { blockSizeToDynamicSMemSize, dynamicSMemSize, blockSizeLimit, flags };
	uint64_t context;

	CONTEXT_ENTER(&context);
	return best_block(minGridSize, blockSize, func, &wish);
}

/* The most shared memory with which so many blocks still fit: found by halving. */
CUresult cuOccupancyAvailableDynamicSMemPerBlock(size_t *dynamicSmemSize, CUfunction func,
						 int numBlocks, int blockSize)
{
	size_t low = 0, high;
	uint64_t context;
	int blocks;
	CUresult result;

	CONTEXT_ENTER(&context);
	if (!dynamicSmemSize || numBlocks <= 0)
		return CUDA_ERROR_INVALID_VALUE;
	result = blocks_of(&blocks, func, blockSize, 0, 0);
	if (result != CUDA_SUCCESS)
		return result;
	if (blocks < numBlocks)
		return CUDA_ERROR_INVALID_VALUE;
	high = (size_t)core_device()->attributes[SHARED_OPTIN] + 1;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		result = blocks_of(&blocks, func, blockSize, middle, 0);
		if (result != CUDA_SUCCESS)
			return result;
		if (blocks >= numBlocks)
			low = middle;
		else
			high = middle;
	}
	*dynamicSmemSize = low;
	return CUDA_SUCCESS;
}
