/* SPDX-License-Identifier: GPL-2.0-or-later */
/* case_fork.c - a forked child has no CUDA, and does its parent no harm */

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/programs/suite.h"

static bool child_says(bool (*judge)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		alarm(60);
		_exit(judge() ? 0 : 1);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static bool has_no_cuda(void)
{
	CUdeviceptr address;
	CUcontext context;
	CUstream stream;
	int count;

	return cuInit(0) == CUDA_ERROR_NOT_INITIALIZED &&
	       cuMemAlloc(&address, 4) == CUDA_ERROR_NOT_INITIALIZED &&
	       cuDeviceGetCount(&count) == CUDA_ERROR_NOT_INITIALIZED &&
	       cuCtxGetCurrent(&context) == CUDA_ERROR_NOT_INITIALIZED &&
	       cuStreamCreate(&stream, 0) == CUDA_ERROR_NOT_INITIALIZED &&
	       cuCtxSynchronize() == CUDA_ERROR_NOT_INITIALIZED;
}

CASE(fork_child_has_no_cuda)
{
	uint32_t one = 1, word = 0;
	CUdeviceptr address;
	uint32_t *flag;

	suite_begin();
	flag = suite_host(4);
	address = suite_device(4);
	LAUNCH(suite_kernel("spin"), 1, 1, NULL, &flag);
	LAUNCH(suite_kernel("add"), 1, 32, NULL, &address, &one, &one);
	TRUE(child_says(has_no_cuda));
	TRUE(child_says(has_no_cuda));
	*(volatile uint32_t *)flag = 1;
	OK(cuMemcpyDtoH(&word, address, 4));
	EQUAL(word, 1);
}

static bool has_cuda(void)
{
	CUdeviceptr address;
	CUcontext context;
	uint32_t word = 4, back = 0;

	return cuInit(0) == CUDA_SUCCESS && cuDevicePrimaryCtxRetain(&context, 0) == CUDA_SUCCESS &&
	       cuCtxSetCurrent(context) == CUDA_SUCCESS &&
	       cuMemAlloc(&address, 4) == CUDA_SUCCESS &&
	       cuMemcpyHtoD(address, &word, 4) == CUDA_SUCCESS &&
	       cuMemcpyDtoH(&back, address, 4) == CUDA_SUCCESS && back == 4;
}

CASE(fork_before_the_first_call)
{
	TRUE(child_says(has_cuda));
	TRUE(has_cuda());
}

/* What a daemon prints that has no standard files reaches nothing of CUDA's. */
static bool prints_nowhere(void)
{
	static const char words[4096] = "progress";
	bool right;

	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		close(fd);
	right = has_cuda();
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		right = write(fd, words, sizeof(words)) < 0 && right;
	return right && cuCtxSynchronize() == CUDA_SUCCESS && has_cuda();
}

CASE_VGPU(fork_of_a_daemon_that_prints)
{
	TRUE(child_says(prints_nowhere));
}

/* exec and a program that knows nothing: the parent's GPU state is not touched. */
CASE(fork_and_exec)
{
	uint32_t word = 9, back = 0;
	CUdeviceptr address;
	int status = -1;
	pid_t pid;

	suite_begin();
	address = suite_device(4);
	OK(cuMemcpyHtoD(address, &word, 4));
	for (int i = 0; i < 5; i++) {
		pid = fork();
		if (pid == 0) {
			execl("/bin/true", "true", (char *)NULL);
			_exit(9);
		}
		TRUE(waitpid(pid, &status, 0) == pid && status == 0);
	}
	OK(cuMemcpyDtoH(&back, address, 4));
	EQUAL(back, 9);
}
