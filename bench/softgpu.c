/* SPDX-License-Identifier: GPL-2.0-or-later */
/* softgpu.c - bench-softgpu: kernels on softgpu beside the same C on one processor */

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/softgpu_native.h"
#include "common/util.h"
#include "softgpu/softgpu.h"
#include "softgpu/softgpu_memory.h"

extern const char softgpu_kernels[], softgpu_kernels_end[];

#define BUFFERS 3
#define MEMORY_BYTES (1ull << 30)

/* Arrays of a case on both sides; the last one is the result. */
struct data {
	void *host[BUFFERS];	 /* that the native code works on */
	uint64_t bytes[BUFFERS]; /* 0: there is no such array */
	uint64_t device[BUFFERS];
};

struct kase {
	const char *name;
	int size;			/* n: elements, or a side */
	struct softgpu_dim grid, block; /* grid.x 0: as many blocks as n needs */
	uint64_t bytes[BUFFERS];	/* for each element, or of all where `fixed` */
	bool fixed[BUFFERS];
	bool square; /* arrays have n x n elements */
	void (*native)(struct data *data, int n);
	bool floats;	      /* the result is compared within rounding, else bit for bit */
	uint64_t differ_most; /* elements of a hundred that may differ: kernels fuse multiply-add */
};

#define MANDELBROT_MOST 256
#define SAXPY_A 2.5f

static void vecadd(struct data *data, int n)
{
	native_vecadd(data->host[0], data->host[1], data->host[2], n);
}

static void saxpy(struct data *data, int n)
{
	native_saxpy(data->host[2], data->host[0], SAXPY_A, n);
}

static void matmul(struct data *data, int n)
{
	native_matmul(data->host[0], data->host[1], data->host[2], n);
}

static void reduction(struct data *data, int n)
{
	native_reduction(data->host[0], data->host[2], n);
}

static void histogram(struct data *data, int n)
{
	native_histogram(data->host[0], data->host[2], n);
}

static void mandelbrot(struct data *data, int n)
{
	native_mandelbrot(data->host[2], n, n, MANDELBROT_MOST);
}

static void nbody(struct data *data, int n)
{
	native_nbody(data->host[0], data->host[2], n);
}

/* clang-format off */
static const struct kase CASES[] = {
	{ .name = "vecadd", .size = 1 << 22, .block = { 256, 1, 1 }, .bytes = { 4, 4, 4 },
	  .native = vecadd, .floats = true },
	{ .name = "saxpy", .size = 1 << 22, .block = { 256, 1, 1 }, .bytes = { 4, 0, 4 },
	  .native = saxpy, .floats = true },
	{ .name = "matmul", .size = 256, .square = true, .grid = { 16, 16, 1 }, .block = { 16, 16, 1 },
	  .bytes = { 4, 4, 4 }, .native = matmul, .floats = true },
	{ .name = "reduction", .size = 1 << 22, .grid = { 64, 1, 1 }, .block = { 256, 1, 1 },
	  .bytes = { 4, 0, 8 }, .fixed = { [2] = true }, .native = reduction },
	{ .name = "histogram", .size = 1 << 22, .grid = { 64, 1, 1 }, .block = { 256, 1, 1 },
	  .bytes = { 1, 0, 1024 }, .fixed = { [2] = true }, .native = histogram },
	{ .name = "mandelbrot", .size = 512, .square = true, .grid = { 32, 32, 1 }, .block = { 16, 16, 1 },
	  .bytes = { 0, 0, 4 }, .native = mandelbrot, .differ_most = 1 },
	{ .name = "nbody", .size = 2048, .grid = { 8, 1, 1 }, .block = { 256, 1, 1 },
	  .bytes = { 16, 0, 16 }, .native = nbody, .floats = true },
};
/* clang-format on */

static _Noreturn void fail(const char *what, enum softgpu_result result, const char *text)
{
	fprintf(stderr, "bench-softgpu: %s: %s %s\n", what, softgpu_result_text((int)result), text);
	exit(1);
}

