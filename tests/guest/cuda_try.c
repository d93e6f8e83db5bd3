/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cuda_try.c - a CUDA program that does what its arguments say, one after the other, and prints what came of it */

#include <cuda.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/*
 * Usage: cuda-try STEP... A step is a name, perhaps with a word behind a colon: pin:16. Each prints
 * one line: its name and the CUresult's name, or what it found.
 */

__asm__(".section .rodata\n"
	"try_ptx: .incbin \"tests/programs/kernels.ptx\"\n"
	".byte 0\n"
	".previous\n");
extern const char try_ptx[];

#define PINNED_MOST 64
#define WORDS 1000u
#define PATIENCE_S 120
#define CROWD 6
#define CROWD_TIMES 8

static void *pinned[PINNED_MOST];
static int pinned_num;

static void tell(const char *step, CUresult result)
{
	const char *name = NULL;

	cuGetErrorName(result, &name);
	printf("%s %s\n", step, name ? name : "unknown");
	fflush(stdout);
}

static void tell_number(const char *step, long number)
{
	printf("%s %ld\n", step, number);
	fflush(stdout);
}

static void step_init(const char *word)
{
	(void)word;
	tell("init", cuInit(0));
}

static void step_context(const char *word)
{
	CUcontext context;
	CUresult result = cuDevicePrimaryCtxRetain(&context, 0);

	(void)word;
	if (result == CUDA_SUCCESS)
		result = cuCtxSetCurrent(context);
	tell("context", result);
}

/* Runs a kernel of an image over pageable memory, there and back. */
static CUresult run(const char *ptx, uint32_t *words)
{
	uint32_t n = WORDS, factor = 3;
	CUmodule module;
	CUfunction function;
	CUdeviceptr at;
	CUresult result = cuModuleLoadData(&module, ptx);

	if (result == CUDA_SUCCESS)
		result = cuModuleGetFunction(&function, module, "step");
	if (result == CUDA_SUCCESS)
		result = cuMemAlloc(&at, WORDS * sizeof(*words));
	if (result == CUDA_SUCCESS)
		result = cuMemcpyHtoD(at, words, WORDS * sizeof(*words));
	if (result == CUDA_SUCCESS)
		result = cuLaunchKernel(function, 4, 1, 1, 64, 1, 1, 0, NULL,
					(void *[]){ &at, &n, &factor }, NULL);
	if (result == CUDA_SUCCESS)
		result = cuMemcpyDtoH(words, at, WORDS * sizeof(*words));
	if (result == CUDA_SUCCESS)
		result = cuMemFree(at);
	return result == CUDA_SUCCESS ? cuModuleUnload(module) : result;
}

/* The same, and a look at each word. */
static CUresult run_and_look(const char *ptx)
{
	uint32_t words[WORDS];
	CUresult result;

	for (uint32_t i = 0; i < WORDS; i++)
		words[i] = i;
	result = run(ptx, words);
	for (uint32_t i = 0; result == CUDA_SUCCESS && i < WORDS; i++) {
		if (words[i] != 3 * i + 1)
			result = CUDA_ERROR_UNKNOWN;
	}
	return result;
}

static void step_run(const char *word)
{
	(void)word;
	tell("run", run_and_look(try_ptx));
}

/* A kernel whose image has so many KiB, most of them a comment. */
static CUresult run_image(size_t bytes)
{
	const size_t length = strlen(try_ptx);
	char *ptx = malloc(length + bytes + 2);
	CUresult result;

	memcpy(ptx, try_ptx, length + 1);
	memset(ptx + length, '/', bytes);
	memcpy(ptx + length + bytes, "\n", 2);
	result = run_and_look(ptx);
	free(ptx);
	return result;
}

static void step_image(const char *word)
{
	tell("image", run_image(strtoul(word, NULL, 10) << 10));
}

/* Pins so many MiB at a time until no more are there; all of it is written to. */
static void step_pin(const char *word)
{
	size_t bytes = strtoul(word, NULL, 10) << 20;
	CUresult result = CUDA_SUCCESS;

	while (pinned_num < PINNED_MOST) {
		result = cuMemHostAlloc(&pinned[pinned_num], bytes, 0);
		if (result != CUDA_SUCCESS)
			break;
		memset(pinned[pinned_num++], 7, bytes);
	}
	tell("pin", result);
	tell_number("pinned", pinned_num);
}

static void step_unpin(const char *word)
{
	CUresult result = CUDA_SUCCESS;

	(void)word;
	while (pinned_num > 0 && result == CUDA_SUCCESS)
		result = cuMemFreeHost(pinned[--pinned_num]);
	tell("unpin", result);
}

/* Where the device sits, by its name, by its three attributes, and whether its name finds it. */
static void step_slot(const char *word)
{
	char id[32] = "";
	int domain = -1, bus = -1, number = -1;
	CUdevice device = -1;
	CUresult result = cuDeviceGetPCIBusId(id, sizeof(id), 0);

	(void)word;
	cuDeviceGetAttribute(&domain, CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID, 0);
	cuDeviceGetAttribute(&bus, CU_DEVICE_ATTRIBUTE_PCI_BUS_ID, 0);
	cuDeviceGetAttribute(&number, CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID, 0);
	printf("slot %s %04x:%02x:%02x %d\n", id, (unsigned)domain, (unsigned)bus, (unsigned)number,
	       cuDeviceGetByPCIBusId(&device, id) == CUDA_SUCCESS ? device : -1);
	tell("slot", result);
}

