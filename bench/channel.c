/* SPDX-License-Identifier: GPL-2.0-or-later */
/* channel.c - bench-channel: a program's calls through the ring of its worker, beside the same natively */

/*
 * usage: bench-channel [--gpu cpu|cuda:N] [--rounds N] [--mib N] [--poll-us N] [--unconfined]
 *
 * Prints a line of JSON for each figure. The worker is a process with the role's own code; natively the
 * same calls go to the driver (or softgpu) in this process. Both ways take turns within a run.
 */

#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench/channel_guest.h"
#include "common/util.h"
#include "worker/gpu.h"
#include "worker/gpu_cuda.h"
#include "worker/output.h"

#define BATCH 500u /* launches back to back */
#define TURNS 20u  /* of the two ways */
#define WARM_UP 50u
#define FLOW_EVERY 256u /* launches between two marks, as a program bounds what is in flight */
#define FLOW_WORDS (VGPU_PIECE + VGPU_CHANNEL_WORDS)

static const char text[] = ".version 6.3\n.target sm_52\n.address_size 64\n"
			   ".visible .entry step(.param .u64 at, .param .u32 by)\n{\n"
			   ".reg .b32 %r<4>; .reg .b64 %rd<3>;\n"
			   "ld.param.u64 %rd1, [at]; ld.param.u32 %r1, [by];\n"
			   "cvta.to.global.u64 %rd2, %rd1;\n"
			   "ld.global.u32 %r2, [%rd2]; add.u32 %r3, %r2, %r1;\n"
			   "st.global.u32 [%rd2], %r3; ret;\n}\n";

struct parameters {
	uint64_t at;
	uint32_t by;
} __attribute__((packed));

struct bench {
	const char *spec;
	uint64_t rounds, big_bytes;
	FILE *out; /* the driver's text takes descriptor 1 */
	struct channel_guest guest;
	uint64_t guest_at; /* device memory of the program's, big_bytes of it */
	uint32_t flow;	   /* launches that the program has put */
	struct gpu *gpu;
	CUfunction function;
	CUstream stream;
	uint64_t native_at;
	void *native_host; /* registered, big_bytes */
};

static void require(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "bench-channel: %s failed\n", what);
	exit(1);
}

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

/* --- both ways ------------------------------------------------------------------------------- */

static void native_launch(struct bench *bench)
{
	const struct parameters parameters = { bench->native_at, 1 };
	const struct gpu_launch launch = {
		.function = bench->function,
		.stream = bench->stream,
		.grid = { 1, 1, 1 },
		.block = { 32, 1, 1 },
		.parameters = &parameters,
		.parameter_bytes = sizeof(parameters),
	};

	require(bench->gpu->ops->launch(bench->gpu, &launch) == CUDA_SUCCESS, "a native launch");
}

static void native_wait(struct bench *bench)
{
	require(bench->gpu->ops->stream_synchronize(bench->gpu, bench->stream) == CUDA_SUCCESS,
		"a native wait");
}

static void vgpu_launch(struct bench *bench)
{
	const struct parameters parameters = { bench->guest_at, 1 };
	const struct vgpu_cmd_launch args = {
		.function = 1,
		.stream = 1,
		.grid_x = 1,
		.grid_y = 1,
		.grid_z = 1,
		.block_x = 32,
		.block_y = 1,
		.block_z = 1,
	};
	volatile uint32_t *word = (void *)(bench->guest.window + FLOW_WORDS);

	channel_guest_put(&bench->guest, VGPU_CMD_LAUNCH, VGPU_NO_REPLY, &args, sizeof(args),
			  &parameters, sizeof(parameters));
	if (++bench->flow % FLOW_EVERY != 0)
		return;
	CHANNEL_GUEST_PUT(&bench->guest, VGPU_NO_REPLY, STREAM_WRITE_VALUE, stream_write_value,
			  .address = (uintptr_t)word, .value = bench->flow, .bytes = 4,
			  .stream = 1);
	while (bench->flow - *word > 2 * FLOW_EVERY)
		__builtin_ia32_pause();
}

static void vgpu_wait(struct bench *bench)
{
	CHANNEL_GUEST_PUT(&bench->guest, 0, STREAM_SYNCHRONIZE, stream_synchronize, .stream = 1);
	require(channel_guest_wait(&bench->guest) == CUDA_SUCCESS, "a wait");
}

static void native_launch_wait(struct bench *bench)
{
	native_launch(bench);
	native_wait(bench);
}

