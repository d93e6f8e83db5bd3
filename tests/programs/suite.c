/* SPDX-License-Identifier: GPL-2.0-or-later */
/* suite.c - runs the cases, each in a process of its own, and prints TAP */

#include "tests/programs/suite.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

__asm__(".section .rodata\n"
	".global suite_ptx\n"
	"suite_ptx: .incbin \"tests/programs/kernels.ptx\"\n"
	".byte 0\n"
	".previous\n");

extern const struct suite_case *const __start_suite_cases[];
extern const struct suite_case *const __stop_suite_cases[];

#define SECONDS_MOST 120 /* for one case */
#define STATUS_WRONG 1

static int wrong; /* judgements of the case that runs */
static bool notes;
static unsigned seconds = SECONDS_MOST;
static CUmodule module;

bool suite_is_vgpu(void)
{
	return getenv("VGPU_SOCKET") != NULL;
}

bool suite_is_software(void)
{
	char name[256] = "";

	return cuDeviceGetName(name, sizeof(name), 0) == CUDA_SUCCESS && strstr(name, "softgpu");
}

/* --- judgements --- */

static const char *name_of(CUresult result)
{
	const char *name = NULL;

	return cuGetErrorName(result, &name) == CUDA_SUCCESS && name ? name : "an unknown number";
}

void suite_say(const char *format, ...)
{
	va_list args;

	fputs("#   ", stdout);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

static const char *base(const char *file)
{
	const char *slash = strrchr(file, '/');

	return slash ? slash + 1 : file;
}

void suite_want(CUresult got, CUresult one, CUresult other, const char *call, const char *file,
		int line)
{
	if (got == one || got == other) {
		if (notes && one != other)
			suite_say("note: %s:%d: %s: %s", base(file), line, call, name_of(got));
		return;
	}
	wrong++;
	suite_say("%s:%d: %s: got %s (%d), want %s%s%s", base(file), line, call, name_of(got),
		  (int)got, name_of(one), one == other ? "" : " or ",
		  one == other ? "" : name_of(other));
}

void suite_ok(CUresult got, const char *call, const char *file, int line)
{
	suite_want(got, CUDA_SUCCESS, CUDA_SUCCESS, call, file, line);
	if (got != CUDA_SUCCESS)
		_exit(STATUS_WRONG);
}

void suite_equal(long long got, long long want, const char *what, const char *file, int line)
{
	if (got == want)
		return;
	wrong++;
	suite_say("%s:%d: %s: is %lld (0x%llx), want %lld (0x%llx)", base(file), line, what, got,
		  got, want, want);
}

void suite_true(bool is, const char *what, const char *file, int line)
{
	if (is)
		return;
	wrong++;
	suite_say("%s:%d: not so: %s", base(file), line, what);
}

void suite_pause(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

/* --- what a case may assume --- */

size_t suite_ptx_bytes(void)
{
	return strlen(suite_ptx);
}

CUdevice suite_begin(void)
{
	CUcontext context;
	CUdevice device;

	OK(cuInit(0));
	OK(cuDeviceGet(&device, 0));
	OK(cuDevicePrimaryCtxRetain(&context, device));
	OK(cuCtxSetCurrent(context));
	return device;
}

CUfunction suite_kernel(const char *name)
{
	CUfunction function;

	if (!module)
		OK(cuModuleLoadData(&module, suite_ptx));
	OK(cuModuleGetFunction(&function, module, name));
	return function;
}

CUdeviceptr suite_device(size_t bytes)
{
	CUdeviceptr address;

	OK(cuMemAlloc(&address, bytes));
	OK(cuMemsetD8(address, 0, bytes));
	OK(cuCtxSynchronize());
	return address;
}

void *suite_host(size_t bytes)
{
	void *memory;

	OK(cuMemHostAlloc(&memory, bytes, CU_MEMHOSTALLOC_DEVICEMAP | CU_MEMHOSTALLOC_PORTABLE));
	memset(memory, 0, bytes);
	return memory;
}

static uint32_t mix(uint64_t index, unsigned seed)
{
	uint64_t x = (index + 1) * 0x9e3779b97f4a7c15ull + seed * 0xbf58476d1ce4e5b9ull;

	return (uint32_t)(x ^ x >> 29) ^ (uint32_t)(x >> 37);
}

void suite_pattern(void *bytes, size_t len, unsigned seed)
{
	uint8_t *at = bytes;

	for (size_t i = 0; i < len; i += 4) {
		uint32_t word = mix(i / 4, seed);

		memcpy(at + i, &word, len - i < 4 ? len - i : 4);
	}
}

bool suite_is_pattern(const void *bytes, size_t len, unsigned seed)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < len; i += 4) {
		uint32_t word = mix(i / 4, seed);

		if (memcmp(at + i, &word, len - i < 4 ? len - i : 4) != 0) {
			suite_say("differs within 4 bytes from %zu of %zu on", i, len);
			return false;
		}
	}
	return true;
}

