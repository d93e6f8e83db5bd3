/* SPDX-License-Identifier: GPL-2.0-or-later */
/* print_buffer.c - what kernels printed and no call has written out yet */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "softgpu/device/print_buffer.h"

#define CAPACITY_LEAST 4096u

void sg_print_buffer_init(struct sg_print_buffer *print, uint64_t limit_bytes)
{
	*print = (struct sg_print_buffer){ .limit_bytes = limit_bytes };
	pthread_mutex_init(&print->output_lock, NULL);
	pthread_mutex_init(&print->lock, NULL);
}

void sg_print_buffer_end(struct sg_print_buffer *print)
{
	pthread_mutex_destroy(&print->output_lock);
	pthread_mutex_destroy(&print->lock);
	free(print->text);
}

void sg_print_buffer_limit(struct sg_print_buffer *print, uint64_t limit_bytes)
{
	pthread_mutex_lock(&print->lock);
	print->limit_bytes = limit_bytes;
	pthread_mutex_unlock(&print->lock);
}

/* Makes room for so many bytes in all. Return: 0 or -ENOSPC. */
static int grow(struct sg_print_buffer *print, size_t bytes)
{
	size_t capacity = print->capacity == 0 ? CAPACITY_LEAST : print->capacity;
	char *text;

	if (bytes > print->limit_bytes)
		return -ENOSPC;
	while (capacity < bytes)
		capacity *= 2;
	if (capacity == print->capacity)
		return 0;
	text = realloc(print->text, capacity);
	if (!text)
		return -ENOSPC;
	print->text = text;
	print->capacity = capacity;
	return 0;
}

int sg_print_buffer_append(struct sg_print_buffer *print, const char *text, size_t bytes)
{
	int err;

	pthread_mutex_lock(&print->lock);
	err = bytes > SIZE_MAX - print->bytes ? -ENOSPC : grow(print, print->bytes + bytes);
	if (err == 0) {
		memcpy(print->text + print->bytes, text, bytes);
		print->bytes += bytes;
	}
	pthread_mutex_unlock(&print->lock);
	return err;
}

void sg_print_buffer_flush(struct sg_print_buffer *print, const struct softgpu_host *host)
{
	char *text;
	size_t bytes;

	pthread_mutex_lock(&print->output_lock);
	pthread_mutex_lock(&print->lock);
	text = print->text;
	bytes = print->bytes;
	print->text = NULL;
	print->bytes = print->capacity = 0;
	pthread_mutex_unlock(&print->lock);
	if (bytes > 0)
		host->output(host->owner, SOFTGPU_OUTPUT_PRINTF, text, bytes);
	free(text);
	pthread_mutex_unlock(&print->output_lock);
}

void sg_print_buffer_line(struct sg_print_buffer *print, const struct softgpu_host *host,
			  enum softgpu_output kind, const char *text)
{
	pthread_mutex_lock(&print->output_lock);
	host->output(host->owner, kind, text, strlen(text));
	host->output(host->owner, kind, "\n", 1);
	pthread_mutex_unlock(&print->output_lock);
}