static void vgpu_launch_wait(struct bench *bench)
{
	vgpu_launch(bench);
	vgpu_wait(bench);
}

static void native_flood(struct bench *bench)
{
	for (uint32_t i = 0; i < BATCH; i++)
		native_launch(bench);
	native_wait(bench);
}

static void vgpu_flood(struct bench *bench)
{
	for (uint32_t i = 0; i < BATCH; i++)
		vgpu_launch(bench);
	vgpu_wait(bench);
}

static void native_copy(struct bench *bench, bool to_host, void *host, uint64_t bytes)
{
	const struct gpu_copy copy = {
		.to = to_host ? (uintptr_t)host : bench->native_at,
		.from = to_host ? bench->native_at : (uintptr_t)host,
		.to_host = to_host,
		.from_host = !to_host,
		.width_bytes = bytes,
		.rows = 1,
		.planes = 1,
	};

	require(bench->gpu->ops->copy(bench->gpu, &copy, bench->stream) == CUDA_SUCCESS,
		"a native copy");
	native_wait(bench);
}

/* As cuMemcpyHtoD() and cuMemcpyDtoH() do it, where there is a driver. */
static void native_copy_4(struct bench *bench, bool to_host)
{
	uint32_t word = 7;
	struct gpu_cuda *cuda = (struct gpu_cuda *)bench->gpu;

	if (bench->gpu->info.executor != VGPU_EXECUTOR_CUDA)
		native_copy(bench, to_host, &word, sizeof(word));
	else
		require((to_host ? cuda->calls.copy_out(&word, bench->native_at, sizeof(word))
				 : cuda->calls.copy_in(bench->native_at, &word, sizeof(word))) ==
				CUDA_SUCCESS,
			"a native copy");
}

static void native_to_4(struct bench *bench)
{
	native_copy_4(bench, false);
}

static void native_from_4(struct bench *bench)
{
	native_copy_4(bench, true);
}

/* Its bytes travel in the ring, and nothing waits: the next command comes behind it. */
static void vgpu_to_4(struct bench *bench)
{
	const struct vgpu_cmd_copy_in args = { .to = bench->guest_at };
	const uint32_t word = 7;

	channel_guest_put(&bench->guest, VGPU_CMD_COPY_IN, VGPU_NO_REPLY, &args, sizeof(args),
			  &word, sizeof(word));
}

static void vgpu_to_4_wait(struct bench *bench)
{
	const struct vgpu_cmd_copy_in args = { .to = bench->guest_at };
	const uint32_t word = 7;

	channel_guest_put(&bench->guest, VGPU_CMD_COPY_IN, 0, &args, sizeof(args), &word,
			  sizeof(word));
	require(channel_guest_wait(&bench->guest) == CUDA_SUCCESS, "a copy");
}

static void vgpu_copy(struct bench *bench, bool to_host, uint64_t at, uint64_t bytes)
{
	uint64_t host = (uintptr_t)bench->guest.window + at;

	CHANNEL_GUEST_PUT(
		&bench->guest, 0, COPY_WAIT, copy_wait, .to = to_host ? host : bench->guest_at,
		.from = to_host ? bench->guest_at : host, .bytes = bytes,
		.kind = to_host ? VGPU_COPY_TO_WINDOW : VGPU_COPY_FROM_WINDOW, .stream = 0);
	require(channel_guest_wait(&bench->guest) == CUDA_SUCCESS, "a copy");
}

static void vgpu_from_4(struct bench *bench)
{
	uint32_t word;

	vgpu_copy(bench, true, VGPU_PIECE + VGPU_CHANNEL_FREE, sizeof(word));
	memcpy(&word, bench->guest.window + VGPU_PIECE + VGPU_CHANNEL_FREE, sizeof(word));
}

static void native_to_big(struct bench *bench)
{
	native_copy(bench, false, bench->native_host, bench->big_bytes);
}

static void native_from_big(struct bench *bench)
{
	native_copy(bench, true, bench->native_host, bench->big_bytes);
}

static void vgpu_to_big(struct bench *bench)
{
	vgpu_copy(bench, false, CHANNEL_GUEST_BULK, bench->big_bytes);
}

static void vgpu_from_big(struct bench *bench)
{
	vgpu_copy(bench, true, CHANNEL_GUEST_BULK, bench->big_bytes);
}

