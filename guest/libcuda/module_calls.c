/* SPDX-License-Identifier: GPL-2.0-or-later */
/* module_calls.c - the API of modules and libraries */

#include <stdlib.h>
#include <string.h>

#include "guest/libcuda/context.h"
#include "guest/libcuda/entries.h"
#include "guest/libcuda/module.h"

/* Libraries and modules share a table, but not their calls. */
static struct module *library_of(const void *handle)
{
	struct module *module = table_get(TABLE_MODULE, handle);

	return module && module->library ? module : NULL;
}

/* A CUmodule may be a library's, from cuLibraryGetModule. */
static struct module *any_of(const void *handle)
{
	return table_get(TABLE_MODULE, handle);
}

/* --- modules --- */

static CUresult load(CUmodule *out, const void *data, const struct image_options *options,
		     uint64_t context)
{
	struct module *module;
	struct image image;
	CUresult result;

	if (!out)
		return CUDA_ERROR_INVALID_VALUE;
	result = image_measure(data, &image);
	if (result == CUDA_SUCCESS)
		result = module_make(&image, options, context, &module);
	if (result == CUDA_SUCCESS)
		*out = table_handle(module);
	return result;
}

CUresult cuModuleLoadData(CUmodule *module, const void *image)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	return load(module, image, NULL, context);
}

CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned numOptions,
			    CUjit_option *options, void **optionValues)
{
	struct image_options given = { numOptions, options, optionValues };
	uint64_t context;

	CONTEXT_ENTER(&context);
	return load(module, image, &given, context);
}

CUresult cuModuleLoadFatBinary(CUmodule *module, const void *fatCubin)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	return load(module, fatCubin, NULL, context);
}

CUresult cuModuleLoad(CUmodule *module, const char *fname)
{
	struct module *made;
	struct image image;
	uint64_t context;
	CUresult result;

	CONTEXT_ENTER(&context);
	if (!module || !fname)
		return CUDA_ERROR_INVALID_VALUE;
	result = image_read(fname, &image);
	if (result != CUDA_SUCCESS)
		return result;
	result = module_make(&image, NULL, context, &made);
	free((void *)image.data);
	if (result == CUDA_SUCCESS)
		*module = table_handle(made);
	return result;
}

CUresult cuModuleUnload(CUmodule hmod)
{
	struct module *module;

	CONTEXT_ENTER_ANY();
	module = any_of(hmod);
	if (module && module->library) /* cuLibraryUnload takes it along */
		return CUDA_ERROR_NOT_PERMITTED;
	return module ? module_unload(module) : CUDA_ERROR_INVALID_HANDLE;
}

CUresult cuModuleGetFunction(CUfunction *hfunc, CUmodule hmod, const char *name)
{
	struct function *function;
	struct module *module;
	CUresult result;

	CONTEXT_ENTER_ANY();
	if (!hfunc || !name)
		return CUDA_ERROR_INVALID_VALUE;
	module = any_of(hmod);
	if (!module)
		return CUDA_ERROR_INVALID_HANDLE;
	result = module_function(module, name, &function);
	if (result == CUDA_SUCCESS)
		*hfunc = table_handle(function);
	return result;
}

CUresult cuModuleGetGlobal_v2(CUdeviceptr *dptr, size_t *bytes, CUmodule hmod, const char *name)
{
	struct module *module;

	CONTEXT_ENTER_ANY();
	if (!name || (!dptr && !bytes))
		return CUDA_ERROR_INVALID_VALUE;
	module = any_of(hmod);
	return module ? module_global(module, name, dptr, bytes) : CUDA_ERROR_INVALID_HANDLE;
}

CUresult cuModuleGetFunctionCount(unsigned *count, CUmodule mod)
{
	const struct module *module;

	CONTEXT_ENTER_ANY();
	if (!count)
		return CUDA_ERROR_INVALID_VALUE;
	module = any_of(mod);
	if (!module)
		return CUDA_ERROR_INVALID_HANDLE;
	*count = module->function_num;
	return CUDA_SUCCESS;
}

CUresult cuModuleEnumerateFunctions(CUfunction *functions, unsigned numFunctions, CUmodule mod)
{
	struct module *module;

	CONTEXT_ENTER_ANY();
	if (!functions || numFunctions == 0)
		return CUDA_ERROR_INVALID_VALUE;
	module = any_of(mod);
	return module ? module_list(module, numFunctions, (void **)functions)
		      : CUDA_ERROR_INVALID_HANDLE;
}

CUresult cuModuleGetLoadingMode(CUmoduleLoadingMode *mode)
{
	CORE_CHECK();
	if (!mode)
		return CUDA_ERROR_INVALID_VALUE;
	*mode = 1; /* CU_MODULE_EAGER_LOADING */
	return CUDA_SUCCESS;
}

