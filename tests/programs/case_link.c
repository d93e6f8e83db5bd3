/* SPDX-License-Identifier: GPL-2.0-or-later */
/* case_link.c - cuLink*: one module of several images */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/programs/suite.h"

#define HEAD ".version 7.5\n.target sm_75\n.address_size 64\n"

/* A kernel that calls what another text has, and stores what it returns. */
static const char caller[] = HEAD ".extern .func (.param .b32 r) seven(.param .b32 x);\n"
				  ".visible .entry k(.param .u64 p) {\n"
				  "	.reg .b64 a; .reg .b32 v;\n"
				  "	.param .b32 x; .param .b32 r;\n"
				  "	ld.param.u64 a, [p]; mov.u32 v, 5; st.param.b32 [x], v;\n"
				  "	call.uni (r), seven, (x);\n"
				  "	ld.param.b32 v, [r]; st.global.u32 [a], v; ret;\n"
				  "}\n";
static const char callee[] = HEAD ".visible .func (.param .b32 r) seven(.param .b32 x) {\n"
				  "	.reg .b32 v; ld.param.b32 v, [x]; add.u32 v, v, 7;\n"
				  "	st.param.b32 [r], v; ret;\n"
				  "}\n";

static CUresult add(CUlinkState state, const char *text)
{
	return cuLinkAddData(state, CU_JIT_INPUT_PTX, (void *)text, strlen(text) + 1, "text", 0,
			     NULL, NULL);
}

/* Whether the kernel of a linked image does what it says. */
static void run_linked(const void *image)
{
	CUdeviceptr address = suite_device(4);
	CUfunction function;
	CUmodule module;
	uint32_t word = 0;

	OK(cuModuleLoadData(&module, image));
	OK(cuModuleGetFunction(&function, module, "k"));
	LAUNCH(function, 1, 1, NULL, &address);
	OK(cuMemcpyDtoH(&word, address, 4));
	EQUAL(word, 12);
	OK(cuModuleUnload(module));
}

CASE(link_two)
{
	for (int turn = 0; turn < 2; turn++) {
		CUlinkState state;
		void *image = NULL, *copy;
		size_t bytes = 0;

		suite_begin();
		OK(cuLinkCreate(0, NULL, NULL, &state));
		/* The order does not count. */
		OK(add(state, turn == 0 ? caller : callee));
		OK(add(state, turn == 0 ? callee : caller));
		OK(cuLinkComplete(state, &image, &bytes));
		TRUE(bytes > 0);
		run_linked(image);
		copy = malloc(bytes > 0 ? bytes : 1);
		memcpy(copy, image, bytes);
		OK(cuLinkDestroy(state));
		run_linked(copy); /* it lives without the link */
		free(copy);
	}
}

CASE(link_one)
{
	CUfunction function;
	CUlinkState state;
	CUmodule module;
	void *image;
	size_t bytes;

	suite_begin();
	OK(cuLinkCreate(0, NULL, NULL, &state));
	OK(add(state, suite_ptx));
	OK(cuLinkComplete(state, &image, &bytes));
	OK(cuModuleLoadData(&module, image));
	OK(cuModuleGetFunction(&function, module, "fill"));
	OK(cuModuleUnload(module));
	OK(cuLinkDestroy(state));
}

/* A kernel that has 40 sums at once. */
static const char *many_sums(void)
{
	static const char begin[] = HEAD
		".visible .entry k(.param .u64 p) {\n"
		"	.reg .b64 a; .reg .b32 v<40>; ld.param.u64 a, [p];\n";
	static char text[8192];
	size_t len = (size_t)snprintf(text, sizeof(text), "%s", begin);

	for (int i = 0; i < 40; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					"	ld.volatile.global.u32 v%d, [a+%d];\n", i, 4 * i);
	for (int i = 0; i < 40; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					"	st.volatile.global.u32 [a+%d], v%d;\n", 4 * i,
					39 - i);
	snprintf(text + len, sizeof(text) - len, "	ret;\n}\n");
	return text;
}

