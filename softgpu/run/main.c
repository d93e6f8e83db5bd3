/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - softgpu-run: runs a kernel from PTX text on this machine's processors */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "softgpu/ptx/module.h"
#include "softgpu/ptx/print.h"
#include "softgpu/ptx/table.h"
#include "softgpu/run/fail.h"
#include "softgpu/run/options.h"
#include "softgpu/run/show.h"
#include "softgpu/softgpu.h"
#include "softgpu/softgpu_memory.h"

#define LOG_BYTES 4096
#define TEXT_BYTES_MAX (64u << 20)

/* --- files ------------------------------------------------------------------------------- */

/* Return: memory of twice the size with the same bytes. */
static char *grow(char *text, size_t *capacity)
{
	char *larger = realloc(text, *capacity * 2);

	if (!larger)
		fail(EXIT_STATUS_FILE, "no memory for so large a file");
	*capacity *= 2;
	return larger;
}

/*
 * Reads a whole file, which may be a device that never ends.
 * most: bytes; reading stops behind them.
 * Return: the bytes of the file with a NUL behind them, allocated; *bytes is more than most if the
 * file is longer.
 */
static char *read_file(const char *path, uint64_t most, uint64_t *bytes)
{
	FILE *file = fopen(path, "rb");
	size_t capacity = 32768, used = 0;
	char *text = NULL;

	if (!file)
		fail(EXIT_STATUS_FILE, "%s: %s", path, strerror(errno));
	do {
		text = grow(text, &capacity);
		used += fread(text + used, 1, capacity - used - 1, file);
	} while (used == capacity - 1 && used <= most);
	if (ferror(file))
		fail(EXIT_STATUS_FILE, "%s: %s", path, strerror(errno));
	fclose(file);
	text[used] = '\0';
	*bytes = used;
	return text;
}

static char *read_text(const char *path, uint64_t *bytes)
{
	char *text = read_file(path, TEXT_BYTES_MAX, bytes);

	if (*bytes > TEXT_BYTES_MAX)
		fail(EXIT_STATUS_REFUSED, "%s: has more than %u bytes; no PTX text is so long",
		     path, TEXT_BYTES_MAX);
	return text;
}

static void write_file(const char *path, const void *data, uint64_t bytes)
{
	FILE *file = fopen(path, "wb");

	if (!file)
		fail(EXIT_STATUS_FILE, "%s: %s", path, strerror(errno));
	if (fwrite(data, 1, bytes, file) != bytes || fflush(file) != 0)
		fail(EXIT_STATUS_FILE, "%s: %s", path, strerror(errno));
	fclose(file);
}

/* --- the kernel -------------------------------------------------------------------------- */

/* Ends the process with the context's error if there is one, else with `what` and the result. */
static _Noreturn void fail_result(struct softgpu *gpu, enum softgpu_result result, const char *what)
{
	char text[SOFTGPU_TEXT_LEN];

	if (softgpu_error(gpu) != SOFTGPU_SUCCESS) {
		(void)softgpu_fault_text(gpu, text);
		fail(EXIT_STATUS_FAULT, "%s: %s: %s", what, softgpu_result_name((int)result), text);
	}
	fail(EXIT_STATUS_DEVICE, "%s: %s: %s", what, softgpu_result_name((int)result),
	     softgpu_result_text((int)result));
}

static struct softgpu_module *load(struct softgpu *gpu, const struct options *options)
{
	struct softgpu_image images[OPTIONS_IMAGES_MAX] = { 0 };
	char log_text[LOG_BYTES] = "";
	const struct softgpu_log log = { log_text, sizeof(log_text) };
	struct softgpu_module *module;
	enum softgpu_result result;

	for (uint32_t i = 0; i < options->image_count; i++)
		images[i].data = read_text(options->images[i], &images[i].bytes);
	result = softgpu_module_load(gpu, images, options->image_count, &log, &module);
	for (uint32_t i = 0; i < options->image_count; i++)
		free((void *)images[i].data);
	if (result != SOFTGPU_SUCCESS)
		fail(EXIT_STATUS_REFUSED, "%s: %s",
		     options->image_count == 1 ? options->images[0] : "the PTX texts",
		     log_text[0] != '\0' ? log_text : softgpu_result_text((int)result));
	return module;
}

