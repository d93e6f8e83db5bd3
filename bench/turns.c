/* SPDX-License-Identifier: GPL-2.0-or-later */
/* turns.c - bench-turns: CUDA programs that want a GPU at the same time, and what they get, as JSON lines */

#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "bench/cuda_program.h"
#include "bench/samples.h"
#include "common/util.h"

/*
 * It knows nothing of vgpu: bench/leases.py runs several of it on a GPU's driver, and through vgpud. Each
 * prepares, says so, and waits for a line, so that all begin at once. Its work is counted, not timed: a
 * kernel does so many steps, whatever part of the GPU's time it gets.
 */
CUDA_PROGRAM_PTX(bench_ptx, "bench/programs.ptx");

#define SAMPLES_MOST 20000
#define AHEAD_NS 10000000 /* of work that a flood has submitted */
#define AHEAD_LEAST 4
#define AHEAD_MOST 256

static CUfunction work, empty;
static CUstream stream;
static CUdeviceptr out;

static void prepare(void)
{
	CUmodule module;

	cuda_program_begin();
	CHECK(cuModuleLoadData(&module, bench_ptx));
	CHECK(cuModuleGetFunction(&work, module, "work"));
	CHECK(cuModuleGetFunction(&empty, module, "empty"));
	CHECK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
	CHECK(cuMemAlloc(&out, sizeof(uint32_t)));
	CHECK(cuLaunchKernel(empty, 1, 1, 1, 1, 1, 1, 0, stream, NULL, NULL));
	CHECK(cuStreamSynchronize(stream));
}

/* The caller answers with a line. */
static void wait_for_start(void)
{
	puts("{\"name\":\"ready\"}");
	fflush(stdout);
	if (getchar() == EOF)
		exit(1);
}

static void launch_work(uint64_t steps)
{
	CHECK(cuLaunchKernel(work, 1, 1, 1, 1, 1, 1, 0, stream, (void *[]){ &steps, &out }, NULL));
}

/* Return: the GPU's time for num kernels, by its events. */
static double events_ns(uint64_t steps, unsigned num)
{
	CUevent begun, done;
	float ms;

	CHECK(cuEventCreate(&begun, CU_EVENT_DEFAULT));
	CHECK(cuEventCreate(&done, CU_EVENT_DEFAULT));
	CHECK(cuEventRecord(begun, stream));
	for (unsigned i = 0; i < num; i++)
		launch_work(steps);
	CHECK(cuEventRecord(done, stream));
	CHECK(cuEventSynchronize(done));
	CHECK(cuEventElapsedTime(&ms, begun, done));
	return (double)ms * 1e6;
}

#define CLOCKS_UP 50 /* kernels of 20 ms, before which a GPU's clocks are not what they stay at */
#define CLOCKS_MOST 300
#define STEADY 10 /* so many that differ by a thousandth at most say that they stay */

/* What a step takes when no other program has the GPU. */
static void calibrate(void)
{
	uint64_t steps = 1000;
	double ns = 0, first_ns = 0;
	int steady = 0;

	while (events_ns(steps, 1) < 20e6 && steps < UINT64_C(1) << 40)
		steps *= 2;
	for (int i = 0; i < CLOCKS_MOST && (i < CLOCKS_UP || steady < STEADY); i++) {
		ns = events_ns(steps, 1);
		if (ns < first_ns * 0.999 || ns > first_ns * 1.001) {
			first_ns = ns;
			steady = 0;
		}
		steady++;
	}
	printf("{\"name\":\"step\",\"ns\":%.6f}\n", ns / (double)steps);
}

/* When kernels ended, as this program saw it: microseconds, each from the one before. */
static void print_ends(const uint64_t *end_ns, uint64_t num, uint64_t begun_ns)
{
	printf("{\"name\":\"ends\",\"begun_ns\":%" PRIu64 ",\"us\":[", begun_ns);
	for (uint64_t i = 0, last_us = 0; i < num; i++) {
		uint64_t us = (end_ns[i] - begun_ns) / 1000;

		printf("%s%" PRIu64, i > 0 ? "," : "", us - last_us);
		last_us = us;
	}
	puts("]}");
}

/*
 * Kernels without a pause for some seconds: there are always more submitted.
 * end_ns: room for ends_most kernels' ends; NULL: they are only counted.
 */
static void flood(uint64_t steps, uint64_t kernel_ns, uint64_t for_ns, uint64_t *end_ns,
		  uint64_t ends_most)
{
	uint64_t ahead = AHEAD_NS / kernel_ns, begun_ns, num = 0;
	CUevent done[AHEAD_MOST];

	if (ahead < AHEAD_LEAST)
		ahead = AHEAD_LEAST;
	if (ahead > AHEAD_MOST)
		ahead = AHEAD_MOST;
	for (uint64_t i = 0; i < ahead; i++)
		CHECK(cuEventCreate(&done[i], CU_EVENT_DISABLE_TIMING));
	wait_for_start();
	begun_ns = util_now_ns();
	for (; util_now_ns() - begun_ns < for_ns; num++) {
		if (num >= ahead)
			CHECK(cuEventSynchronize(done[num % ahead]));
		if (num >= ahead && end_ns && num - ahead < ends_most)
			end_ns[num - ahead] = util_now_ns();
		launch_work(steps);
		CHECK(cuEventRecord(done[num % ahead], stream));
	}
	num = num > ahead ? num - ahead : 0;
	if (end_ns) {
		print_ends(end_ns, num < ends_most ? num : ends_most, begun_ns);
		return;
	}
	printf("{\"name\":\"flood\",\"kernels\":%" PRIu64 ",\"ns\":%" PRIu64 "}\n", num,
	       util_now_ns() - begun_ns);
}

