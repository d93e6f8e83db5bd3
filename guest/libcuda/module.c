/* SPDX-License-Identifier: GPL-2.0-or-later */
/* module.c - modules and libraries, and the functions in them */

#include "guest/libcuda/module.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "guest/libcuda/declared.h"
#include "guest/libcuda/memory.h"
#include "guest/libcuda/owned.h"
#include "guest/libcuda/say.h"
#include "guest/libcuda/staging.h"

#define NAME_MOST 4095u /* bytes of a name without its NUL: a command's tail */

struct module_global {
	struct module_global *next;
	uint64_t address, bytes;
	char name[];
};

pthread_mutex_t module_cache_lock = PTHREAD_MUTEX_INITIALIZER;

/* Guards modules' lists. Under it calls of the worker are waited for. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct function *module_function_of(const void *handle)
{
	return table_get(TABLE_FUNCTION, handle);
}

/* --- load and unload --- */

CUresult module_make(const struct image *image, const struct image_options *options,
		     uint64_t context, struct module **module)
{
	CUresult result;

	*module = table_new(TABLE_MODULE, sizeof(**module), context);
	if (!*module)
		return CUDA_ERROR_OUT_OF_MEMORY;
	(*module)->library = context == 0;
	result = image_load(image, options, (*module)->object.index, &(*module)->function_num);
	if (result == CUDA_SUCCESS)
		declared_say_managed(image);
	else
		table_delete(*module);
	return result;
}

/* Forgets functions and variables: their handles and addresses mean nothing any more. */
static void forget_parts(struct module *module)
{
	while (module->functions) {
		struct function *function = module->functions;

		module->functions = function->next;
		table_delete(function);
		free(function->name);
		free(function->parameters);
		function->name = NULL;
		function->parameters = NULL;
		function->parameter_num = 0;
	}
	while (module->globals) {
		struct module_global *global = module->globals;

		module->globals = global->next;
		(void)vgpu_release(core_vgpu(), global->address);
		free(global);
	}
}

CUresult module_unload(struct module *module)
{
	struct vgpu_cmd_module_unload args = { .module = module->object.index };
	struct vgpu_order order = { CORE_ORDER(MODULE_UNLOAD, args) };
	struct vgpu_reply reply;
	CUresult result;

	pthread_mutex_lock(&lock);
	if (!module->object.live) {
		pthread_mutex_unlock(&lock);
		return CUDA_ERROR_INVALID_HANDLE;
	}
	result = core_call(&order, &reply);
	forget_parts(module);
	table_delete(module);
	pthread_mutex_unlock(&lock);
	return result;
}

void module_end_owned(uint64_t context)
{
	for (struct module *m = NULL; (m = table_next(TABLE_MODULE, m));)
		if (m->object.context == context)
			(void)module_unload(m);
}

/* --- functions --- */

/* Reads what MODULE_FUNCTION wrote. The bytes are in memory that the worker can write. */
static CUresult read_info(struct function *function, const uint8_t *at, uint64_t room)
{
	struct vgpu_function_info info;

	memcpy(&info, at, sizeof(info));
	if (info.parameter_num > VGPU_PARAMETERS_MOST ||
	    info.parameter_bytes > VGPU_COMMAND_MOST / 2 ||
	    sizeof(info) + (uint64_t)info.parameter_num * sizeof(struct parameter) > room)
		return CUDA_ERROR_UNKNOWN;
	memcpy(function->attributes, info.attributes, sizeof(info.attributes));
	function->parameters = calloc(info.parameter_num + 1, sizeof(*function->parameters));
	if (!function->parameters)
		return CUDA_ERROR_OUT_OF_MEMORY;
	memcpy(function->parameters, at + sizeof(info),
	       info.parameter_num * sizeof(*function->parameters));
	function->parameter_num = info.parameter_num;
	function->parameter_bytes = info.parameter_bytes;
	for (uint32_t i = 0; i < info.parameter_num; i++) {
		const struct parameter *p = &function->parameters[i];

		if (p->offset > info.parameter_bytes || p->bytes > info.parameter_bytes - p->offset)
			return CUDA_ERROR_UNKNOWN;
	}
	return CUDA_SUCCESS;
}

static CUresult ask_function(const struct module *module, const char *name,
			     struct function *function)
{
	struct vgpu_cmd_module_function args = { .module = module->object.index,
						 .function = function->object.index };
	struct vgpu_order order = { CORE_ORDER(MODULE_FUNCTION, args), .tail = name,
				    .tail_bytes = (uint32_t)strlen(name) + 1 };
	struct staging staging;
	struct vgpu_reply reply;
	CUresult result = core_end(staging_take_small(core_vgpu(), &staging));

	if (result != CUDA_SUCCESS)
		return result;
	args.at = staging.at;
	args.bytes = staging.bytes;
	result = core_call(&order, &reply);
	if (result == CUDA_SUCCESS)
		result = read_info(function, vgpu_window_address(core_vgpu(), staging.at),
				   staging.bytes);
	staging_give(core_vgpu(), &staging);
	return result;
}

