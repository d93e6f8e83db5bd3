/* SPDX-License-Identifier: GPL-2.0-or-later */
/* case_library.c - libraries and kernels, which belong to no context */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/programs/suite.h"

static CUlibrary open_library(void)
{
	CUlibrary library;

	OK(cuLibraryLoadData(&library, suite_ptx, NULL, NULL, 0, NULL, NULL, 0));
	return library;
}

CASE(library_kernels)
{
	CUkernel kernel, all[64];
	CUlibrary library, of_kernel;
	const char *name = NULL;
	CUdeviceptr address;
	CUfunction function;
	unsigned count = 0;
	uint32_t word = 0;
	bool found = false;

	suite_begin();
	library = open_library();
	OK(cuLibraryGetKernel(&kernel, library, "fill"));
	OK(cuKernelGetName(&name, kernel));
	TRUE(strcmp(name, "fill") == 0);
	OK(cuKernelGetLibrary(&of_kernel, kernel));
	TRUE(of_kernel == library);
	OK(cuKernelGetFunction(&function, kernel));
	TRUE(function != NULL);
	address = suite_device(4);
	LAUNCH(function, 1, 32, NULL, &address, &(uint32_t){ 1 }, &(uint32_t){ 31 });
	OK(cuMemcpyDtoH(&word, address, 4));
	EQUAL(word, 31);
	LAUNCH((CUfunction)kernel, 1, 32, NULL, &address, &(uint32_t){ 1 }, &(uint32_t){ 32 });
	OK(cuMemcpyDtoH(&word, address, 4));
	EQUAL(word, 32);
	OK(cuLibraryGetKernelCount(&count, library));
	EQUAL(count, 24);
	OK(cuLibraryEnumerateKernels(all, count, library));
	for (unsigned i = 0; i < count; i++) {
		OK(cuKernelGetName(&name, all[i]));
		found = found || strcmp(name, "where") == 0;
	}
	TRUE(found);
	WANT(cuLibraryGetKernel(&kernel, library, "no_such"), CUDA_ERROR_NOT_FOUND);
	WANT(cuLibraryGetKernel(NULL, library, "fill"), CUDA_ERROR_INVALID_VALUE);
	WANT(cuLibraryGetKernel(&kernel, library, NULL), CUDA_ERROR_INVALID_VALUE);
	OK(cuLibraryUnload(library));
}

CASE(library_module_and_variables)
{
	CUdeviceptr address = 0;
	CUlibrary library;
	CUfunction function;
	CUmodule module;
	size_t bytes = 0;
	uint32_t word = 0;

	suite_begin();
	library = open_library();
	OK(cuLibraryGetModule(&module, library));
	OK(cuModuleGetFunction(&function, module, "add"));
	OK(cuLibraryGetGlobal(&address, &bytes, library, "counter"));
	EQUAL(bytes, 4);
	OK(cuMemcpyDtoH(&word, address, 4));
	EQUAL(word, 7);
	WANT(cuLibraryGetGlobal(&address, &bytes, library, "no_such"), CUDA_ERROR_NOT_FOUND);
	WANT(cuLibraryGetManaged(&address, &bytes, library, "no_such"), CUDA_ERROR_NOT_FOUND);
	OK(cuLibraryUnload(library));
}

CASE(library_attributes)
{
	CUkernel kernel;
	CUlibrary library;
	size_t offset = 9, bytes = 9;
	int value = 0;

	suite_begin();
	library = open_library();
	OK(cuLibraryGetKernel(&kernel, library, "bounded"));
	OK(cuKernelGetAttribute(&value, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, kernel, 0));
	EQUAL(value, 128);
	OK(cuKernelSetAttribute(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 1024, kernel, 0));
	OK(cuKernelGetAttribute(&value, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, kernel,
				0));
	EQUAL(value, 1024);
	OK(cuKernelSetCacheConfig(kernel, CU_FUNC_CACHE_PREFER_L1, 0));
	OK(cuKernelGetParamInfo(kernel, 0, &offset, &bytes));
	EQUAL(offset, 0);
	EQUAL(bytes, 8);
	WANT(cuKernelGetParamInfo(kernel, 1, &offset, &bytes), CUDA_ERROR_INVALID_VALUE);
	WANT(cuKernelGetAttribute(&value, (CUfunction_attribute)1000, kernel, 0),
	     CUDA_ERROR_INVALID_VALUE);
	WANT(cuKernelGetAttribute(&value, CU_FUNC_ATTRIBUTE_NUM_REGS, kernel, 1000),
	     CUDA_ERROR_INVALID_DEVICE);
	OK(cuLibraryUnload(library));
}

CASE(library_from_file)
{
	char path[] = "/tmp/vgpu-suite-XXXXXX";
	int fd = mkstemp(path);
	CUlibrary library;
	CUkernel kernel;

	TRUE(fd >= 0 && write(fd, suite_ptx, suite_ptx_bytes()) == (ssize_t)suite_ptx_bytes());
	close(fd);
	suite_begin();
	OK(cuLibraryLoadFromFile(&library, path, NULL, NULL, 0, NULL, NULL, 0));
	OK(cuLibraryGetKernel(&kernel, library, "fill"));
	OK(cuLibraryUnload(library));
	unlink(path);
	WANT(cuLibraryLoadFromFile(&library, path, NULL, NULL, 0, NULL, NULL, 0),
	     CUDA_ERROR_FILE_NOT_FOUND);
}

CASE(library_bad_input)
{
	CUlibrary library;
	CUkernel kernel;
	CUresult result;

	suite_begin();
	WANT(cuLibraryLoadData(NULL, suite_ptx, NULL, NULL, 0, NULL, NULL, 0),
	     CUDA_ERROR_INVALID_VALUE);
	WANT(cuLibraryLoadData(&library, NULL, NULL, NULL, 0, NULL, NULL, 0),
	     CUDA_ERROR_INVALID_VALUE);
	/* Loading may be lazy: then the kernel is not there. */
	result = cuLibraryLoadData(&library, "nonsense", NULL, NULL, 0, NULL, NULL, 0);
	if (result == CUDA_SUCCESS) {
		TRUE(cuLibraryGetKernel(&kernel, library, "fill") != CUDA_SUCCESS);
		(void)cuLibraryUnload(library);
	} else {
		WANT_EITHER(result, CUDA_ERROR_INVALID_IMAGE, CUDA_ERROR_INVALID_PTX);
	}
	OK(cuCtxSynchronize());
}

CASE_VGPU(library_handles_that_are_none)
{
	CUlibrary library;
	CUkernel kernel;

	suite_begin();
	library = open_library();
	OK(cuLibraryUnload(library));
	WANT(cuLibraryUnload(library), CUDA_ERROR_INVALID_HANDLE);
	WANT(cuLibraryGetKernel(&kernel, library, "fill"), CUDA_ERROR_INVALID_HANDLE);
	WANT(cuLibraryUnload(NULL), CUDA_ERROR_INVALID_HANDLE);
}