static struct softgpu_function *find(struct softgpu *gpu, struct softgpu_module *module,
				     const char *entry)
{
	struct softgpu_function *function;
	uint32_t count;

	if (entry) {
		if (softgpu_module_function(gpu, module, entry, &function) != SOFTGPU_SUCCESS)
			fail(EXIT_STATUS_USAGE, "--entry %s: no such kernel (--list prints them)",
			     entry);
		return function;
	}
	(void)softgpu_module_function_count(gpu, module, &count);
	if (count != 1)
		fail(EXIT_STATUS_USAGE,
		     "there are %u kernels: name one with --entry (--list "
		     "prints them)",
		     count);
	(void)softgpu_module_function_at(gpu, module, 0, &function);
	return function;
}

/* Compares the arguments with the kernel's parameters. */
static void judge_arguments(struct softgpu *gpu, struct softgpu_function *function,
			    const struct options *options)
{
	uint64_t offset, bytes;
	uint32_t count = 0;

	while (softgpu_function_parameter(gpu, function, count, &offset, &bytes) == SOFTGPU_SUCCESS)
		count++;
	if (count != options->argument_count)
		fail(EXIT_STATUS_USAGE,
		     "the kernel has %u parameters, and %u arguments are given "
		     "(--list prints its parameters)",
		     count, options->argument_count);
	for (uint32_t i = 0; i < count; i++) {
		(void)softgpu_function_parameter(gpu, function, i, &offset, &bytes);
		if (bytes != options->arguments[i].value_bytes)
			fail(EXIT_STATUS_USAGE,
			     "%s: has %u bytes, and parameter %u of the kernel "
			     "has %llu",
			     options->arguments[i].text, options->arguments[i].value_bytes, i + 1,
			     (unsigned long long)bytes);
	}
}

/* Makes the memory of an argument and fills it. */
static void give_memory(struct softgpu *gpu, uint64_t memory_bytes,
			struct kernel_argument *argument)
{
	enum softgpu_result result;
	char *data = NULL;

	if (argument->kind == KERNEL_ARGUMENT_VALUE)
		return;
	if (argument->file && argument->kind != KERNEL_ARGUMENT_OUT)
		data = read_file(argument->file, memory_bytes, &argument->memory_bytes);
	if (data && argument->memory_bytes > memory_bytes)
		fail(EXIT_STATUS_DEVICE,
		     "%s: does not fit the device's memory of %llu bytes: "
		     "give it more with --memory",
		     argument->text, (unsigned long long)memory_bytes);
	if (argument->memory_bytes == 0)
		fail(EXIT_STATUS_FILE, "%s: is empty, and memory has at least a byte",
		     argument->file);
	result = softgpu_mem_alloc(gpu, argument->memory_bytes, &argument->address);
	if (result == SOFTGPU_OUT_OF_MEMORY)
		fail(EXIT_STATUS_DEVICE,
		     "%s: %llu bytes do not fit the device's memory any more: "
		     "give it more with --memory",
		     argument->text, (unsigned long long)argument->memory_bytes);
	if (result == SOFTGPU_SUCCESS && data)
		result = softgpu_memcpy(gpu, argument->address, (uintptr_t)data,
					argument->memory_bytes);
	if (result != SOFTGPU_SUCCESS)
		fail_result(gpu, result, argument->text);
	free(data);
	argument->value.u = argument->address;
}

static void take_memory(struct softgpu *gpu, const struct kernel_argument *argument)
{
	enum softgpu_result result;
	void *data;

	if (argument->kind != KERNEL_ARGUMENT_OUT && argument->kind != KERNEL_ARGUMENT_INOUT)
		return;
	data = malloc(argument->memory_bytes);
	if (!data)
		fail(EXIT_STATUS_FILE, "%s: no memory for its bytes", argument->file);
	result = softgpu_memcpy(gpu, (uintptr_t)data, argument->address, argument->memory_bytes);
	if (result != SOFTGPU_SUCCESS)
		fail_result(gpu, result, argument->text);
	write_file(argument->file, data, argument->memory_bytes);
	free(data);
}