static void check(struct softgpu *gpu, const char *what, enum softgpu_result result)
{
	char text[SOFTGPU_TEXT_LEN];

	if (result == SOFTGPU_SUCCESS)
		return;
	(void)softgpu_fault_text(gpu, text);
	fail(what, result, text);
}

/* --- data
 * ----------------------------------------------------------------------------------------- */

static void make(struct softgpu *gpu, const struct kase *kase, struct data *data)
{
	const uint64_t n = (uint64_t)kase->size, elements = kase->square ? n * n : n;

	for (int i = 0; i < BUFFERS; i++) {
		data->bytes[i] = kase->bytes[i] * (kase->fixed[i] ? 1 : elements);
		data->host[i] = NULL;
		data->device[i] = 0;
		if (data->bytes[i] == 0)
			continue;
		data->host[i] = calloc(1, data->bytes[i]);
		if (!data->host[i])
			fail(kase->name, SOFTGPU_OUT_OF_MEMORY, "");
		check(gpu, kase->name, softgpu_mem_alloc(gpu, data->bytes[i], &data->device[i]));
	}
}

/* Inputs that are the same each time: small floats or any bytes; the result is zero. */
static void fill(struct softgpu *gpu, const struct kase *kase, struct data *data)
{
	uint32_t seed = 12345;

	for (int i = 0; i < BUFFERS; i++) {
		if (data->bytes[i] == 0)
			continue;
		memset(data->host[i], 0, data->bytes[i]);
		for (uint64_t k = 0; i < BUFFERS - 1 && k < data->bytes[i] / 4; k++) {
			seed = seed * 1664525 + 1013904223;
			if (kase->floats)
				((float *)data->host[i])[k] = (float)(seed >> 16) / 65536.0f;
			else
				((uint32_t *)data->host[i])[k] = seed ^ seed >> 15;
		}
		check(gpu, kase->name,
		      softgpu_memcpy(gpu, data->device[i], (uintptr_t)data->host[i],
				     data->bytes[i]));
	}
}

static void drop(struct softgpu *gpu, struct data *data)
{
	for (int i = 0; i < BUFFERS; i++) {
		free(data->host[i]);
		(void)softgpu_mem_free(gpu, data->device[i]);
	}
}

static bool is_same(const struct kase *kase, const void *found, const void *expected, uint64_t i)
{
	const float *x = found, *y = expected;

	if (!kase->floats)
		return ((const uint32_t *)found)[i] == ((const uint32_t *)expected)[i];
	return fabsf(x[i] - y[i]) <= 1e-3f * fmaxf(1, fabsf(y[i]));
}

static void compare(struct softgpu *gpu, const struct kase *kase, const struct data *data)
{
	const uint64_t bytes = data->bytes[BUFFERS - 1];
	uint64_t differ = 0;
	void *found = malloc(bytes);

	if (!found)
		fail(kase->name, SOFTGPU_OUT_OF_MEMORY, "");
	check(gpu, kase->name,
	      softgpu_memcpy(gpu, (uintptr_t)found, data->device[BUFFERS - 1], bytes));
	for (uint64_t i = 0; i < bytes / 4; i++)
		differ += !is_same(kase, found, data->host[BUFFERS - 1], i);
	free(found);
	if (differ > bytes / 4 * kase->differ_most / 100)
		fail(kase->name, SOFTGPU_UNKNOWN, "(its result is not the native code's)");
}

/* --- runs
 * ----------------------------------------------------------------------------------------- */

/* The arguments of each kernel, in the order of its parameters. */
static void arguments(const struct kase *kase, const struct data *data, int *n, const void **out)
{
	static const float a = SAXPY_A;
	static const int most = MANDELBROT_MOST;
	int count = 0;

	if (kase->native == saxpy) {
		out[count++] = &data->device[2];
		out[count++] = &data->device[0];
		out[count++] = &a;
	} else {
		for (int i = 0; i < BUFFERS; i++) {
			if (data->bytes[i] > 0)
				out[count++] = &data->device[i];
		}
	}
	out[count++] = n;
	if (kase->native == mandelbrot) {
		out[count++] = n;
		out[count++] = &most;
	}
}

