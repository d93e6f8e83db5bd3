/* SPDX-License-Identifier: GPL-2.0-or-later */
/* case_copy.c - copies in one dimension: every direction, size and kind of memory */

#include <stdlib.h>
#include <string.h>

#include "tests/programs/suite.h"

#define MOST (64 << 20)
#define EDGE 64 /* bytes around a copy that must stay as they were */

static const size_t sizes[] = { 0,    1,    3,	   4,	  63,	 4095,
				4096, 4097, 32768, 32769, 65536, (1 << 20) + 1,
				MOST };
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

struct place {
	CUdeviceptr device[2];
	uint8_t *out, *back; /* host memory of MOST + 2 EDGE bytes */
	CUstream stream;
};

enum kind { SYNCHRONOUS, ASYNCHRONOUS, UNIFIED, UNIFIED_ASYNCHRONOUS };

static CUdeviceptr as_device(const void *host)
{
	return (CUdeviceptr)(uintptr_t)host;
}

static void to_device(enum kind kind, CUdeviceptr to, const void *from, size_t bytes,
		      CUstream stream)
{
	switch (kind) {
	case SYNCHRONOUS:
		OK(cuMemcpyHtoD(to, from, bytes));
		break;
	case ASYNCHRONOUS:
		OK(cuMemcpyHtoDAsync(to, from, bytes, stream));
		break;
	case UNIFIED:
		OK(cuMemcpy(to, as_device(from), bytes));
		break;
	case UNIFIED_ASYNCHRONOUS:
		OK(cuMemcpyAsync(to, as_device(from), bytes, stream));
		break;
	}
}

static void within_device(enum kind kind, CUdeviceptr to, CUdeviceptr from, size_t bytes,
			  CUstream stream)
{
	switch (kind) {
	case SYNCHRONOUS:
		OK(cuMemcpyDtoD(to, from, bytes));
		break;
	case ASYNCHRONOUS:
		OK(cuMemcpyDtoDAsync(to, from, bytes, stream));
		break;
	case UNIFIED:
		OK(cuMemcpy(to, from, bytes));
		break;
	case UNIFIED_ASYNCHRONOUS:
		OK(cuMemcpyAsync(to, from, bytes, stream));
		break;
	}
}

static void to_host(enum kind kind, void *to, CUdeviceptr from, size_t bytes, CUstream stream)
{
	switch (kind) {
	case SYNCHRONOUS:
		OK(cuMemcpyDtoH(to, from, bytes));
		break;
	case ASYNCHRONOUS:
		OK(cuMemcpyDtoHAsync(to, from, bytes, stream));
		break;
	case UNIFIED:
		OK(cuMemcpy(as_device(to), from, bytes));
		break;
	case UNIFIED_ASYNCHRONOUS:
		OK(cuMemcpyAsync(as_device(to), from, bytes, stream));
		break;
	}
}

static bool is_all(const uint8_t *bytes, size_t len, uint8_t value)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] != value)
			return false;
	}
	return true;
}

/* Host, device, device, host: each step once, the bytes around it stay. Odd offsets on both sides. */
static void go_round(const struct place *place, enum kind kind, size_t bytes, unsigned seed)
{
	/* Without a stream's order each step waits for the one before. */
	const bool ordered = kind == ASYNCHRONOUS || kind == UNIFIED_ASYNCHRONOUS;
	CUdeviceptr first = place->device[0] + EDGE + 1, second = place->device[1] + EDGE + 3;
	size_t span = bytes + 2 * EDGE;

	suite_pattern(place->out, bytes, seed);
	memset(place->back, 0xee, span);
	OK(cuMemsetD8Async(place->device[1], 0x77, span + 4, place->stream));
	OK(cuStreamSynchronize(place->stream));
	to_device(kind, first, place->out, bytes, place->stream);
	within_device(kind, second, first, bytes, place->stream);
	if (!ordered)
		OK(cuCtxSynchronize()); /* a copy within the device need not have ended */
	to_host(kind, place->back + EDGE, second, bytes, place->stream);
	OK(cuStreamSynchronize(place->stream));
	TRUE(suite_is_pattern(place->back + EDGE, bytes, seed));
	TRUE(is_all(place->back, EDGE, 0xee));
	TRUE(is_all(place->back + EDGE + bytes, EDGE, 0xee));
	OK(cuMemcpyDtoH(place->back, second - EDGE, EDGE));
	TRUE(is_all(place->back, EDGE, 0x77));
	OK(cuMemcpyDtoH(place->back, second + bytes, EDGE - 3));
	TRUE(is_all(place->back, EDGE - 3, 0x77));
}

