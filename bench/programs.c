/* SPDX-License-Identifier: GPL-2.0-or-later */
/* programs.c - bench-programs: what launches and copies take a CUDA program, as JSON lines */

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "bench/cuda_program.h"
#include "bench/samples.h"
#include "common/util.h"

/*
 * It knows nothing of vgpu: bench/programs.py runs it on a GPU's driver, and through vgpud, in turns.
 * bench-programs-softgpu is the same, linked with softgpu in its own process.
 */
CUDA_PROGRAM_PTX(bench_ptx, "bench/programs.ptx");

#define SAMPLES_MOST 20000
#define SMALL_BYTES 4
#define BUSY_NS 1000000	  /* of a kernel, where the processor's share is measured */
#define SLEEP_NS 50000000 /* after which a worker no longer polls */

static CUfunction empty, delay;
static CUstream stream;
static uint64_t sample_ns[SAMPLES_MOST];

static void launch(CUfunction function, void **parameters)
{
	CHECK(cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, stream, parameters, NULL));
}

/* From the caller's clock before it started this process to the end of the first kernel. */
static void start(uint64_t begun_ns)
{
	CUmodule module;

	cuda_program_begin();
	CHECK(cuModuleLoadData(&module, bench_ptx));
	CHECK(cuModuleGetFunction(&empty, module, "empty"));
	CHECK(cuModuleGetFunction(&delay, module, "delay"));
	CHECK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
	launch(empty, NULL);
	CHECK(cuStreamSynchronize(stream));
	if (begun_ns > 0)
		printf("{\"name\":\"start to first kernel\",\"ns\":%" PRIu64 "}\n",
		       util_now_ns() - begun_ns);
}

/* --- latencies ---------------------------------------------------------------------------- */

static void round_trips(unsigned rounds)
{
	for (unsigned i = 0; i < rounds / 10 + 1; i++) {
		launch(empty, NULL);
		CHECK(cuStreamSynchronize(stream));
	}
	for (unsigned i = 0; i < rounds; i++) {
		const uint64_t begun_ns = util_now_ns();

		launch(empty, NULL);
		CHECK(cuStreamSynchronize(stream));
		sample_ns[i] = util_now_ns() - begun_ns;
	}
	samples_print("launch + synchronize", sample_ns, rounds);
}

/* The other side sleeps by then. */
static void round_trips_after_sleep(unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++) {
		uint64_t begun_ns;

		nanosleep(&(struct timespec){ .tv_nsec = SLEEP_NS }, NULL);
		begun_ns = util_now_ns();
		launch(empty, NULL);
		CHECK(cuStreamSynchronize(stream));
		sample_ns[i] = util_now_ns() - begun_ns;
	}
	samples_print("launch + synchronize after 50 ms of sleep", sample_ns, rounds);
}

static void back_to_back(unsigned rounds)
{
	uint64_t best_ns = UINT64_MAX;

	for (int turn = 0; turn < 5; turn++) {
		const uint64_t begun_ns = util_now_ns();

		for (unsigned i = 0; i < rounds; i++)
			launch(empty, NULL);
		CHECK(cuStreamSynchronize(stream));
		if (util_now_ns() - begun_ns < best_ns)
			best_ns = util_now_ns() - begun_ns;
	}
	printf("{\"name\":\"launches back to back\",\"count\":%u,\"per_s\":%.0f}\n", rounds,
	       rounds * 1e9 / (double)best_ns);
}

static void small_copies(unsigned rounds)
{
	uint32_t word = 1;
	CUdeviceptr address;

	CHECK(cuMemAlloc(&address, SMALL_BYTES));
	for (unsigned i = 0; i < rounds; i++) {
		const uint64_t begun_ns = util_now_ns();

		CHECK(cuMemcpyHtoD(address, &word, SMALL_BYTES));
		sample_ns[i] = util_now_ns() - begun_ns;
	}
	samples_print("4 B to the device", sample_ns, rounds);
	for (unsigned i = 0; i < rounds; i++) {
		const uint64_t begun_ns = util_now_ns();

		CHECK(cuMemcpyDtoH(&word, address, SMALL_BYTES));
		sample_ns[i] = util_now_ns() - begun_ns;
	}
	samples_print("4 B from the device", sample_ns, rounds);
	CHECK(cuMemFree(address));
}

/* --- throughput --------------------------------------------------------------------------- */

static void print_rate(const char *kind, const char *way, size_t bytes, uint64_t best_ns)
{
	printf("{\"name\":\"large copy, %s, %s the device\",\"bytes\":%zu,\"gb_per_s\":%.3f}\n",
	       kind, way, bytes, (double)bytes / (double)best_ns);
}