/* --- libraries: of no context, but the worker has to be there --- */

/* Options of libraries: that the image stays, which helps nobody here. Others are refused. */
static bool library_options_good(const CUlibraryOption *options, unsigned num, bool from_file)
{
	for (unsigned i = 0; options && i < num; i++)
		if (options[i] != 1 || from_file) /* CU_LIBRARY_BINARY_IS_PRESERVED */
			return false;
	return options || num == 0;
}

CUresult cuLibraryLoadData(CUlibrary *library, const void *code, CUjit_option *jitOptions,
			   void **jitOptionsValues, unsigned numJitOptions,
			   CUlibraryOption *libraryOptions, void **libraryOptionValues,
			   unsigned numLibraryOptions)
{
	struct image_options given = { numJitOptions, jitOptions, jitOptionsValues };
	CUresult result;

	(void)libraryOptionValues;
	CORE_CHECK();
	if (!library || !library_options_good(libraryOptions, numLibraryOptions, false))
		return CUDA_ERROR_INVALID_VALUE;
	result = core_start();
	return result == CUDA_SUCCESS ? load((CUmodule *)library, code, &given, 0) : result;
}

CUresult cuLibraryLoadFromFile(CUlibrary *library, const char *fileName, CUjit_option *jitOptions,
			       void **jitOptionsValues, unsigned numJitOptions,
			       CUlibraryOption *libraryOptions, void **libraryOptionValues,
			       unsigned numLibraryOptions)
{
	struct image_options given = { numJitOptions, jitOptions, jitOptionsValues };
	struct module *module;
	struct image image;
	CUresult result;

	(void)libraryOptionValues;
	CORE_CHECK();
	if (!library || !fileName || !library_options_good(libraryOptions, numLibraryOptions, true))
		return CUDA_ERROR_INVALID_VALUE;
	result = core_start();
	if (result == CUDA_SUCCESS)
		result = image_read(fileName, &image);
	if (result != CUDA_SUCCESS)
		return result;
	result = module_make(&image, &given, 0, &module);
	free((void *)image.data);
	if (result == CUDA_SUCCESS)
		*library = table_handle(module);
	return result;
}

/* What each call about a library begins with. */
#define LIBRARY_ENTER(module, handle)                     \
	do {                                              \
		CUresult started_;                        \
		CORE_CHECK();                             \
		started_ = core_start();                  \
		if (started_ != CUDA_SUCCESS)             \
			return started_;                  \
		(module) = library_of(handle);            \
		if (!(module))                            \
			return CUDA_ERROR_INVALID_HANDLE; \
	} while (0)

CUresult cuLibraryUnload(CUlibrary library)
{
	struct module *module;

	LIBRARY_ENTER(module, library);
	return module_unload(module);
}

CUresult cuLibraryGetKernel(CUkernel *pKernel, CUlibrary library, const char *name)
{
	struct function *function;
	struct module *module;
	CUresult result;

	LIBRARY_ENTER(module, library);
	if (!pKernel || !name)
		return CUDA_ERROR_INVALID_VALUE;
	result = module_function(module, name, &function);
	if (result == CUDA_SUCCESS)
		*pKernel = table_handle(function);
	return result;
}

CUresult cuLibraryGetModule(CUmodule *pMod, CUlibrary library)
{
	struct module *module;
	uint64_t context;

	LIBRARY_ENTER(module, library);
	if (!pMod)
		return CUDA_ERROR_INVALID_VALUE;
	if (context_current(&context) != CUDA_SUCCESS)
		return CUDA_ERROR_INVALID_CONTEXT;
	*pMod = (CUmodule)library;
	return CUDA_SUCCESS;
}

CUresult cuLibraryGetGlobal(CUdeviceptr *dptr, size_t *bytes, CUlibrary library, const char *name)
{
	struct module *module;

	LIBRARY_ENTER(module, library);
	return name ? module_global(module, name, dptr, bytes) : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuLibraryGetManaged(CUdeviceptr *dptr, size_t *bytes, CUlibrary library, const char *name)
{
	struct module *module;

	(void)dptr;
	(void)bytes;
	LIBRARY_ENTER(module, library);
	return name ? CUDA_ERROR_NOT_FOUND : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuLibraryGetKernelCount(unsigned *count, CUlibrary lib)
{
	struct module *module;

	LIBRARY_ENTER(module, lib);
	if (!count)
		return CUDA_ERROR_INVALID_VALUE;
	*count = module->function_num;
	return CUDA_SUCCESS;
}

CUresult cuLibraryEnumerateKernels(CUkernel *kernels, unsigned numKernels, CUlibrary lib)
{
	struct module *module;

	LIBRARY_ENTER(module, lib);
	if (!kernels || numKernels == 0)
		return CUDA_ERROR_INVALID_VALUE;
	return module_list(module, numKernels, (void **)kernels);
}