static CUresult make_function(struct module *module, const char *name, struct function **out)
{
	struct function *function = table_new(TABLE_FUNCTION, sizeof(*function),
					      module->object.context);
	CUresult result;

	if (!function)
		return CUDA_ERROR_OUT_OF_MEMORY;
	function->module = module;
	function->name = strdup(name);
	result = function->name ? ask_function(module, name, function) : CUDA_ERROR_OUT_OF_MEMORY;
	if (result != CUDA_SUCCESS) {
		free(function->name);
		free(function->parameters);
		function->name = NULL;
		function->parameters = NULL;
		table_delete(function);
		return result;
	}
	function->next = module->functions;
	module->functions = *out = function;
	return CUDA_SUCCESS;
}

CUresult module_function(struct module *module, const char *name, struct function **function)
{
	CUresult result = CUDA_SUCCESS;

	if (!name || *name == '\0')
		return CUDA_ERROR_INVALID_VALUE;
	if (strnlen(name, NAME_MOST + 1) > NAME_MOST)
		return CUDA_ERROR_NOT_FOUND;
	pthread_mutex_lock(&lock);
	*function = module->functions;
	while (*function && strcmp((*function)->name, name) != 0)
		*function = (*function)->next;
	if (!*function)
		result = make_function(module, name, function);
	pthread_mutex_unlock(&lock);
	return result;
}

/* --- names --- */

/* Takes names out of a reply's bytes. Return: how many handles have been written. */
static CUresult take_names(struct module *module, const char *names, uint64_t bytes, uint64_t num,
			   unsigned most, void **handles, unsigned *done)
{
	for (uint64_t at = 0; num > 0 && *done < most; num--) {
		uint64_t length = strnlen(names + at, bytes - at);
		struct function *function;
		CUresult result;

		if (at + length >= bytes)
			return CUDA_ERROR_UNKNOWN;
		result = module_function(module, names + at, &function);
		if (result != CUDA_SUCCESS)
			return result;
		handles[(*done)++] = table_handle(function);
		at += length + 1;
	}
	return CUDA_SUCCESS;
}

CUresult module_list(struct module *module, unsigned num, void **handles)
{
	char *names = malloc(STAGING_SMALL);
	CUresult result = names ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
	unsigned done = 0, before = UINT32_MAX;

	while (result == CUDA_SUCCESS && done < num && done != before) {
		struct vgpu_cmd_module_names args = { .module = module->object.index,
						      .first = done };
		struct vgpu_order order = { CORE_ORDER(MODULE_NAMES, args) };
		struct staging staging;
		struct vgpu_reply reply;

		before = done;
		result = core_end(staging_take_small(core_vgpu(), &staging));
		if (result != CUDA_SUCCESS)
			break;
		args.at = staging.at;
		args.bytes = staging.bytes;
		result = core_call(&order, &reply);
		if (result == CUDA_SUCCESS && reply.value[1] > staging.bytes)
			result = CUDA_ERROR_UNKNOWN;
		if (result == CUDA_SUCCESS)
			memcpy(names, vgpu_window_address(core_vgpu(), staging.at), reply.value[1]);
		staging_give(core_vgpu(), &staging);
		if (result == CUDA_SUCCESS)
			result = take_names(module, names, reply.value[1], reply.value[0], num,
					    handles, &done);
	}
	free(names);
	return result;
}

/* --- variables --- */

static CUresult note_global(struct module *module, const char *name, uint64_t address,
			    uint64_t bytes)
{
	size_t length = strlen(name) + 1;
	struct vgpu_range range = { .address = address,
				    .bytes = bytes,
				    .tag = memory_tag(module->object.context, MEMORY_GLOBAL, 0) };
	struct vgpu_range other;
	struct module_global *global = malloc(sizeof(*global) + length);
	int err;

	if (!global)
		return CUDA_ERROR_OUT_OF_MEMORY;
	err = vgpu_reserve(core_vgpu(), &range);
	/* Two names of one variable. */
	if (err == -EINVAL && vgpu_reserved(core_vgpu(), address, &other))
		err = 0;
	if (err < 0) {
		free(global);
		say("the variable %s lies where the program has its own memory", name);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	global->address = address;
	global->bytes = bytes;
	memcpy(global->name, name, length);
	global->next = module->globals;
	module->globals = global;
	return CUDA_SUCCESS;
}

static CUresult ask_global(struct module *module, const char *name)
{
	struct vgpu_cmd_module_global args = { .module = module->object.index };
	struct vgpu_order order = { CORE_ORDER(MODULE_GLOBAL, args), .tail = name,
				    .tail_bytes = (uint32_t)strlen(name) + 1 };
	struct vgpu_reply reply;
	CUresult result = core_call(&order, &reply);

	return result == CUDA_SUCCESS ? note_global(module, name, reply.value[0], reply.value[1])
				      : result;
}

static const struct module_global *find_global(const struct module *module, const char *name)
{
	const struct module_global *global = module->globals;

	while (global && strcmp(global->name, name) != 0)
		global = global->next;
	return global;
}

CUresult module_global(struct module *module, const char *name, CUdeviceptr *address, size_t *bytes)
{
	const struct module_global *global;
	CUresult result = CUDA_SUCCESS;

	if (!name || *name == '\0')
		return CUDA_ERROR_INVALID_VALUE;
	if (strnlen(name, NAME_MOST + 1) > NAME_MOST)
		return CUDA_ERROR_NOT_FOUND;
	pthread_mutex_lock(&lock);
	global = find_global(module, name);
	if (!global) {
		result = ask_global(module, name);
		global = find_global(module, name);
	}
	if (global && address)
		*address = global->address;
	if (global && bytes)
		*bytes = global->bytes;
	pthread_mutex_unlock(&lock);
	return result;
}
