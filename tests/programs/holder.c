/* SPDX-License-Identifier: GPL-2.0-or-later */
/* holder.c - a CUDA program that takes and frees memory of its GPU as it is told, line by line */

/*
 * It answers each line of standard input with one line: the CUresult's number, then figures. N is the
 * number of an allocation, from 0, in the order in which they were made; failed ones have none.
 *
 *   alloc BYTES | async BYTES | pooled BYTES: memory of its own, of the default pool, of the other pool
 *   free N | freeasync N | freeall            fill BYTES: allocations until one fails
 *   pool MAX | droppool: the other pool       trim KEEP | keep BYTES: of the default pool
 *   module BYTES | unload                     limit NUMBER VALUE
 *   circle BYTES TIMES: allocate and free     sync | info | total
 *   churn BYTES TIMES: the same, but without room it goes on; its second figure: how often there was room
 *   host BYTES | freehost: mapped memory of the host
 */

#include <cuda.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 100000

static CUdeviceptr held[MOST];
static unsigned held_num;
static CUmemoryPool pool, own_pool;
static CUmodule module;
static void *host;

static CUresult begin(void)
{
	CUcontext context;
	CUresult result = cuInit(0);

	if (result == CUDA_SUCCESS)
		result = cuDevicePrimaryCtxRetain(&context, 0);
	if (result == CUDA_SUCCESS)
		result = cuCtxSetCurrent(context);
	if (result == CUDA_SUCCESS)
		result = cuDeviceGetDefaultMemPool(&pool, 0);
	return result;
}

static CUresult keep(CUresult result, CUdeviceptr address)
{
	if (result == CUDA_SUCCESS && held_num < MOST)
		held[held_num++] = address;
	return result;
}

/* Loads a module with one variable of so many bytes. */
static CUresult load(uint64_t bytes)
{
	char text[256];

	snprintf(text, sizeof(text),
		 ".version 6.0\n.target sm_50\n.address_size 64\n"
		 ".visible .global .align 4 .b8 large[%" PRIu64 "];\n"
		 ".visible .entry nothing()\n{\n\tret;\n}\n",
		 bytes);
	return cuModuleLoadData(&module, text);
}

static CUresult allocate(uint64_t bytes)
{
	CUdeviceptr address = 0;
	CUresult result = cuMemAlloc(&address, bytes);

	return keep(result, address);
}

static CUresult allocate_async(uint64_t bytes)
{
	CUdeviceptr address = 0;
	CUresult result = cuMemAllocAsync(&address, bytes, NULL);

	return keep(result, address);
}

static CUresult pooled(uint64_t bytes)
{
	CUdeviceptr address = 0;
	CUresult result = cuMemAllocFromPoolAsync(&address, bytes, own_pool, NULL);

	return keep(result, address);
}

static CUresult new_pool(uint64_t most_bytes)
{
	CUmemPoolProps props;

	memset(&props, 0, sizeof(props));
	props.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
	props.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
	props.maxSize = most_bytes;
	return cuMemPoolCreate(&own_pool, &props);
}

static CUresult free_all(void)
{
	CUresult result = CUDA_SUCCESS;

	for (unsigned i = 0; i < held_num && result == CUDA_SUCCESS; i++) {
		if (held[i] != 0)
			result = cuMemFree(held[i]);
		held[i] = 0;
	}
	held_num = 0;
	return result;
}

/* Allocates and frees the same again and again. */
static CUresult circle(uint64_t bytes, uint64_t times)
{
	CUresult result = CUDA_SUCCESS;
	CUdeviceptr address;

	for (uint64_t i = 0; i < times && result == CUDA_SUCCESS; i++) {
		result = cuMemAlloc(&address, bytes);
		if (result == CUDA_SUCCESS)
			result = cuMemFree(address);
	}
	return result;
}

