/* SPDX-License-Identifier: GPL-2.0-or-later */
/* case_launch.c - launches in every way, and what arrives in the kernel */

#include <string.h>

#include "tests/programs/suite.h"

struct triple {
	char a;
	short b[3];
	double c;
};

/* As the kernel has them, and as they lie in one block of memory. */
struct parameters {
	uint8_t a;
	uint16_t b;
	uint32_t c;
	uint64_t d;
	float e;
	double f;
	struct triple g;
	CUdeviceptr out;
};

static const struct parameters PARAMETERS = { .a = 200,
					      .b = 60000,
					      .c = 4000000000u,
					      .d = 0x123456789abcdefull,
					      .e = 2.5f,
					      .f = 1234.5,
					      .g = { 7, { 1, 2, 3 }, 99.25 } };

static void judge(CUdeviceptr out)
{
	uint64_t got[9] = { 0 };

	OK(cuMemcpyDtoH(got, out, sizeof(got)));
	EQUAL(got[0], 200);
	EQUAL(got[1], 60000);
	EQUAL(got[2], 4000000000u);
	EQUAL(got[3], 0x123456789abcdefull);
	EQUAL(got[4], 2500);
	EQUAL(got[5], 1234500);
	EQUAL(got[6], 7);
	EQUAL(got[7], 321);
	EQUAL(got[8], 99250);
}

CASE(launch_by_pointers)
{
	struct parameters p = PARAMETERS;

	suite_begin();
	p.out = suite_device(72);
	LAUNCH(suite_kernel("parameters"), 1, 1, NULL, &p.a, &p.b, &p.c, &p.d, &p.e, &p.f, &p.g,
	       &p.out);
	judge(p.out);
}

CASE(launch_by_buffer)
{
	struct parameters p = PARAMETERS;
	size_t bytes = sizeof(p);
	void *extra[] = { CU_LAUNCH_PARAM_BUFFER_POINTER, &p, CU_LAUNCH_PARAM_BUFFER_SIZE, &bytes,
			  CU_LAUNCH_PARAM_END };

	suite_begin();
	p.out = suite_device(72);
	OK(cuLaunchKernel(suite_kernel("parameters"), 1, 1, 1, 1, 1, 1, 0, NULL, NULL, extra));
	judge(p.out);
}

CASE(launch_ex)
{
	struct parameters p = PARAMETERS;
	CUlaunchAttribute attribute = { .id = CU_LAUNCH_ATTRIBUTE_COOPERATIVE,
					.value.cooperative = 1 };
	CUlaunchConfig config = { .gridDimX = 1,
				  .gridDimY = 1,
				  .gridDimZ = 1,
				  .blockDimX = 1,
				  .blockDimY = 1,
				  .blockDimZ = 1 };
	void *arguments[] = { &p.a, &p.b, &p.c, &p.d, &p.e, &p.f, &p.g, &p.out };

	suite_begin();
	p.out = suite_device(72);
	OK(cuStreamCreate(&config.hStream, CU_STREAM_NON_BLOCKING));
	OK(cuLaunchKernelEx(&config, suite_kernel("parameters"), arguments, NULL));
	OK(cuStreamSynchronize(config.hStream));
	judge(p.out);
	OK(cuMemsetD8(p.out, 0, 72));
	config.attrs = &attribute;
	config.numAttrs = 1;
	OK(cuLaunchKernelEx(&config, suite_kernel("parameters"), arguments, NULL));
	OK(cuStreamSynchronize(config.hStream));
	judge(p.out);
	WANT(cuLaunchKernelEx(NULL, suite_kernel("empty"), NULL, NULL), CUDA_ERROR_INVALID_VALUE);
}

CASE(launch_without_parameters)
{
	suite_begin();
	OK(cuLaunchKernel(suite_kernel("empty"), 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL));
	OK(cuLaunchKernel(suite_kernel("empty"), 1, 1, 1, 1, 1, 1, 0, NULL, (void *[]){ NULL },
			  NULL));
	OK(cuCtxSynchronize());
}