static void all_sizes(bool pinned, enum kind kind)
{
	const size_t room = MOST + 2 * EDGE + 8;
	struct place place;

	suite_begin();
	place.device[0] = suite_device(room);
	place.device[1] = suite_device(room);
	place.out = pinned ? suite_host(room) : malloc(room);
	place.back = pinned ? suite_host(room) : malloc(room);
	OK(cuStreamCreate(&place.stream, CU_STREAM_NON_BLOCKING));
	for (size_t i = 0; i < SIZES; i++)
		go_round(&place, kind, sizes[i], (unsigned)(i * 7 + kind));
	if (!pinned) {
		free(place.out);
		free(place.back);
	}
}

CASE(copy_pageable)
{
	all_sizes(false, SYNCHRONOUS);
}

CASE(copy_pageable_async)
{
	all_sizes(false, ASYNCHRONOUS);
}

CASE(copy_pageable_unified)
{
	all_sizes(false, UNIFIED);
}

CASE(copy_pageable_unified_async)
{
	all_sizes(false, UNIFIED_ASYNCHRONOUS);
}

CASE(copy_pinned)
{
	all_sizes(true, SYNCHRONOUS);
}

CASE(copy_pinned_async)
{
	all_sizes(true, ASYNCHRONOUS);
}

CASE(copy_pinned_unified)
{
	all_sizes(true, UNIFIED);
}

CASE(copy_pinned_unified_async)
{
	all_sizes(true, UNIFIED_ASYNCHRONOUS);
}

/* cuMemcpy between two places of the host's own memory, and from pinned to not pinned. */
CASE(copy_host_to_host)
{
	enum { BYTES = 100001 };
	static uint8_t from[BYTES], to[BYTES];
	uint8_t *pinned;

	suite_begin();
	suite_pattern(from, BYTES, 4);
	OK(cuMemcpy(as_device(to), as_device(from), BYTES));
	TRUE(suite_is_pattern(to, BYTES, 4));
	pinned = suite_host(BYTES);
	OK(cuMemcpy(as_device(pinned), as_device(from), BYTES));
	TRUE(suite_is_pattern(pinned, BYTES, 4));
	memset(to, 0, BYTES);
	OK(cuMemcpy(as_device(to), as_device(pinned), BYTES));
	TRUE(suite_is_pattern(to, BYTES, 4));
}

CASE(copy_bad_input)
{
	uint8_t bytes[64] = { 0 };
	CUdeviceptr address;

	suite_begin();
	OK(cuMemAlloc(&address, 2 << 20));
	WANT(cuMemcpyHtoD(address, NULL, 4), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemcpyDtoH(NULL, address, 4), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemcpyHtoD(0, bytes, 4), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemcpyDtoH(bytes, 0, 4), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemcpyDtoD(address, 0, 4), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemcpyHtoD(address + (2 << 20) - 2, bytes, 4), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemcpyDtoH(bytes, address + (2 << 20) - 2, 4), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemcpyDtoD(address, address + (2 << 20) - 2, 4), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemcpyHtoD(as_device(bytes), bytes + 32, 4), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemcpyHtoD(address, bytes, SIZE_MAX), CUDA_ERROR_INVALID_VALUE);
	OK(cuMemcpyHtoD(address, bytes, 0));
	OK(cuMemcpyDtoH(bytes, address, 0));
	OK(cuMemFree(address));
	WANT(cuMemcpyHtoD(address, bytes, 4), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemcpyDtoH(bytes, address, 4), CUDA_ERROR_INVALID_VALUE);
	/* None of that was sticky. */
	OK(cuCtxSynchronize());
}

/* An asynchronous copy from memory that is not pinned has taken its bytes when the call returns. */
CASE(copy_async_takes_the_bytes)
{
	uint32_t *flag, word, back[200];
	CUdeviceptr address;
	CUstream stream;

	suite_begin();
	flag = suite_host(4);
	address = suite_device(sizeof(back));
	OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
	LAUNCH(suite_kernel("spin"), 1, 1, stream, &flag);
	for (word = 0; word < 200; word++)
		OK(cuMemcpyHtoDAsync(address + word * 4, &word, 4, stream));
	*(volatile uint32_t *)flag = 1;
	OK(cuStreamSynchronize(stream));
	OK(cuMemcpyDtoH(back, address, sizeof(back)));
	for (uint32_t i = 0; i < 200; i++)
		EQUAL(back[i], i);
}

/* A copy without a stream waits for what blocking streams have, and then is done itself. */
CASE(copy_waits_for_kernels)
{
	const uint32_t n = 1 << 16;
	uint32_t back = 0;
	CUdeviceptr address;
	CUstream stream;

	suite_begin();
	address = suite_device(n * 4);
	OK(cuStreamCreate(&stream, CU_STREAM_DEFAULT));
	LAUNCH(suite_kernel("delay"), 1, 1, stream, &(unsigned long long){ 5000000 });
	LAUNCH(suite_kernel("fill"), 16, 128, stream, &address, &(uint32_t){ n }, &(uint32_t){ 6 });
	OK(cuMemcpyDtoH(&back, address + (n - 1) * 4, 4));
	EQUAL(back, 6);
}
