/* SPDX-License-Identifier: GPL-2.0-or-later */
/* case_set.c - sets in one and two dimensions, of 1, 2 and 4 bytes */

#include <string.h>

#include "tests/programs/suite.h"

#define BYTES 4096

static uint8_t back[BYTES], want[BYTES];

static void look(CUdeviceptr address)
{
	OK(cuCtxSynchronize());
	OK(cuMemcpyDtoH(back, address, BYTES));
	TRUE(memcmp(back, want, BYTES) == 0);
}

static void put(size_t at, const void *value, size_t bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		memcpy(want + at + i * bytes, value, bytes);
}

CASE(set_one_dimension)
{
	CUdeviceptr address;

	suite_begin();
	address = suite_device(BYTES);
	OK(cuMemsetD8(address + 1, 0x11, 77));
	put(1, &(uint8_t){ 0x11 }, 1, 77);
	OK(cuMemsetD16(address + 102, 0x2233, 55));
	put(102, &(uint16_t){ 0x2233 }, 2, 55);
	OK(cuMemsetD32(address + 404, 0x44556677, 33));
	put(404, &(uint32_t){ 0x44556677 }, 4, 33);
	OK(cuMemsetD8(address, 9, 0));
	OK(cuMemsetD16(address, 9, 0));
	OK(cuMemsetD32(address, 9, 0));
	look(address);
}

CASE(set_async)
{
	CUdeviceptr address;
	CUstream stream;

	suite_begin();
	address = suite_device(BYTES);
	OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
	OK(cuMemsetD32Async(address, 0x01020304, BYTES / 4, stream));
	put(0, &(uint32_t){ 0x01020304 }, 4, BYTES / 4);
	OK(cuMemsetD16Async(address + 10, 0xabcd, 100, stream));
	put(10, &(uint16_t){ 0xabcd }, 2, 100);
	OK(cuMemsetD8Async(address + 15, 0xff, 3, stream));
	put(15, &(uint8_t){ 0xff }, 1, 3);
	look(address);
}

CASE(set_two_dimensions)
{
	CUdeviceptr address;
	CUstream stream;

	suite_begin();
	address = suite_device(BYTES);
	OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
	OK(cuMemsetD2D8(address + 3, 100, 0xa1, 17, 5));
	OK(cuCtxSynchronize());
	for (size_t row = 0; row < 5; row++)
		put(3 + row * 100, &(uint8_t){ 0xa1 }, 1, 17);
	OK(cuMemsetD2D16Async(address + 1000, 64, 0xb1b2, 9, 4, stream));
	for (size_t row = 0; row < 4; row++)
		put(1000 + row * 64, &(uint16_t){ 0xb1b2 }, 2, 9);
	OK(cuMemsetD2D32Async(address + 2000, 128, 0xc1c2c3c4, 32, 6, stream));
	for (size_t row = 0; row < 6; row++)
		put(2000 + row * 128, &(uint32_t){ 0xc1c2c3c4 }, 4, 32);
	OK(cuMemsetD2D8Async(address, 100, 1, 0, 5, stream));
	OK(cuMemsetD2D8Async(address, 100, 1, 5, 0, stream));
	OK(cuMemsetD2D32(address + 3500, 8, 0x0d0e0f00, 2, 1));
	put(3500, &(uint32_t){ 0x0d0e0f00 }, 4, 2);
	look(address);
}

CASE(set_much)
{
	const size_t words = 20 << 20;
	CUdeviceptr address;
	uint32_t word = 0;

	suite_begin();
	address = suite_device(words * 4);
	OK(cuMemsetD32(address, 0xdeadbeef, words));
	OK(cuMemcpyDtoH(&word, address + (words - 1) * 4, 4));
	EQUAL(word, 0xdeadbeef);
}

CASE(set_bad_input)
{
	CUdeviceptr address;
	int local = 5;

	suite_begin();
	OK(cuMemAlloc(&address, 2 << 20));
	WANT(cuMemsetD16(address + 1, 0, 4), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemsetD32(address + 2, 0, 4), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemsetD8(address, 0, (2 << 20) + 1), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemsetD32(address + 4, 0, (2 << 20) / 4), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemsetD8(0, 0, 4), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemsetD2D8(address, 10, 0, 20, 2), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemsetD2D8(address, 1 << 20, 0, 20, 4), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemsetD8((CUdeviceptr)(uintptr_t)&local, 0, 4), CUDA_ERROR_INVALID_VALUE);
	EQUAL(local, 5);
	OK(cuCtxSynchronize());
}

CASE(set_of_host_memory)
{
	uint32_t *words;

	suite_begin();
	words = suite_host(4096);
	OK(cuMemsetD32((CUdeviceptr)(uintptr_t)words, 0x5a5a, 1000));
	OK(cuCtxSynchronize());
	EQUAL(words[0], 0x5a5a);
	EQUAL(words[999], 0x5a5a);
	EQUAL(words[1000], 0);
}
