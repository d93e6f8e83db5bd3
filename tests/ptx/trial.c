/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trial.c - one case's run on one GPU: its modules, buffers, launches and what they are compared
 * with */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/ptx/trial.h"
#include "tests/ptx/trial_file.h"
#include "tests/ptx/trial_private.h"

void trial_out_of_memory(void)
{
	fputs("Bail out! the suite is out of memory\n", stdout);
	exit(1);
}

void trial_fail(struct trial *trial, const char *format, ...)
{
	va_list args;

	if (trial->fail_count++ >= TRIAL_FAILS_SHOWN)
		return;
	printf("# %s: ", trial->name);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

static bool check(struct trial *trial, int result, const char *what)
{
	if (result != GPU_OK)
		trial_fail(trial, "%s: result %d %s", what, result, trial->options.gpu->fault());
	return result == GPU_OK;
}

struct trial *trial_new(const struct trial_options *options, const char *case_name,
			const char *argument)
{
	struct trial *trial = calloc(1, sizeof(*trial));

	if (!trial)
		trial_out_of_memory();
	trial->options = *options;
	trial->name = case_name;
	trial->argument = argument;
	trial->move_bytes_max = SIZE_MAX;
	return trial;
}

const char *trial_argument(const struct trial *trial)
{
	return trial->argument;
}

bool trial_is_softgpu(const struct trial *trial)
{
	return trial->options.gpu->is_softgpu;
}

bool trial_end(struct trial *trial)
{
	const struct gpu *gpu = trial->options.gpu;
	bool held;

	trial_keep_all(trial);
	/* After a fault every call fails: results of clearing up say nothing. */
	for (unsigned i = 0; i < trial->buffer_count; i++) {
		gpu->free(trial->buffers[i].address);
		free(trial->buffers[i].host);
	}
	for (unsigned i = 0; i < trial->module_count; i++)
		gpu->unload(trial->modules[i]);
	held = trial->fail_count == 0;
	if (trial->fail_count > TRIAL_FAILS_SHOWN)
		printf("# %s: %u more differences\n", trial->name,
		       trial->fail_count - TRIAL_FAILS_SHOWN);
	free(trial);
	return held;
}

/* Keeps the first entry's name: compilers of Python make ones that no case can spell. */
static void find_entry(struct trial *trial, const char *text)
{
	const char *at = strstr(text, ".entry ");
	size_t bytes;

	trial->first_entry[0] = '\0';
	if (!at)
		return;
	at += strlen(".entry ");
	bytes = strcspn(at, "( \t\n");
	if (bytes < sizeof(trial->first_entry)) {
		memcpy(trial->first_entry, at, bytes);
		trial->first_entry[bytes] = '\0';
	}
}

static int try_load(struct trial *trial, const char *const *texts, const size_t *text_bytes,
		    unsigned count)
{
	void *module = NULL;
	int result;

	if (trial->module_count == TRIAL_MODULES_MAX)
		abort();
	result = trial->options.gpu->load(texts, text_bytes, count, &module, trial->log,
					  sizeof(trial->log));
	if (result == GPU_OK) {
		trial->modules[trial->module_count++] = module;
		find_entry(trial, texts[0]);
	}
	return result;
}

bool trial_only_entry(struct trial *trial, char *entry, size_t entry_bytes)
{
	int length = snprintf(entry, entry_bytes, "%s", trial->first_entry);

	if (length > 0 && (size_t)length < entry_bytes)
		return true;
	trial_fail(trial, "the text has no entry with a name of less than %zu bytes", entry_bytes);
	return false;
}

static bool load(struct trial *trial, const char *const *texts, const size_t *text_bytes,
		 unsigned count)
{
	int result = try_load(trial, texts, text_bytes, count);

	if (result != GPU_OK)
		trial_fail(trial, "load: result %d: %s", result, trial->log);
	return result == GPU_OK;
}

bool trial_try_text(struct trial *trial, const char *text, size_t text_bytes)
{
	return try_load(trial, &text, &text_bytes, 1) == GPU_OK;
}

const char *trial_log(const struct trial *trial)
{
	return trial->log;
}

unsigned trial_not_loaded(struct trial *trial, const char *form)
{
	if (trial_is_softgpu(trial))
		trial_fail(trial, "%s: %s", form, trial_log(trial));
	else
		printf("# %s: refused there\n", form);
	return 1;
}

void trial_unload(struct trial *trial)
{
	while (trial->module_count > 0)
		check(trial, trial->options.gpu->unload(trial->modules[--trial->module_count]),
		      "unload");
}

bool trial_load_text(struct trial *trial, const char *text, size_t text_bytes)
{
	return load(trial, &text, &text_bytes, 1);
}

bool trial_load_linked(struct trial *trial, const char *const *files)
{
	const char *texts[TRIAL_MODULES_MAX] = { NULL };
	size_t text_bytes[TRIAL_MODULES_MAX] = { 0 };
	unsigned count = 0;
	bool loaded = false;

	for (; files[count] && count < TRIAL_MODULES_MAX; count++) {
		char *text = trial_file_read(trial->options.ptx_dir, files[count],
					     &text_bytes[count]);

		if (!text) {
			trial_fail(trial, "%s/%s: %s", trial->options.ptx_dir, files[count],
				   strerror(errno));
			break;
		}
		texts[count] = text;
	}
	if (!files[count])
		loaded = load(trial, texts, text_bytes, count);
	while (count > 0)
		free((char *)texts[--count]);
	return loaded;
}

bool trial_load(struct trial *trial, const char *file)
{
	return trial_load_linked(trial, (const char *const[]){ file, NULL });
}

void trial_refused(struct trial *trial, const char *text, const char *message)
{
	size_t text_bytes = strlen(text);
	char log[2048] = "";
	void *module = NULL;
	int result = trial->options.gpu->load(&text, &text_bytes, 1, &module, log, sizeof(log));

	if (result == GPU_OK) {
		trial_fail(trial, "loaded, but \"%s\" was expected", message);
		trial->options.gpu->unload(module);
		return;
	}
	if (!trial_is_softgpu(trial))
		return;
	if (result != GPU_INVALID_PTX)
		trial_fail(trial, "result %d, not %d", result, GPU_INVALID_PTX);
	if (strcmp(log, message) != 0)
		trial_fail(trial, "said \"%s\", not \"%s\"", log, message);
}

void *trial_buffer(struct trial *trial, const char *name, size_t bytes)
{
	struct buffer *buffer = &trial->buffers[trial->buffer_count];

	if (trial->buffer_count == TRIAL_BUFFERS_MAX)
		abort();
	buffer->host = calloc(1, bytes);
	if (!buffer->host)
		trial_out_of_memory();
	snprintf(buffer->name, sizeof(buffer->name), "%s", name);
	buffer->bytes = bytes;
	buffer->varies = false;
	buffer->address = 0;
	check(trial, trial->options.gpu->alloc(&buffer->address, bytes), name);
	trial->buffer_count++;
	return buffer->host;
}

static struct buffer *find_buffer(struct trial *trial, const void *host)
{
	for (unsigned i = 0; i < trial->buffer_count; i++) {
		struct buffer *buffer = &trial->buffers[i];
		const unsigned char *at = host;

		if (at >= buffer->host && at <= buffer->host + buffer->bytes)
			return buffer;
	}
	abort();
}

uint64_t trial_address(struct trial *trial, const void *host)
{
	const struct buffer *buffer = find_buffer(trial, host);

	return buffer->address + (uint64_t)((const unsigned char *)host - buffer->host);
}

void trial_varies(struct trial *trial, const void *host, const char *reason)
{
	(void)reason;
	find_buffer(trial, host)->varies = true;
}

void trial_limit_buffers(struct trial *trial, size_t bytes)
{
	trial->move_bytes_max = bytes;
}

uint64_t trial_global_address(struct trial *trial, const char *symbol, size_t *bytes)
{
	uint64_t address = 0;

	*bytes = 0;
	for (unsigned i = trial->module_count; i-- > 0;) {
		if (trial->options.gpu->global(trial->modules[i], symbol, &address, bytes) ==
		    GPU_OK)
			return address;
	}
	trial_fail(trial, "%s: no such global", symbol);
	return 0;
}

void trial_global_read(struct trial *trial, const char *symbol, void *to, size_t bytes)
{
	size_t global_bytes;
	uint64_t address = trial_global_address(trial, symbol, &global_bytes);

	if (bytes > global_bytes)
		trial_fail(trial, "%s: %zu bytes, not %zu", symbol, global_bytes, bytes);
	else
		check(trial, trial->options.gpu->read(to, address, bytes), symbol);
}

void trial_global_write(struct trial *trial, const char *symbol, const void *from, size_t bytes)
{
	size_t global_bytes;
	uint64_t address = trial_global_address(trial, symbol, &global_bytes);

	if (bytes > global_bytes)
		trial_fail(trial, "%s: %zu bytes, not %zu", symbol, global_bytes, bytes);
	else
		check(trial, trial->options.gpu->write(address, from, bytes), symbol);
}

static bool move_buffers(struct trial *trial, bool upload)
{
	for (unsigned i = 0; i < trial->buffer_count; i++) {
		const struct buffer *b = &trial->buffers[i];
		size_t bytes = b->bytes < trial->move_bytes_max ? b->bytes : trial->move_bytes_max;
		int result = upload ? trial->options.gpu->write(b->address, b->host, bytes)
				    : trial->options.gpu->read(b->host, b->address, bytes);

		if (!check(trial, result, b->name))
			return false;
	}
	return true;
}

static void *find_function(struct trial *trial, const char *entry)
{
	void *function = NULL;

	for (unsigned i = trial->module_count; i-- > 0;) {
		if (trial->options.gpu->function(trial->modules[i], entry, &function) == GPU_OK)
			return function;
	}
	trial_fail(trial, "%s: no such entry", entry);
	return NULL;
}

static int launch(struct trial *trial, const char *entry, const struct gpu_shape *shape,
		  const struct trial_arg *args, unsigned count)
{
	void *function = find_function(trial, entry);
	void *parameters[TRIAL_ARGS_MAX];
	uint64_t addresses[TRIAL_ARGS_MAX];
	int result;

	if (!function || count > TRIAL_ARGS_MAX)
		return GPU_NOT_FOUND;
	for (unsigned i = 0; i < count; i++) {
		parameters[i] = &addresses[i];
		if (args[i].kind == TRIAL_ARG_BUFFER)
			addresses[i] = trial_address(trial, args[i].at);
		else if (args[i].kind == TRIAL_ARG_ADDRESS)
			addresses[i] = args[i].address;
		else
			parameters[i] = (void *)args[i].at;
	}
	result = trial->options.gpu->launch(function, shape, parameters);
	return result != GPU_OK ? result : trial->options.gpu->sync();
}

bool trial_launch_args(struct trial *trial, const char *entry, struct gpu_shape shape,
		       const struct trial_arg *args, unsigned count)
{
	return move_buffers(trial, true) &&
	       check(trial, launch(trial, entry, &shape, args, count), entry) &&
	       move_buffers(trial, false);
}

void trial_fault_args(struct trial *trial, const char *entry, struct gpu_shape shape, int expected,
		      const char *const *words, const struct trial_arg *args, unsigned count)
{
	const char *sentence;
	int result;

	if (!move_buffers(trial, true))
		return;
	result = launch(trial, entry, &shape, args, count);
	if (result != expected)
		trial_fail(trial, "%s: result %d, not %d (%s)", entry, result, expected,
			   trial->options.gpu->fault());
	if (!trial_is_softgpu(trial))
		return;
	sentence = trial->options.gpu->fault();
	for (; *words; words++) {
		if (!strstr(sentence, *words))
			trial_fail(trial, "%s: \"%s\" does not stand in \"%s\"", entry, *words,
				   sentence);
	}
}

void trial_stays_lost(struct trial *trial, const char *entry, int expected)
{
	const struct gpu *gpu = trial->options.gpu;
	uint64_t address = 0;
	void *module = trial->modules[0], *function = NULL;
	const int results[] = {
		gpu->sync(),
		gpu->alloc(&address, 64),
		gpu->read(trial->output, trial->buffers[0].address, 4),
		gpu->write(trial->buffers[0].address, trial->output, 4),
		gpu->function(module, entry, &function),
		gpu->free(trial->buffers[0].address),
	};

	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		if (results[i] != expected)
			trial_fail(trial, "call %zu after the fault: result %d, not %d", i,
				   results[i], expected);
	}
}

const char *trial_output(struct trial *trial)
{
	trial->options.gpu->output(trial->output, sizeof(trial->output));
	return trial->output;
}

void trial_limits(struct trial *trial, size_t stack_bytes, size_t heap_bytes)
{
	check(trial, trial->options.gpu->limits(stack_bytes, heap_bytes), "limits");
}
