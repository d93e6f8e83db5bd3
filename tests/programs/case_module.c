/* SPDX-License-Identifier: GPL-2.0-or-later */
/* case_module.c - modules: images of every kind, variables, functions */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/programs/suite.h"

#define HEAD ".version 7.0\n.target sm_75\n.address_size 64\n"

CASE(module_functions)
{
	CUfunction function, again, all[64];
	unsigned count = 0;
	const char *name = NULL;
	CUmodule module, of_function;
	bool found = false;

	suite_begin();
	OK(cuModuleLoadData(&module, suite_ptx));
	OK(cuModuleGetFunction(&function, module, "fill"));
	OK(cuModuleGetFunction(&again, module, "fill"));
	TRUE(function != NULL && function == again);
	OK(cuFuncGetName(&name, function));
	TRUE(strcmp(name, "fill") == 0);
	OK(cuFuncGetModule(&of_function, function));
	TRUE(of_function == module);
	OK(cuModuleGetFunctionCount(&count, module));
	EQUAL(count, 24);
	OK(cuModuleEnumerateFunctions(all, count, module));
	for (unsigned i = 0; i < count; i++) {
		OK(cuFuncGetName(&name, all[i]));
		found = found || strcmp(name, "shared_dynamic") == 0;
	}
	TRUE(found);
	WANT(cuModuleGetFunction(&function, module, "no_such_kernel"), CUDA_ERROR_NOT_FOUND);
	WANT_EITHER(cuModuleGetFunction(&function, module, ""), CUDA_ERROR_NOT_FOUND,
		    CUDA_ERROR_INVALID_VALUE);
	WANT(cuModuleGetFunction(NULL, module, "fill"), CUDA_ERROR_INVALID_VALUE);
	WANT(cuModuleGetFunction(&function, module, NULL), CUDA_ERROR_INVALID_VALUE);
	OK(cuModuleUnload(module));
}

CASE_VGPU(module_handles_that_are_none)
{
	CUfunction function;
	CUmodule module;

	suite_begin();
	OK(cuModuleLoadData(&module, suite_ptx));
	OK(cuModuleUnload(module));
	WANT(cuModuleUnload(module), CUDA_ERROR_INVALID_HANDLE);
	WANT(cuModuleGetFunction(&function, module, "fill"), CUDA_ERROR_INVALID_HANDLE);
	WANT(cuModuleUnload(NULL), CUDA_ERROR_INVALID_HANDLE);
	WANT(cuModuleUnload((CUmodule)0x1234), CUDA_ERROR_INVALID_HANDLE);
}

CASE(module_variables)
{
	CUdeviceptr counter, table, big;
	CUmodule module;
	CUfunction bump, read_table;
	uint32_t word = 0, words[16] = { 0 };
	CUdeviceptr out;
	size_t bytes = 0;

	suite_begin();
	OK(cuModuleLoadData(&module, suite_ptx));
	OK(cuModuleGetGlobal(&counter, &bytes, module, "counter"));
	EQUAL(bytes, 4);
	OK(cuMemcpyDtoH(&word, counter, 4));
	EQUAL(word, 7);
	word = 100;
	OK(cuMemcpyHtoD(counter, &word, 4));
	OK(cuModuleGetFunction(&bump, module, "bump"));
	LAUNCH(bump, 4, 32, NULL, NULL);
	OK(cuMemcpyDtoH(&word, counter, 4));
	EQUAL(word, 228);
	OK(cuModuleGetGlobal(&big, &bytes, module, "big"));
	EQUAL(bytes, 8000);
	OK(cuModuleGetGlobal(&table, &bytes, module, "table"));
	EQUAL(bytes, 64);
	OK(cuMemcpyDtoH(words, table, 64));
	EQUAL(words[5], 13);
	words[5] = 1313;
	OK(cuMemcpyHtoD(table, words, 64));
	out = suite_device(64);
	OK(cuModuleGetFunction(&read_table, module, "read_table"));
	LAUNCH(read_table, 1, 16, NULL, &out);
	OK(cuMemcpyDtoH(words, out, 64));
	EQUAL(words[4], 8);
	EQUAL(words[5], 1313);
	OK(cuModuleGetGlobal(NULL, &bytes, module, "big"));
	OK(cuModuleGetGlobal(&big, NULL, module, "big"));
	WANT(cuModuleGetGlobal(&big, &bytes, module, "no_such"), CUDA_ERROR_NOT_FOUND);
	WANT_EITHER(cuModuleGetGlobal(&big, &bytes, module, "fill"), CUDA_ERROR_NOT_FOUND,
		    CUDA_ERROR_INVALID_VALUE);
	WANT(cuModuleGetGlobal(&big, &bytes, module, NULL), CUDA_ERROR_INVALID_VALUE);
	OK(cuModuleUnload(module));
}