/* The quickest of some rounds; the first ones make the pages. */
static void large_copies(const char *kind, void *memory, size_t bytes, unsigned rounds)
{
	uint64_t best_ns[2] = { UINT64_MAX, UINT64_MAX };
	CUdeviceptr address;

	memset(memory, 1, bytes);
	CHECK(cuMemAlloc(&address, bytes));
	for (unsigned i = 0; i < 2 * rounds; i++) {
		const uint64_t begun_ns = util_now_ns();
		uint64_t ns;

		if (i % 2 == 0)
			CHECK(cuMemcpyHtoD(address, memory, bytes));
		else
			CHECK(cuMemcpyDtoH(memory, address, bytes));
		ns = util_now_ns() - begun_ns;
		if (ns < best_ns[i % 2])
			best_ns[i % 2] = ns;
	}
	CHECK(cuMemFree(address));
	print_rate(kind, "to", bytes, best_ns[0]);
	print_rate(kind, "from", bytes, best_ns[1]);
}

static void all_large_copies(size_t bytes, unsigned rounds)
{
	void *pinned, *pageable = malloc(bytes);

	if (!pageable) {
		fprintf(stderr, "bench-programs: no memory for %zu bytes\n", bytes);
		exit(1);
	}
	CHECK(cuMemHostAlloc(&pinned, bytes, 0));
	large_copies("pinned", pinned, bytes, rounds);
	CHECK(cuMemFreeHost(pinned));
	large_copies("pageable", pageable, bytes, rounds);
	free(pageable);
}

/* --- the processor's share ---------------------------------------------------------------- */

static uint64_t own_cpu_ns(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * UTIL_NS_PER_S +
	       (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

/* The caller looks at other processes' figures before it answers with a line. */
static void tell(const char *line)
{
	puts(line);
	fflush(stdout);
	if (getchar() == EOF)
		exit(1);
}

/* Kernels of 1 ms, each waited for. */
static void busy(unsigned kernels)
{
	unsigned long long ns = BUSY_NS;
	uint64_t cpu_ns;

	tell("{\"name\":\"ready\"}");
	cpu_ns = own_cpu_ns();
	for (unsigned i = 0; i < kernels; i++) {
		launch(delay, (void *[]){ &ns });
		CHECK(cuStreamSynchronize(stream));
	}
	printf("{\"name\":\"busy\",\"gpu_ns\":%" PRIu64 ",\"cpu_ns\":%" PRIu64 "}\n",
	       (uint64_t)kernels * BUSY_NS, own_cpu_ns() - cpu_ns);
	tell("{\"name\":\"done\"}");
}

/* ------------------------------------------------------------------------------------------ */

static uint64_t number(const char *text, uint64_t most)
{
	uint64_t value;

	if (util_parse_u64(text, 0, most, &value) < 0) {
		fprintf(stderr, "bench-programs: %s: not a number up to %" PRIu64 "\n", text, most);
		exit(2);
	}
	return value;
}

/*
 * Starts this program anew with the time in place of the word: for who has no such clock, as a
 * guest's shell.
 */
static void begin_now(char **argv, int word)
{
	char begun_ns[24];

	snprintf(begun_ns, sizeof(begun_ns), "%" PRIu64, util_now_ns());
	argv[word] = begun_ns;
	execv("/proc/self/exe", argv);
	perror("bench-programs: /proc/self/exe");
	exit(1);
}

int main(int argc, char **argv)
{
	uint64_t begun_ns;

	if (argc > 2 && strcmp(argv[argc - 1], "now") == 0)
		begin_now(argv, argc - 1);
	if (argc == 3 && strcmp(argv[1], "start") == 0) {
		start(number(argv[2], UINT64_MAX));
	} else if (argc == 3 && strcmp(argv[1], "busy") == 0) {
		start(0);
		busy((unsigned)number(argv[2], 1000000));
	} else if (argc == 5 && strcmp(argv[1], "all") == 0) {
		const unsigned rounds = (unsigned)number(argv[2], SAMPLES_MOST);

		begun_ns = number(argv[4], UINT64_MAX);
		start(begun_ns);
		round_trips(rounds);
		back_to_back(rounds);
		small_copies(rounds);
		round_trips_after_sleep(rounds / 100 + 1);
		all_large_copies(number(argv[3], UINT64_MAX), 5);
	} else {
		fputs("usage: bench-programs all ROUNDS BYTES BEGUN-NS\n"
		      "       bench-programs start BEGUN-NS\n"
		      "       bench-programs busy KERNELS    (prints, then waits for a line, twice)\n"
		      "BEGUN-NS: CLOCK_MONOTONIC before it was started, or now.\n",
		      stderr);
		return 2;
	}
	return 0;
}
