/* SPDX-License-Identifier: GPL-2.0-or-later */
/* load.c - memory and failure of one loading */

#include "softgpu/ptx/load.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES_FIRST (8u << 10) /* each chunk doubles the memory, */
#define CHUNK_BYTES_MOST (1u << 20)  /* up to here */
#define ALIGN_BYTES 16u

struct sg_load_chunk {
	struct sg_load_chunk *next;
	size_t bytes; /* of data */
	_Alignas(ALIGN_BYTES) unsigned char data[];
};

static const struct sg_module_limits defaults = {
	.text_bytes = 32ull << 20,
	.memory_bytes = 512ull << 20,
	.data_bytes = 4ull << 30,
	.shared_bytes = 48u << 10,
	.frame_bytes = (512u << 10) - 1024,
};

void sg_load_init(struct sg_load *load, const struct sg_module_limits *limits,
		  struct sg_error *error)
{
	memset(load, 0, sizeof(*load));
	memset(error, 0, sizeof(*error));
	load->error = error;
	load->limits = limits != NULL ? *limits : defaults;
#define DEFAULT(field)               \
	if (load->limits.field == 0) \
	load->limits.field = defaults.field
	DEFAULT(text_bytes);
	DEFAULT(memory_bytes);
	DEFAULT(data_bytes);
	DEFAULT(shared_bytes);
	DEFAULT(frame_bytes);
#undef DEFAULT
}

void sg_load_free_chunks(struct sg_load_chunk *chunks)
{
	while (chunks != NULL) {
		struct sg_load_chunk *next = chunks->next;

		free(chunks);
		chunks = next;
	}
}

void sg_load_free(struct sg_load *load)
{
	sg_load_free_chunks(load->chunks);
	load->chunks = NULL;
}

static void new_chunk(struct sg_load *load, size_t bytes)
{
	uint64_t double_bytes = load->memory_bytes < CHUNK_BYTES_FIRST ? CHUNK_BYTES_FIRST
								       : load->memory_bytes;
	size_t data_bytes = double_bytes > CHUNK_BYTES_MOST ? CHUNK_BYTES_MOST : double_bytes;
	struct sg_load_chunk *chunk;

	data_bytes = bytes > data_bytes ? bytes : data_bytes;

	if (data_bytes > load->limits.memory_bytes ||
	    load->memory_bytes > load->limits.memory_bytes - data_bytes)
		sg_load_fail(load, -E2BIG, 0, 0,
			     "loading this module takes more than %llu bytes of memory",
			     (unsigned long long)load->limits.memory_bytes);
	chunk = calloc(1, sizeof(*chunk) + data_bytes);
	if (chunk == NULL)
		sg_load_fail(load, -ENOMEM, 0, 0, "out of memory");
	chunk->bytes = data_bytes;
	chunk->next = load->chunks;
	load->chunks = chunk;
	load->chunk_used = 0;
	load->memory_bytes += data_bytes;
}

struct sg_load_mark sg_load_mark(const struct sg_load *load)
{
	return (struct sg_load_mark){ load->chunks, load->chunk_used };
}

void sg_load_release(struct sg_load *load, struct sg_load_mark mark)
{
	size_t used = load->chunk_used;

	while (load->chunks != NULL && load->chunks != mark.chunks) {
		struct sg_load_chunk *chunk = load->chunks;

		load->chunks = chunk->next;
		load->memory_bytes -= chunk->bytes;
		free(chunk);
		/* how much of an older one was used is not known any more: its whole end is wiped
		 */
		used = load->chunks != NULL ? load->chunks->bytes : 0;
	}
	if (load->chunks != NULL)
		memset(load->chunks->data + mark.chunk_used, 0, used - mark.chunk_used);
	load->chunk_used = mark.chunk_used;
}

void *sg_load_alloc(struct sg_load *load, size_t bytes)
{
	size_t rounded;
	void *memory;

	if (bytes > SIZE_MAX / 2)
		sg_load_fail(load, -E2BIG, 0, 0, "an object of this module is too big");
	rounded = (bytes + ALIGN_BYTES - 1) & ~(size_t)(ALIGN_BYTES - 1);
	if (load->chunks == NULL || rounded > load->chunks->bytes - load->chunk_used)
		new_chunk(load, rounded);
	memory = load->chunks->data + load->chunk_used;
	load->chunk_used += rounded;
	return memory;
}

void *sg_load_array(struct sg_load *load, size_t count, size_t bytes)
{
	size_t all;

	if (__builtin_mul_overflow(count, bytes, &all))
		sg_load_fail(load, -E2BIG, 0, 0, "an object of this module is too big");
	return sg_load_alloc(load, all);
}

void *sg_load_grow(struct sg_load *load, void *array, size_t count, size_t *capacity, size_t bytes)
{
	size_t room = *capacity == 0 ? 8 : *capacity * 2;
	void *bigger;

	if (count < *capacity)
		return array;
	bigger = sg_load_array(load, room, bytes);
	if (count > 0)
		memcpy(bigger, array, count * bytes);
	*capacity = room;
	return bigger;
}

char *sg_load_text(struct sg_load *load, const char *text, size_t len_bytes)
{
	char *copy = sg_load_alloc(load, len_bytes + 1);

	memcpy(copy, text, len_bytes);
	return copy;
}

/* What came from a text may hold anything; an error's sentence is printable ASCII. */
static void make_printable(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || (unsigned char)*text > 0x7e)
			*text = '?';
}

_Noreturn void sg_load_fail(struct sg_load *load, int code, uint32_t line, uint32_t column,
			    const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(load->error->text, sizeof(load->error->text), format, args);
	va_end(args);
	make_printable(load->error->text);
	load->error->code = code;
	load->error->line = line;
	load->error->column = column;
	load->error->source = load->source;
	longjmp(load->failed, 1);
}