static uint32_t fold(const uint32_t *words, int count)
{
	uint32_t sum = 0;

	for (int i = 0; i < count; i++)
		sum = sum * 3 + words[i];
	return sum;
}

/* Many parameters: 4 KiB, and the most there is. */
CASE(launch_wide)
{
	static uint32_t words[8189];
	CUdeviceptr out;
	uint32_t got = 0;

	suite_begin();
	suite_pattern(words, sizeof(words), 3);
	out = suite_device(4);
	LAUNCH(suite_kernel("wide"), 1, 1, NULL, words, &out);
	OK(cuMemcpyDtoH(&got, out, 4));
	EQUAL(got, fold(words, 1000));
	LAUNCH(suite_kernel("huge"), 1, 1, NULL, &out, words);
	OK(cuMemcpyDtoH(&got, out, 4));
	EQUAL(got, fold(words, 8189));
	for (int i = 0; i < 300; i++)
		LAUNCH(suite_kernel("huge"), 1, 1, NULL, &out, words);
	OK(cuCtxSynchronize());
}

/* The parameters are taken when the call returns. */
CASE(launch_takes_the_parameters)
{
	enum { NUM = 100 };
	uint32_t value, one = 1, back[NUM];
	CUdeviceptr address, at;
	CUfunction fill;
	uint32_t *flag;

	suite_begin();
	flag = suite_host(4);
	address = suite_device(sizeof(back));
	fill = suite_kernel("fill");
	LAUNCH(suite_kernel("spin"), 1, 1, NULL, &flag);
	for (value = 0; value < NUM; value++) {
		at = address + value * 4;
		LAUNCH(fill, 1, 32, NULL, &at, &one, &value);
	}
	value = 77;
	at = 0;
	*(volatile uint32_t *)flag = 1;
	OK(cuMemcpyDtoH(back, address, sizeof(back)));
	for (uint32_t i = 0; i < NUM; i++)
		EQUAL(back[i], i);
}

static void shape(const unsigned *grid, const unsigned *block)
{
	const unsigned blocks = grid[0] * grid[1] * grid[2],
		       threads = block[0] * block[1] * block[2];
	static uint32_t got[2 * 65536];
	CUdeviceptr out = suite_device((size_t)blocks * threads * 8);
	unsigned at = 0, wrong = 0;

	OK(cuLaunchKernel(suite_kernel("where"), grid[0], grid[1], grid[2], block[0], block[1],
			  block[2], 0, NULL, (void *[]){ &out }, NULL));
	OK(cuMemcpyDtoH(got, out, (size_t)blocks * threads * 8));
	for (unsigned b = 0; b < blocks; b++) {
		const unsigned bx = b % grid[0], by = b / grid[0] % grid[1],
			       bz = b / grid[0] / grid[1];

		for (unsigned t = 0; t < threads; t++, at += 2) {
			const unsigned tx = t % block[0], ty = t / block[0] % block[1],
				       tz = t / block[0] / block[1];

			wrong += got[at] != (bx | by << 8 | bz << 16) ||
				 got[at + 1] != (tx | ty << 8 | tz << 16);
		}
	}
	EQUAL(wrong, 0);
	OK(cuMemFree(out));
}

CASE(launch_shapes)
{
	suite_begin();
	shape((unsigned[]){ 1, 1, 1 }, (unsigned[]){ 1, 1, 1 });
	shape((unsigned[]){ 7, 1, 1 }, (unsigned[]){ 33, 1, 1 });
	shape((unsigned[]){ 8, 8, 1 }, (unsigned[]){ 16, 16, 1 });
	shape((unsigned[]){ 3, 4, 5 }, (unsigned[]){ 2, 3, 4 });
	shape((unsigned[]){ 1, 1, 9 }, (unsigned[]){ 1, 1, 64 });
	shape((unsigned[]){ 2, 1, 1 }, (unsigned[]){ 1, 1024 / 8, 8 });
}