static void print_stats(struct softgpu *gpu, uint64_t ns)
{
	const double seconds = (double)ns / (double)UTIL_NS_PER_S;
	struct softgpu_counts counts;

	(void)softgpu_counts(gpu, &counts);
	fprintf(stderr, "%.6f s, %llu blocks, %llu instructions, %.1f million a second\n", seconds,
		(unsigned long long)counts.blocks, (unsigned long long)counts.instructions,
		(double)counts.instructions / seconds / 1e6);
}

static void run(struct softgpu *gpu, struct softgpu_module *module, struct options *options)
{
	const void *parameters[OPTIONS_ARGUMENTS_MAX];
	struct softgpu_launch launch = {
		.function = find(gpu, module, options->entry),
		.grid = options->grid,
		.block = options->block,
		.shared_bytes = options->shared_bytes,
		.cooperative = options->cooperative,
		.parameters = parameters,
	};
	const char *name = "kernel";
	enum softgpu_result result;
	uint64_t start_ns;

	judge_arguments(gpu, launch.function, options);
	for (uint32_t i = 0; i < options->argument_count; i++) {
		give_memory(gpu, options->config.memory_bytes, &options->arguments[i]);
		parameters[i] = &options->arguments[i].value;
	}
	(void)softgpu_function_name(gpu, launch.function, &name);
	if (launch.shared_bytes > 0)
		(void)softgpu_function_attribute_set(gpu, launch.function,
						     SOFTGPU_FUNCTION_MAX_DYNAMIC_SHARED_BYTES,
						     (int)launch.shared_bytes);
	start_ns = util_now_ns();
	result = softgpu_launch(gpu, &launch);
	if (result != SOFTGPU_SUCCESS && softgpu_error(gpu) == SOFTGPU_SUCCESS)
		show_refused_launch(gpu, &launch, name, result);
	if (result == SOFTGPU_SUCCESS)
		result = softgpu_synchronize(gpu);
	if (result != SOFTGPU_SUCCESS)
		fail_result(gpu, result, name);
	if (options->stats)
		print_stats(gpu, util_now_ns() - start_ns);
	for (uint32_t i = 0; i < options->argument_count; i++)
		take_memory(gpu, &options->arguments[i]);
}

static struct softgpu *open_device(struct options *options)
{
	enum softgpu_result result;
	struct softgpu *gpu;

	options->config.host = softgpu_host_default();
	result = softgpu_open(&options->config, &gpu);
	if (result != SOFTGPU_SUCCESS)
		fail(EXIT_STATUS_DEVICE,
		     "the device cannot be made: %s (try less --memory or fewer "
		     "--processors)",
		     softgpu_result_text((int)result));
	return gpu;
}

static void use_device(struct options *options)
{
	struct softgpu *gpu = open_device(options);
	struct softgpu_module *module = load(gpu, options);

	if (options->mode == OPTIONS_LIST)
		show_kernels(gpu, module);
	else if (options->mode == OPTIONS_RUN)
		run(gpu, module, options);
	softgpu_close(gpu);
	for (uint32_t i = 0; i < options->argument_count; i++)
		free(options->arguments[i].file);
}

/* --- without a device -------------------------------------------------------------------- */

static void print_texts(const struct options *options)
{
	struct sg_error error;
	uint64_t bytes;
	char *data, text[SOFTGPU_TEXT_LEN];

	for (uint32_t i = 0; i < options->image_count; i++) {
		data = read_text(options->images[i], &bytes);
		if (sg_ptx_print(&(struct sg_module_text){ data, bytes }, stdout, &error) < 0) {
			(void)sg_module_error_text(&error, 1, text, sizeof(text));
			fail(EXIT_STATUS_REFUSED, "%s: %s", options->images[i], text);
		}
		free(data);
	}
}

static void print_table(void)
{
	int err = sg_table_print(stdout);

	if (err < 0)
		fail(EXIT_STATUS_FILE, "standard output: %s", strerror(-err));
}

int main(int argc, char **argv)
{
	static struct options options; /* large */

	options_parse(&options, argc, argv);
	switch (options.mode) {
	case OPTIONS_TABLE:
		print_table();
		break;
	case OPTIONS_PRINT:
		print_texts(&options);
		break;
	default:
		use_device(&options);
		break;
	}
	if (fflush(stdout) != 0)
		fail(EXIT_STATUS_FILE, "standard output: %s", strerror(errno));
	return EXIT_STATUS_OK;
}
