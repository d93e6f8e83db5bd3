/* SPDX-License-Identifier: GPL-2.0-or-later */
/* program.c - loads modules, places their variables, and finds what is in them */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "softgpu/device/device.h"
#include "softgpu/device/program.h"
#include "softgpu/machine/bind.h"

#define IMAGES_MOST 1024u

static void log_text(const struct softgpu_log *log, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void log_text(const struct softgpu_log *log, const char *format, ...)
{
	va_list arguments;

	if (!log || !log->text || log->bytes == 0)
		return;
	va_start(arguments, format);
	(void)vsnprintf(log->text, log->bytes, format, arguments);
	va_end(arguments);
}

/* --- loading, without the lock ----------------------------------------------------------- */

/* Return: what an image is that is no text, in words; NULL: it may be one. */
static const char *binary_words(const struct softgpu_image *image)
{
	static const struct {
		unsigned char magic[4];
		const char *words;
	} kinds[] = {
		{ { 0x50, 0xed, 0x55, 0xba }, "is a fatbin, which softgpu does not open" },
		{ { 0xb1, 0x43, 0x62, 0x46 }, "is a fatbin, which softgpu does not open" },
		{ { 0x7f, 'E', 'L', 'F' }, "holds machine code, which softgpu cannot run" },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (image->bytes >= sizeof(kinds[i].magic) &&
		    memcmp(image->data, kinds[i].magic, sizeof(kinds[i].magic)) == 0)
			return kinds[i].words;
	}
	return NULL;
}

static enum softgpu_result judge_images(const struct softgpu_image *images, uint32_t count,
					const struct softgpu_log *log)
{
	if (!images || count == 0 || count > IMAGES_MOST)
		return SOFTGPU_INVALID_VALUE;
	for (uint32_t i = 0; i < count; i++) {
		const char *words;

		if (!images[i].data)
			return SOFTGPU_INVALID_VALUE;
		words = binary_words(&images[i]);
		if (words) {
			log_text(log, "image %u %s: compile to PTX text (nvcc -ptx)", i + 1, words);
			return SOFTGPU_NO_BINARY_FOR_GPU;
		}
	}
	return SOFTGPU_SUCCESS;
}

static enum softgpu_result result_of(const struct sg_error *error)
{
	switch (error->code) {
	case -ENOENT:
	case -EEXIST:
		return SOFTGPU_SHARED_OBJECT_SYMBOL_NOT_FOUND;
	case -ENOMEM:
		return SOFTGPU_OUT_OF_MEMORY;
	case -EPROTONOSUPPORT:
		return SOFTGPU_UNSUPPORTED_PTX_VERSION;
	case -ENOEXEC:
		return SOFTGPU_INVALID_IMAGE;
	default:
		return SOFTGPU_INVALID_PTX;
	}
}

/* Refuses a module with an instruction that the table has but the machine has not. */
static enum softgpu_result bind(struct sg_module *module, const struct softgpu_log *log)
{
	const struct sg_code_function *function = NULL;
	const struct sg_code_insn *insn = sg_bind_module(module, &function);
	char text[128];

	if (!insn)
		return SOFTGPU_SUCCESS;
	(void)sg_module_insn_text(function, (uint32_t)(insn - function->insns), text, sizeof(text));
	log_text(log, "line %u: %s: not supported by softgpu", insn->line, text);
	return SOFTGPU_INVALID_PTX;
}

/* Compiles and links. Return: SUCCESS with the module, else the log says why. */
static enum softgpu_result compile(const struct softgpu_image *images, uint32_t count,
				   const struct softgpu_log *log, struct sg_module **module)
{
	struct sg_module_text *texts = calloc(count, sizeof(*texts));
	enum softgpu_result result;
	struct sg_error error;
	char text[SOFTGPU_TEXT_LEN];

	if (!texts)
		return SOFTGPU_OUT_OF_MEMORY;
	for (uint32_t i = 0; i < count; i++)
		texts[i] = (struct sg_module_text){ images[i].data, images[i].bytes };
	if (sg_module_load(texts, count, NULL, module, &error) < 0) {
		(void)sg_module_error_text(&error, count, text, sizeof(text));
		log_text(log, "%s", text);
		result = result_of(&error);
	} else {
		result = bind(*module, log);
		if (result != SOFTGPU_SUCCESS)
			sg_module_free(*module);
	}
	free(texts);
	return result;
}

/* --- placing, with the lock -------------------------------------------------------------- */

/* Allocates memory for a module's variables. bytes 0: none. */
static enum softgpu_result allocate(struct softgpu *gpu, uint64_t bytes, uint64_t align,
				    enum sg_memory_kind kind, uint64_t *base)
{
	int err;

	if (bytes == 0)
		return SOFTGPU_SUCCESS;
	err = sg_memory_alloc(gpu->memory, bytes, align == 0 ? 1 : align, kind, base);
	return err < 0 ? SOFTGPU_OUT_OF_MEMORY : SOFTGPU_SUCCESS;
}

/* Puts the variables that have a value at first; the rest is zero, as sg_memory_alloc made it. */
static void fill(struct softgpu *gpu, uint64_t base, const void *image, uint64_t bytes)
{
	void *to = bytes > 0 ? sg_memory_host(gpu->memory, base, bytes) : NULL;

	if (to)
		memcpy(to, image, bytes);
}

static enum softgpu_result place(struct softgpu *gpu, struct sg_program *program)
{
	struct sg_module *module = program->module;
	enum softgpu_result result;

	result = allocate(gpu, module->global_bytes, module->global_align, SG_MEMORY_VARIABLE,
			  &program->global_base);
	if (result == SOFTGPU_SUCCESS)
		result = allocate(gpu, module->constant_bytes, module->constant_align,
				  SG_MEMORY_CONST, &program->constant_base);
	if (result != SOFTGPU_SUCCESS)
		return result;
	sg_module_place(module, program->global_base, program->constant_base);
	fill(gpu, program->global_base, module->global_image, module->global_image_bytes);
	fill(gpu, program->constant_base, module->constant_image, module->constant_image_bytes);
	return SOFTGPU_SUCCESS;
}

static enum softgpu_result add_functions(struct softgpu *gpu, struct sg_program *program)
{
	const struct sg_module *module = program->module;

	program->functions = calloc(module->function_count + 1, sizeof(*program->functions));
	if (!program->functions)
		return SOFTGPU_OUT_OF_MEMORY;
	for (uint32_t i = 0; i < module->function_count; i++) {
		struct sg_function *function = &program->functions[program->function_count];

		if (!module->functions[i].entry)
			continue;
		function->program = program;
		function->code = &module->functions[i];
		if (function->code->shared_bytes < SG_OCCUPANCY_SHARED_DEFAULT)
			function->max_dynamic_shared = SG_OCCUPANCY_SHARED_DEFAULT -
						       function->code->shared_bytes;
		function->carveout = -1;
		function->handle = sg_handle_new(&gpu->handles, SG_HANDLE_FUNCTION, function);
		if (!function->handle)
			return SOFTGPU_OUT_OF_MEMORY;
		program->function_count++;
	}
	return SOFTGPU_SUCCESS;
}

static void remove_handles(struct softgpu *gpu, struct sg_program *program)
{
	for (uint32_t i = 0; i < program->function_count; i++)
		(void)sg_handle_remove(&gpu->handles, SG_HANDLE_FUNCTION,
				       program->functions[i].handle);
	if (program->handle)
		(void)sg_handle_remove(&gpu->handles, SG_HANDLE_MODULE, program->handle);
	program->handle = NULL;
}

void sg_program_put(struct softgpu *gpu, struct sg_program *program)
{
	if (--program->references > 0)
		return;
	if (program->global_base != 0)
		(void)sg_memory_release(gpu->memory, program->global_base);
	if (program->constant_base != 0)
		(void)sg_memory_release(gpu->memory, program->constant_base);
	sg_module_free(program->module);
	free(program->functions);
	free(program);
}

void sg_programs_end(struct softgpu *gpu)
{
	struct sg_program *program;
	uint32_t cursor = 0;

	while ((program = sg_handle_next(&gpu->handles, SG_HANDLE_MODULE, &cursor)) != NULL)
		sg_program_put(gpu, program);
}

/* Makes the device's object of a module, which then belongs to it. The lock is held. */
static enum softgpu_result add(struct softgpu *gpu, struct sg_module *module,
			       struct softgpu_module **handle)
{
	struct sg_program *program = calloc(1, sizeof(*program));
	enum softgpu_result result;

	if (!program) {
		sg_module_free(module);
		return SOFTGPU_OUT_OF_MEMORY;
	}
	program->references = 1;
	program->module = module;
	result = place(gpu, program);
	if (result == SOFTGPU_SUCCESS)
		result = add_functions(gpu, program);
	if (result == SOFTGPU_SUCCESS) {
		program->handle = sg_handle_new(&gpu->handles, SG_HANDLE_MODULE, program);
		if (!program->handle)
			result = SOFTGPU_OUT_OF_MEMORY;
	}
	if (result != SOFTGPU_SUCCESS) {
		remove_handles(gpu, program);
		sg_program_put(gpu, program);
		return result;
	}
	*handle = program->handle;
	return SOFTGPU_SUCCESS;
}

/* --- the public calls -------------------------------------------------------------------- */

enum softgpu_result softgpu_module_load(struct softgpu *gpu, const struct softgpu_image *images,
					uint32_t image_count, const struct softgpu_log *log,
					struct softgpu_module **handle)
{
	enum softgpu_result result = sg_device_enter(gpu);
	struct sg_module *module;

	if (result != SOFTGPU_SUCCESS)
		return result;
	result = sg_device_leave(gpu, sg_device_wait_switch(gpu));
	if (result != SOFTGPU_SUCCESS)
		return result;
	log_text(log, "%s", "");
	if (!handle)
		return SOFTGPU_INVALID_VALUE;
	result = judge_images(images, image_count, log);
	if (result == SOFTGPU_SUCCESS)
		result = compile(images, image_count, log, &module);
	if (result != SOFTGPU_SUCCESS)
		return result;
	result = sg_device_enter(gpu);
	if (result != SOFTGPU_SUCCESS) {
		sg_module_free(module);
		return result;
	}
	result = add(gpu, module, handle);
	if (result == SOFTGPU_OUT_OF_MEMORY)
		log_text(log, "no device memory is left for the module's variables");
	return sg_device_leave(gpu, result);
}

enum softgpu_result softgpu_module_unload(struct softgpu *gpu, struct softgpu_module *handle)
{
	enum softgpu_result result = sg_device_enter(gpu);
	struct sg_program *program;

	if (result != SOFTGPU_SUCCESS)
		return result;
	result = sg_device_wait_switch(gpu);
	if (result != SOFTGPU_SUCCESS)
		return sg_device_leave(gpu, result);
	program = sg_handle_find(&gpu->handles, SG_HANDLE_MODULE, handle);
	if (!program)
		return sg_device_leave(gpu, SOFTGPU_INVALID_HANDLE);
	remove_handles(gpu, program);
	sg_program_put(gpu, program);
	return sg_device_leave(gpu, SOFTGPU_SUCCESS);
}

/* The beginning of a call about a module, as sg_device_enter. */
static enum softgpu_result enter(struct softgpu *gpu, const struct softgpu_module *handle,
				 struct sg_program **program)
{
	enum softgpu_result result = sg_device_enter(gpu);

	if (result != SOFTGPU_SUCCESS)
		return result;
	*program = sg_handle_find(&gpu->handles, SG_HANDLE_MODULE, handle);
	return *program ? SOFTGPU_SUCCESS : sg_device_leave(gpu, SOFTGPU_INVALID_HANDLE);
}

static uint64_t counted(uint64_t bytes)
{
	return (bytes + SG_MEMORY_ALIGN - 1) / SG_MEMORY_ALIGN * SG_MEMORY_ALIGN;
}

enum softgpu_result softgpu_module_bytes(struct softgpu *gpu, struct softgpu_module *handle,
					 uint64_t *bytes)
{
	struct sg_program *program;
	enum softgpu_result result = enter(gpu, handle, &program);

	_Static_assert(SG_MEMORY_ALIGN == SOFTGPU_MEMORY_GRANULE, "what the header promises");
	if (result != SOFTGPU_SUCCESS)
		return result;
	if (!bytes)
		return sg_device_leave(gpu, SOFTGPU_INVALID_VALUE);
	*bytes = counted(program->module->global_bytes) + counted(program->module->constant_bytes);
	return sg_device_leave(gpu, SOFTGPU_SUCCESS);
}

enum softgpu_result softgpu_module_function_count(struct softgpu *gpu,
						  struct softgpu_module *handle, uint32_t *count)
{
	struct sg_program *program;
	enum softgpu_result result = enter(gpu, handle, &program);

	if (result != SOFTGPU_SUCCESS)
		return result;
	if (!count)
		return sg_device_leave(gpu, SOFTGPU_INVALID_VALUE);
	*count = program->function_count;
	return sg_device_leave(gpu, SOFTGPU_SUCCESS);
}

enum softgpu_result softgpu_module_function_at(struct softgpu *gpu, struct softgpu_module *handle,
					       uint32_t index, struct softgpu_function **function)
{
	struct sg_program *program;
	enum softgpu_result result = enter(gpu, handle, &program);

	if (result != SOFTGPU_SUCCESS)
		return result;
	if (!function || index >= program->function_count)
		return sg_device_leave(gpu, SOFTGPU_INVALID_VALUE);
	*function = program->functions[index].handle;
	return sg_device_leave(gpu, SOFTGPU_SUCCESS);
}

enum softgpu_result softgpu_module_function(struct softgpu *gpu, struct softgpu_module *handle,
					    const char *name, struct softgpu_function **function)
{
	struct sg_program *program;
	enum softgpu_result result = enter(gpu, handle, &program);

	if (result != SOFTGPU_SUCCESS)
		return result;
	if (!function || !name)
		return sg_device_leave(gpu, SOFTGPU_INVALID_VALUE);
	for (uint32_t i = 0; i < program->function_count; i++) {
		if (strcmp(program->functions[i].code->name, name) == 0) {
			*function = program->functions[i].handle;
			return sg_device_leave(gpu, SOFTGPU_SUCCESS);
		}
	}
	return sg_device_leave(gpu, SOFTGPU_NOT_FOUND);
}

enum softgpu_result softgpu_module_global(struct softgpu *gpu, struct softgpu_module *handle,
					  const char *name, uint64_t *address, uint64_t *bytes)
{
	const struct sg_code_global *global;
	struct sg_program *program;
	enum softgpu_result result = enter(gpu, handle, &program);

	if (result != SOFTGPU_SUCCESS)
		return result;
	if (!name)
		return sg_device_leave(gpu, SOFTGPU_INVALID_VALUE);
	global = sg_module_find_global(program->module, name);
	if (!global)
		return sg_device_leave(gpu, SOFTGPU_NOT_FOUND);
	if (address)
		*address = global->address;
	if (bytes)
		*bytes = global->bytes;
	return sg_device_leave(gpu, SOFTGPU_SUCCESS);
}
