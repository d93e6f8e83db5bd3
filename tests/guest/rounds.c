/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rounds.c - a CUDA program for tests in a guest: rounds whose answers it knows, or memory that kernels write without end */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/programs/checked.h"

__asm__(".section .rodata\n"
	"rounds_ptx: .incbin \"tests/programs/kernels.ptx\"\n"
	".byte 0\n"
	".previous\n");
extern const char rounds_ptx[];

#define STATUS_WRONG 1
#define STATUS_USAGE 2
#define WORDS 2048u
#define FACTOR 5u

static CUfunction begin(const char *kernel)
{
	CUcontext context;
	CUmodule module;
	CUfunction function;

	CHECK(cuInit(0));
	CHECK(cuDevicePrimaryCtxRetain(&context, 0));
	CHECK(cuCtxSetCurrent(context));
	CHECK(cuModuleLoadData(&module, rounds_ptx));
	CHECK(cuModuleGetFunction(&function, module, kernel));
	return function;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* What a word is after `steps` times the kernel step. */
static uint32_t stepped(uint32_t word, int steps)
{
	for (int i = 0; i < steps; i++)
		word = word * FACTOR + 1;
	return word;
}

/*
 * One round: words of its own go to the GPU by pageable memory, two kernels change them there, and
 * they come back by pinned memory. Words of another program, or of another round, would show.
 */
static void round_trip(CUfunction step, CUdeviceptr address, uint32_t *pinned, uint32_t first)
{
	static uint32_t words[WORDS];
	uint32_t n = WORDS, factor = FACTOR;
	void *arguments[] = { &address, &n, &factor };

	for (uint32_t i = 0; i < WORDS; i++)
		words[i] = first + i;
	CHECK(cuMemcpyHtoD(address, words, sizeof(words)));
	for (int i = 0; i < 2; i++)
		CHECK(cuLaunchKernel(step, 4, 1, 1, 64, 1, 1, 0, NULL, arguments, NULL));
	CHECK(cuMemcpyDtoHAsync(pinned, address, sizeof(words), NULL));
	CHECK(cuStreamSynchronize(NULL));
	for (uint32_t i = 0; i < WORDS; i++) {
		if (pinned[i] == stepped(words[i], 2))
			continue;
		printf("wrong: word %u of %u is %u, not %u\n", i, first, pinned[i],
		       stepped(words[i], 2));
		exit(STATUS_WRONG);
	}
}

/* count: how many; 0: until an error ends it. A line for the first and for each second of work. */
static int rounds(uint32_t count, uint32_t seed)
{
	CUfunction step = begin("step");
	CUdeviceptr address;
	uint32_t *pinned;
	uint64_t said_ms = 0;

	CHECK(cuMemAlloc(&address, WORDS * sizeof(uint32_t)));
	CHECK(cuMemHostAlloc((void **)&pinned, WORDS * sizeof(uint32_t), 0));
	for (uint32_t round = 0; count == 0 || round < count; round++) {
		round_trip(step, address, pinned, seed + round * WORDS);
		if (now_ms() - said_ms >= 1000) {
			checked_tell("working");
			said_ms = now_ms();
		}
	}
	printf("%u rounds: right\n", count);
	return EXIT_SUCCESS;
}

/* Kernels write host memory, as many of them on their way as may be; nothing waits for them. */
static _Noreturn void scribble(uint32_t mib)
{
	CUfunction fill = begin("fill");
	uint32_t *pinned, n = mib << 18;
	bool told = false;

	CHECK(cuMemHostAlloc((void **)&pinned, (size_t)mib << 20, 0));
	for (uint32_t value = 1;; value++) {
		CHECK(cuLaunchKernel(fill, 16, 1, 1, 128, 1, 1, 0, NULL,
				     (void *[]){ &pinned, &n, &value }, NULL));
		if (!told && __atomic_load_n(&pinned[n - 1], __ATOMIC_RELAXED) != 0) {
			checked_tell("working");
			told = true;
		}
	}
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "rounds") == 0)
		return rounds((uint32_t)strtoul(argv[2], NULL, 10),
			      (uint32_t)strtoul(argv[3], NULL, 10));
	if (argc == 3 && strcmp(argv[1], "scribble") == 0)
		scribble((uint32_t)strtoul(argv[2], NULL, 10));
	fputs("usage: rounds rounds COUNT|0 SEED\n       rounds scribble MIB\n", stderr);
	return STATUS_USAGE;
}
