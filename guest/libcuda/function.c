/* SPDX-License-Identifier: GPL-2.0-or-later */
/* function.c - the API of functions and kernels: what is known of them crosses once, at the first look */

#include "guest/libcuda/context.h"
#include "guest/libcuda/entries.h"
#include "guest/libcuda/module.h"

static CUresult get_attribute(int *value, CUfunction_attribute attribute, const void *handle)
{
	const struct function *function = module_function_of(handle);

	if (!value)
		return CUDA_ERROR_INVALID_VALUE;
	if (!function)
		return CUDA_ERROR_INVALID_HANDLE;
	if (attribute >= VGPU_FUNCTION_ATTRIBUTES)
		return CUDA_ERROR_INVALID_VALUE;
	*value = function->attributes[attribute];
	return CUDA_SUCCESS;
}

static CUresult set_attribute(CUfunction_attribute attribute, int value, const void *handle)
{
	struct function *function = module_function_of(handle);
	struct vgpu_cmd_function_set args = { .attribute = attribute, .value = value };
	struct vgpu_order order = { CORE_ORDER(FUNCTION_SET, args) };
	struct vgpu_reply reply;
	CUresult result;

	if (!function)
		return CUDA_ERROR_INVALID_HANDLE;
	if (attribute >= VGPU_FUNCTION_ATTRIBUTES)
		return CUDA_ERROR_INVALID_VALUE;
	args.function = function->object.index;
	result = core_call(&order, &reply);
	if (result != CUDA_SUCCESS)
		return result;
	pthread_mutex_lock(&module_cache_lock);
	function->attributes[attribute] = value;
	/* What was judged may be judged otherwise now. */
	function->occupancy_num = 0;
	pthread_mutex_unlock(&module_cache_lock);
	for (unsigned i = 0; i < FUNCTION_JUDGED_NUM; i++)
		atomic_store(&function->judged[i], 0);
	return CUDA_SUCCESS;
}

static CUresult get_parameter(const void *handle, size_t index, size_t *offset, size_t *bytes)
{
	const struct function *function = module_function_of(handle);

	if (!function)
		return CUDA_ERROR_INVALID_HANDLE;
	if (!offset || index >= function->parameter_num)
		return CUDA_ERROR_INVALID_VALUE;
	*offset = function->parameters[index].offset;
	if (bytes)
		*bytes = function->parameters[index].bytes;
	return CUDA_SUCCESS;
}

static CUresult get_name(const char **name, const void *handle)
{
	const struct function *function = module_function_of(handle);

	if (!name)
		return CUDA_ERROR_INVALID_VALUE;
	if (!function)
		return CUDA_ERROR_INVALID_HANDLE;
	*name = function->name;
	return CUDA_SUCCESS;
}

static CUresult set_nothing(bool good, const void *handle)
{
	if (!module_function_of(handle))
		return CUDA_ERROR_INVALID_HANDLE;
	return good ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

/* --- CUfunction --- */

CUresult cuFuncGetAttribute(int *pi, CUfunction_attribute attrib, CUfunction hfunc)
{
	CONTEXT_ENTER_ANY();
	return get_attribute(pi, attrib, hfunc);
}

CUresult cuFuncSetAttribute(CUfunction hfunc, CUfunction_attribute attrib, int value)
{
	CONTEXT_ENTER_ANY();
	return set_attribute(attrib, value, hfunc);
}

CUresult cuFuncSetCacheConfig(CUfunction hfunc, CUfunc_cache config)
{
	CONTEXT_ENTER_ANY();
	return set_nothing(config <= 3, hfunc);
}

CUresult cuFuncSetSharedMemConfig(CUfunction hfunc, CUsharedconfig config)
{
	CONTEXT_ENTER_ANY();
	return set_nothing(config <= 2, hfunc);
}

CUresult cuFuncGetModule(CUmodule *hmod, CUfunction hfunc)
{
	const struct function *function;
	CONTEXT_ENTER_ANY();
	if (!hmod)
		return CUDA_ERROR_INVALID_VALUE;
	function = module_function_of(hfunc);
	if (!function)
		return CUDA_ERROR_INVALID_HANDLE;
	*hmod = table_handle(function->module);
	return CUDA_SUCCESS;
}

CUresult cuFuncGetName(const char **name, CUfunction hfunc)
{
	CONTEXT_ENTER_ANY();
	return get_name(name, hfunc);
}

CUresult cuFuncGetParamInfo(CUfunction func, size_t paramIndex, size_t *paramOffset,
			    size_t *paramSize)
{
	CONTEXT_ENTER_ANY();
	return get_parameter(func, paramIndex, paramOffset, paramSize);
}

CUresult cuFuncLoad(CUfunction function)
{
	CONTEXT_ENTER_ANY();
	return set_nothing(true, function);
}

CUresult cuFuncIsLoaded(CUfunctionLoadingState *state, CUfunction function)
{
	CONTEXT_ENTER_ANY();
	if (!state)
		return CUDA_ERROR_INVALID_VALUE;
	if (!module_function_of(function))
		return CUDA_ERROR_INVALID_HANDLE;
	*state = 1; /* CU_FUNCTION_LOADING_STATE_LOADED */
	return CUDA_SUCCESS;
}

/* --- CUkernel: of the one device --- */

CUresult cuKernelGetFunction(CUfunction *pFunc, CUkernel kernel)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	if (!pFunc)
		return CUDA_ERROR_INVALID_VALUE;
	if (!module_function_of(kernel))
		return CUDA_ERROR_INVALID_HANDLE;
	*pFunc = (CUfunction)kernel;
	return CUDA_SUCCESS;
}

CUresult cuKernelGetLibrary(CUlibrary *pLib, CUkernel kernel)
{
	const struct function *function;

	CORE_CHECK();
	if (!pLib)
		return CUDA_ERROR_INVALID_VALUE;
	function = module_function_of(kernel);
	if (!function)
		return CUDA_ERROR_INVALID_HANDLE;
	*pLib = table_handle(function->module);
	return CUDA_SUCCESS;
}

CUresult cuKernelGetName(const char **name, CUkernel hfunc)
{
	CORE_CHECK();
	return get_name(name, hfunc);
}

CUresult cuKernelGetAttribute(int *pi, CUfunction_attribute attrib, CUkernel kernel, CUdevice dev)
{
	CORE_CHECK();
	return dev == 0 ? get_attribute(pi, attrib, kernel) : CUDA_ERROR_INVALID_DEVICE;
}

CUresult cuKernelSetAttribute(CUfunction_attribute attrib, int val, CUkernel kernel, CUdevice dev)
{
	CUresult result;

	CORE_CHECK();
	result = core_start();
	if (result != CUDA_SUCCESS)
		return result;
	return dev == 0 ? set_attribute(attrib, val, kernel) : CUDA_ERROR_INVALID_DEVICE;
}

CUresult cuKernelSetCacheConfig(CUkernel kernel, CUfunc_cache config, CUdevice dev)
{
	CORE_CHECK();
	return dev == 0 ? set_nothing(config <= 3, kernel) : CUDA_ERROR_INVALID_DEVICE;
}

CUresult cuKernelGetParamInfo(CUkernel kernel, size_t paramIndex, size_t *paramOffset,
			      size_t *paramSize)
{
	CORE_CHECK();
	return get_parameter(kernel, paramIndex, paramOffset, paramSize);
}
