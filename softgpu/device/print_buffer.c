/* SPDX-License-Identifier: GPL-2.0-or-later */
/* print_buffer.c - what kernels printed and no call has written out yet */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "softgpu/device/print_buffer.h"

/*
 * The buffer is a row of records: the text's bytes as a number, then the text. When it is full the
 * oldest records go, as in the ring of a real device.
 */
#define HEAD_BYTES sizeof(uint32_t)
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

/* Makes room for bytes behind the used ones. Return: whether there is memory for them. */
static bool grow(struct sg_print_buffer *print, size_t bytes)
{
	size_t capacity = print->capacity == 0 ? CAPACITY_LEAST : print->capacity;
	char *text;

	/* What was dropped is in front: reused once it is the larger part, so that moves stay rare. */
	if (print->dropped > print->used / 2) {
		memmove(print->text, print->text + print->dropped, print->used - print->dropped);
		print->used -= print->dropped;
		print->dropped = 0;
	}
	while (capacity - print->used < bytes)
		capacity *= 2;
	if (capacity == print->capacity)
		return true;
	text = realloc(print->text, capacity);
	if (!text)
		return false;
	print->text = text;
	print->capacity = capacity;
	return true;
}

/* Return: the bytes of the record that begins there. */
static uint32_t text_bytes(const struct sg_print_buffer *print, size_t at)
{
	uint32_t bytes;

	memcpy(&bytes, print->text + at, sizeof(bytes));
	return bytes;
}

int sg_print_buffer_append(struct sg_print_buffer *print, const char *text, uint32_t bytes)
{
	const uint64_t needed = HEAD_BYTES + (uint64_t)bytes;
	int err = 0;

	pthread_mutex_lock(&print->lock);
	if (needed > print->limit_bytes || !grow(print, needed)) {
		err = -ENOSPC;
	} else {
		memcpy(print->text + print->used, &bytes, HEAD_BYTES);
		memcpy(print->text + print->used + HEAD_BYTES, text, bytes);
		print->used += needed;
		while (print->used - print->dropped > print->limit_bytes)
			print->dropped += HEAD_BYTES + text_bytes(print, print->dropped);
	}
	pthread_mutex_unlock(&print->lock);
	return err;
}

void sg_print_buffer_flush(struct sg_print_buffer *print, const struct softgpu_host *host)
{
	struct sg_print_buffer taken;
	size_t out = 0;

	pthread_mutex_lock(&print->output_lock);
	pthread_mutex_lock(&print->lock);
	taken = *print;
	print->text = NULL;
	print->used = print->dropped = print->capacity = 0;
	pthread_mutex_unlock(&print->lock);
	for (size_t at = taken.dropped; at < taken.used;) {
		uint32_t bytes = text_bytes(&taken, at);

		memmove(taken.text + out, taken.text + at + HEAD_BYTES, bytes);
		out += bytes;
		at += HEAD_BYTES + bytes;
	}
	if (out > 0)
		host->output(host->owner, SOFTGPU_OUTPUT_PRINTF, taken.text, out);
	free(taken.text);
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