static void vgpu_nop(struct bench *bench)
{
	channel_guest_put(&bench->guest, VGPU_CMD_NOP, 0, NULL, 0, NULL, 0);
	require(channel_guest_wait(&bench->guest) == CUDA_SUCCESS, "an empty command");
}

static void nothing(struct bench *bench)
{
	(void)bench;
}

/* --- measuring ------------------------------------------------------------------------------- */

static void run(struct bench *bench, void (*call)(struct bench *bench), uint64_t *sample_ns,
		uint64_t num)
{
	for (uint64_t i = 0; i < num; i++) {
		uint64_t before_ns = util_now_ns();

		call(bench);
		sample_ns[i] = util_now_ns() - before_ns;
	}
}

/* num: rounds of each way, in TURNS turns. */
static void measure(struct bench *bench, const char *name, uint64_t num,
		    void (*native)(struct bench *bench), void (*vgpu)(struct bench *bench))
{
	uint64_t each = num / TURNS > 0 ? num / TURNS : 1, all = each * TURNS;
	uint64_t *native_ns = calloc(all + WARM_UP, sizeof(uint64_t));
	uint64_t *vgpu_ns = calloc(all + WARM_UP, sizeof(uint64_t));
	uint64_t warm_up = num < WARM_UP ? 1 : WARM_UP, half = all / 2;

	require(native_ns != NULL && vgpu_ns != NULL, "taking memory");
	run(bench, native, native_ns, warm_up);
	run(bench, vgpu, vgpu_ns, warm_up);
	for (uint64_t turn = 0; turn < TURNS; turn++) {
		run(bench, native, native_ns + turn * each, each);
		run(bench, vgpu, vgpu_ns + turn * each, each);
		vgpu_wait(bench);
	}
	qsort(native_ns, all, sizeof(uint64_t), compare);
	qsort(vgpu_ns, all, sizeof(uint64_t), compare);
	fprintf(bench->out,
		"{\"name\":\"%s\",\"count\":%" PRIu64 ",\"native_p50_ns\":%" PRIu64
		",\"vgpu_p50_ns\":%" PRIu64 ",\"native_p99_ns\":%" PRIu64
		",\"vgpu_p99_ns\":%" PRIu64 ",\"vgpu_to_native\":%.3f}\n",
		name, all, native_ns[half], vgpu_ns[half], native_ns[all * 99 / 100],
		vgpu_ns[all * 99 / 100],
		native_ns[half] > 0 ? (double)vgpu_ns[half] / (double)native_ns[half] : 0.0);
	fflush(bench->out);
	free(native_ns);
	free(vgpu_ns);
}

/* --- preparation ----------------------------------------------------------------------------- */

static uint64_t ask(struct bench *bench, const char *what)
{
	int32_t result = channel_guest_wait(&bench->guest);

	if (result != CUDA_SUCCESS)
		fprintf(stderr, "bench-channel: CUDA error %d\n", result);
	require(result == CUDA_SUCCESS, what);
	return bench->guest.replies[0].value[0];
}

static void prepare_vgpu(struct bench *bench)
{
	struct channel_guest *guest = &bench->guest;
	const struct vgpu_cmd_module_function function = {
		.at = CHANNEL_GUEST_BULK,
		.bytes = VGPU_PIECE,
		.module = 1,
		.function = 1,
	};

	memcpy(guest->window + CHANNEL_GUEST_BULK, text, sizeof(text));
	CHANNEL_GUEST_PUT(guest, 0, MODULE_LOAD, module_load, .at = CHANNEL_GUEST_BULK,
			  .bytes = sizeof(text), .module = 1);
	ask(bench, "loading a module");
	channel_guest_put(guest, VGPU_CMD_MODULE_FUNCTION, 0, &function, sizeof(function), "step",
			  sizeof("step"));
	ask(bench, "finding a function");
	CHANNEL_GUEST_PUT(guest, 0, STREAM_CREATE, stream_create, .stream = 1,
			  .flags = CU_STREAM_NON_BLOCKING);
	ask(bench, "making a stream");
	CHANNEL_GUEST_PUT(guest, 0, MEMORY_ALLOC, memory_alloc, .bytes = bench->big_bytes);
	bench->guest_at = ask(bench, "taking memory of the GPU");
	CHANNEL_GUEST_PUT(guest, 0, HOST_MAP, host_map, .at = CHANNEL_GUEST_BULK,
			  .bytes = bench->big_bytes);
	ask(bench, "registering the window");
}