/* Return: how often there was room; -1: something else was wrong. */
static int churn(uint64_t bytes, uint64_t times)
{
	int num = 0;

	for (uint64_t i = 0; i < times; i++) {
		CUdeviceptr address;
		CUresult result = cuMemAlloc(&address, bytes);

		if (result == CUDA_ERROR_OUT_OF_MEMORY)
			continue;
		if (result != CUDA_SUCCESS || cuMemFree(address) != CUDA_SUCCESS)
			return -1;
		num++;
	}
	return num;
}

/* Allocates so many bytes each time, until there are no more. */
static CUresult fill(uint64_t bytes)
{
	CUresult result = CUDA_SUCCESS;
	CUdeviceptr address;

	while (result == CUDA_SUCCESS && held_num < MOST) {
		result = cuMemAlloc(&address, bytes);
		keep(result, address);
	}
	return result;
}

static CUresult let_go(CUresult (*how)(CUdeviceptr address), uint64_t number)
{
	CUdeviceptr address = number < held_num ? held[number] : 0;

	if (address != 0)
		held[number] = 0;
	return address != 0 ? how(address) : CUDA_ERROR_INVALID_VALUE;
}

static CUresult free_async(CUdeviceptr address)
{
	return cuMemFreeAsync(address, NULL);
}

static CUresult free_now(CUdeviceptr address)
{
	return cuMemFree(address);
}

static CUresult change(const char *word, uint64_t first, uint64_t second)
{
	cuuint64_t threshold = first;

	if (strcmp(word, "alloc") == 0)
		return allocate(first);
	if (strcmp(word, "async") == 0)
		return allocate_async(first);
	if (strcmp(word, "pooled") == 0)
		return pooled(first);
	if (strcmp(word, "free") == 0)
		return let_go(free_now, first);
	if (strcmp(word, "freeasync") == 0)
		return let_go(free_async, first);
	if (strcmp(word, "freeall") == 0)
		return free_all();
	if (strcmp(word, "pool") == 0)
		return new_pool(first);
	if (strcmp(word, "droppool") == 0)
		return cuMemPoolDestroy(own_pool);
	if (strcmp(word, "trim") == 0)
		return cuMemPoolTrimTo(pool, first);
	if (strcmp(word, "keep") == 0)
		return cuMemPoolSetAttribute(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &threshold);
	if (strcmp(word, "module") == 0)
		return load(first);
	if (strcmp(word, "unload") == 0)
		return cuModuleUnload(module);
	if (strcmp(word, "limit") == 0)
		return cuCtxSetLimit((CUlimit)first, second);
	if (strcmp(word, "sync") == 0)
		return cuCtxSynchronize();
	if (strcmp(word, "circle") == 0)
		return circle(first, second);
	if (strcmp(word, "host") == 0)
		return cuMemHostAlloc(&host, first, CU_MEMHOSTALLOC_DEVICEMAP);
	if (strcmp(word, "freehost") == 0)
		return cuMemFreeHost(host);
	if (strcmp(word, "fill") == 0)
		return fill(first);
	return CUDA_ERROR_INVALID_VALUE;
}

static void answer(const char *word, uint64_t first, uint64_t second)
{
	size_t is_free = 0, total = 0;
	CUresult result;

	if (strcmp(word, "info") == 0) {
		result = cuMemGetInfo(&is_free, &total);
		printf("%d %zu %zu\n", result, is_free, total);
	} else if (strcmp(word, "total") == 0) {
		result = cuDeviceTotalMem(&total, 0);
		printf("%d %zu\n", result, total);
	} else if (strcmp(word, "churn") == 0) {
		printf("0 %d\n", churn(first, second));
	} else {
		result = change(word, first, second);
		printf("%d %u\n", result, held_num);
	}
	fflush(stdout);
}

int main(void)
{
	char line[128], word[32];

	printf("%d\n", begin());
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		uint64_t first = 0, second = 0;

		if (sscanf(line, "%31s %" SCNu64 " %" SCNu64, word, &first, &second) >= 1)
			answer(word, first, second);
	}
	return 0;
}