static CUresult copy(size_t bytes)
{
	unsigned char *there = malloc(bytes), *back = calloc(1, bytes);
	CUdeviceptr at = 0;
	CUresult result = cuMemAlloc(&at, bytes);

	for (size_t i = 0; i < bytes; i++)
		there[i] = (unsigned char)(i * 2654435761u >> 24);
	if (result == CUDA_SUCCESS)
		result = cuMemcpyHtoD(at, there, bytes);
	if (result == CUDA_SUCCESS)
		result = cuMemcpyDtoH(back, at, bytes);
	if (result == CUDA_SUCCESS && memcmp(there, back, bytes) != 0)
		result = CUDA_ERROR_UNKNOWN;
	cuMemFree(at);
	free(there);
	free(back);
	return result;
}

/* So many KiB of pageable memory, there and back. */
static void step_copy(const char *word)
{
	tell("copy", copy(strtoul(word, NULL, 10) << 10));
}

static CUcontext crowd_context;

static void *crowd_load(void *bytes)
{
	CUresult result = cuCtxSetCurrent(crowd_context);

	for (int i = 0; i < CROWD_TIMES && result == CUDA_SUCCESS; i++)
		result = run_image((size_t)bytes);
	return (void *)(size_t)result;
}

static void *crowd_copy(void *bytes)
{
	CUresult result = cuCtxSetCurrent(crowd_context);

	for (int i = 0; i < CROWD_TIMES && result == CUDA_SUCCESS; i++)
		result = copy((size_t)bytes);
	return (void *)(size_t)result;
}

/* Threads that load images of so many KiB beside threads that copy as much. */
static void step_crowd(const char *word)
{
	void *bytes = (void *)(strtoul(word, NULL, 10) << 10), *ended;
	pthread_t threads[CROWD];
	CUresult result = cuCtxGetCurrent(&crowd_context);

	for (int i = 0; i < CROWD; i++)
		pthread_create(&threads[i], NULL, i % 2 ? crowd_load : crowd_copy, bytes);
	for (int i = 0; i < CROWD; i++) {
		pthread_join(threads[i], &ended);
		if (result == CUDA_SUCCESS)
			result = (CUresult)(size_t)ended;
	}
	tell("crowd", result);
}

static volatile sig_atomic_t alarms;

static void on_alarm(int signal)
{
	(void)signal;
	alarms++;
}

/* From here on a signal comes every so many us. */
static void step_alarm(const char *word)
{
	struct itimerval timer = { .it_interval.tv_usec = strtol(word, NULL, 10) };
	struct sigaction action = { .sa_handler = on_alarm };

	timer.it_value = timer.it_interval;
	tell_number("alarm",
		    sigaction(SIGALRM, &action, NULL) | setitimer(ITIMER_REAL, &timer, NULL));
}

/*
 * The rest of the steps is the child's; the parent goes on behind the step `join`, when the child
 * has ended.
 */
static void step_fork(const char *word)
{
	(void)word;
	fflush(stdout);
}

/* Makes an empty file, for the test. */
static void step_mark(const char *word)
{
	FILE *file = fopen(word, "w");

	tell_number("mark", file ? fclose(file) : -1);
}

/* Waits for a file of the test's. */
static void step_await(const char *word)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	int tries = PATIENCE_S * 100;

	while (access(word, F_OK) != 0 && tries-- > 0)
		nanosleep(&pause, NULL);
	tell_number("await", tries > 0 ? 0 : -1);
}

static void step_user(const char *word)
{
	tell_number("user", setgid(65534) | setuid((uid_t)strtoul(word, NULL, 10)));
}

static const struct {
	const char *name;
	void (*run)(const char *word);
} steps[] = {
	{ "init", step_init },	 { "context", step_context }, { "run", step_run },
	{ "pin", step_pin },	 { "unpin", step_unpin },     { "fork", step_fork },
	{ "mark", step_mark },	 { "await", step_await },     { "user", step_user },
	{ "slot", step_slot },	 { "copy", step_copy },	      { "alarm", step_alarm },
	{ "image", step_image }, { "crowd", step_crowd },
};

static void run_step(char *argument)
{
	char *word = strchr(argument, ':');
	size_t length = word ? (size_t)(word - argument) : strlen(argument);

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (strlen(steps[i].name) != length ||
		    strncmp(argument, steps[i].name, length) != 0)
			continue;
		steps[i].run(word ? word + 1 : "");
		return;
	}
	fprintf(stderr, "cuda-try: no step %s\n", argument);
	exit(2);
}

/* Return: where the parent goes on: behind `join`, or at the end. */
static char **fork_here(char **argument)
{
	pid_t child = fork();
	int status = 0;

	if (child == 0)
		return argument;
	while (*argument && strcmp(*argument, "join") != 0)
		argument++;
	waitpid(child, &status, 0);
	tell_number("join", status);
	return *argument ? argument + 1 : argument;
}

int main(int argc, char **argv)
{
	char **argument = argv + 1;

	(void)argc;
	while (*argument) {
		char *step = *argument++;

		if (strcmp(step, "join") == 0) /* a child's end */
			return 0;
		if (strcmp(step, "exec") == 0) { /* the rest is the next program's */
			execvp(*argument, argument);
			return 127;
		}
		run_step(step);
		if (strcmp(step, "fork") == 0)
			argument = fork_here(argument);
	}
	return 0;
}
