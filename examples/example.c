/* SPDX-License-Identifier: GPL-2.0-or-later */
/* example.c - what the examples share: begin and end, and what to do about errors */

#include "examples/example.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const char *program = "example";
static CUdevice device;
static CUmodule module;

void example_check(CUresult result, const char *call)
{
	const char *name = NULL, *text = NULL;

	if (result == CUDA_SUCCESS)
		return;
	/* Both leave NULL for a number that they do not know. */
	cuGetErrorName(result, &name);
	cuGetErrorString(result, &text);
	fprintf(stderr, "%s: %s: %s (%d): %s\n", program_invocation_short_name, call,
		name ? name : "unknown error", (int)result, text ? text : "no text");
	exit(1);
}

void example_begin(const char *name)
{
	char gpu[256];
	CUcontext context;

	program = name;
	CHECK(cuInit(0));
	CHECK(cuDeviceGet(&device, 0));
	CHECK(cuDeviceGetName(gpu, sizeof(gpu), device));
	printf("%s: runs on %s\n", name, gpu);
	CHECK(cuDevicePrimaryCtxRetain(&context, device));
	CHECK(cuCtxSetCurrent(context));
}

CUfunction example_kernel(const char *ptx, const char *name)
{
	CUfunction function;

	if (!module)
		CHECK(cuModuleLoadData(&module, ptx));
	CHECK(cuModuleGetFunction(&function, module, name));
	return function;
}

void example_end(void)
{
	if (module)
		CHECK(cuModuleUnload(module));
	module = NULL;
	CHECK(cuDevicePrimaryCtxRelease(device));
}

int example_verdict(bool right, const char *what)
{
	printf("%s: %s: %s\n", program, what, right ? "right" : "WRONG");
	return right ? EXIT_SUCCESS : EXIT_FAILURE;
}