/* Each module has variables of its own. */
CASE(module_twice)
{
	CUdeviceptr first, second;
	CUmodule one, two;
	uint32_t word = 50;

	suite_begin();
	OK(cuModuleLoadData(&one, suite_ptx));
	OK(cuModuleLoadData(&two, suite_ptx));
	OK(cuModuleGetGlobal(&first, NULL, one, "counter"));
	OK(cuModuleGetGlobal(&second, NULL, two, "counter"));
	TRUE(first != second);
	OK(cuMemcpyHtoD(first, &word, 4));
	OK(cuMemcpyDtoH(&word, second, 4));
	EQUAL(word, 7);
	OK(cuModuleUnload(one));
	OK(cuMemcpyDtoH(&word, second, 4));
	EQUAL(word, 7);
	OK(cuModuleUnload(two));
}

static CUresult load(const char *image)
{
	CUmodule module;
	CUresult result = cuModuleLoadData(&module, image);

	if (result == CUDA_SUCCESS)
		OK(cuModuleUnload(module));
	return result;
}

CASE(module_bad_images)
{
	static char garbage[1 << 20];
	CUmodule module;

	suite_begin();
	WANT(cuModuleLoadData(&module, NULL), CUDA_ERROR_INVALID_VALUE);
	WANT(cuModuleLoadData(NULL, suite_ptx), CUDA_ERROR_INVALID_VALUE);
	WANT(load("nonsense"), CUDA_ERROR_INVALID_IMAGE);
	WANT(load(""), CUDA_ERROR_INVALID_IMAGE);
	memset(garbage, 0xa5, sizeof(garbage) - 1);
	WANT(load(garbage), CUDA_ERROR_INVALID_IMAGE);
	memset(garbage, 'a', sizeof(garbage) - 1);
	WANT_EITHER(load(garbage), CUDA_ERROR_INVALID_IMAGE, CUDA_ERROR_INVALID_PTX);
	WANT(load(HEAD ".visible .entry k() { frobnicate; }"), CUDA_ERROR_INVALID_PTX);
	WANT(load(HEAD ".visible .entry k() { ret;"), CUDA_ERROR_INVALID_PTX);
	WANT(load(".version 99.0\n.target sm_75\n.address_size 64\n"),
	     CUDA_ERROR_UNSUPPORTED_PTX_VERSION);
	OK(load(HEAD ".visible .entry k() { ret; }"));
	OK(load(HEAD));
	OK(load("// a comment first\n" HEAD));
	/* Nothing of that harms the next. */
	OK(load(suite_ptx));
	OK(cuCtxSynchronize());
}

/* ELF files that end too early: the lengths inside are not to be believed. */
CASE_VGPU(module_broken_cubins)
{
	static unsigned char image[4096] = { 0x7f, 'E', 'L', 'F', 2, 1, 1, 0x33, 7 };
	CUmodule module;
	CUresult result;

	/* A fatbin's head that counts more bytes than there are. */
	static const uint8_t huge[16] = { 0x50, 0xed, 0x55, 0xba, 1,	0,    0x10, 0,
					  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f };

	suite_begin();
	for (int round = 0; round < 3; round++) {
		if (round == 1)
			memset(image + 16, 0xff, sizeof(image) - 16);
		if (round == 2)
			memcpy(image, huge, sizeof(huge));
		result = cuModuleLoadData(&module, image);
		TRUE(result == CUDA_ERROR_INVALID_IMAGE || result == CUDA_ERROR_NO_BINARY_FOR_GPU ||
		     result == CUDA_ERROR_INVALID_SOURCE);
	}
	OK(cuCtxSynchronize());
}