/* What a text was linked with holds for it when it is loaded; a copy of the image has all of it. */
CASE(link_options)
{
	CUjit_option options[] = { CU_JIT_MAX_REGISTERS, CU_JIT_INFO_LOG_BUFFER,
				   CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES };
	char log[1000] = "";
	void *values[] = { (void *)(uintptr_t)24, log, (void *)sizeof(log) }, *image, *copy;
	int loaded = 0, linked = 0;
	CUfunction function;
	CUlinkState state;
	CUmodule module;
	size_t bytes;

	suite_begin();
	OK(cuModuleLoadDataEx(&module, many_sums(), 1, options, values));
	OK(cuModuleGetFunction(&function, module, "k"));
	OK(cuFuncGetAttribute(&loaded, CU_FUNC_ATTRIBUTE_NUM_REGS, function));
	OK(cuModuleUnload(module));
	OK(cuLinkCreate(3, options, values, &state));
	OK(add(state, many_sums()));
	OK(cuLinkComplete(state, &image, &bytes));
	copy = malloc(bytes + 1);
	TRUE(copy != NULL);
	copy = (char *)copy + 1; /* at no even address */
	memcpy(copy, image, bytes);
	OK(cuLinkDestroy(state));
	OK(cuModuleLoadData(&module, copy));
	OK(cuModuleGetFunction(&function, module, "k"));
	OK(cuFuncGetAttribute(&linked, CU_FUNC_ATTRIBUTE_NUM_REGS, function));
	TRUE(linked <= 24 || linked == loaded); /* softgpu has no bound on registers */
	OK(cuModuleUnload(module));
	free((char *)copy - 1);
}

CASE(link_from_file)
{
	char path[] = "/tmp/vgpu-suite-XXXXXX";
	int fd = mkstemp(path);
	CUlinkState state;
	void *image;
	size_t bytes;

	suite_begin();
	TRUE(write(fd, callee, strlen(callee)) == (ssize_t)strlen(callee));
	close(fd);
	OK(cuLinkCreate(0, NULL, NULL, &state));
	OK(cuLinkAddFile(state, CU_JIT_INPUT_PTX, path, 0, NULL, NULL));
	unlink(path);
	WANT(cuLinkAddFile(state, CU_JIT_INPUT_PTX, path, 0, NULL, NULL),
	     CUDA_ERROR_FILE_NOT_FOUND);
	OK(add(state, caller));
	OK(cuLinkComplete(state, &image, &bytes));
	run_linked(image);
	OK(cuLinkDestroy(state));
}

/* Texts that are wrong, name what is nowhere, or have the same name twice. */
CASE(link_errors)
{
	char error[1024] = "";
	CUjit_option options[] = { CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES };
	void *values[] = { error, (void *)sizeof(error) };
	CUlinkState state;
	void *image;
	size_t bytes;

	suite_begin();
	OK(cuLinkCreate(2, options, values, &state));
	TRUE(add(state, HEAD ".visible .entry k() { frobnicate; }") != CUDA_SUCCESS);
	TRUE(strlen(error) > 0);
	OK(cuLinkDestroy(state));

	values[1] = (void *)sizeof(error);
	error[0] = '\0';
	OK(cuLinkCreate(2, options, values, &state));
	OK(add(state, caller));
	TRUE(cuLinkComplete(state, &image, &bytes) != CUDA_SUCCESS);
	TRUE(strlen(error) > 0);
	OK(cuLinkDestroy(state));

	OK(cuLinkCreate(0, NULL, NULL, &state));
	OK(add(state, callee));
	TRUE(add(state, callee) != CUDA_SUCCESS ||
	     cuLinkComplete(state, &image, &bytes) != CUDA_SUCCESS);
	OK(cuLinkDestroy(state));
	OK(cuCtxSynchronize());
}

CASE(link_bad_input)
{
	CUlinkState state;
	size_t bytes;

	suite_begin();
	WANT(cuLinkCreate(0, NULL, NULL, NULL), CUDA_ERROR_INVALID_VALUE);
	WANT(cuLinkCreate(1, NULL, NULL, &state), CUDA_ERROR_INVALID_VALUE);
	OK(cuLinkCreate(0, NULL, NULL, &state));
	WANT(cuLinkAddData(state, CU_JIT_INPUT_PTX, NULL, 10, "none", 0, NULL, NULL),
	     CUDA_ERROR_INVALID_VALUE);
	WANT(cuLinkComplete(state, NULL, &bytes), CUDA_ERROR_INVALID_VALUE);
	OK(cuLinkDestroy(state));
	OK(cuLinkCreate(0, NULL, NULL, &state));
	OK(add(state, callee));
	OK(cuLinkDestroy(state));
}

/* A driver looks at a link that was destroyed, and crashes. */
CASE_VGPU(link_destroyed)
{
	CUlinkState state;
	void *image;
	size_t bytes;

	suite_begin();
	OK(cuLinkCreate(0, NULL, NULL, &state));
	WANT(cuLinkComplete(state, &image, &bytes), CUDA_ERROR_INVALID_VALUE);
	WANT(cuLinkAddData(state, (CUjitInputType)77, (void *)callee, sizeof(callee), "", 0, NULL,
			   NULL),
	     CUDA_ERROR_INVALID_VALUE);
	OK(cuLinkDestroy(state));
	WANT(cuLinkDestroy(state), CUDA_ERROR_INVALID_HANDLE);
	WANT(add(state, callee), CUDA_ERROR_INVALID_HANDLE);
	WANT(cuLinkComplete(state, &image, &bytes), CUDA_ERROR_INVALID_HANDLE);
}