CASE(launch_shared_memory)
{
	const CUfunction_attribute dynamic = CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
	static uint32_t got[16 << 10];
	CUfunction function;
	CUdeviceptr out;
	uint32_t words = 1000;
	int most = 0;

	suite_begin();
	function = suite_kernel("shared_dynamic");
	out = suite_device(sizeof(got));
	OK(cuLaunchKernel(function, 1, 1, 1, 128, 1, 1, words * 4, NULL, (void *[]){ &out, &words },
			  NULL));
	OK(cuMemcpyDtoH(got, out, words * 4));
	EQUAL(got[0], 999 * 3);
	EQUAL(got[999], 0);
	OK(cuDeviceGetAttribute(&most, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, 0));
	if (most < 64 << 10)
		return;
	words = 16 << 10;
	WANT(cuLaunchKernel(function, 1, 1, 1, 128, 1, 1, words * 4, NULL,
			    (void *[]){ &out, &words }, NULL),
	     CUDA_ERROR_INVALID_VALUE);
	OK(cuFuncSetAttribute(function, dynamic, 64 << 10));
	OK(cuLaunchKernel(function, 1, 1, 1, 128, 1, 1, words * 4, NULL, (void *[]){ &out, &words },
			  NULL));
	OK(cuMemcpyDtoH(got, out, words * 4));
	EQUAL(got[0], (words - 1) * 3);
	EQUAL(got[words - 1], 0);
}

CASE(launch_local_memory)
{
	uint32_t first[64] = { 0 }, second[64] = { 0 };
	CUdeviceptr out;

	suite_begin();
	out = suite_device(64 * 4);
	LAUNCH(suite_kernel("local"), 1, 64, NULL, &out, &(uint32_t){ 5 });
	OK(cuMemcpyDtoH(first, out, sizeof(first)));
	LAUNCH(suite_kernel("local"), 200, 64, NULL, &out, &(uint32_t){ 5 });
	OK(cuMemcpyDtoH(second, out, sizeof(second)));
	TRUE(memcmp(first, second, sizeof(first)) == 0);
	TRUE(first[1] != first[2]);
}

CASE(launch_cooperative)
{
	CUdeviceptr arrived, out;
	uint32_t got[64] = { 0 };
	int multiprocessors = 0, per = 0;
	unsigned blocks;
	CUfunction meet;

	suite_begin();
	meet = suite_kernel("meet");
	OK(cuDeviceGetAttribute(&multiprocessors, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 0));
	OK(cuOccupancyMaxActiveBlocksPerMultiprocessor(&per, meet, 64, 0));
	blocks = (unsigned)(multiprocessors * per < 64 ? multiprocessors * per : 64);
	arrived = suite_device(4);
	out = suite_device(sizeof(got));
	OK(cuLaunchCooperativeKernel(meet, blocks, 1, 1, 64, 1, 1, 0, NULL,
				     (void *[]){ &arrived, &out }));
	OK(cuMemcpyDtoH(got, out, blocks * 4));
	for (unsigned i = 0; i < blocks; i++)
		EQUAL(got[i], blocks);
	WANT(cuLaunchCooperativeKernel(meet, (unsigned)(multiprocessors * per) + 1, 1, 1, 64, 1, 1,
				       0, NULL, (void *[]){ &arrived, &out }),
	     CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE);
	OK(cuCtxSynchronize());
}

CASE(launch_many)
{
	uint32_t one = 1, got = 0;
	const uint32_t launches = 5000;
	CUdeviceptr address;
	CUfunction add;

	suite_begin();
	address = suite_device(4);
	add = suite_kernel("add");
	for (uint32_t i = 0; i < launches; i++)
		LAUNCH(add, 1, 32, NULL, &address, &one, &one);
	OK(cuMemcpyDtoH(&got, address, 4));
	EQUAL(got, launches);
}

CASE(launch_prints)
{
	suite_begin();
	LAUNCH(suite_kernel("say"), 2, 1, NULL, &(int){ 42 });
	OK(cuCtxSynchronize());
}