/* Return: ns of one run on the device. */
static uint64_t run_kernel(struct softgpu *gpu, struct softgpu_module *module,
			   const struct kase *kase, struct data *data)
{
	const void *parameters[8];
	struct softgpu_launch launch = { .block = kase->block,
					 .grid = kase->grid,
					 .parameters = parameters };
	int n = kase->size;
	uint64_t start_ns;

	if (launch.grid.x == 0)
		launch.grid = (struct softgpu_dim){ (uint32_t)n / launch.block.x, 1, 1 };
	check(gpu, kase->name, softgpu_module_function(gpu, module, kase->name, &launch.function));
	arguments(kase, data, &n, parameters);
	start_ns = util_now_ns();
	check(gpu, kase->name, softgpu_launch(gpu, &launch));
	check(gpu, kase->name, softgpu_synchronize(gpu));
	return util_now_ns() - start_ns;
}

/* Takes the quickest round of either side: in the others the machine was disturbed. */
static void measure(struct softgpu *gpu, struct softgpu_module *module, const struct kase *kase,
		    uint64_t rounds, uint32_t processors)
{
	uint64_t best_ns = UINT64_MAX, native_ns = UINT64_MAX, start_ns, ns;
	struct softgpu_counts before, after;
	struct data data;

	make(gpu, kase, &data);
	for (uint64_t i = 0; i < rounds; i++) {
		fill(gpu, kase, &data);
		(void)softgpu_counts(gpu, &before);
		ns = run_kernel(gpu, module, kase, &data);
		(void)softgpu_counts(gpu, &after);
		best_ns = ns < best_ns ? ns : best_ns;
		start_ns = util_now_ns();
		kase->native(&data, kase->size);
		ns = util_now_ns() - start_ns;
		native_ns = ns < native_ns ? ns : native_ns;
		compare(gpu, kase, &data);
	}
	drop(gpu, &data);
	printf("{\"name\": \"%s\", \"processors\": %u, \"ns\": %llu, \"native_ns\": %llu, "
	       "\"ratio\": %.3f, \"instructions\": %llu, \"instructions_per_s\": %.0f}\n",
	       kase->name, processors, (unsigned long long)best_ns, (unsigned long long)native_ns,
	       (double)best_ns / (double)native_ns,
	       (unsigned long long)(after.instructions - before.instructions),
	       (double)(after.instructions - before.instructions) * 1e9 / (double)best_ns);
}

int main(int argc, char **argv)
{
	struct softgpu_config config = { .memory_bytes = MEMORY_BYTES,
					 .host = softgpu_host_default() };
	const struct softgpu_image image = { softgpu_kernels,
					     (uint64_t)(softgpu_kernels_end - softgpu_kernels) };
	char text[1024];
	const struct softgpu_log log = { text, sizeof(text) };
	uint64_t rounds = 5, processors = 1;
	struct softgpu_module *module;
	struct softgpu *gpu;

	if (argc > 4 || (argc > 1 && util_parse_u64(argv[1], 1, 1000, &rounds) != 0) ||
	    (argc > 2 && util_parse_u64(argv[2], 1, 256, &processors) != 0)) {
		fputs("usage: bench-softgpu [ROUNDS [PROCESSORS [KERNEL]]]\n", stderr);
		return 2;
	}
	config.processors = (uint32_t)processors;
	if (softgpu_open(&config, &gpu) != SOFTGPU_SUCCESS) {
		fputs("bench-softgpu: the device cannot be made: is there 1 GiB?\n", stderr);
		return 1;
	}
	if (softgpu_module_load(gpu, &image, 1, &log, &module) != SOFTGPU_SUCCESS)
		fail("softgpu_kernels.ptx", SOFTGPU_INVALID_PTX, text);
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++)
		if (argc < 4 || strcmp(argv[3], CASES[i].name) == 0)
			measure(gpu, module, &CASES[i], rounds, config.processors);
	softgpu_close(gpu);
	return 0;
}