#define ENDS_MOST 1000000

static void watched_flood(uint64_t steps, uint64_t kernel_ns, uint64_t for_ns)
{
	uint64_t *end_ns = calloc(ENDS_MOST, sizeof(*end_ns));

	if (!end_ns) {
		fputs("bench-turns: no memory\n", stderr);
		exit(1);
	}
	flood(steps, kernel_ns, for_ns, end_ns, ENDS_MOST);
	free(end_ns);
}

static void sleep_until(uint64_t at_ns)
{
	const struct timespec at = { .tv_sec = (time_t)(at_ns / UTIL_NS_PER_S),
				     .tv_nsec = (long)(at_ns % UTIL_NS_PER_S) };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

/* A kernel each period, waited for; one that takes longer begins the next period late. */
static void ticks(uint64_t steps, uint64_t period_ns, uint64_t for_ns)
{
	uint64_t begun_ns, at_ns, num = 0;

	wait_for_start();
	begun_ns = at_ns = util_now_ns();
	for (; util_now_ns() - begun_ns < for_ns; num++) {
		launch_work(steps);
		CHECK(cuStreamSynchronize(stream));
		at_ns += period_ns;
		if (at_ns < util_now_ns())
			at_ns = util_now_ns();
		sleep_until(at_ns);
	}
	printf("{\"name\":\"ticks\",\"kernels\":%" PRIu64 ",\"ns\":%" PRIu64 "}\n", num,
	       util_now_ns() - begun_ns);
}

/* From a launch to its end, each after a sleep: whatever the program had of the GPU, it has no more. */
static void first(unsigned samples, uint64_t pause_ns)
{
	static uint64_t sample_ns[SAMPLES_MOST];

	wait_for_start();
	for (unsigned i = 0; i < samples; i++) {
		uint64_t begun_ns;

		/* Not in step with anything that others do. */
		sleep_until(util_now_ns() + pause_ns + pause_ns * (i * 7 % 13) / 26);
		begun_ns = util_now_ns();
		CHECK(cuLaunchKernel(empty, 1, 1, 1, 1, 1, 1, 0, stream, NULL, NULL));
		CHECK(cuStreamSynchronize(stream));
		sample_ns[i] = util_now_ns() - begun_ns;
	}
	samples_print("first", sample_ns, samples);
}

/* Launches, each waited for: what a program that is alone pays for its lease. */
static void alone(unsigned samples)
{
	static uint64_t sample_ns[SAMPLES_MOST];

	wait_for_start();
	for (unsigned i = 0; i < samples; i++) {
		uint64_t begun_ns = util_now_ns();

		CHECK(cuLaunchKernel(empty, 1, 1, 1, 1, 1, 1, 0, stream, NULL, NULL));
		CHECK(cuStreamSynchronize(stream));
		sample_ns[i] = util_now_ns() - begun_ns;
	}
	samples_print("alone", sample_ns, samples);
}

/* ------------------------------------------------------------------------------------------ */

static uint64_t number(const char *text, uint64_t least, uint64_t most)
{
	uint64_t value;

	if (util_parse_u64(text, least, most, &value) < 0) {
		fprintf(stderr, "bench-turns: %s: not a number from %" PRIu64 " to %" PRIu64 "\n",
			text, least, most);
		exit(2);
	}
	return value;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	uint64_t a = argc > 2 ? number(argv[2], 1, INT64_MAX) : 0;
	uint64_t b = argc > 3 ? number(argv[3], 1, INT64_MAX) : 0;
	uint64_t c = argc > 4 ? number(argv[4], 1, INT64_MAX) : 0;

	if (argc == 2 && strcmp(what, "calibrate") == 0) {
		prepare();
		calibrate();
	} else if (argc == 5 && strcmp(what, "flood") == 0) {
		prepare();
		flood(a, b, c, NULL, 0);
	} else if (argc == 5 && strcmp(what, "ends") == 0) {
		prepare();
		watched_flood(a, b, c);
	} else if (argc == 5 && strcmp(what, "ticks") == 0) {
		prepare();
		ticks(a, b, c);
	} else if (argc == 4 && strcmp(what, "first") == 0 && a <= SAMPLES_MOST) {
		prepare();
		first((unsigned)a, b);
	} else if (argc == 3 && strcmp(what, "alone") == 0 && a <= SAMPLES_MOST) {
		prepare();
		alone((unsigned)a);
	} else if (argc == 4 && strcmp(what, "events") == 0) {
		prepare();
		wait_for_start();
		printf("{\"name\":\"events\",\"ns\":%.0f}\n", events_ns(a, (unsigned)b));
	} else {
		fputs("usage: bench-turns calibrate              (what a step takes)\n"
		      "       bench-turns flood STEPS KERNEL-NS NS  (kernels of so many steps)\n"
		      "       bench-turns ends STEPS KERNEL-NS NS   (the same, with the time of each end)\n"
		      "       bench-turns ticks STEPS PERIOD-NS NS  (one each period)\n"
		      "       bench-turns first SAMPLES PAUSE-NS\n"
		      "       bench-turns alone SAMPLES\n"
		      "       bench-turns events STEPS KERNELS\n"
		      "All but the first print a line when they are ready, and wait for one.\n",
		      stderr);
		return 2;
	}
	return 0;
}