CASE(module_logs)
{
	char error[2048] = "", info[2048] = "";
	CUjit_option options[] = { CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES,
				   CU_JIT_INFO_LOG_BUFFER, CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES };
	void *values[] = { error, (void *)sizeof(error), info, (void *)sizeof(info) };
	CUmodule module;

	suite_begin();
	WANT(cuModuleLoadDataEx(&module, HEAD ".visible .entry k() { frobnicate; }", 4, options,
				values),
	     CUDA_ERROR_INVALID_PTX);
	TRUE(strlen(error) > 0 && strlen(error) < sizeof(error));
	TRUE(strstr(error, "4") != NULL); /* the line */
	values[1] = (void *)sizeof(error);
	values[3] = (void *)sizeof(info);
	OK(cuModuleLoadDataEx(&module, suite_ptx, 4, options, values));
	OK(cuModuleUnload(module));
	OK(cuModuleLoadDataEx(&module, suite_ptx, 0, NULL, NULL));
	OK(cuModuleUnload(module));
}

CASE(module_options)
{
	CUjit_option options[] = { CU_JIT_OPTIMIZATION_LEVEL, CU_JIT_MAX_REGISTERS };
	void *values[] = { (void *)(uintptr_t)2, (void *)(uintptr_t)64 };
	CUfunction fill;
	CUmodule module;
	CUdeviceptr address;
	uint32_t word = 0;

	suite_begin();
	OK(cuModuleLoadDataEx(&module, suite_ptx, 2, options, values));
	OK(cuModuleGetFunction(&fill, module, "fill"));
	address = suite_device(4);
	LAUNCH(fill, 1, 32, NULL, &address, &(uint32_t){ 1 }, &(uint32_t){ 12 });
	OK(cuMemcpyDtoH(&word, address, 4));
	EQUAL(word, 12);
	OK(cuModuleUnload(module));
	WANT(cuModuleLoadDataEx(&module, suite_ptx, 2, NULL, NULL), CUDA_ERROR_INVALID_VALUE);
}

static const char *ptx_file(void)
{
	static char path[] = "/tmp/vgpu-suite-XXXXXX";
	int fd = mkstemp(path);

	TRUE(fd >= 0 && write(fd, suite_ptx, suite_ptx_bytes()) == (ssize_t)suite_ptx_bytes());
	close(fd);
	return path;
}

CASE(module_from_file)
{
	const char *path = ptx_file();
	CUfunction function;
	CUmodule module;

	suite_begin();
	OK(cuModuleLoad(&module, path));
	unlink(path);
	OK(cuModuleGetFunction(&function, module, "fill"));
	OK(cuModuleUnload(module));
	WANT(cuModuleLoad(&module, path), CUDA_ERROR_FILE_NOT_FOUND);
	WANT(cuModuleLoad(&module, NULL), CUDA_ERROR_INVALID_VALUE);
	WANT(cuModuleLoad(NULL, path), CUDA_ERROR_INVALID_VALUE);
	TRUE(cuModuleLoad(&module, "/") != CUDA_SUCCESS);
}

CASE(module_loading_mode)
{
	CUmoduleLoadingMode mode = (CUmoduleLoadingMode)0;

	suite_begin();
	OK(cuModuleGetLoadingMode(&mode));
	TRUE(mode == CU_MODULE_EAGER_LOADING || mode == CU_MODULE_LAZY_LOADING);
}

/* A module that is unloaded while its kernel runs: the kernel ends as if nothing were. */
CASE(module_unloaded_too_early)
{
	CUdeviceptr address;
	CUfunction delay, fill;
	CUmodule module;
	CUstream stream;
	uint32_t word = 0;

	suite_begin();
	address = suite_device(4);
	OK(cuModuleLoadData(&module, suite_ptx));
	OK(cuModuleGetFunction(&delay, module, "delay"));
	OK(cuModuleGetFunction(&fill, module, "fill"));
	OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
	LAUNCH(delay, 1, 1, stream, &(unsigned long long){ 5000000 });
	LAUNCH(fill, 1, 32, stream, &address, &(uint32_t){ 1 }, &(uint32_t){ 21 });
	OK(cuModuleUnload(module));
	OK(cuStreamSynchronize(stream));
	OK(cuMemcpyDtoH(&word, address, 4));
	EQUAL(word, 21);
}