static void prepare_native(struct bench *bench, struct output *output)
{
	const struct gpu_image image = { .data = text, .bytes = sizeof(text) };
	const struct gpu_ops *ops;
	uint64_t taken_bytes;
	CUmodule module;
	char why[WORKER_WHY_SIZE];

	if (gpu_open(&bench->gpu, bench->spec, output, why, sizeof(why)) != 0) {
		fprintf(stderr, "bench-channel: %s\n", why);
		exit(1);
	}
	ops = bench->gpu->ops;
	bench->native_host = mmap(NULL, bench->big_bytes, PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	require(bench->native_host != MAP_FAILED, "taking memory");
	require(ops->module_load(bench->gpu, &image, &module, &taken_bytes) == CUDA_SUCCESS,
		"loading a module");
	require(ops->module_function(bench->gpu, module, "step", &bench->function) == CUDA_SUCCESS,
		"finding a function");
	require(ops->stream_create(bench->gpu, CU_STREAM_NON_BLOCKING, 0, &bench->stream) ==
			CUDA_SUCCESS,
		"making a stream");
	require(ops->memory_alloc(bench->gpu, bench->big_bytes, &bench->native_at) == CUDA_SUCCESS,
		"taking memory of the GPU");
}

/* Registers host memory where it lies: cuMemHostRegister() wants no particular address natively. */
static void register_native(struct bench *bench)
{
	struct gpu_cuda *cuda = (struct gpu_cuda *)bench->gpu;
	CUresult result = bench->gpu->info.executor == VGPU_EXECUTOR_CUDA
				  ? cuda->more.host_register(bench->native_host, bench->big_bytes,
							     CU_MEMHOSTREGISTER_DEVICEMAP)
				  : bench->gpu->ops->host_register(bench->gpu, bench->native_host,
								   bench->big_bytes);

	require(result == CUDA_SUCCESS, "registering memory");
}

static void measure_all(struct bench *bench)
{
	uint64_t rounds = bench->rounds;

	measure(bench, "empty-command", rounds, nothing, vgpu_nop);
	measure(bench, "launch-synchronize", rounds, native_launch_wait, vgpu_launch_wait);
	measure(bench, "launches-back-to-back-500", rounds / BATCH + TURNS, native_flood,
		vgpu_flood);
	measure(bench, "4-bytes-to-device", rounds, native_to_4, vgpu_to_4);
	measure(bench, "4-bytes-to-device-answered", rounds, native_to_4, vgpu_to_4_wait);
	measure(bench, "4-bytes-from-device", rounds, native_from_4, vgpu_from_4);
	measure(bench, "pinned-to-device", TURNS, native_to_big, vgpu_to_big);
	measure(bench, "pinned-from-device", TURNS, native_from_big, vgpu_from_big);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "gpu", required_argument, NULL, 'g' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "mib", required_argument, NULL, 'm' },
		{ "poll-us", required_argument, NULL, 'p' },
		{ "unconfined", no_argument, NULL, 'u' },
		{ NULL, 0, NULL, 0 },
	};
	struct bench bench = { .spec = "cpu", .rounds = 20000, .big_bytes = 256 };
	static struct output output;
	uint64_t poll_us = 200;
	bool confined = true, good = true;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'g')
			bench.spec = optarg;
		else if (option == 'u')
			confined = false;
		else
			good = good && option != '?' &&
			       util_parse_u64(optarg, option == 'p' ? 0 : 1, 1000000,
					      option == 'r'   ? &bench.rounds
					      : option == 'm' ? &bench.big_bytes
							      : &poll_us) == 0;
	}
	if (!good || optind != argc || bench.big_bytes > 512) {
		fputs("usage: bench-channel [--gpu cpu|cuda:N] [--rounds N] [--mib N] [--poll-us N] "
		      "[--unconfined]\n",
		      stderr);
		return 2;
	}
	bench.big_bytes = (bench.big_bytes << 20) / VGPU_PIECE * VGPU_PIECE;
	bench.out = fdopen(dup(STDOUT_FILENO), "w");
	require(bench.out != NULL, "writing");
	if (!channel_guest_open(&bench.guest, bench.spec, confined, (uint32_t)poll_us))
		return 1;
	prepare_vgpu(&bench);
	output_init(&output);
	prepare_native(&bench, &output);
	register_native(&bench);
	measure_all(&bench);
	channel_guest_close(&bench.guest);
	return 0;
}