/* --- running --- */

static bool is_chosen(const struct suite_case *kase, char **words, int count)
{
	for (int i = 0; i < count; i++) {
		if (strstr(kase->name, words[i]))
			return true;
	}
	return count == 0;
}

/* Return: the status that waitpid() gave. The case's children do not outlive it. */
static int run_case(const struct suite_case *kase)
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(seconds);
		wrong = 0;
		kase->run();
		fflush(stdout);
		exit(wrong ? STATUS_WRONG
			   : 0); /* as programs end: the library's own end is judged, too */
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		printf("Bail out! fork: %s\n", strerror(errno));
		exit(1);
	}
	kill(-pid, SIGKILL);
	return status;
}

static bool tell(const struct suite_case *kase, unsigned number, int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		suite_say("%s: not done after %u s", kase->name, seconds);
	else if (WIFSIGNALED(status))
		suite_say("%s: %s", kase->name, strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) > STATUS_WRONG)
		suite_say("%s: ended with status %d", kase->name, WEXITSTATUS(status));
	printf("%s %u - %s\n", status == 0 ? "ok" : "not ok", number, kase->name);
	fflush(stdout);
	return status == 0;
}

static int run_all(char **words, int count)
{
	unsigned number = 0, failed = 0, chosen = 0;

	for (const struct suite_case *const *at = __start_suite_cases; at < __stop_suite_cases;
	     at++)
		chosen += is_chosen(*at, words, count);
	printf("1..%u\n", chosen);
	for (const struct suite_case *const *at = __start_suite_cases; at < __stop_suite_cases;
	     at++) {
		if (!is_chosen(*at, words, count))
			continue;
		if ((*at)->vgpu_only && !suite_is_vgpu())
			printf("ok %u - %s # SKIP a driver need not survive it\n", ++number,
			       (*at)->name);
		else
			failed += !tell(*at, ++number, run_case(*at));
	}
	if (failed > 0)
		printf("# %u of %u failed\n", failed, chosen);
	return failed > 0;
}

static void list(void)
{
	for (const struct suite_case *const *at = __start_suite_cases; at < __stop_suite_cases;
	     at++)
		puts((*at)->name);
}

static int usage(void)
{
	fputs("usage: suite [--list] [--notes] [--seconds N] [PART-OF-A-NAME...]\n"
	      "Judges the libcuda.so.1 that it finds. --notes: what came where the manual leaves it open.\n"
	      "--seconds: so long may a case take (120).\n",
	      stderr);
	return 2;
}

int main(int argc, char **argv)
{
	int at = 1;

	/* Lazily, a first launch loads its function, and that waits for kernels that run: cases with a
	 * spinning kernel would hang. */
	setenv("CUDA_MODULE_LOADING", "EAGER", 0);
	for (; at < argc && argv[at][0] == '-'; at++) {
		if (strcmp(argv[at], "--list") == 0) {
			list();
			return 0;
		}
		if (strcmp(argv[at], "--notes") == 0)
			notes = true;
		else if (strcmp(argv[at], "--seconds") == 0 && at + 1 < argc)
			seconds = (unsigned)strtoul(argv[++at], NULL, 10);
		else
			return usage();
	}
	return run_all(argv + at, argc - at);
}
